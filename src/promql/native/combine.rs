//! Sums, differences, multiples.

use super::{Incompatible, check_compatible};
use crate::series::{Bucket, NativeHistogram, ResetHint};
use std::borrow::Cow;

/// Adds `other` to `into`: the coarser schema and a zero bucket that suits both hold for the sum.
///
/// # Errors
/// When the buckets cannot be brought into line; then `into` is as before.
pub(in crate::promql) fn add(
    into: &mut NativeHistogram,
    other: &NativeHistogram,
) -> Result<(), Incompatible> {
    check_compatible(into, other)?;
    into.reset_hint = hint_of_sum(into.reset_hint, other.reset_hint);
    combine(into, other, 1.0);
    Ok(())
}

/// Subtracts `other` from `into`, with buckets as for [`add`].
///
/// # Errors
/// As [`add`].
pub(in crate::promql) fn subtract(
    into: &mut NativeHistogram,
    other: &NativeHistogram,
) -> Result<(), Incompatible> {
    check_compatible(into, other)?;
    combine(into, other, -1.0);
    Ok(())
}

/// Makes `mean`, the mean of `count - 1` histograms, the mean of those and `next`.
///
/// # Errors
/// As [`add`].
pub(in crate::promql) fn add_to_mean(
    mean: &mut NativeHistogram,
    next: &NativeHistogram,
    count: f64,
) -> Result<(), Incompatible> {
    let (mut step, mut share) = (next.clone(), mean.clone());
    divide(&mut step, count);
    divide(&mut share, count);
    subtract(&mut step, &share)?;
    add(mean, &step)
}

/// Multiplies all counts and the sum.
pub(in crate::promql) fn scale(histogram: &mut NativeHistogram, factor: f64) {
    for_each_number(histogram, |number| *number *= factor);
}

/// Divides all counts and the sum; division by zero leaves no buckets.
pub(in crate::promql) fn divide(histogram: &mut NativeHistogram, by: f64) {
    if by == 0.0 {
        histogram.positive.clear();
        histogram.negative.clear();
    }
    for_each_number(histogram, |number| *number /= by);
}

fn for_each_number(histogram: &mut NativeHistogram, mut change: impl FnMut(&mut f64)) {
    change(&mut histogram.count);
    change(&mut histogram.sum);
    if !histogram.has_custom_buckets() {
        change(&mut histogram.zero_count);
    }
    for bucket in histogram.positive.iter_mut().chain(&mut histogram.negative) {
        change(&mut bucket.count);
    }
}

/// Leaves out buckets that hold nothing.
pub(in crate::promql) fn compact(histogram: &mut NativeHistogram) {
    histogram.positive.retain(|bucket| bucket.count != 0.0);
    histogram.negative.retain(|bucket| bucket.count != 0.0);
}

/// The buckets in a coarser schema: each of its buckets is `2^(from - to)` of the finer one.
pub(super) fn reduced(buckets: &[Bucket], from: i32, to: i32) -> Cow<'_, [Bucket]> {
    let Ok(shift @ 1..) = u32::try_from(from.saturating_sub(to)) else { return Cow::Borrowed(buckets) };
    let mut coarse: Vec<Bucket> = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        let index = ((i64::from(bucket.index) - 1) >> shift.min(63)) + 1;
        let index = i32::try_from(index).unwrap_or(bucket.index);
        match coarse.last_mut() {
            Some(last) if last.index == index => last.count += bucket.count,
            _ => coarse.push(Bucket { index, count: bucket.count }),
        }
    }
    Cow::Owned(coarse)
}

/// A copy in a schema that is not finer.
pub(super) fn in_schema(histogram: &NativeHistogram, schema: i32) -> NativeHistogram {
    let mut copy = histogram.clone();
    coarsen(&mut copy, schema);
    copy
}

fn coarsen(histogram: &mut NativeHistogram, schema: i32) {
    if histogram.schema > schema {
        histogram.positive = reduced(&histogram.positive, histogram.schema, schema).into_owned();
        histogram.negative = reduced(&histogram.negative, histogram.schema, schema).into_owned();
        histogram.schema = schema;
    }
}

