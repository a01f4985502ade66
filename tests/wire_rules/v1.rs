//! Remote-Write 1.0, rule by rule, on bytes written by hand.

use crate::outcome::{Series, decode_histograms, decode_within, expected};
use crate::protobuf_bytes::{bytes, concat, double, fixed32, group, number, unknown};
use emberwatch::{
    series::{Bucket, HistogramSample, NativeHistogram, STALE_NAN},
    wire::{Damage, InvalidReason, Limits, MessageType, WireError, WriteSummary},
};

const UP: &[(&str, &str)] = &[("__name__", "up")];

fn decode(body: &[u8]) -> Result<(Vec<Series>, WriteSummary), WireError> {
    decode_within(MessageType::V1, body, &Limits::default())
}

fn label(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    bytes(1, concat(&[&bytes(1, name), &bytes(2, value)]))
}

fn sample(timestamp: i64, value: f64) -> Vec<u8> {
    bytes(2, concat(&[&double(1, value), &number(2, timestamp as u64)]))
}

fn series(parts: &[&[u8]]) -> Vec<u8> {
    bytes(1, concat(parts))
}

/// The series `up` with one sample: what must survive beside an invalid one.
fn good() -> Vec<u8> {
    series(&[&label("__name__", "up"), &sample(1, 1.0)])
}

/// Decodes one bad series between two good ones: the good ones are taken, the bad one has `reason`.
fn assert_left_out(bad: &[u8], reason: InvalidReason) {
    let (taken, summary) = decode(&concat(&[&good(), bad, &good()])).unwrap();
    assert_eq!(taken, [expected(UP, &[(1, 1.0)]), expected(UP, &[(1, 1.0)])]);
    let invalid: Vec<_> = summary.invalid.iter().map(|(reason, count, _)| (reason, count)).collect();
    assert_eq!(invalid, [(reason, 1)]);
    assert_eq!((summary.series, summary.samples, summary.invalid.samples()), (2, 2, 1));
}

fn assert_damaged(body: &[u8], expected: Damage) {
    match decode(body) {
        Err(WireError::Damaged { damage, .. }) => assert_eq!(damage, expected),
        other => panic!("expected {expected:?}, got {other:?}"),
    }
}

#[test]
fn a2_a_plain_request_gives_its_series() {
    let body =
        series(&[&label("__name__", "up"), &label("job", "node"), &sample(1_000, 1.5), &sample(-2, 0.0)]);
    let (taken, summary) = decode(&body).unwrap();
    assert_eq!(taken, [expected(&[("__name__", "up"), ("job", "node")], &[(1_000, 1.5), (-2, 0.0)])]);
    assert_eq!((summary.series, summary.samples), (1, 2));
    assert!(summary.invalid.is_empty());
}

#[test]
fn a2_unknown_fields_are_skipped_at_every_level() {
    let label = bytes(1, concat(&[&unknown(3), &bytes(1, "__name__"), &bytes(2, "up"), &unknown(200_000)]));
    let sample = bytes(2, concat(&[&unknown(3), &double(1, 1.0), &unknown(7), &number(2, 1)]));
    let histogram = bytes(4, concat(&[&unknown(17), &number(15, 1)]));
    let exemplar = bytes(3, unknown(4));
    let one = bytes(1, concat(&[&unknown(5), &label, &sample, &histogram, &exemplar, &unknown(99)]));
    let body = concat(&[&unknown(4), &one, &bytes(3, unknown(3)), &unknown(536_870_911)]);
    let (taken, summary) = decode(&body).unwrap();
    assert_eq!(taken[0], expected(UP, &[(1, 1.0)]));
    assert_eq!((summary.samples, summary.histograms, summary.exemplars, summary.metadata), (1, 1, 1, 1));
}

#[test]
fn a2_the_reserved_field_2_is_ignored_whatever_it_holds() {
    assert_eq!(decode(&concat(&[&unknown(2), &good()])).unwrap().0.len(), 1);
}

#[test]
fn a2_fields_may_come_in_any_order() {
    let label = bytes(1, concat(&[&bytes(2, "up"), &bytes(1, "__name__")]));
    let sample = bytes(2, concat(&[&number(2, 1), &double(1, 1.0)]));
    assert_eq!(decode(&series(&[&sample, &label])).unwrap().0, [expected(UP, &[(1, 1.0)])]);
}

#[test]
fn a2_zero_values_are_left_out_on_the_wire() {
    let body = series(&[&label("__name__", "up"), &bytes(2, "")]);
    assert_eq!(decode(&body).unwrap().0, [expected(UP, &[(0, 0.0)])]);
}

