//! `histogram_quantile` and `histogram_fraction`: on native histograms, and on classic ones, which are
//! series with a cumulative count a bucket, its upper bound in the label `le`.

use super::EvalError;
use crate::{
    promql::{
        Point,
        annotation::{Remark, Remarks},
        labels::{self, Projection},
        matrix::{Cell, Matrix},
        native::{self, Nans},
    },
    series::{LabelRef, LabelSet, METRIC_NAME, NativeHistogram},
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

/// Quantile `q[step]` of each histogram in `of`; other series, without a readable `le`, are left out.
pub(super) fn quantiles(
    q: &[f64],
    of: &Matrix,
    at: [usize; 2],
    remarks: &mut Remarks,
) -> Result<Matrix, EvalError> {
    for q in q {
        remarks.check_quantile(at[0], *q);
    }
    let classic = |step: usize, buckets| quantile(q[step], buckets);
    of_histograms(of, classic, |step, histogram| native::quantile(q[step], histogram), at, remarks)
}

/// The share of observations between `lower[step]` and `upper[step]` of each histogram in `of`.
pub(super) fn fractions(
    lower: &[f64],
    upper: &[f64],
    of: &Matrix,
    at: [usize; 2],
    remarks: &mut Remarks,
) -> Result<Matrix, EvalError> {
    let classic = |step: usize, buckets| {
        let value = fraction(lower[step], upper[step], &coalesced(buckets));
        Quantile { value, forced: false }
    };
    let native = |step: usize, histogram: &NativeHistogram| {
        let (lower, upper) = (lower[step], upper[step]);
        let nans = lower < upper && native::has_nans(histogram);
        (native::fraction(lower, upper, histogram), nans.then_some(Nans::Excluded))
    };
    of_histograms(of, classic, native, at, remarks)
}

/// A number that buckets tell, and whether one of them had to be raised for it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Quantile {
    value: f64,
    forced: bool,
}

/// A histogram in the input: the buckets of a classic one, by their bounds, or a native one of the same labels.
struct Rows<'a> {
    labels: &'a LabelSet,
    buckets: Vec<(f64, &'a [Cell])>,
    native: Option<&'a [Cell]>,
}

/// A function of each histogram at each step: of the buckets of a classic one, by ascending bounds and never
/// none, or of a native one. Where a native and a classic one have the same labels it is not known which to
/// believe, and there is no value.
fn of_histograms(
    of: &Matrix,
    classic: impl Fn(usize, Vec<Bucket>) -> Quantile,
    native: impl Fn(usize, &NativeHistogram) -> (f64, Option<Nans>),
    [first_at, at]: [usize; 2],
    remarks: &mut Remarks,
) -> Result<Matrix, EvalError> {
    let histograms = histograms_of(of, at, remarks);
    let mut result = Matrix::with_capacity(of.steps(), histograms.len());
    for Rows { labels, mut buckets, native: native_cells } in histograms {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Prometheus forgets the name of a classic histogram behind the first step.
        let metric = labels.get(METRIC_NAME).unwrap_or("");
        let mut named = metric;
        let mut at_step = |step: usize| {
            let bucket = |(upper_bound, cells): &(f64, &[Cell])| {
                let count = cells[step].as_ref().and_then(Point::float)?;
                Some(Bucket { upper_bound: *upper_bound, count })
            };
            let buckets: Vec<Bucket> = buckets.iter().filter_map(bucket).collect();
            let value = match native_cells.and_then(|cells| cells[step].as_ref()) {
                Some(Point::Histogram(histogram)) if buckets.is_empty() => {
                    let (value, nans) = native(step, histogram);
                    if let Some(nans) = nans {
                        remarks.add(first_at, Remark::Nans(nans));
                    }
                    value
                }
                Some(Point::Histogram(_)) => {
                    remarks.add(at, Remark::ClassicAndNative(metric.to_owned()));
                    named = metric;
                    return None;
                }
                _ if buckets.is_empty() => return None,
                _ => {
                    let Quantile { value, forced } = classic(step, buckets);
                    if forced {
                        remarks.add(at, Remark::NotMonotonic(named.to_owned()));
                    }
                    named = "";
                    value
                }
            };
            Some(Point::Float(value))
        };
        let keeps_le = native_cells.is_some();
        let kept =
            |label: LabelRef<'_>| (keeps_le || label.name != BUCKET_LABEL) && !labels::is_metadata(label);
        let row: Vec<Cell> = (0..of.steps()).map(&mut at_step).collect();
        result.push_with(|cells| cells.extend(row), || labels.filtered(kept));
    }
    result.joined()
}

/// The rows of each histogram; the metric name tells histograms apart, though the result does not have it.
fn histograms_of<'a>(of: &'a Matrix, at: usize, remarks: &mut Remarks) -> Vec<Rows<'a>> {
    let mut numbers: BTreeMap<Box<str>, usize> = BTreeMap::new();
    let mut histograms: Vec<Rows<'a>> = Vec::new();
    let mut projection = Projection::default();
    for (labels, cells) in of.rows() {
        let bound = labels.get(BUCKET_LABEL).unwrap_or("");
        let upper_bound = parse_bound(bound);
        if !is_readable(bound) && cells.iter().any(|cell| cell.as_ref().and_then(Point::float).is_some()) {
            let metric = labels.get(METRIC_NAME).unwrap_or("");
            remarks.add(at, Remark::BucketLabel(metric.to_owned(), bound.to_owned()));
        }
        let is_native = cells.iter().any(|cell| matches!(cell, Some(Point::Histogram(_))));
        if let Some(upper_bound) = upper_bound {
            let key = projection.of(labels, |label| label.name != BUCKET_LABEL);
            rows_of(key, labels, &mut numbers, &mut histograms).buckets.push((upper_bound, cells));
        }
        if is_native {
            let key = projection.of(labels, |_| true);
            let rows = rows_of(key, labels, &mut numbers, &mut histograms);
            (rows.labels, rows.native) = (labels, Some(cells));
        }
    }
    histograms
}

