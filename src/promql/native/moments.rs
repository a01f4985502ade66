//! Mean and variance of what was observed.

use crate::{promql::number::CompensatedSum, series::NativeHistogram};

/// The mean of the observations.
pub(in crate::promql) fn average(histogram: &NativeHistogram) -> f64 {
    histogram.sum / histogram.count
}

/// The variance of the observations, each taken to lie in the middle of its bucket: the arithmetic one of
/// custom buckets, zero of the zero bucket, the geometric one of others.
pub(in crate::promql) fn variance(histogram: &NativeHistogram) -> f64 {
    let mean = average(histogram);
    let mut squares = CompensatedSum { sum: 0.0, compensation: 0.0 };
    for range in histogram.ranges().filter(|range| range.count != 0.0) {
        let middle = if histogram.has_custom_buckets() {
            (range.upper + range.lower) / 2.0
        } else if range.lower <= 0.0 && range.upper >= 0.0 {
            0.0
        } else {
            (range.upper * range.lower).sqrt().copysign(range.upper)
        };
        let difference = middle - mean;
        squares = squares.plus(range.count * difference * difference);
    }
    (squares.sum + squares.compensation) / histogram.count
}