#[test]
fn a2_the_last_of_a_repeated_scalar_holds() {
    let label =
        bytes(1, concat(&[&bytes(1, "job"), &bytes(2, "down"), &bytes(1, "__name__"), &bytes(2, "up")]));
    let sample = bytes(2, concat(&[&double(1, 9.0), &number(2, 9), &double(1, 1.0), &number(2, 1)]));
    assert_eq!(decode(&series(&[&label, &sample])).unwrap().0, [expected(UP, &[(1, 1.0)])]);
}

#[test]
fn a2_every_truncation_of_a_request_is_refused_or_ends_between_two_series() {
    let body = concat(&[&good(), &good()]);
    for length in 0..body.len() {
        match decode(&body[..length]) {
            Ok((taken, _)) => assert_eq!(length, taken.len() * body.len() / 2),
            Err(error) => assert!(matches!(error, WireError::Damaged { .. }), "{error}"),
        }
    }
}

#[test]
fn a2_damage_refuses_the_whole_request() {
    let cases: [(Vec<u8>, Damage); 8] = [
        (group(9), Damage::Group { field: 9 }),
        (vec![0x4c], Damage::Group { field: 9 }),
        (vec![0x02, 0x00], Damage::Key { key: 2 }),
        (vec![0x0e], Damage::Key { key: 14 }),
        (number(1, 5), Damage::WireType { field: 1, found: 0 }),
        (fixed32(3), Damage::WireType { field: 3, found: 5 }),
        (vec![0x0a, 0x05, 0x00], Damage::Truncated { needed: 5, left: 1 }),
        (vec![0x48, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], Damage::Varint),
    ];
    for (damage, expected) in cases {
        assert_damaged(&concat(&[&good(), &damage]), expected);
    }
}

#[test]
fn a2_damage_is_found_at_every_level() {
    let wrong = |field| Damage::WireType { field, found: 0 };
    assert_damaged(&series(&[&number(2, 1)]), wrong(2));
    assert_damaged(&series(&[&bytes(1, number(1, 1))]), wrong(1));
    assert_damaged(&series(&[&bytes(2, number(1, 1))]), wrong(1));
    assert_damaged(&series(&[&bytes(3, bytes(1, number(2, 1)))]), wrong(2));
    assert_damaged(&series(&[&bytes(4, bytes(11, double(2, 1.0)))]), Damage::WireType { field: 2, found: 1 });
    assert_damaged(&bytes(3, number(2, 1)), wrong(2));
}

#[test]
fn a5_an_invalid_series_is_told_and_the_rest_is_taken() {
    let bad = series(&[&label("__name__", "bad"), &label("x", "1"), &label("x", "2"), &sample(1, 1.0)]);
    let (taken, summary) = decode(&concat(&[&bad, &good(), &bad])).unwrap();
    assert_eq!(taken, [expected(UP, &[(1, 1.0)])]);
    let text = "2 samples not taken; repeated_label_name (2): series \"bad\" with 3 labels: \
                label \"x\" occurs more than once";
    assert_eq!(summary.invalid.to_string(), text);
}

#[test]
fn a6_a_repeated_label_name_is_invalid() {
    let name = label("__name__", "bad");
    let bad = series(&[&name, &label("x", "1"), &label("a", "1"), &label("x", "1"), &sample(1, 1.0)]);
    assert_left_out(&bad, InvalidReason::RepeatedLabelName);
    // An empty value means absent, but the name still stands there twice.
    let bad = series(&[&name, &label("x", "1"), &label("x", ""), &sample(1, 1.0)]);
    assert_left_out(&bad, InvalidReason::RepeatedLabelName);
}

#[test]
fn a6_an_empty_label_name_is_invalid() {
    let bad = series(&[&label("__name__", "bad"), &label("", "1"), &sample(1, 1.0)]);
    assert_left_out(&bad, InvalidReason::EmptyLabelName);
}

#[test]
fn a6_a_missing_or_empty_metric_name_is_invalid() {
    assert_left_out(&series(&[&label("job", "node"), &sample(1, 1.0)]), InvalidReason::MissingMetricName);
    assert_left_out(&series(&[&label("__name__", ""), &sample(1, 1.0)]), InvalidReason::MissingMetricName);
    assert_left_out(&series(&[&sample(1, 1.0)]), InvalidReason::MissingMetricName);
}

#[test]
fn a6_text_that_is_not_utf8_is_invalid() {
    let name = label("__name__", "bad");
    assert_left_out(&series(&[&name, &label("x", b"\xff"), &sample(1, 1.0)]), InvalidReason::Utf8);
    assert_left_out(&series(&[&name, &label(b"\xc3\x28", "x"), &sample(1, 1.0)]), InvalidReason::Utf8);
    // A half character, ended by the border of the field.
    assert_left_out(&series(&[&name, &label("x", b"\xe2\x82"), &sample(1, 1.0)]), InvalidReason::Utf8);
}

