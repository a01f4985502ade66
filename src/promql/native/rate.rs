//! Rates and differences of the histograms in a range of time.

use super::{add, combine, compact, divide, is_reset, scale, subtract};
use crate::series::{HistogramSample, NativeHistogram, ResetHint, TimestampMs};

/// Histograms with `start < timestamp <= end`, no stale markers.
#[derive(Clone, Copy, Debug)]
pub(in crate::promql) struct HistogramWindow<'a> {
    pub(in crate::promql) samples: &'a [HistogramSample],
    pub(in crate::promql) start: TimestampMs,
    pub(in crate::promql) end: TimestampMs,
}

/// What two histograms are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::promql) enum Change {
    /// A counter: its increase a second.
    Irate,
    /// A gauge: its difference.
    Idelta,
}

/// Increase a second of a counter; `None` for less than two histograms, or for incompatible ones.
pub(in crate::promql) fn rate(window: HistogramWindow<'_>) -> Option<NativeHistogram> {
    let seconds = window.end.since_ms(window.start) as f64 / 1000.0;
    extrapolated(window, increase_of_counter(window.samples)?, |factor| factor / seconds)
}

/// Increase of a counter over the window.
pub(in crate::promql) fn increase(window: HistogramWindow<'_>) -> Option<NativeHistogram> {
    extrapolated(window, increase_of_counter(window.samples)?, |factor| factor)
}

/// Difference of a gauge over the window.
pub(in crate::promql) fn delta(window: HistogramWindow<'_>) -> Option<NativeHistogram> {
    extrapolated(window, difference(window.samples)?, |factor| factor)
}

/// The change from `previous` to `last`, `None` where they are incompatible or at the same time.
pub(in crate::promql) fn instant_change(
    change: Change,
    previous: &HistogramSample,
    last: &HistogramSample,
) -> Option<NativeHistogram> {
    let interval_ms = last.timestamp.since_ms(previous.timestamp);
    if interval_ms == 0 {
        return None;
    }
    let mut result = NativeHistogram::clone(&last.histogram);
    if change == Change::Idelta || !is_reset(&last.histogram, &previous.histogram) {
        subtract(&mut result, &previous.histogram).ok()?;
    }
    finish(&mut result);
    if change == Change::Irate {
        divide(&mut result, interval_ms as f64 / 1000.0);
    }
    Some(result)
}

/// From the samples to the ends of the window, as the float functions do it; but a histogram has no zero point
/// that would bound how far it is extended to the left.
fn extrapolated(
    window: HistogramWindow<'_>,
    mut result: NativeHistogram,
    factor: impl Fn(f64) -> f64,
) -> Option<NativeHistogram> {
    let (first, last) = (window.samples.first()?.timestamp, window.samples.last()?.timestamp);
    let sampled = last.since_ms(first) as f64 / 1000.0;
    let between_samples = sampled / (window.samples.len() - 1) as f64;
    let to_edge = |ms: i64| {
        let seconds = ms as f64 / 1000.0;
        // Further than a missed sample explains: the series begins or ends within the window.
        if seconds >= between_samples * 1.1 { between_samples / 2.0 } else { seconds }
    };
    let covered = sampled + to_edge(first.since_ms(window.start)) + to_edge(window.end.since_ms(last));
    scale(&mut result, factor(covered / sampled));
    Some(result)
}

/// Last minus first.
fn difference(samples: &[HistogramSample]) -> Option<NativeHistogram> {
    let [first, .., last] = samples else { return None };
    let mut result = NativeHistogram::clone(&last.histogram);
    subtract(&mut result, &first.histogram).ok()?;
    finish(&mut result);
    Some(result)
}

/// Last minus first, plus what was there before each reset.
fn increase_of_counter(samples: &[HistogramSample]) -> Option<NativeHistogram> {
    let [first, second, ..] = samples else { return None };
    let last = &samples.last()?.histogram;
    // After a reset behind the first one, its buckets are of no interest.
    let nothing;
    let mut previous: &NativeHistogram = &first.histogram;
    if is_reset(&second.histogram, previous) {
        nothing = NativeHistogram::empty_like(&second.histogram);
        previous = &nothing;
    }
    let same_kind = |h: &NativeHistogram| h.has_custom_buckets() == previous.has_custom_buckets();
    if !samples[1..].iter().all(|sample| same_kind(&sample.histogram)) {
        return None;
    }
    let coarsest = samples[1..].iter().map(|sample| sample.histogram.schema).min()?.min(previous.schema);
    let mut result = combine::in_schema(last, coarsest);
    subtract(&mut result, previous).ok()?;
    for sample in &samples[1..] {
        if is_reset(&sample.histogram, previous) {
            add(&mut result, previous).ok()?;
        }
        previous = &sample.histogram;
    }
    finish(&mut result);
    Some(result)
}

/// A change is no counter.
fn finish(change: &mut NativeHistogram) {
    change.reset_hint = ResetHint::Gauge;
    compact(change);
}
