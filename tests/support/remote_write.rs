//! Writes samples to a peer by Remote-Write 1.0. The encoder is its own, so that a mistake in the
//! product's wire code cannot hide itself.

use super::{http, process::wait_for};
use emberwatch::series::{LabelSet, Sample};
use std::{net::SocketAddr, time::Duration};

/// Sends all samples of some series in one request.
///
/// # Panics
/// When the peer does not take them all.
pub(crate) fn send(address: SocketAddr, series: &[(LabelSet, Vec<Sample>)]) {
    let response = try_send(address, series);
    assert!((200..300).contains(&response.status), "{}: {}", response.status, response.text());
}

/// As every sender: what is refused for now is sent again, for as long as `patience` lasts.
///
/// # Panics
/// When the peer refuses them for good, or does not take them in time.
pub(crate) fn send_patiently(address: SocketAddr, series: &[(LabelSet, Vec<Sample>)], patience: Duration) {
    wait_for("the receiver takes samples", patience, || {
        let answer = try_send(address, series);
        assert!(answer.status < 400 || answer.status == 503, "{}: {}", answer.status, answer.text());
        (answer.status < 400).then_some(())
    });
}

/// Sends all samples of some series in one request and gives the answer, whatever it is.
pub(crate) fn try_send(address: SocketAddr, series: &[(LabelSet, Vec<Sample>)]) -> http::Response {
    let headers = [
        ("Content-Type", "application/x-protobuf"),
        ("Content-Encoding", "snappy"),
        ("X-Prometheus-Remote-Write-Version", "0.1.0"),
    ];
    let body = snap::raw::Encoder::new().compress_vec(&write_request(series)).unwrap();
    http::post(address, "/api/v1/write", &headers, &body).unwrap()
}

/// `prometheus.WriteRequest { timeseries = 1 }`
fn write_request(series: &[(LabelSet, Vec<Sample>)]) -> Vec<u8> {
    let mut request = Vec::new();
    for (labels, samples) in series {
        bytes_field(&mut request, 1, &time_series(labels, samples));
    }
    request
}

/// `TimeSeries { labels = 1: Label { name = 1, value = 2 }, samples = 2: Sample { value = 1, timestamp = 2 } }`
fn time_series(labels: &LabelSet, samples: &[Sample]) -> Vec<u8> {
    let mut message = Vec::new();
    for label in labels {
        let mut encoded = Vec::new();
        bytes_field(&mut encoded, 1, label.name.as_bytes());
        bytes_field(&mut encoded, 2, label.value.as_bytes());
        bytes_field(&mut message, 1, &encoded);
    }
    for sample in samples {
        let mut encoded = vec![1 << 3 | 1];
        encoded.extend_from_slice(&sample.value.to_le_bytes());
        encoded.push(2 << 3);
        varint(&mut encoded, sample.timestamp.0 as u64);
        bytes_field(&mut message, 2, &encoded);
    }
    message
}

fn bytes_field(message: &mut Vec<u8>, number: u8, content: &[u8]) {
    message.push(number << 3 | 2);
    varint(message, content.len() as u64);
    message.extend_from_slice(content);
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}
