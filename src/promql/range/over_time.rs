//! Statistics of the samples in a range: the `*_over_time` family.

use crate::{
    promql::number::{self, CompensatedSum, Mean},
    series::Sample,
};

pub(super) fn sum(samples: &[Sample]) -> f64 {
    samples.iter().fold(CompensatedSum::default(), |sum, sample| sum.plus(sample.value)).total()
}

/// NaN for no samples.
pub(super) fn avg(samples: &[Sample]) -> f64 {
    let Some((first, rest)) = samples.split_first() else { return f64::NAN };
    let mut mean = Mean::of(first.value);
    for sample in rest {
        mean.add(sample.value);
    }
    mean.value()
}

/// NaN only if all are.
pub(super) fn min(samples: &[Sample]) -> f64 {
    extreme(samples, |value, smallest| value < smallest)
}

/// NaN only if all are.
pub(super) fn max(samples: &[Sample]) -> f64 {
    extreme(samples, |value, largest| value > largest)
}

/// The time of the largest value, the last one of equal ones, in seconds.
pub(super) fn time_of_max(samples: &[Sample]) -> Option<f64> {
    time_of_extreme(samples, |value, largest| value >= largest)
}

/// The time of the smallest value, the last one of equal ones, in seconds.
pub(super) fn time_of_min(samples: &[Sample]) -> Option<f64> {
    time_of_extreme(samples, |value, smallest| value <= smallest)
}

fn time_of_extreme(samples: &[Sample], beats: impl Fn(f64, f64) -> bool) -> Option<f64> {
    let better = |best: Sample, sample: &Sample| {
        if best.value.is_nan() || beats(sample.value, best.value) { *sample } else { best }
    };
    let (first, _) = samples.split_first()?;
    Some(samples.iter().fold(*first, better).timestamp.seconds())
}

fn extreme(samples: &[Sample], beats: impl Fn(f64, f64) -> bool) -> f64 {
    let better = |best: f64, sample: &Sample| {
        if best.is_nan() || beats(sample.value, best) { sample.value } else { best }
    };
    samples.iter().fold(f64::NAN, better)
}

/// The population variance (Welford), with compensated sums.
pub(super) fn stdvar(samples: &[Sample]) -> f64 {
    let mut count = 0.0;
    let mut mean = CompensatedSum::default();
    let mut squares = CompensatedSum::default();
    for sample in samples {
        count += 1.0;
        let delta = sample.value - mean.total();
        mean = mean.plus(delta / count);
        squares = squares.plus(delta * (sample.value - mean.total()));
    }
    squares.total() / count
}

pub(super) fn quantile(q: f64, samples: &[Sample]) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
    number::quantile(q, &mut values)
}

/// The median of the distances from the median.
pub(super) fn mad(samples: &[Sample]) -> f64 {
    let median = quantile(0.5, samples);
    let mut distances: Vec<f64> = samples.iter().map(|sample| (sample.value - median).abs()).collect();
    number::quantile(0.5, &mut distances)
}