fn rows_of<'a, 'h>(
    key: &str,
    labels: &'a LabelSet,
    numbers: &mut BTreeMap<Box<str>, usize>,
    histograms: &'h mut Vec<Rows<'a>>,
) -> &'h mut Rows<'a> {
    let number = *numbers.entry(key.into()).or_insert(histograms.len());
    if number == histograms.len() {
        histograms.push(Rows { labels, buckets: Vec::new(), native: None });
    }
    &mut histograms[number]
}

/// A bound as Go reads it: an overflow is no bound, NaN is none either.
fn parse_bound(text: &str) -> Option<f64> {
    let bound: f64 = text.parse().ok()?;
    (is_readable(text) && !bound.is_nan()).then_some(bound)
}

/// Whether Go reads a number: NaN is one.
fn is_readable(text: &str) -> bool {
    let overflown = |bound: f64| bound.is_infinite() && text.bytes().any(|b| b.is_ascii_digit());
    text.parse().is_ok_and(|bound| !overflown(bound))
}

/// Quantile `q`, linear within a bucket, the lowest one taken to begin at 0 where its bound is
/// positive. NaN without a +Inf bucket, with less than two buckets or without observations; the
/// last finite bound where the quantile lies above it; infinite for a `q` outside 0..=1.
fn quantile(q: f64, buckets: Vec<Bucket>) -> Quantile {
    let unforced = |value| Quantile { value, forced: false };
    if q.is_nan() {
        return unforced(f64::NAN);
    }
    if q < 0.0 {
        return unforced(f64::NEG_INFINITY);
    }
    if q > 1.0 {
        return unforced(f64::INFINITY);
    }
    let mut buckets = coalesced(buckets);
    let forced = make_monotonic(&mut buckets);
    match quantile_of_cumulative(q, &buckets) {
        Some(value) => Quantile { value, forced },
        None => unforced(f64::NAN),
    }
}

/// The quantile of buckets whose counts do not fall; `None` where they say nothing.
fn quantile_of_cumulative(q: f64, buckets: &[Bucket]) -> Option<f64> {
    let [lower @ .., second_last, last] = buckets else { return None };
    if last.upper_bound != f64::INFINITY || last.count == 0.0 {
        return None;
    }
    let rank = q * last.count;
    let finite = &buckets[..=lower.len()];
    let reaches = |bucket: &Bucket| bucket.count >= rank;
    let at = finite.partition_point(|bucket| !reaches(bucket));
    let Some(found) = finite.get(at) else { return Some(second_last.upper_bound) };
    let Some(below) = at.checked_sub(1).and_then(|at| finite.get(at)) else {
        let share = if found.upper_bound <= 0.0 { 1.0 } else { rank / found.count };
        return Some(found.upper_bound * share);
    };
    let share = (rank - below.count) / (found.count - below.count);
    Some(below.upper_bound + (found.upper_bound - below.upper_bound) * share)
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
/// difference within [`TOLERANCE`], is undone. Says whether there was a fall.
fn make_monotonic(buckets: &mut [Bucket]) -> bool {
    let Some((first, rest)) = buckets.split_first_mut() else { return false };
    let (mut highest, mut forced) = (first.count, false);
    for bucket in rest {
        if almost_equal(highest, bucket.count) {
            bucket.count = highest;
        } else if bucket.count < highest {
            bucket.count = highest;
            forced = true;
        } else {
            highest = bucket.count;
        }
    }
    forced
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

    fn value(q: f64, buckets: Vec<Bucket>) -> f64 {
        quantile(q, buckets).value
    }

    const INF: f64 = f64::INFINITY;

    #[test]
    fn a_quantile_lies_in_its_bucket_by_share() {
        let buckets = of(&[(1.0, 10.0), (2.0, 30.0), (INF, 40.0)]);
        // Rank 20 of 40 is half way through the 20 observations between 1 and 2.
        assert_eq!(value(0.5, buckets.clone()), 1.5);
        // Rank 4 is 0.4 of the way through the first bucket, which begins at 0.
        assert_eq!(value(0.1, buckets.clone()), 0.4);
        // Above the last finite bound nothing is known but that bound.
        assert_eq!(value(0.9, buckets.clone()), 2.0);
        assert_eq!(value(-1.0, buckets.clone()), -INF);
        assert_eq!(value(1.5, buckets.clone()), INF);
        assert!(value(f64::NAN, buckets).is_nan());
    }

    #[test]
    fn buckets_that_say_nothing_give_nan() {
        assert!(value(0.5, of(&[(1.0, 10.0), (2.0, 30.0)])).is_nan());
        assert!(value(0.5, of(&[(INF, 10.0)])).is_nan());
        assert!(value(0.5, of(&[(1.0, 0.0), (INF, 0.0)])).is_nan());
    }

    #[test]
    fn a_lowest_bucket_below_zero_is_its_bound() {
        assert_eq!(value(0.1, of(&[(-1.0, 10.0), (1.0, 20.0), (INF, 20.0)])), -1.0);
    }

    #[test]
    fn falls_are_undone_and_equal_bounds_added() {
        let mut buckets = of(&[(1.0, 10.0), (2.0, 8.0), (3.0, 10.0 * (1.0 + 1e-14)), (INF, 12.0)]);
        assert!(make_monotonic(&mut buckets));
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
