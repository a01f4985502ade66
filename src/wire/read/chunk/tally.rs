//! The numbers of histograms on their way through a chunk: integers and floats.

use super::{
    Fault,
    bits::{BitReader, BitWriter},
    varbit::COUNTS,
    xor::XorFloat,
};
use crate::wire::histogram::Counts;

/// A number of a histogram; the next histogram's is said by how it differs.
pub(super) trait Tally: Copy {
    /// What a chunk holds of a bucket: the difference to the bucket before it, or what is in it.
    type Value: Copy;

    /// Reads a total (the count, the count of the zero bucket) of the first histogram.
    fn read_total(from: &mut BitReader<'_>) -> Result<Self, Fault>;

    /// Reads a bucket of the first histogram.
    fn read_bucket(from: &mut BitReader<'_>) -> Result<Self, Fault>;

    /// Reads the same number of the next histogram and becomes it.
    fn read_next(&mut self, from: &mut BitReader<'_>) -> Result<(), Fault>;

    fn value(self) -> Self::Value;

    /// All numbers of a histogram together.
    fn counts(count: Self, zero_count: Self, buckets: [&[Self::Value]; 2]) -> Counts<'_>;

    fn total_of(count: f64) -> Self::Value;

    /// Of a bucket that holds `count`, behind one that holds `before`.
    fn bucket_of(count: f64, before: f64) -> Self::Value;

    fn write_total(value: Self::Value, into: &mut BitWriter) -> Self;

    fn write_bucket(value: Self::Value, into: &mut BitWriter) -> Self;

    /// Writes the same number of the next histogram and becomes it.
    fn write_next(&mut self, value: Self::Value, into: &mut BitWriter);
}

/// Says that a number of either kind goes on as before, whatever that is.
pub(super) fn write_unchanged(into: &mut BitWriter) {
    into.bits(0, 1);
}

/// An integer and how it changed last; written is how that changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Integer {
    value: i64,
    delta: i64,
}

impl Tally for Integer {
    type Value = i64;

    fn read_total(from: &mut BitReader<'_>) -> Result<Self, Fault> {
        // A count has 64 bits and no sign; which it is does not matter to differences.
        Ok(Self { value: from.unsigned(COUNTS)? as i64, delta: 0 })
    }

    fn read_bucket(from: &mut BitReader<'_>) -> Result<Self, Fault> {
        Ok(Self { value: from.signed(COUNTS)?, delta: 0 })
    }

    fn read_next(&mut self, from: &mut BitReader<'_>) -> Result<(), Fault> {
        self.delta = self.delta.wrapping_add(from.signed(COUNTS)?);
        self.value = self.value.wrapping_add(self.delta);
        Ok(())
    }

    fn value(self) -> i64 {
        self.value
    }

    fn counts(count: Self, zero_count: Self, deltas: [&[i64]; 2]) -> Counts<'_> {
        Counts::Integer { count: count.value as u64, zero_count: zero_count.value as u64, deltas }
    }

    fn total_of(count: f64) -> i64 {
        count as i64
    }

    fn bucket_of(count: f64, before: f64) -> i64 {
        (count as i64).wrapping_sub(before as i64)
    }

    fn write_total(value: i64, into: &mut BitWriter) -> Self {
        into.unsigned(value as u64, COUNTS);
        Self { value, delta: 0 }
    }

    fn write_bucket(value: i64, into: &mut BitWriter) -> Self {
        into.signed(value, COUNTS);
        Self { value, delta: 0 }
    }

    fn write_next(&mut self, value: i64, into: &mut BitWriter) {
        let delta = value.wrapping_sub(self.value);
        into.signed(delta.wrapping_sub(self.delta), COUNTS);
        *self = Self { value, delta };
    }
}

impl Tally for XorFloat {
    type Value = f64;

    fn read_total(from: &mut BitReader<'_>) -> Result<Self, Fault> {
        Self::read_first(from)
    }

    fn read_bucket(from: &mut BitReader<'_>) -> Result<Self, Fault> {
        Self::read_first(from)
    }

    fn read_next(&mut self, from: &mut BitReader<'_>) -> Result<(), Fault> {
        self.read(from)
    }

    fn value(self) -> f64 {
        self.get()
    }

    fn counts(count: Self, zero_count: Self, buckets: [&[f64]; 2]) -> Counts<'_> {
        Counts::Float { count: count.get(), zero_count: zero_count.get(), buckets }
    }

    fn total_of(count: f64) -> f64 {
        count
    }

    fn bucket_of(count: f64, _before: f64) -> f64 {
        count
    }

    fn write_total(value: f64, into: &mut BitWriter) -> Self {
        Self::first(value, into)
    }

    fn write_bucket(value: f64, into: &mut BitWriter) -> Self {
        Self::first(value, into)
    }

    fn write_next(&mut self, value: f64, into: &mut BitWriter) {
        self.write(value, into);
    }
}