#[test]
fn a6_exemplars_and_metadata_that_are_not_utf8_are_told_and_cost_nothing_else() {
    let exemplar = bytes(3, label("trace_id", b"\xff"));
    let body = concat(&[
        &series(&[&label("__name__", "up"), &sample(1, 1.0), &exemplar]),
        &bytes(3, bytes(4, b"\xff")),
    ]);
    let (taken, summary) = decode(&body).unwrap();
    assert_eq!(taken, [expected(UP, &[(1, 1.0)])]);
    assert_eq!((summary.invalid.count(InvalidReason::Utf8), summary.invalid.samples()), (2, 0));
}

#[test]
fn a7_unsorted_labels_are_the_same_series() {
    let [name, a, z] = [label("__name__", "up"), label("Upper", "1"), label("zone", "west")];
    let body =
        concat(&[&series(&[&z, &name, &a, &sample(1, 1.0)]), &series(&[&a, &name, &z, &sample(1, 1.0)])]);
    let (taken, _) = decode(&body).unwrap();
    let sorted = expected(&[("Upper", "1"), ("__name__", "up"), ("zone", "west")], &[(1, 1.0)]);
    assert_eq!(taken, [sorted.clone(), sorted]);
}

#[test]
fn a7_an_empty_value_is_an_absent_label() {
    let body = series(&[&label("__name__", "up"), &label("job", ""), &sample(1, 1.0)]);
    assert_eq!(decode(&body).unwrap().0, [expected(UP, &[(1, 1.0)])]);
}

#[test]
fn a8_label_names_and_values_may_be_any_utf8() {
    let value = "\u{0}\u{7f}ä€😀\n\"";
    let body = series(&[&label("__name__", "up"), &label("a b/ü", value), &sample(1, 1.0)]);
    assert_eq!(decode(&body).unwrap().0, [expected(&[("__name__", "up"), ("a b/ü", value)], &[(1, 1.0)])]);
}

#[test]
fn a8_labels_longer_than_a_one_byte_length_are_taken() {
    for length in [126, 127, 128, 129, 449, 1_000] {
        let (name, value) = ("n".repeat(length), "ä".repeat(length));
        let pairs = [("__name__", "up"), (&*name, &*value)];
        let body = series(&[&label("__name__", "up"), &label(&name, &value), &sample(1, 1.0)]);
        assert_eq!(decode(&body).unwrap().0, [expected(&pairs, &[(1, 1.0)])]);
    }
}

#[test]
fn a8_labels_at_the_limit_are_taken_and_over_it_left_out() {
    let limits = Limits {
        max_labels_per_series: 2,
        max_label_name_bytes: 8,
        max_label_value_bytes: 4,
        ..Limits::default()
    };
    let decode = |labels: &[&[u8]]| {
        let body = series(&[&labels.concat(), &sample(1, 1.0)]);
        let (taken, summary) = decode_within(MessageType::V1, &body, &limits).unwrap();
        (taken.len(), summary.invalid.iter().next().map(|(reason, _, text)| (reason, text.to_owned())))
    };
    let name = label("__name__", "name");
    assert_eq!(decode(&[&name, &label("12345678", "1234")]), (1, None));
    let (taken, why) = decode(&[&name, &label("a", ""), &label("b", "")]);
    let text = "series \"name\" with 2 labels: more than 2 labels".to_owned();
    assert_eq!((taken, why), (0, Some((InvalidReason::TooManyLabels, text))));
    let (taken, why) = decode(&[&name, &label("123456789", "1")]);
    assert_eq!((taken, why.unwrap().0), (0, InvalidReason::LabelNameTooLong));
    let (taken, why) = decode(&[&name, &label("a", "12345")]);
    let text = "series \"name\" with 1 labels: a label value has 5 bytes, at most 4 are taken".to_owned();
    assert_eq!((taken, why), (0, Some((InvalidReason::LabelValueTooLong, text))));
}

#[test]
fn a9_stale_markers_other_nans_and_infinities_survive_bit_for_bit() {
    let other_nan = f64::from_bits(0xfff8_0000_dead_beef);
    let values = [STALE_NAN, other_nan, f64::INFINITY, f64::NEG_INFINITY, -0.0];
    let samples: Vec<_> = values.iter().map(|value| sample(1, *value)).collect();
    let body = series(&[&label("__name__", "up"), &samples.concat()]);
    assert_eq!(decode(&body).unwrap().0, [expected(UP, &values.map(|value| (1, value)))]);
}

#[test]
fn a10_an_empty_message_is_a_probe() {
    assert_eq!(decode(&[]).unwrap(), (vec![], WriteSummary::default()));
}

