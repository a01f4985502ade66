use super::*;
use crate::series::{Bucket, STALE_NAN};
use crate::wire::reference::v1::{
    BucketSpan, Histogram,
    histogram::{Count, ZeroCount},
};
use prost::Message;

fn check(histogram: &Histogram) -> Result<HistogramSample, InvalidHistogram> {
    read(&histogram.encode_to_vec(), FIELDS_OF_2_0, &mut Parts::default()).unwrap()
}

fn buckets(buckets: &[(i32, f64)]) -> Vec<Bucket> {
    buckets.iter().map(|(index, count)| Bucket { index: *index, count: *count }).collect()
}

fn span(offset: i32, length: u32) -> BucketSpan {
    BucketSpan { offset, length }
}

/// Negative buckets 1; zero bucket 2; positive buckets 3, 5, 4: 15 in all.
fn integer() -> Histogram {
    Histogram {
        count: Some(Count::CountInt(15)),
        sum: 12.5,
        schema: 3,
        zero_threshold: 0.001,
        zero_count: Some(ZeroCount::ZeroCountInt(2)),
        negative_spans: vec![span(-7, 1)],
        negative_deltas: vec![1],
        positive_spans: vec![span(-2, 1), span(4, 2)],
        positive_deltas: vec![3, 2, -1],
        timestamp: 1_000,
        ..Histogram::default()
    }
}

fn float() -> Histogram {
    Histogram {
        count: Some(Count::CountFloat(14.75)),
        zero_count: Some(ZeroCount::ZeroCountFloat(2.0)),
        negative_deltas: vec![],
        negative_counts: vec![1.0],
        positive_deltas: vec![],
        positive_counts: vec![3.0, 5.0, 4.0],
        ..integer()
    }
}

/// Bounds 1, 2.5: three buckets, of which the second and third hold 4 and 6.
fn custom() -> Histogram {
    Histogram {
        count: Some(Count::CountInt(10)),
        sum: 30.0,
        schema: -53,
        positive_spans: vec![span(1, 2)],
        positive_deltas: vec![4, 2],
        custom_values: vec![1.0, 2.5],
        timestamp: 1_000,
        ..Histogram::default()
    }
}

#[test]
fn b13_a_valid_histogram_is_built_bucket_by_bucket() {
    let expected = NativeHistogram {
        schema: 3,
        zero_threshold: 0.001,
        zero_count: 2.0,
        count: 15.0,
        sum: 12.5,
        positive: buckets(&[(-2, 3.0), (3, 5.0), (4, 4.0)]),
        negative: buckets(&[(-7, 1.0)]),
        ..NativeHistogram::default()
    };
    assert_eq!(check(&integer()), Ok(HistogramSample::new(1_000, expected.clone())));
    let floats = NativeHistogram { count: 14.75, ..expected };
    assert_eq!(check(&float()), Ok(HistogramSample::new(1_000, floats)));
    let custom_buckets = NativeHistogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        count: 10.0,
        sum: 30.0,
        positive: buckets(&[(1, 4.0), (2, 6.0)]),
        custom_bounds: vec![1.0, 2.5],
        ..NativeHistogram::default()
    };
    assert_eq!(check(&custom()), Ok(HistogramSample::new(1_000, custom_buckets)));
}

#[test]
fn b13_the_empty_histogram_is_valid() {
    assert_eq!(check(&Histogram::default()), Ok(HistogramSample::new(0, NativeHistogram::default())));
}

#[test]
fn b13_of_the_reset_hints_only_gauge_is_kept() {
    let hints = [0, 1, 2, 3].map(|reset_hint| check(&Histogram { reset_hint, ..integer() }).unwrap());
    let [unknown, yes, no, gauge] = hints.map(|sample| sample.histogram.reset_hint);
    assert_eq!([unknown, yes, no], [ResetHint::Unknown; 3]);
    assert_eq!(gauge, ResetHint::Gauge);
}

#[test]
fn b13_the_lists_of_one_histogram_do_not_reach_the_next() {
    let mut parts = Parts::default();
    for histogram in [integer(), float(), custom(), integer()] {
        let read = read(&histogram.encode_to_vec(), FIELDS_OF_2_0, &mut parts).unwrap();
        assert_eq!(read, check(&histogram));
    }
}

