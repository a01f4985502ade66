use super::*;

fn bucket(index: i32, count: f64) -> Bucket {
    Bucket { index, count }
}

/// Two below -1, three in the zero bucket, one in (1, 2], four in (2, 4].
fn exponential() -> NativeHistogram {
    NativeHistogram {
        zero_threshold: 0.5,
        zero_count: 3.0,
        count: 10.0,
        sum: 9.0,
        positive: vec![bucket(1, 1.0), bucket(2, 4.0)],
        negative: vec![bucket(1, 2.0)],
        ..NativeHistogram::default()
    }
}

/// One up to 1, two up to 2.5, none up to 5, four above.
fn custom() -> NativeHistogram {
    NativeHistogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        count: 7.0,
        sum: 40.0,
        positive: vec![bucket(0, 1.0), bucket(1, 2.0), bucket(3, 4.0)],
        custom_bounds: vec![1.0, 2.5, 5.0],
        ..NativeHistogram::default()
    }
}

fn edges(histogram: &NativeHistogram) -> Vec<(f64, f64, f64)> {
    histogram.ranges().map(|range| (range.lower, range.upper, range.count)).collect()
}

#[test]
fn ranges_ascend_from_the_lowest_negative_to_the_highest_positive_bucket() {
    let expected = [(-2.0, -1.0, 2.0), (-0.5, 0.5, 3.0), (1.0, 2.0, 1.0), (2.0, 4.0, 4.0)];
    assert_eq!(edges(&exponential()), expected);
    let mut reversed: Vec<_> = exponential().ranges().rev().collect();
    reversed.reverse();
    assert_eq!(reversed, exponential().ranges().collect::<Vec<_>>());
}

#[test]
fn ranges_of_custom_buckets_are_open_at_both_ends() {
    let infinity = f64::INFINITY;
    assert_eq!(edges(&custom()), [(-infinity, 1.0, 1.0), (1.0, 2.5, 2.0), (5.0, infinity, 4.0)]);
    let first = custom().ranges().next().unwrap();
    assert!(first.lower_inclusive && first.upper_inclusive);
}

#[test]
fn a_bucket_that_reaches_into_the_zero_bucket_is_cut_off_there() {
    let wide = NativeHistogram { zero_threshold: 1.5, ..exponential() };
    assert_eq!(edges(&wide), [(-2.0, -1.5, 2.0), (-1.5, 1.5, 3.0), (1.5, 2.0, 1.0), (2.0, 4.0, 4.0)]);
}

#[test]
fn empty_buckets_and_reset_hints_are_no_data() {
    let mut padded = exponential();
    padded.positive.push(bucket(7, 0.0));
    padded.reset_hint = ResetHint::Gauge;
    assert!(padded.same_data(&exponential()));
    padded.positive[0].count = 1.5;
    assert!(!padded.same_data(&exponential()));
    assert!(!NativeHistogram { sum: f64::NAN, ..exponential() }.same_data(&exponential()));
    assert!(!NativeHistogram { custom_bounds: vec![1.0, 2.5, 6.0], ..custom() }.same_data(&custom()));
}

#[test]
fn what_contradicts_the_types_is_not_well_formed() {
    assert!(exponential().is_well_formed() && custom().is_well_formed());
    assert!(NativeHistogram::stale_marker().is_well_formed());
    assert!(NativeHistogram::empty_like(&custom()).is_well_formed());
    for broken in [
        NativeHistogram { schema: 9, ..exponential() },
        NativeHistogram { positive: vec![bucket(2, 1.0), bucket(2, 1.0)], ..exponential() },
        NativeHistogram { custom_bounds: vec![1.0], ..exponential() },
        NativeHistogram { custom_bounds: vec![2.0, 1.0, 3.0], ..custom() },
        NativeHistogram { custom_bounds: vec![1.0, 2.5], ..custom() },
        NativeHistogram { zero_count: 1.0, ..custom() },
        NativeHistogram { negative: vec![bucket(0, 1.0)], ..custom() },
    ] {
        assert!(!broken.is_well_formed(), "{broken:?}");
    }
}
