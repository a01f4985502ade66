//! What all histograms of a chunk have in common: schema, zero threshold, spans, custom bounds.

use super::{
    Fault,
    bits::{BitReader, BitWriter},
    varbit::COUNTS,
};
use crate::{
    series::CUSTOM_BUCKETS_SCHEMA,
    wire::histogram::{InvalidHistogram, MAX_BUCKETS},
};

/// The head of a histogram chunk behind its flags.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) schema: i32,
    pub(super) zero_threshold: f64,
    /// Offset and length of each span, for values above zero and below.
    pub(super) spans: [Vec<(i32, u32)>; 2],
    pub(super) custom_bounds: Vec<f64>,
}

// === impl Layout ===

impl Layout {
    /// Reads a layout of at most [`MAX_BUCKETS`] buckets a side, spans a side, and bounds: what it asks to be
    /// allocated later is bounded.
    pub(super) fn read(from: &mut BitReader<'_>) -> Result<Self, Fault> {
        let zero_threshold = read_zero_threshold(from)?;
        let schema = from.signed(COUNTS)? as i32;
        let spans = [read_spans(from)?, read_spans(from)?];
        let mut custom_bounds = Vec::new();
        if schema == CUSTOM_BUCKETS_SCHEMA {
            for _ in 0..at_most("custom bounds", from.unsigned(COUNTS)?)? {
                custom_bounds.push(read_bound(from)?);
            }
        }
        Ok(Self { schema, zero_threshold, spans, custom_bounds })
    }

    pub(super) fn write(&self, into: &mut BitWriter) {
        write_zero_threshold(self.zero_threshold, into);
        into.signed(i64::from(self.schema), COUNTS);
        for spans in &self.spans {
            into.unsigned(spans.len() as u64, COUNTS);
            for (offset, length) in spans {
                into.unsigned(u64::from(*length), COUNTS);
                into.signed(i64::from(*offset), COUNTS);
            }
        }
        if self.schema == CUSTOM_BUCKETS_SCHEMA {
            into.unsigned(self.custom_bounds.len() as u64, COUNTS);
            self.custom_bounds.iter().for_each(|bound| write_bound(*bound, into));
        }
    }

    /// Number of buckets for values above zero, and below.
    pub(super) fn buckets(&self) -> [usize; 2] {
        self.spans.each_ref().map(|spans| spans.iter().map(|(_, length)| *length as usize).sum())
    }
}

fn read_spans(from: &mut BitReader<'_>) -> Result<Vec<(i32, u32)>, Fault> {
    let mut spans = Vec::new();
    let mut buckets = 0_u64;
    for _ in 0..at_most("spans", from.unsigned(COUNTS)?)? {
        // Both are 32-bit numbers; of more the rest is cut off, as in Prometheus.
        let length = from.unsigned(COUNTS)? as u32;
        let offset = from.signed(COUNTS)? as i32;
        buckets += u64::from(length);
        at_most("buckets", buckets)?;
        spans.push((offset, length));
    }
    Ok(spans)
}

fn at_most(what: &'static str, number: u64) -> Result<u64, Fault> {
    if number > MAX_BUCKETS as u64 {
        return Err(Fault::Histogram(InvalidHistogram::TooMany { what, number, limit: MAX_BUCKETS }));
    }
    Ok(number)
}

// === the zero threshold: one byte for 0 and for powers of two from 2^-243 to 2^10 ===

/// What is added to the exponent of a power of two.
const THRESHOLD_BIAS: i64 = 244;

/// Announces a whole float.
const WHOLE_THRESHOLD: u64 = 255;

/// Exponent bits of 2^0.
const EXPONENT_BIAS: i64 = 1_023;

/// Bits behind the exponent.
const MANTISSA_BITS: u32 = 52;

fn read_zero_threshold(from: &mut BitReader<'_>) -> Result<f64, Fault> {
    match from.bits(8)? {
        0 => Ok(0.0),
        WHOLE_THRESHOLD => Ok(f64::from_bits(from.bits(64)?)),
        code => Ok(f64::from_bits(((code as i64 - THRESHOLD_BIAS + EXPONENT_BIAS) as u64) << MANTISSA_BITS)),
    }
}

fn write_zero_threshold(threshold: f64, into: &mut BitWriter) {
    let bits = threshold.to_bits();
    let code = (bits >> MANTISSA_BITS) as i64 - EXPONENT_BIAS + THRESHOLD_BIAS;
    let is_power_of_two = bits.trailing_zeros() >= MANTISSA_BITS;
    if bits == 0 {
        into.bits(0, 8);
    } else if is_power_of_two && (1..WHOLE_THRESHOLD as i64).contains(&code) {
        into.bits(code as u64, 8);
    } else {
        into.bits(WHOLE_THRESHOLD, 8);
        into.bits(bits, 64);
    }
}