#[test]
fn b13_buckets_and_bounds_are_limited_in_number_and_reach() {
    let many = |number: u32| Histogram {
        count: None,
        zero_count: None,
        negative_spans: vec![],
        negative_deltas: vec![],
        positive_spans: vec![span(0, number)],
        positive_deltas: vec![0; number as usize],
        ..integer()
    };
    assert_eq!(check(&many(10_000)).unwrap().histogram.positive.len(), 10_000);
    let too_many = |what| Err(InvalidHistogram::TooMany { what, number: 10_001, limit: MAX_BUCKETS });
    assert_eq!(check(&many(10_001)), too_many("buckets"));
    let bounds = Histogram { custom_values: (0..10_001).map(f64::from).collect(), ..custom() };
    assert_eq!(check(&bounds), too_many("custom bounds"));
    let far = Histogram { positive_spans: vec![span(i32::MAX, 1), span(0, 2)], ..integer() };
    assert_eq!(check(&far), Err(InvalidHistogram::Index { reach: i128::from(i32::MAX) + 3 }));
}

#[test]
fn b13_schemas_are_4_below_zero_to_8_and_custom() {
    for schema in [-4, 0, 8] {
        assert!(check(&Histogram { schema, ..integer() }).is_ok());
    }
    for schema in [-5, 9, 52, -9, -54, i32::MIN, i32::MAX] {
        assert_eq!(check(&Histogram { schema, ..integer() }), Err(InvalidHistogram::Schema { schema }));
    }
}

#[test]
fn b13_only_the_first_span_may_lie_left_of_zero() {
    let histogram = Histogram { positive_spans: vec![span(0, 1), span(-1, 2)], ..integer() };
    assert_eq!(check(&histogram), Err(InvalidHistogram::SpanOffset { offset: -1 }));
    let histogram = Histogram { negative_spans: vec![span(0, 1), span(i32::MIN, 0)], ..float() };
    assert_eq!(check(&histogram), Err(InvalidHistogram::SpanOffset { offset: i32::MIN }));
}

#[test]
fn b13_spans_must_describe_exactly_the_buckets_that_are_there() {
    let histogram = Histogram { positive_spans: vec![span(0, u32::MAX), span(0, u32::MAX)], ..integer() };
    let spans = 2 * u64::from(u32::MAX);
    assert_eq!(check(&histogram), Err(InvalidHistogram::BucketCount { spans, buckets: 3 }));
    let histogram = Histogram { negative_spans: vec![], ..float() };
    assert_eq!(check(&histogram), Err(InvalidHistogram::BucketCount { spans: 0, buckets: 1 }));
    // Buckets of the other kind do not count.
    let histogram = Histogram { positive_deltas: vec![], positive_counts: vec![3.0, 5.0, 4.0], ..integer() };
    assert_eq!(check(&histogram), Err(InvalidHistogram::BucketCount { spans: 3, buckets: 0 }));
}

#[test]
fn b13_no_bucket_is_negative_or_beyond_64_bits() {
    let deltas = [vec![3, -4, 9], vec![-1, 1, 12], vec![i64::MAX, 1, 0]];
    for positive_deltas in deltas {
        let histogram = Histogram { positive_deltas, ..integer() };
        assert_eq!(check(&histogram), Err(InvalidHistogram::Bucket));
    }
    let histogram = Histogram { negative_counts: vec![-0.5], ..float() };
    assert_eq!(check(&histogram), Err(InvalidHistogram::Bucket));
}

#[test]
fn b13_an_integer_count_is_the_sum_of_all_buckets() {
    let with_count = |count, sum| Histogram { count: Some(Count::CountInt(count)), sum, ..integer() };
    assert_eq!(check(&with_count(16, 1.0)), Err(InvalidHistogram::Count { count: 16, buckets: 15 }));
    assert_eq!(check(&with_count(14, 1.0)), Err(InvalidHistogram::Count { count: 14, buckets: 15 }));
    // NaN was observed: in the count, in no bucket.
    assert!(check(&with_count(16, f64::NAN)).is_ok());
    assert_eq!(check(&with_count(14, f64::NAN)), Err(InvalidHistogram::Count { count: 14, buckets: 15 }));
}

#[test]
fn b13_bucket_sums_do_not_wrap_around() {
    let histogram = Histogram {
        count: Some(Count::CountInt(1)),
        zero_count: Some(ZeroCount::ZeroCountInt(3)),
        negative_spans: vec![],
        negative_deltas: vec![],
        positive_spans: vec![span(0, 2)],
        positive_deltas: vec![i64::MAX, 0],
        ..integer()
    };
    let buckets = 2 * i64::MAX as u128 + 3;
    assert_eq!(check(&histogram), Err(InvalidHistogram::Count { count: 1, buckets }));
}

