//! Remote-Write 2.0, rule by rule, on bytes written by hand.

use crate::outcome::{Series, decode_histograms, decode_within, expected};
use crate::protobuf_bytes::{bytes, concat, double, fixed32, group, number, unknown, varint};
use emberwatch::{
    series::{HistogramSample, NativeHistogram, STALE_NAN},
    wire::{Damage, InvalidReason, Limits, MessageType, WireError, WriteSummary},
};

const UP: &[(&str, &str)] = &[("__name__", "up"), ("job", "node")];

/// References of `UP` in the table of `symbols`.
const UP_REFS: &[u64] = &[1, 2, 3, 4];

fn decode(body: &[u8]) -> Result<(Vec<Series>, WriteSummary), WireError> {
    decode_within(MessageType::V2, body, &Limits::default())
}

fn symbols() -> Vec<u8> {
    ["", "__name__", "up", "job", "node"].map(|symbol| bytes(4, symbol)).concat()
}

fn packed(numbers: &[u64]) -> Vec<u8> {
    bytes(1, numbers.iter().flat_map(|n| varint(*n)).collect::<Vec<_>>())
}

fn sample(timestamp: i64, value: f64) -> Vec<u8> {
    bytes(2, concat(&[&double(1, value), &number(2, timestamp as u64)]))
}

fn series(parts: &[&[u8]]) -> Vec<u8> {
    bytes(5, concat(parts))
}

/// The usual symbols and one series of these parts.
fn request(parts: &[&[u8]]) -> Vec<u8> {
    concat(&[&symbols(), &series(parts)])
}

fn assert_unknown_symbol(body: &[u8], reference: u32) {
    match decode(body) {
        Err(WireError::SymbolReference { reference: found, symbols: 5 }) => assert_eq!(found, reference),
        other => panic!("expected an unknown symbol {reference}, got {other:?}"),
    }
}

#[test]
fn b3_samples_histograms_and_exemplars_are_counted() {
    let histogram = bytes(3, number(15, 1));
    let exemplar = bytes(4, concat(&[&packed(&[3, 4]), &double(2, 1.0), &number(3, 1)]));
    let body = concat(&[
        &request(&[&packed(UP_REFS), &sample(1, 1.0), &sample(2, 2.0), &exemplar]),
        &series(&[&packed(UP_REFS), &histogram, &exemplar]),
    ]);
    let (taken, summary) = decode(&body).unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!((summary.series, summary.samples, summary.histograms, summary.exemplars), (2, 2, 1, 2));
}

#[test]
fn b6_a_label_reference_outside_the_table_refuses_the_request() {
    assert_unknown_symbol(&request(&[&packed(&[1, 2, 5, 4]), &sample(1, 1.0)]), 5);
    assert_unknown_symbol(&request(&[&packed(&[1, 2, 3, 5]), &sample(1, 1.0)]), 5);
    assert_unknown_symbol(&request(&[&packed(&[1, u64::from(u32::MAX)]), &sample(1, 1.0)]), u32::MAX);
}

#[test]
fn b6_references_without_a_table_refuse_the_request() {
    let error = decode(&series(&[&packed(&[0, 0]), &sample(1, 1.0)])).unwrap_err();
    assert!(matches!(error, WireError::SymbolReference { reference: 0, symbols: 0 }), "{error}");
}

#[test]
fn b6_an_odd_number_of_references_refuses_the_request() {
    for refs in [&[1_u64][..], &[1, 2, 3], &[99]] {
        let error = decode(&request(&[&packed(refs), &sample(1, 1.0)])).unwrap_err();
        assert!(
            matches!(error, WireError::OddReferences { references } if references == refs.len()),
            "{error}"
        );
    }
}

#[test]
fn b6_a_series_without_references_is_invalid() {
    let (taken, summary) = decode(&request(&[&sample(1, 1.0)])).unwrap();
    assert_eq!((taken.len(), summary.invalid.count(InvalidReason::MissingMetricName)), (0, 1));
}

#[test]
fn b6_exemplar_references_are_checked() {
    let with = |exemplar: Vec<u8>| request(&[&packed(UP_REFS), &sample(1, 1.0), &bytes(4, exemplar)]);
    assert!(decode(&with(packed(&[3, 4]))).is_ok());
    assert_unknown_symbol(&with(packed(&[3, 5])), 5);
    let error = decode(&with(packed(&[3]))).unwrap_err();
    assert!(matches!(error, WireError::OddReferences { references: 1 }), "{error}");
}

#[test]
fn b6_metadata_references_are_checked() {
    let with = |metadata: Vec<u8>| request(&[&packed(UP_REFS), &sample(1, 1.0), &bytes(5, metadata)]);
    assert_eq!(decode(&with(concat(&[&number(3, 4), &number(4, 0)]))).unwrap().1.metadata, 1);
    assert_unknown_symbol(&with(number(3, 5)), 5);
    assert_unknown_symbol(&with(number(4, 5)), 5);
}

