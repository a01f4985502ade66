//! Numbers of a few widths: a prefix of ones, ended by a zero, says which.
//!
//! No ones is the number 0. Signed numbers of `n` bits are those from `-(2^(n-1) - 1)` to `2^(n-1)`: not the
//! range of two's complement, whose least number stands for the greatest one here
//! (`bitRange` in prometheus/prometheus, `tsdb/chunkenc/xor.go`).

use super::{
    Fault,
    bits::{BitReader, BitWriter},
};

/// Widths of how much the distance in time changes, in XOR chunks.
pub(super) const TIMES: &[u32] = &[14, 17, 20, 64];

/// Widths of all numbers in histogram chunks.
pub(super) const COUNTS: &[u32] = &[3, 6, 9, 12, 18, 25, 56, 64];

// === impl BitReader ===

impl BitReader<'_> {
    #[inline]
    pub(super) fn signed(&mut self, widths: &[u32]) -> Result<i64, Fault> {
        let Some(width) = self.width(widths)? else { return Ok(0) };
        let number = self.bits(width)?;
        let is_negative = width < 64 && number > 1 << (width - 1);
        Ok(if is_negative { number as i64 - (1 << width) } else { number as i64 })
    }

    #[inline]
    pub(super) fn unsigned(&mut self, widths: &[u32]) -> Result<u64, Fault> {
        match self.width(widths)? {
            Some(width) => self.bits(width),
            None => Ok(0),
        }
    }

    /// Behind as many ones as there are widths stands no zero.
    #[inline]
    fn width(&mut self, widths: &[u32]) -> Result<Option<u32>, Fault> {
        let mut width = None;
        for wider in widths {
            if !self.bit()? {
                break;
            }
            width = Some(*wider);
        }
        Ok(width)
    }
}

// === impl BitWriter ===

impl BitWriter {
    pub(super) fn signed(&mut self, number: i64, widths: &[u32]) {
        let fits = |width: u32| {
            let half = 1_i64 << (width.min(63) - 1);
            width == 64 || (1 - half..=half).contains(&number)
        };
        self.prefixed(number as u64, widths, fits);
    }

    pub(super) fn unsigned(&mut self, number: u64, widths: &[u32]) {
        self.prefixed(number, widths, |width| width >= 64 - number.leading_zeros());
    }

    fn prefixed(&mut self, number: u64, widths: &[u32], fits: impl Fn(u32) -> bool) {
        if number == 0 {
            return self.bits(0, 1);
        }
        for (place, width) in widths.iter().enumerate() {
            self.bits(1, 1);
            if fits(*width) {
                let is_last = place + 1 == widths.len();
                self.bits(0, u32::from(!is_last));
                return self.bits(number, *width);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(number: i64, widths: &[u32]) -> String {
        let mut writer = BitWriter::default();
        writer.signed(number, widths);
        writer.into_bytes().iter().map(|byte| format!("{byte:08b}")).collect()
    }

    /// D7, worked out by hand from the prefixes of the format.
    #[test]
    fn d7_the_ranges_of_widths_are_not_symmetric() {
        assert_eq!(written(0, TIMES), "00000000");
        // 10 and 14 bits: 8192 is the greatest number, written as 2^13; -8191 the least.
        assert_eq!(written(8_192, TIMES), "1010000000000000");
        assert_eq!(written(-8_191, TIMES), "1010000000000001");
        // One more on either side takes 110 and 17 bits.
        assert_eq!(written(8_193, TIMES), "110000100000000000010000");
        assert_eq!(written(-8_192, TIMES), "110111100000000000000000");
        assert_eq!(written(4, COUNTS), "10100000");
        assert_eq!(written(-3, COUNTS), "10101000");
        assert_eq!(written(-4, COUNTS), "1101111000000000");
        // The longest has eight ones and no zero.
        assert_eq!(written(i64::MAX, COUNTS), format!("{}0{}", "1".repeat(8), "1".repeat(63)));
    }

    /// For all widths, the numbers at the ends of the range and beside them are read as written.
    #[test]
    fn numbers_at_the_borders_of_widths_are_read_as_written() {
        for widths in [TIMES, COUNTS] {
            let borders = widths.iter().map(|width| 1_i64 << (width.min(&63) - 1));
            for number in
                borders.flat_map(|half| [-half - 1, -half, 1 - half, half - 1, half, half.wrapping_add(1)])
            {
                let mut writer = BitWriter::default();
                writer.signed(number, widths);
                writer.unsigned(number as u64, widths);
                let bytes = writer.into_bytes();
                let mut reader = BitReader::new(&bytes);
                assert_eq!(reader.signed(widths), Ok(number));
                assert_eq!(reader.unsigned(widths), Ok(number as u64));
            }
        }
    }

    proptest! {
        /// For all numbers, what is read is what was written.
        #[test]
        fn numbers_are_read_as_written(numbers in prop::collection::vec((any::<i64>(), 0_u32..64), 1..20)) {
            for widths in [TIMES, COUNTS] {
                let mut writer = BitWriter::default();
                for (number, shift) in &numbers {
                    writer.signed(number >> shift, widths);
                    writer.unsigned(*number as u64 >> shift, widths);
                }
                let bytes = writer.into_bytes();
                let mut reader = BitReader::new(&bytes);
                for (number, shift) in &numbers {
                    prop_assert_eq!(reader.signed(widths), Ok(number >> shift));
                    prop_assert_eq!(reader.unsigned(widths), Ok(*number as u64 >> shift));
                }
            }
        }
    }
}