#[test]
fn b13_custom_bounds_are_finite_and_strictly_increasing() {
    let bounds = [[1.0, 1.0], [2.0, 1.0], [1.0, f64::INFINITY], [f64::NAN, 1.0], [f64::NEG_INFINITY, 1.0]];
    for custom_values in bounds.map(Vec::from) {
        let histogram = Histogram { custom_values, ..custom() };
        assert_eq!(check(&histogram), Err(InvalidHistogram::CustomBounds));
    }
    let histogram = Histogram { custom_values: vec![1.0], ..integer() };
    assert_eq!(check(&histogram), Err(InvalidHistogram::CustomBounds));
}

#[test]
fn b13_custom_buckets_have_one_side_and_no_zero_bucket() {
    let histograms = [
        Histogram { zero_count: Some(ZeroCount::ZeroCountInt(1)), ..custom() },
        Histogram { zero_threshold: 0.1, ..custom() },
        Histogram { negative_spans: vec![span(0, 0)], ..custom() },
        Histogram { negative_deltas: vec![0], ..custom() },
    ];
    for histogram in histograms {
        assert_eq!(check(&histogram), Err(InvalidHistogram::CustomSides), "{histogram:?}");
    }
}

#[test]
fn b13_custom_spans_stay_within_the_bounds() {
    let histogram = Histogram { positive_spans: vec![span(2, 2)], ..custom() };
    assert_eq!(check(&histogram), Err(InvalidHistogram::CustomSpans { reach: 4, bounds: 2 }));
    let histogram = Histogram { positive_spans: vec![span(-1, 2)], ..custom() };
    assert_eq!(check(&histogram), Err(InvalidHistogram::SpanOffset { offset: -1 }));
    let histogram = Histogram { positive_spans: vec![span(1, 1), span(-1, 1)], ..custom() };
    assert_eq!(check(&histogram), Err(InvalidHistogram::SpanOffset { offset: -1 }));
}

#[test]
fn b13_a_stale_sum_makes_a_stale_marker() {
    let histogram = check(&Histogram { sum: STALE_NAN, ..integer() }).unwrap().histogram;
    assert!(histogram.is_stale_marker() && histogram.same_data(&NativeHistogram::stale_marker()));
}

#[test]
fn b13_a_zero_count_of_the_other_kind_is_none() {
    let histogram = Histogram { zero_count: Some(ZeroCount::ZeroCountInt(2)), ..float() };
    assert_eq!(check(&histogram).unwrap().histogram.zero_count, 0.0);
    let histogram = Histogram { zero_count: Some(ZeroCount::ZeroCountFloat(2.0)), ..custom() };
    assert!(check(&histogram).is_ok());
}

#[test]
fn b13_a_zero_threshold_is_a_finite_width() {
    for threshold in [-0.001, f64::INFINITY, f64::NAN] {
        let error = check(&Histogram { zero_threshold: threshold, ..integer() }).unwrap_err();
        assert!(matches!(error, InvalidHistogram::ZeroThreshold { .. }), "{threshold}: {error}");
    }
}

#[test]
fn b13_packed_and_single_buckets_are_the_same() {
    let packed = integer();
    let without = Histogram { positive_deltas: vec![], ..integer() }.encode_to_vec();
    // Field 12 as varints: zigzag of 3, 2, -1 is 6, 4, 1.
    let single = [&without[..], &[0x60, 6, 0x60, 4, 0x60, 1]].concat();
    assert_eq!(read(&single, FIELDS_OF_2_0, &mut Parts::default()).unwrap(), check(&packed));
}

/// Field 17 with the type of a text: damage in 2.0, which has such a field, and unknown to 1.0.
#[test]
fn a_start_timestamp_is_a_number_where_there_is_one() {
    let message = [17 << 3 & 0x7f | 2 | 0x80, 17 >> 4, 2, 0, 0];
    assert!(read(&message, FIELDS_OF_2_0, &mut Parts::default()).is_err());
    assert!(read(&message, FIELDS_OF_1_0, &mut Parts::default()).is_ok());
    let number = [17 << 3 & 0x7f | 0x80, 17 >> 4, 5];
    assert!(read(&number, FIELDS_OF_2_0, &mut Parts::default()).is_ok());
}
