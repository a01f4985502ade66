//! The rules for native histograms, on whole vectors of spans and buckets.

use super::v1::{
    BucketSpan, Histogram,
    histogram::{Count, ResetHint as WireHint, ZeroCount},
};
use crate::{
    series::{Bucket, HistogramSample, NativeHistogram, ResetHint, is_stale_marker},
    wire::histogram::MAX_BUCKETS,
};

/// What a valid histogram becomes.
pub(super) fn build(h: &Histogram) -> HistogramSample {
    if is_stale_marker(h.sum) {
        return HistogramSample::new(h.timestamp, NativeHistogram::stale_marker());
    }
    let float = matches!(h.count, Some(Count::CountFloat(_)));
    let sums = |deltas: &[i64]| running_sums(deltas).unwrap_or_default().into_iter().map(|n| n as f64);
    let (negative, positive): (Vec<f64>, Vec<f64>) = if float {
        (h.negative_counts.clone(), h.positive_counts.clone())
    } else {
        (sums(&h.negative_deltas).collect(), sums(&h.positive_deltas).collect())
    };
    let zero_count = match (float, h.zero_count) {
        (true, Some(ZeroCount::ZeroCountFloat(zero))) => zero,
        (false, Some(ZeroCount::ZeroCountInt(zero))) => zero as f64,
        _ => 0.0,
    };
    let count = match h.count {
        None => 0.0,
        Some(Count::CountInt(count)) => count as f64,
        Some(Count::CountFloat(count)) => count,
    };
    let gauge = h.reset_hint == WireHint::Gauge as i32;
    let histogram = NativeHistogram {
        reset_hint: if gauge { ResetHint::Gauge } else { ResetHint::Unknown },
        schema: h.schema,
        zero_threshold: h.zero_threshold,
        zero_count,
        count,
        sum: h.sum,
        positive: place(&h.positive_spans, positive),
        negative: place(&h.negative_spans, negative),
        custom_bounds: h.custom_values.clone(),
    };
    HistogramSample::new(h.timestamp, histogram)
}

/// Each bucket with its index: spans say how many to leave out, and how many follow.
fn place(spans: &[BucketSpan], counts: Vec<f64>) -> Vec<Bucket> {
    let mut counts = counts.into_iter();
    let (mut index, mut buckets) = (0, Vec::new());
    for span in spans {
        index += i64::from(span.offset);
        for count in counts.by_ref().take(span.length as usize) {
            buckets.push(Bucket { index: index as i32, count });
            index += 1;
        }
    }
    buckets
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
        && h.zero_threshold.is_finite()
        && h.zero_threshold >= 0.0
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
    let reach: i128 = spans.iter().map(|span| i128::from(span.offset) + i128::from(span.length)).sum();
    spans.iter().skip(1).all(|span| span.offset >= 0)
        && lengths == buckets as u64
        && buckets <= MAX_BUCKETS
        && reach <= i128::from(i32::MAX)
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
    let float = matches!(h.count, Some(Count::CountFloat(_)));
    let no_zero_bucket = match h.zero_count {
        Some(ZeroCount::ZeroCountInt(zero)) => float || zero == 0,
        Some(ZeroCount::ZeroCountFloat(zero)) => !float || zero == 0.0,
        None => true,
    };
    let reach: i128 =
        h.positive_spans.iter().map(|span| i128::from(span.offset) + i128::from(span.length)).sum();
    no_zero_bucket
        && h.zero_threshold == 0.0
        && h.negative_spans.is_empty()
        && h.custom_values.len() <= MAX_BUCKETS
        && h.custom_values.iter().all(|bound| bound.is_finite())
        && h.custom_values.is_sorted_by(|a, b| a < b)
        && h.positive_spans.iter().all(|span| span.offset >= 0)
        && reach <= h.custom_values.len() as i128 + 1
}
