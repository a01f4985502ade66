//! The envelope of a model file: magic, version, length, packed payload, checksum.
//!
//! Described byte by byte in `docs/model-format.md`.

use super::ModelError;

/// The first eight bytes of every model file.
pub const MAGIC: [u8; 8] = *b"EMBRWTCH";

/// The newest format that is read. A model is written in the oldest one that can say it.
pub const FORMAT_VERSION: u32 = Format::Third as u32;

/// The formats, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Format {
    /// Plain forests.
    First = 1,
    /// Forests may have trees of hyperplanes, and members may be of the kind nearest. Programs that know only the first
    /// would take such a forest for one without trees.
    Second = 2,
    /// Members have rankers beside them, and inputs short means and jumps. Programs that know only the second would
    /// look for other columns.
    Third = 3,
}

/// Magic, format version, length of the packed payload.
const HEADER_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 4;

/// The most bytes of a payload, packed or not: 10,000 entities with 100 features, 144 bytes each, need more than half of it.
const MAX_PAYLOAD_BYTES: usize = 256 << 20;

/// Puts a payload of a format into its envelope.
pub(super) fn wrap(payload: &[u8], format: Format) -> Result<Vec<u8>, ModelError> {
    check_size(payload.len())?;
    let packed = snap::raw::Encoder::new()
        .compress_vec(payload)
        .map_err(|error| ModelError::Payload(error.to_string()))?;
    let length = u32::try_from(packed.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + packed.len() + CHECKSUM_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&(format as u32).to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&packed);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    Ok(bytes)
}

/// Takes the payload out of a checked envelope. Allocates at most [`MAX_PAYLOAD_BYTES`], whatever the
/// file claims.
pub(super) fn unwrap(bytes: &[u8]) -> Result<Vec<u8>, ModelError> {
    let magic = &bytes[..bytes.len().min(MAGIC.len())];
    if !MAGIC.starts_with(magic) {
        return Err(ModelError::WrongMagic { found: String::from_utf8_lossy(magic).into_owned() });
    }
    let truncated = |need| ModelError::Truncated { have: bytes.len(), need };
    let (Some(version), Some(length)) = (read_u32(bytes, 8), read_u32(bytes, 12)) else {
        return Err(truncated(HEADER_BYTES + CHECKSUM_BYTES));
    };
    if !(Format::First as u32..=FORMAT_VERSION).contains(&version) {
        return Err(ModelError::FormatVersion { found: version });
    }
    let length = length as usize;
    check_size(length)?;
    let checksum_at = HEADER_BYTES + length;
    let end = checksum_at + CHECKSUM_BYTES;
    if bytes.len() > end {
        return Err(ModelError::TrailingBytes { extra: bytes.len() - end });
    }
    let (Some(content), Some(stored)) = (bytes.get(..checksum_at), read_u32(bytes, checksum_at)) else {
        return Err(truncated(end));
    };
    let computed = crc32fast::hash(content);
    if stored != computed {
        return Err(ModelError::Altered { stored, computed });
    }
    unpack(&content[HEADER_BYTES..])
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, ModelError> {
    let unreadable = |error: snap::Error| ModelError::Payload(error.to_string());
    check_size(snap::raw::decompress_len(packed).map_err(unreadable)?)?;
    snap::raw::Decoder::new().decompress_vec(packed).map_err(unreadable)
}

fn check_size(bytes: usize) -> Result<(), ModelError> {
    if bytes > MAX_PAYLOAD_BYTES {
        return Err(ModelError::TooLarge { bytes, limit: MAX_PAYLOAD_BYTES });
    }
    Ok(())
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
