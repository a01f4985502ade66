//! The rules for native histograms, on whole vectors of spans and buckets.

use super::v1::{
    BucketSpan, Histogram,
    histogram::{Count, ZeroCount},
};
use crate::series::{STALE_NAN, Sample, is_stale_marker};

/// The two samples that a native histogram becomes.
pub(super) fn count_and_sum(histogram: &Histogram) -> (Sample, Sample) {
    let count = match histogram.count {
        _ if is_stale_marker(histogram.sum) => STALE_NAN,
        None => 0.0,
        Some(Count::CountInt(count)) => count as f64,
        Some(Count::CountFloat(count)) => count,
    };
    (Sample::new(histogram.timestamp, count), Sample::new(histogram.timestamp, histogram.sum))
}

/// Whether the histogram obeys protocol line B13.
pub(super) fn is_valid(h: &Histogram) -> bool {
    let Some((negative, positive)) = buckets(h) else { return false };
    let schema_fits = match h.schema {
        -53 => custom_fits(h),
        -4..=8 => h.custom_values.is_empty(),
        _ => false,
    };
    schema_fits
        && spans_fit(&h.negative_spans, negative.len())
        && spans_fit(&h.positive_spans, positive.len())
        && count_fits(h, &negative, &positive)
}

/// Buckets as counts; `None` when one is negative. For a float histogram, their values do not matter
/// any more after that.
fn buckets(h: &Histogram) -> Option<(Vec<i64>, Vec<i64>)> {
    if let Some(Count::CountFloat(_)) = h.count {
        let sides = [&h.negative_counts, &h.positive_counts];
        let negative = sides.iter().any(|side| side.iter().any(|count| *count < 0.0));
        return (!negative).then(|| (vec![0; h.negative_counts.len()], vec![0; h.positive_counts.len()]));
    }
    Some((running_sums(&h.negative_deltas)?, running_sums(&h.positive_deltas)?))
}

fn running_sums(deltas: &[i64]) -> Option<Vec<i64>> {
    let mut bucket = 0_i64;
    deltas
        .iter()
        .map(|delta| {
            bucket = bucket.checked_add(*delta).filter(|bucket| *bucket >= 0)?;
            Some(bucket)
        })
        .collect()
}

fn spans_fit(spans: &[BucketSpan], buckets: usize) -> bool {
    let lengths: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    spans.iter().skip(1).all(|span| span.offset >= 0) && lengths == buckets as u64
}

fn count_fits(h: &Histogram, negative: &[i64], positive: &[i64]) -> bool {
    let count = match h.count {
        Some(Count::CountFloat(_)) => return true,
        Some(Count::CountInt(count)) => i128::from(count),
        None => 0,
    };
    let zero = if let Some(ZeroCount::ZeroCountInt(zero)) = h.zero_count { i128::from(zero) } else { 0 };
    let sum = zero + negative.iter().chain(positive).map(|bucket| i128::from(*bucket)).sum::<i128>();
    if h.sum.is_nan() { sum <= count } else { sum == count }
}

/// No zero bucket, no negative spans (and so, by `spans_fit`, no negative buckets), bounds that ascend.
fn custom_fits(h: &Histogram) -> bool {
    let no_zero_bucket = match h.zero_count {
        None => true,
        Some(ZeroCount::ZeroCountInt(zero)) => zero == 0,
        Some(ZeroCount::ZeroCountFloat(zero)) => zero == 0.0,
    };
    let reach: i128 =
        h.positive_spans.iter().map(|span| i128::from(span.offset) + i128::from(span.length)).sum();
    no_zero_bucket
        && h.zero_threshold == 0.0
        && h.negative_spans.is_empty()
        && h.custom_values.iter().all(|bound| bound.is_finite())
        && h.custom_values.is_sorted_by(|a, b| a < b)
        && h.positive_spans.iter().all(|span| span.offset >= 0)
        && reach <= h.custom_values.len() as i128 + 1
}