/// A zero bucket of `histogram` that reaches to `threshold`, not below its own: what it would count, and how
/// far it must reach so that no bucket with observations is cut.
pub(super) fn wider_zero_bucket(histogram: &NativeHistogram, mut threshold: f64) -> (f64, f64) {
    if threshold == histogram.zero_threshold {
        return (histogram.zero_count, threshold);
    }
    'again: loop {
        let mut count = histogram.zero_count;
        for (side, buckets) in [&histogram.positive, &histogram.negative].into_iter().enumerate() {
            for bucket in buckets {
                if lower_bound(histogram, *bucket) >= threshold {
                    break;
                }
                count += bucket.count;
                let upper = histogram.upper_bound(bucket.index);
                if upper > threshold {
                    if bucket.count != 0.0 {
                        threshold = upper;
                        // What was counted on the positive side is no longer all.
                        if side == 1 {
                            continue 'again;
                        }
                    }
                    break;
                }
            }
        }
        return (count, threshold);
    }
}

/// Gives the sum the hint that is true of both.
fn hint_of_sum(one: ResetHint, other: ResetHint) -> ResetHint {
    match (one, other) {
        (one, other) if one == other => one,
        (ResetHint::Gauge, _) | (_, ResetHint::Gauge) => ResetHint::Gauge,
        _ => ResetHint::Unknown,
    }
}

/// `into + sign * other` of compatible histograms.
fn combine(into: &mut NativeHistogram, other: &NativeHistogram, sign: f64) {
    if !into.has_custom_buckets() {
        into.zero_count += sign * reconcile_zero_buckets(into, other);
    }
    into.count += sign * other.count;
    into.sum += sign * other.sum;
    let schema = into.schema.min(other.schema);
    coarsen(into, schema);
    let positive = beyond_zero(into, reduced(&other.positive, other.schema, schema));
    add_buckets(&mut into.positive, &positive, sign);
    let negative = beyond_zero(into, reduced(&other.negative, other.schema, schema));
    add_buckets(&mut into.negative, &negative, sign);
}

/// Widens the zero bucket of `into` until it suits both, and says what that of `other` would count then.
fn reconcile_zero_buckets(into: &mut NativeHistogram, other: &NativeHistogram) -> f64 {
    let (mut count, mut threshold) = (other.zero_count, other.zero_threshold);
    // Widening one may need to widen the other; each turn passes a bucket, so it ends. NaN is no threshold.
    loop {
        if into.zero_threshold > threshold {
            (count, threshold) = wider_zero_bucket(other, into.zero_threshold);
        } else if threshold > into.zero_threshold {
            (into.zero_count, into.zero_threshold) = wider_zero_bucket(into, threshold);
            drop_buckets_within_zero(into);
        } else {
            return count;
        }
    }
}

fn drop_buckets_within_zero(histogram: &mut NativeHistogram) {
    let threshold = histogram.zero_threshold;
    let within = |buckets: &[Bucket]| {
        buckets.iter().take_while(|bucket| lower_bound(histogram, **bucket) < threshold).count()
    };
    let (positive, negative) = (within(&histogram.positive), within(&histogram.negative));
    histogram.positive.drain(..positive);
    histogram.negative.drain(..negative);
    compact(histogram);
}

/// Without the buckets that the zero bucket of `into` has swallowed.
fn beyond_zero<'a>(into: &NativeHistogram, buckets: Cow<'a, [Bucket]>) -> Cow<'a, [Bucket]> {
    if into.has_custom_buckets() {
        return buckets;
    }
    let within = |bucket: &&Bucket| into.upper_bound(bucket.index) <= into.zero_threshold;
    match buckets.iter().take_while(within).count() {
        0 => buckets,
        gone => Cow::Owned(buckets[gone..].to_vec()),
    }
}

fn add_buckets(into: &mut Vec<Bucket>, others: &[Bucket], sign: f64) {
    // The usual case: buckets of the same indices.
    if into.len() == others.len() && into.iter().zip(others).all(|(a, b)| a.index == b.index) {
        into.iter_mut().zip(others).for_each(|(own, other)| own.count += sign * other.count);
        return;
    }
    let own = std::mem::replace(into, Vec::with_capacity(into.len() + others.len()));
    let mut own = own.into_iter().peekable();
    for other in others {
        while let Some(bucket) = own.next_if(|bucket| bucket.index < other.index) {
            into.push(bucket);
        }
        let signed = sign * other.count;
        let count = match own.next_if(|bucket| bucket.index == other.index) {
            Some(bucket) => bucket.count + signed,
            None => signed,
        };
        into.push(Bucket { index: other.index, count });
    }
    into.extend(own);
}

fn lower_bound(histogram: &NativeHistogram, bucket: Bucket) -> f64 {
    histogram.upper_bound(bucket.index.saturating_sub(1))
}
