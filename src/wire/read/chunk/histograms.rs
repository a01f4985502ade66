//! Chunks of native histograms.
//!
//! ```text
//! number (2 bytes) | flags (1 byte) | layout | time, count, zero count, sum, buckets above zero, below | ...
//! ```
//!
//! All histograms of a chunk have one layout. The first is written whole, the others by how each number differs
//! from the one before. A stale marker has no buckets, and only stale markers follow it.

use super::{
    Fault,
    bits::{BitReader, BitWriter},
    layout::Layout,
    tally::{Tally, write_unchanged},
    varbit::COUNTS,
    xor::XorFloat,
};
use crate::{
    series::{Bucket, HistogramSample, NativeHistogram, ResetHint, is_stale_marker},
    wire::histogram::{InvalidHistogram, Parts, TakenApart, assemble},
};

/// The two flags of a gauge. Of the others it depends on the chunk before what they are worth; they are neither
/// read nor written.
const GAUGE: u8 = 0b1100_0000;

/// Reads the histograms of a chunk, the number before them excluded.
pub(super) struct HistogramSamples<'a, T: Tally> {
    bits: BitReader<'a>,
    reset_hint: ResetHint,
    layout: Layout,
    timestamp: i64,
    delta: i64,
    sum: XorFloat,
    /// Those of the histogram read last; `None` before the first.
    numbers: Option<Numbers<T>>,
    /// The values of its buckets.
    values: [Vec<T::Value>; 2],
}

/// The numbers of one histogram but its sum.
struct Numbers<T> {
    count: T,
    zero_count: T,
    buckets: [Vec<T>; 2],
}

/// The data of a chunk of histograms that have all their buckets in `layout`, which are those with `indices`; that are
/// all gauges or none; that are followed by none but stale markers where they are stale. No more than 65,535.
pub(super) fn encode<T: Tally>(
    samples: &[HistogramSample],
    layout: &Layout,
    indices: &[Vec<i32>; 2],
) -> Vec<u8> {
    debug_assert!(u16::try_from(samples.len()).is_ok());
    let is_gauge = samples.iter().any(|sample| sample.histogram.reset_hint == ResetHint::Gauge);
    let mut head = (samples.len() as u16).to_be_bytes().to_vec();
    head.push(if is_gauge { GAUGE } else { 0 });
    let mut bits = BitWriter::after(head);
    layout.write(&mut bits);
    let (mut timestamp, mut delta) = (0_i64, 0_i64);
    let mut written: Option<(Numbers<T>, XorFloat)> = None;
    for sample in samples {
        let histogram = &*sample.histogram;
        let next = sample.timestamp.0.wrapping_sub(timestamp);
        match &mut written {
            None => {
                bits.signed(sample.timestamp.0, COUNTS);
                written = Some(Numbers::write_first(histogram, indices, &mut bits));
            }
            Some((numbers, sum)) => {
                bits.signed(next.wrapping_sub(delta), COUNTS);
                delta = next;
                numbers.write_next(histogram, indices, sum, &mut bits);
            }
        }
        timestamp = sample.timestamp.0;
    }
    bits.into_bytes()
}

// === impl HistogramSamples ===

impl<'a, T: Tally> HistogramSamples<'a, T> {
    pub(super) fn new(data: &'a [u8]) -> Result<Self, Fault> {
        let (flags, data) = data.split_first().ok_or(Fault::Truncated)?;
        let reset_hint = if *flags >= GAUGE { ResetHint::Gauge } else { ResetHint::Unknown };
        Ok(Self {
            bits: BitReader::new(data),
            reset_hint,
            layout: Layout::default(),
            timestamp: 0,
            delta: 0,
            sum: XorFloat::default(),
            numbers: None,
            values: Default::default(),
        })
    }

    /// Reads one more histogram and gives its time.
    pub(super) fn next(&mut self) -> Result<i64, Fault> {
        let bits = &mut self.bits;
        let Some(numbers) = &mut self.numbers else {
            self.layout = Layout::read(bits)?;
            self.timestamp = bits.signed(COUNTS)?;
            let (numbers, sum) = Numbers::read_first(&self.layout, bits)?;
            (self.numbers, self.sum) = (Some(numbers), sum);
            return Ok(self.timestamp);
        };
        self.delta = self.delta.wrapping_add(bits.signed(COUNTS)?);
        self.timestamp = self.timestamp.wrapping_add(self.delta);
        numbers.read_next(&mut self.sum, bits)?;
        Ok(self.timestamp)
    }