#[test]
fn b6_the_last_of_a_repeated_metadata_reference_holds() {
    let metadata = concat(&[&bytes(5, number(3, 99)), &bytes(5, number(3, 1))]);
    let (_, summary) = decode(&request(&[&packed(UP_REFS), &sample(1, 1.0), &metadata])).unwrap();
    assert_eq!(summary.metadata, 1);
}

#[test]
fn b7_a_table_without_the_leading_empty_symbol_or_with_repeats_is_taken() {
    let table = ["__name__", "up", "job", "node", "up"].map(|symbol| bytes(4, symbol)).concat();
    let body = concat(&[&table, &series(&[&packed(&[0, 4, 2, 3]), &sample(1, 1.0)])]);
    assert_eq!(decode(&body).unwrap().0, [expected(UP, &[(1, 1.0)])]);
}

#[test]
fn b8_symbols_may_stand_behind_the_series_and_between_them() {
    let one = series(&[&packed(UP_REFS), &sample(1, 1.0)]);
    let table = symbols();
    // `""` and `__name__` first, then the rest.
    let (head, tail) = table.split_at(2 + 10);
    for body in [concat(&[&one, &table]), concat(&[head, &one, tail])] {
        assert_eq!(decode(&body).unwrap().0, [expected(UP, &[(1, 1.0)])]);
    }
}

#[test]
fn b8_label_references_may_be_packed_or_not_or_cut_anywhere() {
    let unpacked: Vec<u8> = UP_REFS.iter().flat_map(|n| number(1, *n)).collect();
    let cut = concat(&[&packed(&[1]), &packed(&[]), &packed(&[2, 3]), &number(1, 4)]);
    for refs in [packed(UP_REFS), unpacked, cut] {
        let body = request(&[&refs[..0], &sample(1, 1.0), &refs]);
        assert_eq!(decode(&body).unwrap().0, [expected(UP, &[(1, 1.0)])]);
    }
}

#[test]
fn b8_the_former_created_timestamp_in_field_6_is_ignored() {
    let body = request(&[&packed(UP_REFS), &number(6, 1), &unknown(6), &sample(1, 1.0)]);
    assert_eq!(decode(&body).unwrap().0, [expected(UP, &[(1, 1.0)])]);
}

#[test]
fn b8_a_message_of_1_0_is_an_empty_one_of_2_0() {
    let body = bytes(1, bytes(1, concat(&[&bytes(1, "__name__"), &bytes(2, "up")])));
    assert_eq!(decode(&body).unwrap(), (vec![], WriteSummary::default()));
}

#[test]
fn b8_labels_are_sorted_and_empty_values_are_absent() {
    let body = request(&[&packed(&[3, 4, 2, 0, 1, 2]), &sample(1, 1.0)]);
    assert_eq!(decode(&body).unwrap().0, [expected(UP, &[(1, 1.0)])]);
}

#[test]
fn b8_damage_refuses_the_whole_request() {
    let cases = [
        (group(9), Damage::Group { field: 9 }),
        (number(4, 1), Damage::WireType { field: 4, found: 0 }),
        (fixed32(5), Damage::WireType { field: 5, found: 5 }),
        (series(&[&fixed32(1)]), Damage::WireType { field: 1, found: 5 }),
        (series(&[&bytes(1, [0x80])]), Damage::Truncated { needed: 2, left: 1 }),
        (series(&[&bytes(2, double(3, 1.0))]), Damage::WireType { field: 3, found: 1 }),
        (series(&[&bytes(5, bytes(3, ""))]), Damage::WireType { field: 3, found: 2 }),
        (series(&[&bytes(4, bytes(2, ""))]), Damage::WireType { field: 2, found: 2 }),
    ];
    for (damage, expected) in cases {
        match decode(&concat(&[&request(&[&packed(UP_REFS), &sample(1, 1.0)]), &damage])) {
            Err(WireError::Damaged { damage, .. }) => assert_eq!(damage, expected),
            other => panic!("expected {expected:?}, got {other:?}"),
        }
    }
}

#[test]
fn b9_samples_and_histograms_in_one_series_are_both_taken() {
    let body = request(&[&packed(&[1, 2]), &sample(1, 1.0), &bytes(3, number(15, 2))]);
    let (taken, summary) = decode(&body).unwrap();
    let up = expected(&[("__name__", "up")], &[(1, 1.0)]);
    let histogram = HistogramSample::new(2, NativeHistogram::default());
    assert_eq!(decode_histograms(MessageType::V2, &body), [(up.0.clone(), vec![histogram])]);
    assert_eq!(taken, [up]);
    assert_eq!((summary.samples, summary.histograms), (1, 1));
}

