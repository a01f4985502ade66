//! Trends of the samples of a range: `deriv`, `predict_linear`, `double_exponential_smoothing`.

use crate::{
    promql::{EvalError, number::CompensatedSum},
    series::{Sample, TimestampMs},
};

/// Slope per second.
pub(super) fn deriv(samples: &[Sample]) -> Option<f64> {
    // Times near the samples keep the squares small.
    Some(least_squares(samples, samples.first()?.timestamp)?.slope)
}

/// Where the line is `ahead` seconds after `at`.
pub(super) fn predict_linear(samples: &[Sample], at: TimestampMs, ahead: f64) -> Option<f64> {
    let line = least_squares(samples, at)?;
    Some(line.slope * ahead + line.intercept)
}

struct Line {
    slope: f64,
    intercept: f64,
}

/// The line of least squares, its intercept at `origin`; `None` for less than two samples.
fn least_squares(samples: &[Sample], origin: TimestampMs) -> Option<Line> {
    let [first, _, ..] = samples else { return None };
    if samples.iter().all(|sample| sample.value == first.value) {
        // Exact where the general formula is not; an infinite constant has no line.
        let finite = !first.value.is_infinite();
        return Some(if finite {
            Line { slope: 0.0, intercept: first.value }
        } else {
            Line { slope: f64::NAN, intercept: f64::NAN }
        });
    }
    let mut sums = [CompensatedSum::default(); 4];
    for sample in samples {
        let x = sample.timestamp.since_ms(origin) as f64 / 1000.0;
        let y = sample.value;
        for (sum, increment) in sums.iter_mut().zip([x, y, x * y, x * x]) {
            *sum = sum.plus(increment);
        }
    }
    let n = samples.len() as f64;
    let [x, y, xy, xx] = sums.map(CompensatedSum::total);
    let slope = (xy - x * y / n) / (xx - x * x / n);
    Some(Line { slope, intercept: y / n - slope * x / n })
}

/// The last value, smoothed with a trend (Holt's method); `None` for less than two samples.
pub(super) fn double_exponential_smoothing(
    samples: &[Sample],
    smoothing: f64,
    trend: f64,
) -> Result<Option<f64>, EvalError> {
    for (name, value) in [("smoothing", smoothing), ("trend", trend)] {
        if value <= 0.0 || value >= 1.0 {
            return Err(EvalError::Factor { name, value });
        }
    }
    let [first, second, ..] = samples else { return Ok(None) };
    let mut slope = second.value - first.value;
    let (mut before, mut smoothed) = (0.0, first.value);
    for (number, sample) in samples.iter().enumerate().skip(1) {
        if number > 1 {
            slope = trend * (smoothed - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * sample.value + (1.0 - smoothing) * (smoothed + slope);
        (before, smoothed) = (smoothed, next);
    }
    Ok(Some(smoothed))
}
