//! What both forms of an answer say of buckets: where they are, and whether they count in integers.

use crate::series::NativeHistogram;

/// The largest number up to which every integer is a float.
const MAX_INTEGER: f64 = 9_007_199_254_740_992.0;

/// Offset and length of the runs in ascending indices: the offset is the gap to the run before, at the first run
/// the index of its first bucket.
///
/// A gap beyond 32 bits takes runs without buckets.
pub(super) fn spans(indices: impl IntoIterator<Item = i32>) -> Vec<(i32, u32)> {
    let mut spans: Vec<(i32, u32)> = Vec::new();
    // One past the last index.
    let mut end = 0_i64;
    for index in indices.into_iter().map(i64::from) {
        let mut gap = index - end;
        match spans.last_mut() {
            Some((_, length)) if gap == 0 => *length += 1,
            _ => {
                while gap > i64::from(i32::MAX) {
                    spans.push((i32::MAX, 0));
                    gap -= i64::from(i32::MAX);
                }
                spans.push((gap as i32, 1));
            }
        }
        end = index + 1;
    }
    spans
}

/// Whether all counts are those of an integer histogram: whole, not negative, and the count their sum, as far as NaN was
/// not observed.
pub(super) fn is_integer(histogram: &NativeHistogram) -> bool {
    let is_whole = |count: f64| {
        (0.0..=MAX_INTEGER).contains(&count) && (count as u64 as f64).to_bits() == count.to_bits()
    };
    let buckets = || histogram.positive.iter().chain(&histogram.negative).map(|bucket| bucket.count);
    if !buckets().chain([histogram.count, histogram.zero_count]).all(is_whole) {
        return false;
    }
    let held: u128 = buckets().chain([histogram.zero_count]).map(|count| count as u128).sum();
    let count = histogram.count as u128;
    if histogram.sum.is_nan() { held <= count } else { held == count }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_begin_behind_gaps() {
        assert_eq!(spans([]), []);
        assert_eq!(spans([0, 1, 2]), [(0, 3)]);
        assert_eq!(spans([-3, -2, 1, 5, 6]), [(-3, 2), (2, 1), (3, 2)]);
    }

    #[test]
    fn integers_are_whole_and_add_up() {
        let bucket = |count| crate::series::Bucket { index: 1, count };
        let whole = NativeHistogram {
            count: 3.0,
            zero_count: 1.0,
            positive: vec![bucket(2.0)],
            ..NativeHistogram::default()
        };
        assert!(is_integer(&whole));
        assert!(!is_integer(&NativeHistogram { count: 4.0, ..whole.clone() }));
        assert!(is_integer(&NativeHistogram { count: 4.0, sum: f64::NAN, ..whole.clone() }));
        assert!(!is_integer(&NativeHistogram { count: 2.0, sum: f64::NAN, ..whole.clone() }));
        for (count, zero_count) in
            [(2.5, 0.5), (2.0, -0.0), (1.0, -1.0), (f64::NAN, 0.0), (f64::INFINITY, 0.0)]
        {
            assert!(
                !is_integer(&NativeHistogram { count, zero_count, ..whole.clone() }),
                "{count} {zero_count}"
            );
        }
    }

    #[test]
    fn a_gap_beyond_32_bits_is_bridged() {
        assert_eq!(spans([i32::MIN, i32::MAX - 1]), [(i32::MIN, 1), (i32::MAX, 0), (i32::MAX - 1, 1)]);
    }
}