#[test]
fn a11_a_request_with_metadata_only_is_fine() {
    let metadata = concat(&[&number(1, 1), &bytes(2, "up"), &bytes(4, "Help."), &bytes(5, "seconds")]);
    let (taken, summary) = decode(&concat(&[&bytes(3, &metadata), &bytes(3, &metadata)])).unwrap();
    assert_eq!((taken, summary.metadata, summary.series), (vec![], 2, 0));
    assert!(summary.invalid.is_empty());
}

#[test]
fn a13_extreme_timestamps_pass_the_decoder() {
    let body = series(&[&label("__name__", "up"), &sample(i64::MAX, 1.0), &sample(i64::MIN, 1.0)]);
    assert_eq!(decode(&body).unwrap().0, [expected(UP, &[(i64::MAX, 1.0), (i64::MIN, 1.0)])]);
}

#[test]
fn a17_a_native_histogram_arrives_with_its_buckets() {
    // Schema 0; span (0, 2); buckets 1 and 2, as deltas 1 and +1; zero bucket 4.
    let span = bytes(11, concat(&[&number(1, 0), &number(2, 2)]));
    let histogram = bytes(
        4,
        concat(&[
            &number(1, 7),
            &double(3, 3.5),
            &number(6, 4),
            &span,
            &bytes(12, [2, 2]),
            &number(15, 1_000),
        ]),
    );
    let body = series(&[&label("__name__", "latency"), &label("job", "node"), &histogram]);
    let expected_histogram = NativeHistogram {
        zero_count: 4.0,
        count: 7.0,
        sum: 3.5,
        positive: vec![Bucket { index: 0, count: 1.0 }, Bucket { index: 1, count: 2.0 }],
        ..NativeHistogram::default()
    };
    let labels = expected(&[("__name__", "latency"), ("job", "node")], &[]).0;
    let taken = decode_histograms(MessageType::V1, &body);
    assert_eq!(taken, [(labels, vec![HistogramSample::new(1_000, expected_histogram)])]);
    let (samples, summary) = decode(&body).unwrap();
    assert_eq!((samples.len(), summary.series, summary.samples, summary.histograms), (0, 1, 0, 1));
}

#[test]
fn a17_an_invalid_histogram_is_left_out_alone() {
    let valid = bytes(4, number(15, 1));
    let count_without_buckets = bytes(4, concat(&[&number(1, 7), &number(15, 2)]));
    let body = series(&[&label("__name__", "h"), &valid, &count_without_buckets, &sample(3, 1.0)]);
    let (taken, summary) = decode(&body).unwrap();
    assert_eq!(taken, [expected(&[("__name__", "h")], &[(3, 1.0)])]);
    let histograms = &decode_histograms(MessageType::V1, &body)[0].1;
    assert_eq!(*histograms, [HistogramSample::new(1, NativeHistogram::default())]);
    let text = "1 samples not taken; invalid_histogram (1): series \"h\" with 1 labels: \
                count is 7, buckets hold 0";
    assert_eq!(summary.invalid.to_string(), text);
}

#[test]
fn a19_histograms_that_would_take_too_much_memory_end_the_request() {
    // 100 buckets, one byte each on the wire, sixteen in memory.
    let span = bytes(11, number(2, 100));
    let histogram = bytes(4, concat(&[&span, &bytes(12, [0; 100])]));
    let body = series(&[&label("__name__", "h"), &histogram, &histogram]);
    let limits = |bytes| Limits { max_histogram_bytes: bytes, ..Limits::default() };
    assert!(decode_within(MessageType::V1, &body, &limits(4_000)).is_ok());
    let error = decode_within(MessageType::V1, &body, &limits(3_000)).unwrap_err();
    assert_eq!(error.to_string(), "request has more than 3000 bytes of native histograms");
}

#[test]
fn a19_too_many_series_or_samples_end_the_request() {
    let limits = Limits { max_series: 2, max_samples: 3, ..Limits::default() };
    let decode = |body: &[u8]| decode_within(MessageType::V1, body, &limits);
    assert!(decode(&concat(&[&good(), &good()])).is_ok());
    let error = decode(&concat(&[&good(), &good(), &good()])).unwrap_err();
    assert_eq!(error.to_string(), "request has more than 2 series");
    let [one, histogram] = [bytes(2, ""), bytes(4, "")];
    assert!(decode(&series(&[&label("__name__", "up"), &one, &one, &histogram])).is_ok());
    let error = decode(&series(&[&label("__name__", "up"), &one, &one, &histogram, &one])).unwrap_err();
    assert_eq!(error.to_string(), "request has more than 3 samples");
}