// === custom bounds: thousandths up to 33,554.43 are short ===

const MAX_THOUSANDTHS: f64 = 33_554_430.0;

fn read_bound(from: &mut BitReader<'_>) -> Result<f64, Fault> {
    match from.unsigned(COUNTS)? {
        0 => Ok(f64::from_bits(from.bits(64)?)),
        thousandths => Ok((thousandths - 1) as f64 / 1_000.0),
    }
}

fn write_bound(bound: f64, into: &mut BitWriter) {
    let thousandths = (bound * 1_000.0).round();
    let is_short = (0.0..=MAX_THOUSANDTHS).contains(&thousandths)
        && ((thousandths as u64) as f64 / 1_000.0).to_bits() == bound.to_bits();
    if is_short {
        into.unsigned(thousandths as u64 + 1, COUNTS);
    } else {
        into.bits(0, 1);
        into.bits(bound.to_bits(), 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn threshold_bytes(threshold: f64) -> Vec<u8> {
        let mut writer = BitWriter::default();
        write_zero_threshold(threshold, &mut writer);
        writer.into_bytes()
    }

    /// Worked out by hand from `tsdb/docs/format/chunks.md`: 2^-128, the default of Prometheus' clients, is 116.
    #[test]
    fn d7_powers_of_two_are_one_byte() {
        assert_eq!(threshold_bytes(0.0), [0]);
        assert_eq!(threshold_bytes(2.0_f64.powi(-128)), [116]);
        assert_eq!((threshold_bytes(2.0_f64.powi(-243)), threshold_bytes(1_024.0)), (vec![1], vec![254]));
        for whole in [2.0_f64.powi(-244), 2_048.0, 0.001, -0.0, f64::NAN, -1.0] {
            let bytes = threshold_bytes(whole);
            assert_eq!((bytes.len(), bytes[0]), (9, 255), "{whole}");
        }
    }

    #[test]
    fn a_layout_that_asks_for_too_much_is_refused() {
        let spans = |spans: Vec<(i32, u32)>| Layout { spans: [spans, vec![]], ..Layout::default() };
        let custom = Layout {
            schema: CUSTOM_BUCKETS_SCHEMA,
            custom_bounds: (0..=MAX_BUCKETS).map(|bound| bound as f64).collect(),
            ..Layout::default()
        };
        for (what, layout) in [
            ("buckets", spans(vec![(0, 1), (1, u32::MAX)])),
            ("spans", spans(vec![(0, 0); MAX_BUCKETS + 1])),
            ("custom bounds", custom),
        ] {
            let mut writer = BitWriter::default();
            layout.write(&mut writer);
            let fault = Layout::read(&mut BitReader::new(&writer.into_bytes())).unwrap_err();
            let Fault::Histogram(InvalidHistogram::TooMany { what: found, .. }) = fault else {
                panic!("{fault}")
            };
            assert_eq!(found, what);
        }
    }

    proptest! {
        /// For all layouts, what is read is what was written, bit for bit.
        #[test]
        fn layouts_are_read_as_written(
            schema in prop_oneof![-4..=8, Just(CUSTOM_BUCKETS_SCHEMA)],
            threshold: u64,
            above in prop::collection::vec((any::<i32>(), 0_u32..90), 0..20),
            below in prop::collection::vec((any::<i32>(), 0_u32..90), 0..20),
            bounds in prop::collection::vec(
                prop_oneof![any::<f64>(), (0_i64..40_000_000).prop_map(|n| n as f64 / 1_000.0), Just(-0.0)], 0..20),
        ) {
            let custom_bounds = if schema == CUSTOM_BUCKETS_SCHEMA { bounds } else { vec![] };
            let zero_threshold = f64::from_bits(threshold);
            let layout = Layout { schema, zero_threshold, spans: [above, below], custom_bounds };
            let mut writer = BitWriter::default();
            layout.write(&mut writer);
            let read = Layout::read(&mut BitReader::new(&writer.into_bytes())).unwrap();
            let bits = |layout: &Layout| {
                let floats = layout.custom_bounds.iter().chain([&layout.zero_threshold]);
                floats.map(|float| float.to_bits()).collect::<Vec<_>>()
            };
            prop_assert_eq!((read.schema, &read.spans), (layout.schema, &layout.spans));
            prop_assert_eq!(bits(&read), bits(&layout));
        }
    }
}
