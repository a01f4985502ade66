//! Texts after Prometheus' own tests of its codec and after answers of a Prometheus 3.5.

use super::*;
use crate::series::{Bucket, METRIC_NAME};
use std::sync::Arc;

const AT: TimestampMs = TimestampMs(1_435_781_451_781);

fn up() -> LabelSet {
    LabelSet::from_pairs([(METRIC_NAME, "up"), ("job", "a\"\\\n\u{1}ä<")]).unwrap()
}

fn histogram() -> NativeHistogram {
    let bucket = |index, count| Bucket { index, count };
    NativeHistogram {
        schema: 0,
        zero_threshold: 0.001,
        zero_count: 2.0,
        count: 10.0,
        sum: 18.5,
        positive: vec![bucket(0, 1.0), bucket(1, 0.0), bucket(2, 4.0)],
        negative: vec![bucket(1, 3.0)],
        ..NativeHistogram::default()
    }
}

const HISTOGRAM: &str = concat!(
    r#"{"count":"10","sum":"18.5","buckets":[[1,"-2","-1","3"],[3,"-0.001","0.001","2"],"#,
    r#"[0,"0.5","1","1"],[0,"2","4","4"]]}"#
);

#[test]
fn every_type_has_its_form() {
    let scalar = r#"{"resultType":"scalar","result":[1435781451.781,"1000000000000000000000"]}"#;
    assert_eq!(query_data(&QueryValue::Scalar(1e21), AT), scalar);
    let string = r#"{"resultType":"string","result":[-1.500,"a\u0009"]}"#;
    assert_eq!(query_data(&QueryValue::String("a\t".into()), TimestampMs(-1500)), string);
    let empty = r#"{"resultType":"vector","result":[]}"#;
    assert_eq!(query_data(&QueryValue::Vector(Vec::new()), AT), empty);
    let elements = vec![(up(), Point::Float(1e-7)), (LabelSet::empty(), Point::Float(f64::NAN))];
    let expected = concat!(
        r#"{"resultType":"vector","result":["#,
        r#"{"metric":{"__name__":"up","job":"a\"\\\n\u0001ä<"},"value":[1435781451.781,"1e-07"]},"#,
        r#"{"metric":{},"value":[1435781451.781,"NaN"]}]}"#
    );
    assert_eq!(query_data(&QueryValue::Vector(elements), AT), expected);
}

#[test]
fn histograms_stand_apart_from_numbers() {
    let point = || Point::Histogram(Arc::new(histogram()));
    let vector = QueryValue::Vector(vec![(LabelSet::empty(), point())]);
    let expected =
        format!(r#"{{"resultType":"vector","result":[{{"metric":{{}},"histogram":[2,{HISTOGRAM}]}}]}}"#);
    assert_eq!(query_data(&vector, TimestampMs(2000)), expected);
    let numbers = |n: i64| (TimestampMs(n), Point::Float(n as f64));
    let points = vec![numbers(1), (TimestampMs(2), point()), numbers(30)];
    let matrix = QueryValue::Matrix(vec![PointSeries { labels: LabelSet::empty(), points }]);
    let values = r#"[[0.001,"1"],[0.030,"30"]]"#;
    let expected = format!(
        r#"{{"resultType":"matrix","result":[{{"metric":{{}},"values":{values},"histograms":[[0.002,{HISTOGRAM}]]}}]}}"#
    );
    assert_eq!(query_data(&matrix, AT), expected);
}

#[test]
fn custom_buckets_begin_inclusive_and_a_histogram_may_have_none() {
    let mut custom = NativeHistogram {
        schema: crate::series::CUSTOM_BUCKETS_SCHEMA,
        count: 3.0,
        sum: 2.0,
        positive: vec![Bucket { index: 0, count: 1.0 }, Bucket { index: 2, count: 2.0 }],
        custom_bounds: vec![0.5, 1.0],
        ..NativeHistogram::default()
    };
    let text = |histogram: &NativeHistogram| {
        let mut out = String::new();
        push_histogram(&mut out, histogram);
        out
    };
    let expected = r#"{"count":"3","sum":"2","buckets":[[3,"-Inf","0.5","1"],[0,"1","+Inf","2"]]}"#;
    assert_eq!(text(&custom), expected);
    custom.positive.clear();
    assert_eq!(text(&custom), r#"{"count":"3","sum":"2"}"#);
}
