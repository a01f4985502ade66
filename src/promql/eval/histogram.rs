//! `histogram_quantile` and `histogram_fraction` on classic histograms: series with a cumulative count
//! a bucket, its upper bound in the label `le`.

use super::EvalError;
use crate::{
    promql::{
        Point,
        labels::{self, Projection},
        matrix::{Cell, Matrix},
    },
    series::LabelSet,
};
use std::collections::BTreeMap;

const BUCKET_LABEL: &str = "le";

/// Relative differences between neighbouring buckets below this are artefacts of float sums.
const TOLERANCE: f64 = 1e-12;

/// Observations up to a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    upper_bound: f64,
    count: f64,
}

/// The counts of a histogram's buckets at all steps, with the upper bound of each.
type BucketRows<'a> = Vec<(f64, &'a [Cell])>;

/// Quantile `q[step]` of each histogram in `of`; series without a readable `le` are left out.
pub(super) fn quantiles(q: &[f64], of: &Matrix) -> Result<Matrix, EvalError> {
    of_histograms(of, |step, buckets| quantile(q[step], buckets))
}

/// The share of observations between `lower[step]` and `upper[step]` of each histogram in `of`.
pub(super) fn fractions(lower: &[f64], upper: &[f64], of: &Matrix) -> Result<Matrix, EvalError> {
    of_histograms(of, |step, buckets| fraction(lower[step], upper[step], &coalesced(buckets)))
}

/// `function` of the buckets of each histogram at each step, by ascending bounds and never none.
fn of_histograms(of: &Matrix, function: impl Fn(usize, Vec<Bucket>) -> f64) -> Result<Matrix, EvalError> {
    let mut numbers: BTreeMap<Box<str>, usize> = BTreeMap::new();
    let mut histograms: Vec<(&LabelSet, BucketRows<'_>)> = Vec::new();
    let mut projection = Projection::default();
    for (labels, cells) in of.rows() {
        let Some(upper_bound) = labels.get(BUCKET_LABEL).and_then(parse_bound) else { continue };
        // The metric name tells histograms apart, though the result does not have it.
        let key = projection.of(labels, |label| label.name != BUCKET_LABEL);
        if let Some(number) = numbers.get(key) {
            histograms[*number].1.push((upper_bound, cells));
        } else {
            numbers.insert(key.into(), histograms.len());
            histograms.push((labels, vec![(upper_bound, cells)]));
        }
    }
    let mut result = Matrix::with_capacity(of.steps(), histograms.len());
    for (labels, mut rows) in histograms {
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let at_step = |step: usize| {
            let bucket = |(upper_bound, cells): &(f64, &[Cell])| {
                let count = cells[step].as_ref().and_then(Point::float)?;
                Some(Bucket { upper_bound: *upper_bound, count })
            };
            let buckets: Vec<Bucket> = rows.iter().filter_map(bucket).collect();
            (!buckets.is_empty()).then(|| Point::Float(function(step, buckets)))
        };
        let labels_of = || labels.filtered(|label| label.name != BUCKET_LABEL && !labels::is_metadata(label));
        result.push_with(|row| row.extend((0..of.steps()).map(at_step)), labels_of);
    }
    result.joined()
}

/// A bound as Go reads it: an overflow is no bound, NaN is none either.
fn parse_bound(text: &str) -> Option<f64> {
    let bound: f64 = text.parse().ok()?;
    let overflown = bound.is_infinite() && text.bytes().any(|b| b.is_ascii_digit());
    (!bound.is_nan() && !overflown).then_some(bound)
}

/// Quantile `q`, linear within a bucket, the lowest one taken to begin at 0 where its bound is
/// positive. NaN without a +Inf bucket, with less than two buckets or without observations; the
/// last finite bound where the quantile lies above it; infinite for a `q` outside 0..=1.
fn quantile(q: f64, buckets: Vec<Bucket>) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let mut buckets = coalesced(buckets);
    make_monotonic(&mut buckets);
    let [lower @ .., second_last, last] = buckets.as_slice() else { return f64::NAN };
    if last.upper_bound != f64::INFINITY || last.count == 0.0 {
        return f64::NAN;
    }
    let rank = q * last.count;
    let finite = &buckets[..=lower.len()];
    let reaches = |bucket: &Bucket| bucket.count >= rank;
    let at = finite.partition_point(|bucket| !reaches(bucket));
    let Some(found) = finite.get(at) else { return second_last.upper_bound };
    let Some(below) = at.checked_sub(1).and_then(|at| finite.get(at)) else {
        return if found.upper_bound <= 0.0 {
            found.upper_bound
        } else {
            found.upper_bound * (rank / found.count)
        };
    };
    let share = (rank - below.count) / (found.count - below.count);
    below.upper_bound + (found.upper_bound - below.upper_bound) * share
}

