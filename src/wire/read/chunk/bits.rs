//! Bits, the most significant first.

use super::Fault;

/// Reads bits from the front of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Bits read. Invariant: no more than there are.
    at: usize,
}

/// Writes bits behind bytes; the last byte is filled with zeros.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are not written.
    free: u32,
}

// === impl BitReader ===

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    #[inline]
    pub(super) fn bit(&mut self) -> Result<bool, Fault> {
        let byte = self.bytes.get(self.at / 8).ok_or(Fault::Truncated)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Ok(bit == 1)
    }

    /// The next `count` bits as a number; `count` is at most 64.
    #[inline]
    pub(super) fn bits(&mut self, count: u32) -> Result<u64, Fault> {
        debug_assert!(count <= 64);
        let (first, shift) = (self.at / 8, (self.at % 8) as u32);
        if count == 0 {
            return Ok(0);
        }
        if self.bytes.len() * 8 - self.at < count as usize {
            return Err(Fault::Truncated);
        }
        let rest = self.bytes.get(first..).unwrap_or_default();
        let (window, next) = match rest.split_first_chunk::<8>() {
            Some((window, behind)) => (u64::from_be_bytes(*window), behind.first().copied().unwrap_or(0)),
            None => {
                (rest.iter().zip((0..8).rev()).map(|(byte, place)| u64::from(*byte) << (8 * place)).sum(), 0)
            }
        };
        // Beside the 64 bits of the window up to 7 of the byte behind it.
        let aligned = if shift == 0 { window } else { window << shift | u64::from(next >> (8 - shift)) };
        self.at += count as usize;
        Ok(aligned >> (64 - count))
    }

    /// A number of seven bits a byte, the lowest first, at whatever bit it begins.
    pub(super) fn varint(&mut self) -> Result<u64, Fault> {
        let mut number = 0;
        for index in 0..10 {
            let byte = self.bits(8)?;
            // The tenth byte has room for one bit.
            if index == 9 && byte > 1 {
                break;
            }
            number |= (byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Fault::Varint)
    }
}

// === impl BitWriter ===

impl BitWriter {
    /// Begins behind whole bytes.
    pub(super) fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, free: 0 }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes the lowest `count` bits of `number`; `count` is at most 64.
    pub(super) fn bits(&mut self, number: u64, count: u32) {
        debug_assert!(count <= 64);
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let taken = left.min(self.free);
            let part = (number >> (left - taken)) as u8 & (0xff >> (8 - taken));
            if let Some(last) = self.bytes.last_mut() {
                *last |= part << (self.free - taken);
            }
            self.free -= taken;
            left -= taken;
        }
    }

    pub(super) fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bits(number & 0x7f | 0x80, 8);
            number >>= 7;
        }
        self.bits(number, 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bits_are_taken_from_the_highest_on() {
        let mut bits = BitReader::new(&[0b1010_0000, 0b0000_0011]);
        assert!(bits.bit().unwrap());
        assert_eq!((bits.bits(2), bits.bits(12), bits.bits(1)), (Ok(0b01), Ok(1), Ok(1)));
        assert_eq!(
            (bits.bits(0), bits.bits(1), bits.bit()),
            (Ok(0), Err(Fault::Truncated), Err(Fault::Truncated))
        );
    }

    #[test]
    fn a_varint_has_at_most_64_bits() {
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(BitReader::new(&most).varint(), Ok(u64::MAX));
        let more = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(BitReader::new(&more).varint(), Err(Fault::Varint));
        assert_eq!(BitReader::new(&[0x80; 11]).varint(), Err(Fault::Varint));
        assert_eq!(BitReader::new(&[0x80]).varint(), Err(Fault::Truncated));
    }

    proptest! {
        /// For all runs of numbers of all widths, what is read is what was written, and padding is zero.
        #[test]
        fn numbers_of_any_width_are_read_as_written(
            numbers in prop::collection::vec((any::<u64>(), 0_u32..=64, any::<bool>()), 0..40),
        ) {
            let mut writer = BitWriter::default();
            for (number, width, as_varint) in &numbers {
                if *as_varint { writer.varint(*number) } else { writer.bits(*number, *width) }
            }
            let bytes = writer.into_bytes();
            let mut reader = BitReader::new(&bytes);
            for (number, width, as_varint) in &numbers {
                let low = if *width == 64 { *number } else { number & ((1 << width) - 1) };
                let (read, expected) =
                    if *as_varint { (reader.varint(), *number) } else { (reader.bits(*width), low) };
                prop_assert_eq!(read, Ok(expected));
            }
            let left = bytes.len() * 8 - reader.at;
            prop_assert!(left < 8);
            prop_assert_eq!(reader.bits(left as u32), Ok(0));
        }
    }
}
