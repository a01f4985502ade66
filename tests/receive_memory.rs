//! What one hostile request costs the real process: it is refused, and memory stays bounded (protocol
//! line A19). The figure is the peak of resident memory, as the kernel keeps it in `/proc`.

#![cfg(target_os = "linux")]

#[cfg(test)]
#[path = "receive_memory/sidecar.rs"]
mod sidecar;

#[cfg(test)]
#[path = "support/support.rs"]
mod support;

use sidecar::Sidecar;

/// How much one request may add to the process.
const MOST_GROWTH: usize = 64 << 20;

const V1: &str = "application/x-protobuf";
const V2: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

/// A length-delimited field of protobuf.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(content);
    bytes
}

/// Sends `message` to a process that has served a request before.
fn assert_refused_within_bounds(content_type: &str, message: &[u8], reason: &str) {
    let sidecar = Sidecar::start();
    let small = sidecar.write(content_type, &[]);
    assert_eq!(small.status, 204, "{}", small.text());
    let before = sidecar.peak_bytes();
    let response = sidecar.write(content_type, message);
    assert_eq!(response.status, 400, "{}", response.text());
    assert!(response.text().contains(reason), "{}", response.text());
    let growth = sidecar.peak_bytes() - before;
    assert!(growth <= MOST_GROWTH, "grew by {growth} bytes");
}

#[test]
fn a19_fifteen_million_empty_series_are_refused_within_bounds() {
    assert_refused_within_bounds(V1, &field(1, &[]).repeat(15_000_000), "more than 200000 series");
    assert_refused_within_bounds(V2, &field(5, &[]).repeat(15_000_000), "more than 200000 series");
}

#[test]
fn a19_thirty_million_symbol_references_are_refused_within_bounds() {
    let series = field(5, &field(1, &vec![0; 30_000_000]));
    assert_refused_within_bounds(V2, &[field(4, &[]), series].concat(), "too_many_labels");
}

#[test]
fn a19_four_million_labels_are_refused_within_bounds() {
    let label = field(1, &[field(1, b"a"), field(2, &[])].concat());
    assert_refused_within_bounds(V1, &field(1, &label.repeat(4_000_000)), "too_many_labels");
}

#[test]
fn a19_a_table_of_fifteen_million_symbols_is_refused_within_bounds() {
    assert_refused_within_bounds(V2, &field(4, &[]).repeat(15_000_000), "more than 200000 symbols");
}