/// The share of observations above `lower` and up to `upper`, linear within a bucket, the lowest one
/// taken to begin at -Inf. NaN without a +Inf bucket or without observations.
fn fraction(lower: f64, upper: f64, buckets: &[Bucket]) -> f64 {
    let Some(last) = buckets.last() else { return f64::NAN };
    let total = last.count;
    if last.upper_bound != f64::INFINITY || total == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    // Not `min`, which would make a number of NaN: within the first bucket nothing is known.
    let rank = |value: f64| match rank_of(value, buckets) {
        rank if rank > total => total,
        rank => rank,
    };
    (rank(upper) - rank(lower)) / total
}

/// How many observations lie at or below `value`; infinite above the last bucket.
fn rank_of(value: f64, buckets: &[Bucket]) -> f64 {
    let (mut lower_bound, mut rank) = (f64::NEG_INFINITY, 0.0);
    for bucket in buckets {
        if lower_bound >= value {
            return rank;
        }
        if bucket.upper_bound > value {
            return rank + (bucket.count - rank) * (value - lower_bound) / (bucket.upper_bound - lower_bound);
        }
        (lower_bound, rank) = (bucket.upper_bound, bucket.count);
    }
    f64::INFINITY
}

/// Buckets of the same bound as one: they come from `le="1"` and `le="1.0"`.
fn coalesced(buckets: Vec<Bucket>) -> Vec<Bucket> {
    let mut merged: Vec<Bucket> = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        match merged.last_mut() {
            Some(last) if last.upper_bound == bucket.upper_bound => last.count += bucket.count,
            _ => merged.push(bucket),
        }
    }
    merged
}

/// Cumulative counts never fall: buckets scraped or summed apart may, and a fall, like a
/// difference within [`TOLERANCE`], is undone.
fn make_monotonic(buckets: &mut [Bucket]) {
    let Some((first, rest)) = buckets.split_first_mut() else { return };
    let mut highest = first.count;
    for bucket in rest {
        if almost_equal(highest, bucket.count) || bucket.count < highest {
            bucket.count = highest;
        } else {
            highest = bucket.count;
        }
    }
}

fn almost_equal(a: f64, b: f64) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(buckets: &[(f64, f64)]) -> Vec<Bucket> {
        buckets.iter().map(|&(upper_bound, count)| Bucket { upper_bound, count }).collect()
    }

    const INF: f64 = f64::INFINITY;

    #[test]
    fn a_quantile_lies_in_its_bucket_by_share() {
        let buckets = of(&[(1.0, 10.0), (2.0, 30.0), (INF, 40.0)]);
        // Rank 20 of 40 is half way through the 20 observations between 1 and 2.
        assert_eq!(quantile(0.5, buckets.clone()), 1.5);
        // Rank 4 is 0.4 of the way through the first bucket, which begins at 0.
        assert_eq!(quantile(0.1, buckets.clone()), 0.4);
        // Above the last finite bound nothing is known but that bound.
        assert_eq!(quantile(0.9, buckets.clone()), 2.0);
        assert_eq!(quantile(-1.0, buckets.clone()), -INF);
        assert_eq!(quantile(1.5, buckets.clone()), INF);
        assert!(quantile(f64::NAN, buckets).is_nan());
    }

    #[test]
    fn buckets_that_say_nothing_give_nan() {
        assert!(quantile(0.5, of(&[(1.0, 10.0), (2.0, 30.0)])).is_nan());
        assert!(quantile(0.5, of(&[(INF, 10.0)])).is_nan());
        assert!(quantile(0.5, of(&[(1.0, 0.0), (INF, 0.0)])).is_nan());
    }

    #[test]
    fn a_lowest_bucket_below_zero_is_its_bound() {
        assert_eq!(quantile(0.1, of(&[(-1.0, 10.0), (1.0, 20.0), (INF, 20.0)])), -1.0);
    }

    #[test]
    fn falls_are_undone_and_equal_bounds_added() {
        let mut buckets = of(&[(1.0, 10.0), (2.0, 8.0), (3.0, 10.0 * (1.0 + 1e-14)), (INF, 12.0)]);
        make_monotonic(&mut buckets);
        assert_eq!(buckets, of(&[(1.0, 10.0), (2.0, 10.0), (3.0, 10.0), (INF, 12.0)]));
        assert_eq!(coalesced(of(&[(1.0, 1.0), (1.0, 2.0), (INF, 3.0)])), of(&[(1.0, 3.0), (INF, 3.0)]));
    }

    #[test]
    fn bounds_are_numbers() {
        assert_eq!(parse_bound("+Inf"), Some(INF));
        assert_eq!(parse_bound("1e-3"), Some(0.001));
        for text in ["", "NaN", "1e999", "x"] {
            assert_eq!(parse_bound(text), None, "{text}");
        }
    }
}
