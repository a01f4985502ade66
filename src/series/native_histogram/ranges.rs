//! Buckets as ranges of values, in order.

use super::{Bucket, NativeHistogram};
use std::iter;

/// A bucket with the range of values that it counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BucketRange {
    /// Where it begins.
    pub lower: f64,
    /// Where it ends.
    pub upper: f64,
    /// Whether `lower` belongs to it.
    pub lower_inclusive: bool,
    /// Whether `upper` belongs to it.
    pub upper_inclusive: bool,
    /// Observations in it.
    pub count: f64,
}

// === impl NativeHistogram ===

impl NativeHistogram {
    /// All listed buckets by ascending values: the negative ones, the zero bucket if it holds anything, the
    /// positive ones. What reaches into the zero bucket is cut off at its threshold.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = BucketRange> + '_ {
        let zero = iter::once_with(|| self.zero_bucket()).filter(|zero| zero.count > 0.0);
        let zero = zero.filter(|_| !self.has_custom_buckets());
        let negative = self.negative.iter().rev().map(|bucket| self.negative_range(*bucket));
        let positive = self.positive.iter().map(|bucket| self.positive_range(*bucket));
        negative.chain(zero).chain(positive)
    }

    fn zero_bucket(&self) -> BucketRange {
        BucketRange {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }

    fn positive_range(&self, bucket: Bucket) -> BucketRange {
        let custom = self.has_custom_buckets();
        let mut lower = self.upper_bound(bucket.index.saturating_sub(1));
        let upper = self.upper_bound(bucket.index);
        if lower > 0.0 && lower < self.zero_threshold {
            lower = self.zero_threshold;
        }
        let lower_inclusive = if custom { bucket.index == 0 } else { lower < 0.0 };
        let upper_inclusive = custom || upper > 0.0;
        BucketRange { lower, upper, lower_inclusive, upper_inclusive, count: bucket.count }
    }

    fn negative_range(&self, bucket: Bucket) -> BucketRange {
        let lower = -self.upper_bound(bucket.index);
        let mut upper = -self.upper_bound(bucket.index.saturating_sub(1));
        if upper < 0.0 && upper > -self.zero_threshold {
            upper = -self.zero_threshold;
        }
        let (lower_inclusive, upper_inclusive) = (lower < 0.0, upper > 0.0);
        BucketRange { lower, upper, lower_inclusive, upper_inclusive, count: bucket.count }
    }
}
