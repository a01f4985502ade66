//! What is said of metric families, in both versions.

use crate::protobuf_bytes::{bytes, concat, double, number};
use emberwatch::{
    series::{HistogramSample, Sample},
    wire::{Decoder, Limits, MessageType, MetricMetadata, Sink, WriteSummary},
};

/// Keeps what it is told of families.
#[derive(Default)]
struct Listener(Vec<[String; 4]>);

impl Sink for Listener {
    fn series(&mut self, _: &str, _: &[Sample], _: &[HistogramSample]) {}

    fn metadata(&mut self, metadata: MetricMetadata<'_>) {
        let MetricMetadata { family, metric_type, unit, help } = metadata;
        self.0.push([family, metric_type.as_str(), unit, help].map(str::to_owned));
    }
}

fn told(message: MessageType, body: &[u8]) -> (Vec<[String; 4]>, WriteSummary) {
    let mut listener = Listener::default();
    let summary = Decoder::default().decode(message, body, &Limits::default(), &mut listener).unwrap();
    (listener.0, summary)
}

/// An entry of a 1.0 request.
fn entry(metric_type: u64, family: &str, help: &str, unit: &str) -> Vec<u8> {
    bytes(3, concat(&[&number(1, metric_type), &bytes(2, family), &bytes(4, help), &bytes(5, unit)]))
}

/// A series of a 2.0 request with one sample, called symbol `name`.
fn series(name: u8, metadata: &[u8]) -> Vec<u8> {
    bytes(5, concat(&[&bytes(1, [1, name]), &bytes(2, double(1, 1.0)), &bytes(5, metadata)]))
}

#[test]
fn a11_a_1_0_request_names_families() {
    let body = concat(&[
        &entry(1, "a_total", "All.", ""),
        &entry(7, "b", "", "seconds"),
        &entry(99, "c", "Help.", ""),
        &bytes(3, bytes(2, "d")),
        &bytes(3, concat(&[&bytes(2, "e"), &bytes(4, b"\xff")])),
        &entry(1, "", "of nothing", ""),
    ]);
    let (told, summary) = told(MessageType::V1, &body);
    assert_eq!(
        told,
        [
            ["a_total", "counter", "", "All."],
            ["b", "stateset", "seconds", ""],
            ["c", "unknown", "", "Help."],
            ["d", "unknown", "", ""],
        ]
    );
    assert_eq!((summary.metadata, summary.metadata_dropped, summary.invalid.total()), (6, 0, 1));
}

/// Series in a row of the same family tell of it once; the family of a histogram is its series' name without
/// the suffix; a series that says nothing tells of nothing.
#[test]
fn b12_the_series_of_a_2_0_request_name_their_families() {
    let symbols = ["", "__name__", "h_bucket", "h_sum", "up", "Help.", "seconds"];
    let symbols = symbols.map(|symbol| bytes(4, symbol)).concat();
    let histogram = concat(&[&number(1, 3), &number(3, 5), &number(4, 6)]);
    let gauge = number(1, 2);
    let body = concat(&[
        &symbols,
        &series(2, &histogram),
        &series(3, &histogram),
        &series(4, &gauge),
        &series(4, &[]),
        &series(4, &gauge),
        &series(4, &number(3, 5)),
    ]);
    let (told, summary) = told(MessageType::V2, &body);
    assert_eq!(
        told,
        [["h", "histogram", "seconds", "Help."], ["up", "gauge", "", ""], ["up", "unknown", "", "Help."]]
    );
    assert_eq!((summary.metadata, summary.series), (6, 6));
}

/// A few bytes of references to a large help text, again and again: no more than 4 MiB are told, and a text
/// longer than a label value may be is not told at all.
#[test]
fn a19_help_texts_that_grow_when_written_out_are_dropped() {
    let symbols = ["", "__name__", "a", "b"].map(|symbol| bytes(4, symbol)).concat();
    let request = |help: usize| {
        let metadata = number(3, 4);
        let pair = concat(&[&series(2, &metadata), &series(3, &metadata)]);
        concat(&[&symbols, &bytes(4, "x".repeat(help)), &pair.repeat(50_000)])
    };
    let (listed, summary) = told(MessageType::V2, &request(16_000));
    assert_eq!(listed.len(), (4 << 20) / 16_001);
    assert_eq!(summary.metadata_dropped, 100_000 - listed.len() as u64);
    let (listed, summary) = told(MessageType::V2, &request(17_000));
    assert_eq!((listed.len(), summary.metadata_dropped), (0, 100_000));
}
