//! What changed from sample to sample, where a series may have floats and histograms.

use super::is_reset;
use crate::series::{HistogramSample, NativeHistogram, Sample};

/// One sample of either kind.
#[derive(Clone, Copy)]
enum Either<'a> {
    Float(f64),
    Histogram(&'a NativeHistogram),
}

/// How often a counter was reset; a change of kind is a reset.
pub(in crate::promql) fn resets(floats: &[Sample], histograms: &[HistogramSample]) -> f64 {
    count(floats, histograms, |before, now| match (before, now) {
        (Either::Float(before), Either::Float(now)) => now < before,
        (Either::Histogram(before), Either::Histogram(now)) => is_reset(now, before),
        _ => true,
    })
}

/// How often the value changed; NaN is the same as NaN, a float never the same as a histogram.
pub(in crate::promql) fn changes(floats: &[Sample], histograms: &[HistogramSample]) -> f64 {
    count(floats, histograms, |before, now| match (before, now) {
        (Either::Float(before), Either::Float(now)) => now != before && !(now.is_nan() && before.is_nan()),
        (Either::Histogram(before), Either::Histogram(now)) => !now.same_data(before),
        _ => true,
    })
}

/// The pairs of neighbours for which `differ` holds.
fn count(
    floats: &[Sample],
    histograms: &[HistogramSample],
    differ: impl Fn(Either<'_>, Either<'_>) -> bool,
) -> f64 {
    let (mut floats, mut histograms) = (floats.iter().peekable(), histograms.iter().peekable());
    let mut before = None;
    let mut found = 0.0;
    loop {
        let float_is_next = match (floats.peek(), histograms.peek()) {
            (Some(float), Some(histogram)) => float.timestamp < histogram.timestamp,
            (float, _) => float.is_some(),
        };
        let next = if float_is_next {
            floats.next().map(|sample| Either::Float(sample.value))
        } else {
            histograms.next().map(|sample| Either::Histogram(&sample.histogram))
        };
        let Some(now) = next else { return found };
        if before.is_some_and(|before| differ(before, now)) {
            found += 1.0;
        }
        before = Some(now);
    }
}
