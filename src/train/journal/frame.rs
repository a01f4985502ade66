//! What stands around the records: the header of the file, and length and checksums of each record.

use super::Header;

/// The first eight bytes of every journal.
pub const MAGIC: [u8; 8] = *b"EMBRROWS";

/// The format that is written, and the only one that is read.
pub const FORMAT_VERSION: u32 = 1;

/// Magic, format version, fingerprint, columns, checksum of all these.
pub(super) const HEADER_BYTES: usize = 28;

/// Length of the record, checksum of the length, checksum of the record.
pub(super) const FRAME_BYTES: usize = 12;

/// More bytes than a record can have: one row more than [`FULL_RECORD_BYTES`], or one entity.
pub(super) const MAX_RECORD_BYTES: usize = 16 << 20;

/// From here on a record is followed by another one, so that a reader holds little at a time.
pub(super) const FULL_RECORD_BYTES: usize = 1 << 20;

/// Why bytes are no header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// There are too few.
    #[error("it has {have} bytes, a header alone has {HEADER_BYTES}")]
    Truncated {
        /// How many there are.
        have: usize,
    },
    /// It does not begin like a journal.
    #[error("it begins with {found:?}, not with \"EMBRROWS\"")]
    WrongMagic {
        /// The first bytes, as far as they are text.
        found: String,
    },
    /// The format is one that this program does not know.
    #[error("its format is {found}, this program reads {FORMAT_VERSION}")]
    FormatVersion {
        /// The file's format.
        found: u32,
    },
    /// The checksum does not fit.
    #[error("its header was altered: the checksum is {stored:08x}, the content has {computed:08x}")]
    Altered {
        /// The checksum in the file.
        stored: u32,
        /// That of the content.
        computed: u32,
    },
}

pub(super) fn write_header(header: Header) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[12..20].copy_from_slice(&header.fingerprint.to_le_bytes());
    bytes[20..24].copy_from_slice(&u32::try_from(header.n_columns).unwrap_or(u32::MAX).to_le_bytes());
    let checksum = crc32c::crc32c(&bytes[..24]);
    bytes[24..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

pub(super) fn read_header(bytes: &[u8]) -> Result<Header, InvalidHeader> {
    let magic = &bytes[..bytes.len().min(MAGIC.len())];
    if !MAGIC.starts_with(magic) {
        return Err(InvalidHeader::WrongMagic { found: String::from_utf8_lossy(magic).into_owned() });
    }
    let truncated = InvalidHeader::Truncated { have: bytes.len() };
    let (Some(content), Some(stored)) = (bytes.get(..24), read_u32(bytes, 24)) else {
        return Err(truncated);
    };
    let version = read_u32(content, 8).unwrap_or_default();
    if version != FORMAT_VERSION {
        return Err(InvalidHeader::FormatVersion { found: version });
    }
    let computed = crc32c::crc32c(content);
    if stored != computed {
        return Err(InvalidHeader::Altered { stored, computed });
    }
    let [low, high] = [12, 16].map(|at| u64::from(read_u32(content, at).unwrap_or_default()));
    let n_columns = read_u32(content, 20).unwrap_or_default() as usize;
    Ok(Header { fingerprint: high << 32 | low, n_columns })
}

/// What stands before a record.
pub(super) fn write_frame(record: &[u8]) -> [u8; FRAME_BYTES] {
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = [0; FRAME_BYTES];
    bytes[..4].copy_from_slice(&length);
    bytes[4..8].copy_from_slice(&crc32c::crc32c(&length).to_le_bytes());
    bytes[8..].copy_from_slice(&crc32c::crc32c(record).to_le_bytes());
    bytes
}

/// Length and checksum of the record behind the frame; none where it is no frame, as zeros are none.
pub(super) fn read_frame(bytes: &[u8; FRAME_BYTES]) -> Option<(usize, u32)> {
    let (length, checksum) = (read_u32(bytes, 0)?, read_u32(bytes, 4)?);
    let is_frame = crc32c::crc32c(&length.to_le_bytes()) == checksum;
    let length = length as usize;
    (is_frame && length <= MAX_RECORD_BYTES).then_some((length, read_u32(bytes, 8)?))
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
