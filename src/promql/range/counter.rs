//! How much a series grew: `rate`, `increase`, `delta` and their kin.

use super::Window;
use crate::{promql::literal::ms_as_seconds, series::Sample};

/// Growth per second of a counter.
pub(super) fn rate(window: Window<'_>) -> Option<f64> {
    let range_seconds = ms_as_seconds(window.end.since_ms(window.start));
    let growth = growth_of_counter(window.samples)?;
    Some(growth * (extrapolation(window, Some(growth))? / range_seconds))
}

/// Growth per second of a counter, as far as it was watched: what it grew between two samples of which it did not fall,
/// over the time between them. Nobody knows what it grew when it began anew, nor before it was there.
///
/// Where neither happens this is [`rate`], as long as samples reach close to both ends of the range.
pub(in crate::promql) fn rate_between_resets(samples: &[Sample]) -> Option<f64> {
    let (mut growth, mut watched_ms) = (0.0, 0);
    for [before, after] in samples.array_windows() {
        if after.value >= before.value {
            growth += after.value - before.value;
            watched_ms += after.timestamp.since_ms(before.timestamp);
        }
    }
    (watched_ms > 0).then(|| growth / (watched_ms as f64 / 1000.0))
}

/// Growth of a counter over the range.
pub(super) fn increase(window: Window<'_>) -> Option<f64> {
    let growth = growth_of_counter(window.samples)?;
    Some(growth * extrapolation(window, Some(growth))?)
}

/// Difference of a gauge over the range.
pub(super) fn delta(window: Window<'_>) -> Option<f64> {
    let [first, .., last] = window.samples else { return None };
    Some((last.value - first.value) * extrapolation(window, None)?)
}

/// The last value less the first, plus what every reset took away.
fn growth_of_counter(samples: &[Sample]) -> Option<f64> {
    let [first, .., last] = samples else { return None };
    let mut growth = last.value - first.value;
    for pair in samples.windows(2) {
        if pair[1].value < pair[0].value {
            growth += pair[0].value;
        }
    }
    Some(growth)
}

/// By what factor the span of the samples is stretched towards the ends of the range.
///
/// A series that reaches close to an end (within 1.1 times the average distance of its samples) is
/// taken to go on to that end; otherwise to begin or end half a distance beyond its samples.
/// A counter (`growth` given) is never extrapolated to before it was zero.
fn extrapolation(window: Window<'_>, growth: Option<f64>) -> Option<f64> {
    let [first, .., last] = window.samples else { return None };
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let sampled = seconds(last.timestamp.since_ms(first.timestamp));
    let distance = sampled / (window.samples.len() - 1) as f64;
    let to_end_of = |gap: f64| if gap >= distance * 1.1 { distance / 2.0 } else { gap };

    let mut to_start = to_end_of(seconds(first.timestamp.since_ms(window.start)));
    if let Some(growth) = growth
        && growth > 0.0
        && first.value >= 0.0
    {
        let to_zero = sampled * (first.value / growth);
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    let to_end = to_end_of(seconds(window.end.since_ms(last.timestamp)));
    Some((sampled + to_start + to_end) / sampled)
}

/// Growth per second of a counter between its last two samples.
pub(super) fn irate(samples: &[Sample]) -> Option<f64> {
    let [.., before, last] = samples else { return None };
    // After a reset the counter started at zero.
    let growth = if last.value < before.value { last.value } else { last.value - before.value };
    Some(growth / (last.timestamp.since_ms(before.timestamp) as f64 / 1000.0))
}

/// Difference between the last two samples.
pub(super) fn idelta(samples: &[Sample]) -> Option<f64> {
    let [.., before, last] = samples else { return None };
    Some(last.value - before.value)
}

/// How often the value changed; NaN after NaN is no change.
pub(super) fn changes(samples: &[Sample]) -> f64 {
    let changed = |a: f64, b: f64| a != b && !(a.is_nan() && b.is_nan());
    samples.windows(2).filter(|pair| changed(pair[0].value, pair[1].value)).count() as f64
}

/// How often a counter fell.
pub(super) fn resets(samples: &[Sample]) -> f64 {
    samples.windows(2).filter(|pair| pair[1].value < pair[0].value).count() as f64
}