    /// The histogram read last.
    pub(super) fn histogram(&mut self, parts: &mut Parts) -> Result<HistogramSample, InvalidHistogram> {
        let Some(numbers) = self.numbers.as_ref().filter(|_| !is_stale_marker(self.sum.get())) else {
            return Ok(HistogramSample::new(self.timestamp, NativeHistogram::stale_marker()));
        };
        for (values, buckets) in self.values.iter_mut().zip(&numbers.buckets) {
            values.clear();
            values.extend(buckets.iter().map(|bucket| bucket.value()));
        }
        let taken_apart = TakenApart {
            timestamp: self.timestamp,
            reset_hint: self.reset_hint,
            schema: self.layout.schema,
            zero_threshold: self.layout.zero_threshold,
            custom_bounds: &self.layout.custom_bounds,
            spans: self.layout.spans.each_ref().map(Vec::as_slice),
            sum: self.sum.get(),
            counts: T::counts(numbers.count, numbers.zero_count, self.values.each_ref().map(Vec::as_slice)),
        };
        assemble(&taken_apart, parts)
    }
}

// === impl Numbers ===

impl<T: Tally> Numbers<T> {
    fn read_first(layout: &Layout, from: &mut BitReader<'_>) -> Result<(Self, XorFloat), Fault> {
        let (count, zero_count) = (T::read_total(from)?, T::read_total(from)?);
        let sum = XorFloat::read_first(from)?;
        let mut buckets = [Vec::new(), Vec::new()];
        for (buckets, number) in buckets.iter_mut().zip(layout.buckets()) {
            for _ in 0..number {
                buckets.push(T::read_bucket(from)?);
            }
        }
        Ok((Self { count, zero_count, buckets }, sum))
    }

    fn read_next(&mut self, sum: &mut XorFloat, from: &mut BitReader<'_>) -> Result<(), Fault> {
        self.count.read_next(from)?;
        self.zero_count.read_next(from)?;
        sum.read(from)?;
        if is_stale_marker(sum.get()) {
            return Ok(());
        }
        self.buckets.iter_mut().flatten().try_for_each(|bucket| bucket.read_next(from))
    }

    fn write_first(
        histogram: &NativeHistogram,
        indices: &[Vec<i32>; 2],
        into: &mut BitWriter,
    ) -> (Self, XorFloat) {
        let count = T::write_total(T::total_of(histogram.count), into);
        let zero_count = T::write_total(T::total_of(histogram.zero_count), into);
        let sum = XorFloat::first(histogram.sum, into);
        let buckets = values::<T>(histogram, indices)
            .map(|values| values.into_iter().map(|value| T::write_bucket(value, into)).collect());
        (Self { count, zero_count, buckets }, sum)
    }

    fn write_next(
        &mut self,
        histogram: &NativeHistogram,
        indices: &[Vec<i32>; 2],
        sum: &mut XorFloat,
        into: &mut BitWriter,
    ) {
        if histogram.is_stale_marker() {
            write_unchanged(into);
            write_unchanged(into);
            return sum.write(histogram.sum, into);
        }
        self.count.write_next(T::total_of(histogram.count), into);
        self.zero_count.write_next(T::total_of(histogram.zero_count), into);
        sum.write(histogram.sum, into);
        let values = values::<T>(histogram, indices).into_iter().flatten();
        self.buckets
            .iter_mut()
            .flatten()
            .zip(values)
            .for_each(|(bucket, value)| bucket.write_next(value, into));
    }
}

/// What a chunk holds of the buckets with these indices, those that the histogram does not list among them.
fn values<T: Tally>(histogram: &NativeHistogram, indices: &[Vec<i32>; 2]) -> [Vec<T::Value>; 2] {
    let side = |buckets: &[Bucket], indices: &[i32]| {
        let mut buckets = buckets.iter().peekable();
        let mut before = 0.0;
        let value = |index: &i32| {
            let count = buckets.next_if(|bucket| bucket.index == *index).map_or(0.0, |bucket| bucket.count);
            let value = T::bucket_of(count, before);
            before = count;
            value
        };
        indices.iter().map(value).collect()
    };
    [side(&histogram.positive, &indices[0]), side(&histogram.negative, &indices[1])]
}
