//! Counter resets.

use super::combine::{reduced, wider_zero_bucket};
use crate::series::{Bucket, NativeHistogram, ResetHint};

/// Whether a counter was reset between `previous` and `current`: some count fell, a bucket with
/// observations is gone, or the buckets changed in a way that only a restart explains. The sum may fall: values
/// may be negative.
pub(in crate::promql) fn is_reset(current: &NativeHistogram, previous: &NativeHistogram) -> bool {
    match current.reset_hint {
        ResetHint::Yes => return true,
        ResetHint::No => return false,
        // Functions of counters treat a gauge as one.
        ResetHint::Unknown | ResetHint::Gauge => {}
    }
    let other_kind = super::check_compatible(current, previous).is_err();
    if current.count < previous.count || other_kind {
        return true;
    }
    // A running counter may only give up resolution, and only widen its zero bucket.
    if current.schema > previous.schema || current.zero_threshold < previous.zero_threshold {
        return true;
    }
    let (zero_count, threshold) = wider_zero_bucket(previous, current.zero_threshold);
    if threshold != current.zero_threshold || current.zero_count < zero_count {
        return true;
    }
    let positive = reduced(&previous.positive, previous.schema, current.schema);
    let negative = reduced(&previous.negative, previous.schema, current.schema);
    fell(current, &current.positive, &positive) || fell(current, &current.negative, &negative)
}

/// Whether a bucket of `before` has more observations than the same one `now`, outside the zero bucket.
fn fell(histogram: &NativeHistogram, now: &[Bucket], before: &[Bucket]) -> bool {
    let threshold = histogram.zero_threshold;
    let swallowed = |bucket: &&Bucket| {
        !histogram.has_custom_buckets()
            && threshold != 0.0
            && histogram.upper_bound(bucket.index) <= threshold
    };
    let mut now = now.iter().skip_while(swallowed).peekable();
    before.iter().skip_while(swallowed).any(|before| {
        while now.next_if(|bucket| bucket.index < before.index).is_some() {}
        match now.next_if(|bucket| bucket.index == before.index) {
            Some(bucket) => bucket.count < before.count,
            None => before.count != 0.0,
        }
    })
}
