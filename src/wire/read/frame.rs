//! Frames of a stream: size, checksum, data.
//!
//! ```text
//! size (varint) | CRC-32C of the data (4 bytes, big-endian) | data
//! ```

use super::ReadError;

/// Bytes of a checksum.
const CHECKSUM_BYTES: usize = 4;

/// The most bytes of a varint.
const MAX_SIZE_BYTES: usize = 10;

/// Puts frames together from a stream whose bytes come in pieces of any size.
///
/// It holds at most one frame, and no more memory than twice what has come of it: the size that a frame claims
/// allocates nothing.
#[derive(Debug)]
pub struct FrameReader {
    limit: usize,
    /// Where the frame at hand begins, in bytes of the stream.
    offset: u64,
    /// Size and checksum of the frame at hand, as far as they came.
    head: Vec<u8>,
    /// What they say, once they are whole.
    expected: Option<Expected>,
    data: Vec<u8>,
    /// Whether the frame at hand was handed out.
    is_whole: bool,
}

#[derive(Clone, Copy, Debug)]
struct Expected {
    bytes: usize,
    checksum: u32,
}

/// Appends a frame of `data` to `into`.
pub fn write_frame(data: &[u8], into: &mut Vec<u8>) {
    prost::encoding::encode_varint(data.len() as u64, into);
    into.extend(crc32c::crc32c(data).to_be_bytes());
    into.extend_from_slice(data);
}

// === impl FrameReader ===