#[test]
fn b9_a_series_with_neither_is_invalid() {
    let metadata = bytes(5, number(1, 1));
    let (taken, summary) = decode(&request(&[&packed(UP_REFS), &metadata])).unwrap();
    assert_eq!((taken.len(), summary.invalid.count(InvalidReason::NoSamples)), (0, 1));
}

#[test]
fn b9_a_series_with_exemplars_only_is_what_prometheus_sends() {
    let (taken, summary) = decode(&request(&[&packed(UP_REFS), &bytes(4, "")])).unwrap();
    assert_eq!((taken.len(), summary.series, summary.exemplars), (0, 1, 1));
    assert!(summary.invalid.is_empty());
}

#[test]
fn b10_the_same_labels_may_come_several_times() {
    let body = concat(&[
        &request(&[&packed(UP_REFS), &sample(1, 1.0)]),
        &series(&[&packed(&[3, 4, 1, 2]), &sample(2, 2.0)]),
    ]);
    assert_eq!(decode(&body).unwrap().0, [expected(UP, &[(1, 1.0)]), expected(UP, &[(2, 2.0)])]);
}

#[test]
fn b11_a_start_timestamp_is_read_past() {
    let sample = bytes(2, concat(&[&number(3, 5), &double(1, 1.0), &number(2, 1)]));
    let histogram = bytes(3, concat(&[&number(17, 5), &number(15, 1)]));
    let (_, summary) = decode(&request(&[&packed(UP_REFS), &sample, &histogram])).unwrap();
    assert_eq!((summary.samples, summary.histograms), (1, 1));
}

#[test]
fn b12_metadata_of_any_type_is_accepted() {
    for kind in [0, 1, 7, 8, u64::MAX] {
        let body = request(&[&packed(UP_REFS), &sample(1, 1.0), &bytes(5, number(1, kind))]);
        assert!(decode(&body).unwrap().1.invalid.is_empty());
    }
}

#[test]
fn b13_a_stale_histogram_is_a_stale_marker_whatever_it_counts() {
    let histogram = concat(&[&number(1, 3), &double(3, STALE_NAN), &number(6, 3), &number(15, 1)]);
    let body = request(&[&packed(&[1, 2]), &bytes(3, histogram)]);
    let histograms = &decode_histograms(MessageType::V2, &body)[0].1;
    assert_eq!((histograms.len(), histograms[0].timestamp.0), (1, 1));
    assert!(histograms[0].histogram.same_data(&NativeHistogram::stale_marker()));
}

#[test]
fn b14_an_empty_message_is_a_probe() {
    assert_eq!(decode(&[]).unwrap(), (vec![], WriteSummary::default()));
}

#[test]
fn b15_unknown_fields_are_skipped_at_every_level() {
    let sample = bytes(2, concat(&[&unknown(4), &double(1, 1.0), &number(2, 1)]));
    let exemplar = bytes(4, unknown(4));
    let metadata = bytes(5, concat(&[&unknown(2), &unknown(5)]));
    let one = series(&[&unknown(7), &packed(UP_REFS), &sample, &exemplar, &metadata]);
    let body = concat(&[&unknown(1), &unknown(3), &symbols(), &one, &unknown(6)]);
    assert_eq!(decode(&body).unwrap().0, [expected(UP, &[(1, 1.0)])]);
}

#[test]
fn a6_a_symbol_that_is_not_utf8_costs_only_the_series_that_use_it() {
    let body = concat(&[
        &request(&[&packed(UP_REFS), &sample(1, 1.0)]),
        &bytes(4, b"\xff"),
        &series(&[&packed(&[1, 2, 3, 5]), &sample(1, 1.0)]),
    ]);
    let (taken, summary) = decode(&body).unwrap();
    assert_eq!(taken, [expected(UP, &[(1, 1.0)])]);
    // Once for the symbol, once for the series.
    assert_eq!((summary.invalid.count(InvalidReason::Utf8), summary.invalid.samples()), (2, 1));
}

#[test]
fn a8_label_limits_hold_for_symbols_that_are_used() {
    let limits = Limits { max_label_value_bytes: 3, ..Limits::default() };
    let body = concat(&[
        &request(&[&packed(UP_REFS), &sample(1, 1.0)]),
        &series(&[&packed(&[1, 2]), &sample(1, 1.0)]),
    ]);
    let (taken, summary) = decode_within(MessageType::V2, &body, &limits).unwrap();
    assert_eq!(taken, [expected(&[("__name__", "up")], &[(1, 1.0)])]);
    assert_eq!(summary.invalid.count(InvalidReason::LabelValueTooLong), 1);
}

#[test]
fn a19_too_many_symbols_end_the_request() {
    let limits = Limits { max_symbols: 5, ..Limits::default() };
    assert!(decode_within(MessageType::V2, &symbols(), &limits).is_ok());
    let body = concat(&[&symbols(), &bytes(4, "")]);
    let error = decode_within(MessageType::V2, &body, &limits).unwrap_err();
    assert_eq!(error.to_string(), "request has more than 5 symbols");
}
