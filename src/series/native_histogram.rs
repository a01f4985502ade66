//! Native histograms, the composite samples of Prometheus.

mod bounds;

mod ranges;

use super::{STALE_NAN, TimestampMs, is_stale_marker};
pub use ranges::BucketRange;
use std::{ops::RangeInclusive, sync::Arc};

/// The schema whose bucket bounds are listed, not computed.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// The schemas whose bucket bounds are powers of `2^(2^-schema)`.
pub const EXPONENTIAL_SCHEMAS: RangeInclusive<i32> = -4..=8;

/// What is known of a counter reset between a histogram and the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetHint {
    /// Nothing: compare the buckets.
    #[default]
    Unknown,
    /// There was a reset.
    Yes,
    /// There was none.
    No,
    /// Not a counter.
    Gauge,
}

/// A histogram of either kind, exponential or with custom buckets, its counts as floats: what Prometheus
/// calls a `FloatHistogram` (`model/histogram/float_histogram.go`).
///
/// Invariant: see [`Self::is_well_formed`]. Counts may be negative or NaN: differences of histograms are
/// histograms too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NativeHistogram {
    /// For the counter functions.
    pub reset_hint: ResetHint,
    /// One of [`EXPONENTIAL_SCHEMAS`]: bucket `i` holds `(2^(2^-schema))^(i-1) < v <= (2^(2^-schema))^i`; or
    /// [`CUSTOM_BUCKETS_SCHEMA`]: bucket `i` holds `bounds[i-1] < v <= bounds[i]`.
    pub schema: i32,
    /// Half the width of the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// Sum of all observed values.
    pub sum: f64,
    /// Buckets of values above zero, ascending by index; those that hold nothing may be absent.
    pub positive: Vec<Bucket>,
    /// Buckets of values below zero, by the index of their mirror image, ascending.
    pub negative: Vec<Bucket>,
    /// Upper bounds of custom buckets, ascending; the last bucket is open. Empty otherwise.
    pub custom_bounds: Vec<f64>,
}

/// One bucket of a [`NativeHistogram`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Which one; its bounds follow from the schema.
    pub index: i32,
    /// Observations in it (not cumulative).
    pub count: f64,
}

/// One histogram of one series at one instant; cheap to copy.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramSample {
    /// When.
    pub timestamp: TimestampMs,
    /// What; a stale marker ends the series.
    pub histogram: Arc<NativeHistogram>,
}

// === impl NativeHistogram ===

impl NativeHistogram {
    /// The histogram that ends a series: its sum is the stale marker.
    #[must_use]
    pub fn stale_marker() -> Self {
        Self { sum: STALE_NAN, ..Self::default() }
    }

    /// A histogram without observations, with the buckets of `other`.
    #[must_use]
    pub fn empty_like(other: &Self) -> Self {
        Self { schema: other.schema, custom_bounds: other.custom_bounds.clone(), ..Self::default() }
    }

    /// Whether this ends the series.
    #[must_use]
    pub fn is_stale_marker(&self) -> bool {
        is_stale_marker(self.sum)
    }

    /// Whether the bounds of its buckets are listed.
    #[must_use]
    pub fn has_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// The upper bound of the positive bucket `index`, which is the lower bound of the next; infinite beyond
    /// the last custom bound.
    #[must_use]
    pub fn upper_bound(&self, index: i32) -> f64 {
        if self.has_custom_buckets() {
            bounds::custom(&self.custom_bounds, index)
        } else {
            bounds::exponential(self.schema, index)
        }
    }

    /// Whether the types' promises hold: a known schema; indices strictly ascending on either side; custom
    /// buckets with finite ascending bounds, within them, without negative and zero bucket; exponential ones
    /// without bounds. The decoder builds no other, and no arithmetic breaks it.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        let ascending = |buckets: &[Bucket]| buckets.windows(2).all(|pair| pair[0].index < pair[1].index);
        let sides = ascending(&self.positive) && ascending(&self.negative);
        if !self.has_custom_buckets() {
            return sides && EXPONENTIAL_SCHEMAS.contains(&self.schema) && self.custom_bounds.is_empty();
        }
        let bounds = &self.custom_bounds;
        let in_bounds = |bucket: &Bucket| usize::try_from(bucket.index).is_ok_and(|i| i <= bounds.len());
        let no_zero_bucket = self.zero_threshold == 0.0 && self.zero_count == 0.0;
        sides
            && self.negative.is_empty()
            && no_zero_bucket
            && self.positive.iter().all(in_bounds)
            && bounds.iter().all(|bound| bound.is_finite())
            && bounds.windows(2).all(|pair| pair[0] < pair[1])
    }

    /// Whether both hold the same data, bit for bit, whatever buckets without observations they list; reset
    /// hints do not count.
    #[must_use]
    pub fn same_data(&self, other: &Self) -> bool {
        let bits = |h: &Self| [h.count, h.sum, h.zero_threshold, h.zero_count].map(f64::to_bits);
        self.schema == other.schema
            && bits(self) == bits(other)
            && same_buckets(&self.positive, &other.positive)
            && same_buckets(&self.negative, &other.negative)
            && same_bits(&self.custom_bounds, &other.custom_bounds)
    }

    /// Whether both have the same list of custom bounds, bit for bit.
    #[must_use]
    pub fn same_bounds(&self, other: &Self) -> bool {
        same_bits(&self.custom_bounds, &other.custom_bounds)
    }

    /// Bytes of memory held, the struct itself among them.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + (self.positive.capacity() + self.negative.capacity()) * size_of::<Bucket>()
            + self.custom_bounds.capacity() * size_of::<f64>()
    }
}

fn same_bits(one: &[f64], other: &[f64]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.to_bits() == b.to_bits())
}

fn same_buckets(one: &[Bucket], other: &[Bucket]) -> bool {
    let filled = |buckets: &'_ [Bucket]| {
        let filled = buckets.iter().filter(|bucket| bucket.count != 0.0);
        filled.map(|bucket| (bucket.index, bucket.count.to_bits())).collect::<Vec<_>>()
    };
    // The usual case needs no memory: the same buckets are listed on both sides.
    let alike = one.len() == other.len()
        && one.iter().zip(other).all(|(a, b)| a.index == b.index && a.count.to_bits() == b.count.to_bits());
    alike || filled(one) == filled(other)
}

// === impl HistogramSample ===

impl HistogramSample {
    /// A sample from its two parts.
    #[must_use]
    pub fn new(timestamp: i64, histogram: NativeHistogram) -> Self {
        Self { timestamp: TimestampMs(timestamp), histogram: Arc::new(histogram) }
    }

    /// Bytes of memory held, shared or not.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        // Beside the histogram, its two reference counts.
        size_of::<Self>() + 2 * size_of::<usize>() + self.histogram.size_bytes()
    }
}

#[cfg(test)]
mod tests;
