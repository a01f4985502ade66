//! Requests as real senders sent them; `tests/data/wire/README.md` says who and how.

use emberwatch::wire::{
    Decoder, Limits, MessageType, WriteSummary, decompress,
    reference::{disagreement, v1},
};
use prost::Message;
use std::{fs, path::Path};

/// A request after decompression.
fn read(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire").join(file);
    let body = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut message = Vec::new();
    decompress(&body, &Limits::default(), &mut message).unwrap();
    message
}

fn decode(message: MessageType, body: &[u8]) -> WriteSummary {
    Decoder::default().decode(message, body, &Limits::default(), &mut |_: &str, _: &[_], _: &[_]| ()).unwrap()
}

/// Walk and prost give the same series, and nothing that a real sender sends is invalid.
fn assert_taken(file: &str, message: MessageType) -> (u64, u64, u64, u64) {
    let body = read(file);
    assert_eq!(disagreement(message, &body), None, "{file}");
    let summary = decode(message, &body);
    assert!(summary.invalid.is_empty(), "{file}: {}", summary.invalid);
    (summary.series, summary.samples, summary.histograms, summary.metadata)
}

#[test]
fn prometheus_1_0() {
    assert_eq!(assert_taken("prometheus-3.5.3-v1.bin", MessageType::V1), (300, 300, 0, 0));
    assert_eq!(assert_taken("prometheus-3.5.3-v1-metadata.bin", MessageType::V1), (0, 0, 0, 258));
    assert_eq!(assert_taken("prometheus-3.5.3-v1-histograms.bin", MessageType::V1), (300, 296, 4, 0));
}

#[test]
fn prometheus_2_0() {
    assert_eq!(assert_taken("prometheus-3.5.3-v2.bin", MessageType::V2), (300, 300, 0, 300));
    assert_eq!(assert_taken("prometheus-3.5.3-v2-histograms.bin", MessageType::V2), (7, 3, 4, 7));
}

#[test]
fn vmagent_1_0() {
    assert_eq!(assert_taken("vmagent-1.145-v1.bin", MessageType::V1), (300, 300, 0, 0));
    assert_eq!(assert_taken("vmagent-1.145-v1-metadata.bin", MessageType::V1), (289, 289, 0, 257));
}

/// A7: vmagent appends its external labels behind the others; the sink gets them sorted.
#[test]
fn a7_vmagent_really_sends_unsorted_labels() {
    let body = read("vmagent-1.145-v1.bin");
    let request = v1::WriteRequest::decode(&*body).unwrap();
    for series in &request.timeseries {
        assert!(!series.labels.is_sorted_by(|a, b| a.name < b.name));
        assert_eq!(series.labels.last().map(|label| label.name.as_str()), Some("zone"));
    }
}

/// A1: a real request that lost its tail on the way is refused, wherever it was cut.
#[test]
fn a1_a_cut_request_is_refused() {
    let body = read("prometheus-3.5.3-v2-histograms.bin");
    let compressed = snap::raw::Encoder::new().compress_vec(&body).unwrap();
    for length in 0..compressed.len() {
        assert!(decompress(&compressed[..length], &Limits::default(), &mut Vec::new()).is_err());
    }
}
