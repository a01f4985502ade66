//! Quantiles, and shares of observations between two values.
//!
//! Within a custom bucket and the zero bucket observations are taken to be spread evenly; within an exponential
//! one as a finer histogram would find them: evenly on a logarithmic scale.

use crate::series::{BucketRange, NativeHistogram};

const NOTHING: BucketRange =
    BucketRange { lower: 0.0, upper: 0.0, lower_inclusive: false, upper_inclusive: false, count: 0.0 };

/// What observations of NaN do to a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::promql) enum Nans {
    /// The quantile lies among them.
    Result,
    /// The quantile lies higher for them.
    Skewed,
    /// They are in no fraction.
    Excluded,
}

/// The value that a share `q` of the observations does not exceed. NaN without observations; infinite for a
/// `q` outside 0..=1.
///
/// Observations of NaN are in the count but in no bucket (the sum is NaN then): they lie above all others,
/// and so does the quantile that falls among them: NaN. Says what they do.
pub(in crate::promql) fn quantile(q: f64, histogram: &NativeHistogram) -> (f64, Option<Nans>) {
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    if histogram.count == 0.0 || q.is_nan() {
        return (f64::NAN, None);
    }
    // From the nearer end, except where buckets do not add up to the count.
    let forward = histogram.sum.is_nan() || q < 0.5;
    let mut ranges = histogram.ranges();
    let (rank, (bucket, count)) = if forward {
        let rank = q * histogram.count;
        (rank, reaching(rank, &mut ranges))
    } else {
        let rank = (1.0 - q) * histogram.count;
        (rank, reaching(rank, ranges.by_ref().rev()))
    };
    let bucket = match bounded(bucket, histogram) {
        Ok(bucket) => bucket,
        Err(value) => return (value, None),
    };
    // Float errors may make the sum of the buckets larger than the count.
    let count = if count > histogram.count { histogram.count } else { count };
    if count < rank {
        let nans = histogram.sum.is_nan();
        return if nans { (f64::NAN, Some(Nans::Result)) } else { (bucket.upper, None) };
    }
    let rank = if forward { rank - (count - bucket.count) } else { count - rank };
    // With observations of NaN, Prometheus (3.5 to 3.14 at least) counts on to the last bucket and then
    // interpolates in that one. Its answer, wrong as it is, is the one to give.
    let bucket = if histogram.sum.is_nan() { ranges.last().unwrap_or(bucket) } else { bucket };
    let value = interpolated(rank / bucket.count, bucket, histogram);
    (value, has_nans(histogram).then_some(Nans::Skewed))
}

/// Whether there are observations of NaN: they are in no bucket.
pub(in crate::promql) fn has_nans(histogram: &NativeHistogram) -> bool {
    histogram.sum.is_nan() && total(histogram) < histogram.count
}

fn total(histogram: &NativeHistogram) -> f64 {
    histogram.ranges().fold(0.0, |total, range| total + range.count)
}

/// The bucket in which the running count reaches `rank`, and that count; the last one if none does.
fn reaching(rank: f64, ranges: impl Iterator<Item = BucketRange>) -> (BucketRange, f64) {
    let (mut last, mut count) = (NOTHING, 0.0);
    for range in ranges {
        last = range;
        if range.count == 0.0 {
            continue;
        }
        count += range.count;
        if count >= rank {
            break;
        }
    }
    (last, count)
}

/// The bucket with the bounds within which its observations can lie, or the quantile where there is no
/// more to say.
fn bounded(mut bucket: BucketRange, histogram: &NativeHistogram) -> Result<BucketRange, f64> {
    if histogram.has_custom_buckets() {
        if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return Err(bucket.upper);
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return Err(bucket.lower);
        }
    } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
        bucket = one_sided(bucket, histogram);
    }
    Ok(bucket)
}

/// The zero bucket: where all other observations are on one side of zero, so are those in it.
fn one_sided(mut zero: BucketRange, histogram: &NativeHistogram) -> BucketRange {
    match (histogram.negative.is_empty(), histogram.positive.is_empty()) {
        (true, false) => zero.lower = 0.0,
        (false, true) => zero.upper = 0.0,
        _ => {}
    }
    zero
}

/// The value `share` of the way through the bucket.
fn interpolated(share: f64, bucket: BucketRange, histogram: &NativeHistogram) -> f64 {
    let BucketRange { lower, upper, .. } = bucket;
    if histogram.has_custom_buckets() || (lower <= 0.0 && upper >= 0.0) {
        return lower + (upper - lower) * share;
    }
    let (log_lower, log_upper) = (lower.abs().log2(), upper.abs().log2());
    if lower > 0.0 {
        return (log_lower + (log_upper - log_lower) * share).exp2();
    }
    -(log_upper + (log_lower - log_upper) * (1.0 - share)).exp2()
}

/// The share of observations between `lower` and `upper`. NaN without observations, or when a bound is NaN;
/// observations of NaN are between no two values.
pub(in crate::promql) fn fraction(lower: f64, upper: f64, histogram: &NativeHistogram) -> f64 {
    if histogram.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let total = if histogram.sum.is_nan() { total(histogram) } else { histogram.count };
    let rank = |value| match rank_of(value, histogram) {
        Some(rank) if rank > total => total,
        Some(rank) => rank,
        None => total,
    };
    (rank(upper) - rank(lower)) / histogram.count
}

/// How many observations lie at or below `value`; `None` above all buckets.
fn rank_of(value: f64, histogram: &NativeHistogram) -> Option<f64> {
    let mut rank = 0.0;
    for range in histogram.ranges() {
        let around_zero = range.lower <= 0.0 && range.upper >= 0.0;
        let range = if around_zero { one_sided(range, histogram) } else { range };
        if range.lower >= value {
            return Some(rank);
        }
        if range.upper > value {
            let linear = histogram.has_custom_buckets() || around_zero;
            return Some(
                rank + range.count * if linear { even_share(value, range) } else { log_share(value, range) },
            );
        }
        rank += range.count;
    }
    None
}

/// How far into the bucket `value` lies.
fn even_share(value: f64, range: BucketRange) -> f64 {
    (value - range.lower) / (range.upper - range.lower)
}

/// The same on a logarithmic scale.
fn log_share(value: f64, range: BucketRange) -> f64 {
    let [lower, upper, value_log] = [range.lower, range.upper, value].map(|bound| bound.abs().log2());
    if value > 0.0 {
        (value_log - lower) / (upper - lower)
    } else {
        1.0 - (value_log - upper) / (lower - upper)
    }
}
