//! Small bytes that would become large things: what a body of 30 MB may cost (protocol line A19).

use crate::protobuf_bytes::{bytes, concat, number};
use emberwatch::wire::{Decoder, InvalidReason, Limits, MessageType, WireError, WriteSummary};

/// Two bytes each: 30 MB of them.
const MESSAGES: usize = 15_000_000;

/// What the decoder may hold when a request is done.
const MAX_HELD: usize = 16 << 20;

/// `field` again and again, empty each time.
fn empty_messages(field: u8) -> Vec<u8> {
    [field << 3 | 2, 0].repeat(MESSAGES)
}

fn decode(message: MessageType, body: &[u8]) -> (Result<WriteSummary, WireError>, usize) {
    let mut decoder = Decoder::default();
    let result = decoder.decode(message, body, &Limits::default(), &mut |_: &str, _: &[_], _: &[_]| ());
    (result, decoder.capacity_bytes())
}

fn assert_ends_early(message: MessageType, body: &[u8], what: &str) {
    let (result, held) = decode(message, body);
    assert_eq!(result.unwrap_err().to_string(), format!("request has more than 200000 {what}"));
    assert!(held < MAX_HELD, "{held} bytes held");
}

#[test]
fn a19_empty_series_end_the_request() {
    assert_ends_early(MessageType::V1, &empty_messages(1), "series");
    assert_ends_early(MessageType::V2, &empty_messages(5), "series");
}

#[test]
fn a19_empty_samples_and_histograms_in_one_series_end_the_request() {
    assert_ends_early(MessageType::V1, &bytes(1, empty_messages(2)), "samples");
    assert_ends_early(MessageType::V1, &bytes(1, empty_messages(4)), "samples");
    assert_ends_early(MessageType::V2, &bytes(5, empty_messages(2)), "samples");
    assert_ends_early(MessageType::V2, &bytes(5, empty_messages(3)), "samples");
}

#[test]
fn a19_empty_symbols_end_the_request() {
    assert_ends_early(MessageType::V2, &empty_messages(4), "symbols");
}

#[test]
fn a19_empty_labels_make_one_invalid_series() {
    let (summary, held) = decode(MessageType::V1, &bytes(1, empty_messages(1)));
    let invalid = summary.unwrap().invalid;
    assert_eq!((invalid.count(InvalidReason::TooManyLabels), invalid.total()), (1, 1));
    assert!(held < 1 << 16, "{held} bytes held");
    // The same by references to the one symbol there is.
    let refs = bytes(1, vec![0; 2 * MESSAGES]);
    let (summary, held) = decode(MessageType::V2, &concat(&[&bytes(4, ""), &bytes(5, refs)]));
    assert_eq!(summary.unwrap().invalid.total(), 1);
    assert!(held < 1 << 16, "{held} bytes held");
}

/// 2.0 only: 17 bytes of references, again and again, to a symbol of 16 KiB.
#[test]
fn a19_labels_that_grow_when_written_out_end_the_request() {
    let symbols = ["__name__", "a", "b", "c"].map(|name| bytes(4, name)).concat();
    let series = bytes(5, concat(&[&bytes(1, [0, 4, 1, 4, 2, 4, 3, 4]), &bytes(2, "")]));
    let body = concat(&[&symbols, &bytes(4, "x".repeat(16 << 10)), &series.repeat(100_000)]);
    let (mut written, mut decoder) = (0, Decoder::default());
    let sink = &mut |labels: &str, _: &[_], _: &[_]| written += labels.len();
    let error = decoder.decode(MessageType::V2, &body, &Limits::default(), sink).unwrap_err();
    assert_eq!(error.to_string(), "request has more than 67108864 bytes of labels");
    // The series that goes over the limit is the last one written.
    assert!((64 << 20..65 << 20).contains(&written), "{written} bytes written");
}

#[test]
fn a19_metadata_and_exemplars_cost_a_number_each() {
    let (summary, held) = decode(MessageType::V1, &empty_messages(3));
    assert_eq!((summary.unwrap().metadata, held), (MESSAGES as u64, 0));
    let (summary, held) = decode(MessageType::V1, &bytes(1, empty_messages(3)));
    assert_eq!(summary.unwrap().exemplars, MESSAGES as u64);
    assert!(held < 1 << 16, "{held} bytes held");
}

#[test]
fn a19_invalid_texts_are_counted_and_the_first_one_kept() {
    let body = bytes(3, bytes(4, b"\xff")).repeat(1_000_000);
    let (summary, _) = decode(MessageType::V1, &body);
    let invalid = summary.unwrap().invalid;
    assert_eq!(invalid.count(InvalidReason::Utf8), 1_000_000);
    assert_eq!(invalid.iter().count(), 1);
    assert!(invalid.to_string().len() < 100, "{invalid}");
}

/// B13: of spans and buckets no more is looked at than a histogram may have, whatever they claim.
#[test]
fn b13_a_histogram_of_a_million_greedy_spans_costs_little_memory() {
    let span = bytes(11, concat(&[&number(1, u64::from(u32::MAX) - 1), &number(2, u64::from(u32::MAX))]));
    let spans = span.repeat(1_000_000);
    let deltas = bytes(12, vec![0; 1_000_000]);
    let series = bytes(
        1,
        concat(&[
            &bytes(1, concat(&[&bytes(1, "__name__"), &bytes(2, "h")])),
            &bytes(4, concat(&[&spans, &deltas])),
        ]),
    );
    let (summary, held) = decode(MessageType::V1, &series);
    assert_eq!(summary.unwrap().invalid.count(InvalidReason::Histogram), 1);
    assert!(held < 1 << 19, "{held} bytes held");
}

/// B13: a million buckets that are really there are refused by their number, and not kept to say so.
#[test]
fn b13_a_histogram_of_a_million_real_buckets_is_refused() {
    let histogram = concat(&[&bytes(11, number(2, 1_000_000)), &bytes(12, vec![0; 1_000_000])]);
    let label = bytes(1, concat(&[&bytes(1, "__name__"), &bytes(2, "h")]));
    let (summary, held) = decode(MessageType::V1, &bytes(1, concat(&[&label, &bytes(4, histogram)])));
    let invalid = summary.unwrap().invalid;
    assert_eq!(invalid.count(InvalidReason::Histogram), 1);
    assert!(invalid.to_string().ends_with("1000000 buckets, at most 10000 are taken"), "{invalid}");
    assert!(held < 1 << 19, "{held} bytes held");
}

/// B13: histograms of a few bytes each, as many as may be.
#[test]
fn b13_empty_histograms_end_the_request_before_their_memory_does() {
    let (result, held) = decode(MessageType::V1, &bytes(1, empty_messages(4)));
    assert_eq!(result.unwrap_err().to_string(), "request has more than 200000 samples");
    assert!(held < MAX_HELD, "{held} bytes held");
}