impl FrameReader {
    /// A reader at the start of a stream whose frames have at most `limit` bytes of data.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, offset: 0, head: Vec::new(), expected: None, data: Vec::new(), is_whole: false }
    }

    /// Takes bytes from the front of `bytes` until a frame is whole; `None` when they are all taken before.
    ///
    /// # Errors
    /// When the frame is too large or its checksum is wrong. The stream cannot be read any further then.
    pub fn next<'a>(&'a mut self, bytes: &mut &[u8]) -> Result<Option<&'a [u8]>, ReadError> {
        self.forget_whole();
        let expected = match self.expected {
            Some(expected) => expected,
            None => match self.take_head(bytes)? {
                Some(expected) => *self.expected.insert(expected),
                None => return Ok(None),
            },
        };
        let (taken, rest) = bytes.split_at(bytes.len().min(expected.bytes - self.data.len()));
        self.data.extend_from_slice(taken);
        *bytes = rest;
        if self.data.len() < expected.bytes {
            return Ok(None);
        }
        let found = crc32c::crc32c(&self.data);
        if found != expected.checksum {
            let (offset, expected) = (self.offset, expected.checksum);
            return Err(ReadError::Checksum { offset, bytes: self.data.len(), expected, found });
        }
        self.is_whole = true;
        Ok(Some(&self.data))
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// When that is inside a frame.
    pub fn finish(&self) -> Result<(), ReadError> {
        let arrived = self.head.len() + self.data.len();
        if arrived > 0 && !self.is_whole {
            return Err(ReadError::EndInFrame { offset: self.offset, arrived });
        }
        Ok(())
    }

    fn forget_whole(&mut self) {
        if std::mem::take(&mut self.is_whole) {
            self.offset += (self.head.len() + self.data.len()) as u64;
            self.head.clear();
            self.data.clear();
            self.expected = None;
        }
    }

    /// Takes size and checksum byte by byte; they are few.
    fn take_head(&mut self, bytes: &mut &[u8]) -> Result<Option<Expected>, ReadError> {
        while let Some((byte, rest)) = bytes.split_first() {
            self.head.push(*byte);
            *bytes = rest;
            if let Some(expected) = self.read_head()? {
                return Ok(Some(expected));
            }
        }
        Ok(None)
    }

    fn read_head(&self) -> Result<Option<Expected>, ReadError> {
        let offset = self.offset;
        let Some(last) = self.head.iter().position(|byte| *byte < 0x80) else {
            let is_too_long = self.head.len() >= MAX_SIZE_BYTES;
            return if is_too_long { Err(ReadError::FrameSize { offset }) } else { Ok(None) };
        };
        let (mut size, checksum) = self.head.split_at(last + 1);
        let bytes = prost::encoding::decode_varint(&mut size).map_err(|_| ReadError::FrameSize { offset })?;
        if bytes > self.limit as u64 {
            return Err(ReadError::FrameTooLarge { offset, bytes, limit: self.limit });
        }
        let checksum = checksum.first_chunk::<CHECKSUM_BYTES>().map(|bytes| u32::from_be_bytes(*bytes));
        Ok(checksum.map(|checksum| Expected { bytes: bytes as usize, checksum }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The frames of a stream that comes in pieces of these sizes, over and over.
    fn read(stream: &[u8], pieces: &[usize], limit: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        let mut reader = FrameReader::new(limit);
        let mut frames = Vec::new();
        let mut rest = stream;
        for size in pieces.iter().cycle().take(2 * stream.len() + 1) {
            let (mut piece, behind) = rest.split_at(rest.len().min(*size));
            rest = behind;
            while let Some(frame) = reader.next(&mut piece)? {
                frames.push(frame.to_vec());
            }
            assert!(piece.is_empty(), "all bytes are taken");
        }
        reader.finish().map(|()| frames)
    }

    /// The check value of CRC-32C, from the catalogue of parametrised CRC algorithms.
    #[test]
    fn d4_a_frame_is_size_checksum_and_data() {
        let mut stream = Vec::new();
        write_frame(b"123456789", &mut stream);
        assert_eq!(stream, b"\x09\xe3\x06\x92\x83123456789");
    }

    #[test]
    fn d4_a_frame_too_large_is_refused_by_its_size_alone() {
        let error = read(&[0xff, 0xff, 0xff, 0xff, 0x7f], &[1], 100).unwrap_err();
        assert!(matches!(error, ReadError::FrameTooLarge { offset: 0, bytes: 0x7_ffff_ffff, limit: 100 }));
        let error = read(&[0x80; 11], &[4], 100).unwrap_err();
        assert!(matches!(error, ReadError::FrameSize { offset: 0 }), "{error}");
        let more_than_64_bits = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert!(matches!(read(&more_than_64_bits, &[1], 100), Err(ReadError::FrameSize { offset: 0 })));
    }

    #[test]
    fn d4_a_changed_bit_is_found_and_its_place_named() {
        let mut stream = Vec::new();
        write_frame(b"first", &mut stream);
        write_frame(b"second", &mut stream);
        for bit in 0..8 * 6 {
            let mut damaged = stream.clone();
            damaged[15 + bit / 8] ^= 1 << (bit % 8);
            let error = read(&damaged, &[7], 100).unwrap_err();
            assert!(matches!(error, ReadError::Checksum { offset: 10, bytes: 6, .. }), "{error}");
        }
    }

    proptest! {
        /// For all frames, in whatever pieces they come, what is read is what was written.
        #[test]
        fn d4_frames_are_read_as_written(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6),
            pieces in prop::collection::vec(1_usize..300, 1..5),
        ) {
            let mut stream = Vec::new();
            frames.iter().for_each(|frame| write_frame(frame, &mut stream));
            prop_assert_eq!(read(&stream, &pieces, 200).unwrap(), frames);
        }

        /// For all streams cut between frames they are whole, cut elsewhere they are not.
        #[test]
        fn d4_an_end_inside_a_frame_is_an_error(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..4),
            cut: prop::sample::Index,
        ) {
            let (mut stream, mut ends) = (Vec::new(), vec![0]);
            for frame in &frames {
                write_frame(frame, &mut stream);
                ends.push(stream.len());
            }
            let cut = cut.index(stream.len() + 1);
            let result = read(&stream[..cut], &[3], 100);
            match ends.iter().position(|end| *end == cut) {
                Some(whole) => prop_assert_eq!(result.unwrap(), &frames[..whole]),
                None => {
                    let begun = ends.iter().copied().filter(|end| *end < cut).max().unwrap_or(0);
                    let is_expected = matches!(
                        result,
                        Err(ReadError::EndInFrame { offset, arrived })
                            if offset == begun as u64 && arrived == cut - begun
                    );
                    prop_assert!(is_expected, "{result:?}");
                }
            }
        }
    }
}
