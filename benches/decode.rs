//! Decoding one request of 2,000 samples, as Prometheus sends it: 2,000 series of node_exporter's
//! shape, one sample each. divan prints the time a sample (items = samples).
//!
//! `snappy` is the decompression alone, `walk` the decoder on decompressed bytes, `prost` the generated
//! types on the same bytes (reading only, without sorting or checking), `receive` all that a receiver does.

use divan::{Bencher, black_box, counter::ItemsCount};
use emberwatch::{
    series::{HistogramSample, Sample},
    wire::{
        Decoder, Limits, MessageType, decompress,
        reference::{v1, v2},
    },
};
use prost::Message;

const SAMPLES: usize = 2_000;

fn main() {
    divan::main();
}

#[divan::bench(args = [MessageType::V1, MessageType::V2])]
fn snappy(bencher: Bencher<'_, '_>, message: MessageType) {
    let body = compress(&request(message));
    let (limits, mut decoded) = (Limits::default(), Vec::new());
    bencher
        .counter(ItemsCount::new(SAMPLES))
        .bench_local(|| decompress(black_box(&body), &limits, &mut decoded).is_ok());
}

#[divan::bench(args = [MessageType::V1, MessageType::V2])]
fn walk(bencher: Bencher<'_, '_>, message: MessageType) {
    let body = request(message);
    let (limits, mut decoder) = (Limits::default(), Decoder::default());
    bencher
        .counter(ItemsCount::new(SAMPLES))
        .bench_local(|| decoder.decode(message, black_box(&body), &limits, &mut sink).is_ok());
}

#[divan::bench(args = [MessageType::V1, MessageType::V2])]
fn prost(bencher: Bencher<'_, '_>, message: MessageType) {
    let body = request(message);
    bencher.counter(ItemsCount::new(SAMPLES)).bench_local(|| match message {
        MessageType::V1 => v1::WriteRequest::decode(black_box(&*body)).is_ok(),
        MessageType::V2 => v2::Request::decode(black_box(&*body)).is_ok(),
    });
}

#[divan::bench(args = [MessageType::V1, MessageType::V2])]
fn receive(bencher: Bencher<'_, '_>, message: MessageType) {
    let body = compress(&request(message));
    let (limits, mut decoder, mut decoded) = (Limits::default(), Decoder::default(), Vec::new());
    bencher.counter(ItemsCount::new(SAMPLES)).bench_local(|| {
        decompress(black_box(&body), &limits, &mut decoded).is_ok()
            && decoder.decode(message, &decoded, &limits, &mut sink).is_ok()
    });
}

/// Takes what a store would look at.
fn sink(labels: &str, samples: &[Sample], histograms: &[HistogramSample]) {
    black_box((labels.len(), samples.len(), histograms.len()));
}

// === the request ===

fn compress(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).unwrap_or_default()
}

fn request(message: MessageType) -> Vec<u8> {
    match message {
        MessageType::V1 => request_v1().encode_to_vec(),
        MessageType::V2 => request_v2().encode_to_vec(),
    }
}

/// Labels of series `index`: 25 nodes, each with 10 processors in 8 modes.
fn labels(index: usize) -> [(&'static str, String); 7] {
    const MODES: [&str; 8] = ["idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"];
    let (node, cpu) = (index / 80, index / 8 % 10);
    [
        ("__name__", "node_cpu_seconds_total".to_owned()),
        ("cluster", "production-west-1".to_owned()),
        ("cpu", cpu.to_string()),
        ("datacenter", "fra2".to_owned()),
        ("instance", format!("node-{node:03}.example.internal:9100")),
        ("job", "node".to_owned()),
        ("mode", MODES[index % 8].to_owned()),
    ]
}

/// A counter with a fraction that does not repeat.
fn sample(index: usize) -> (i64, f64) {
    (1_763_700_000_000 + index as i64 % 15_000, 1e5 + index as f64 / 7.0)
}

fn request_v1() -> v1::WriteRequest {
    let series = (0..SAMPLES).map(|index| {
        let labels = labels(index).map(|(name, value)| v1::Label { name: name.to_owned(), value });
        let (timestamp, value) = sample(index);
        let samples = vec![v1::Sample { value, timestamp }];
        v1::TimeSeries { labels: labels.to_vec(), samples, ..v1::TimeSeries::default() }
    });
    v1::WriteRequest { timeseries: series.collect(), metadata: Vec::new() }
}

fn request_v2() -> v2::Request {
    let mut symbols = vec![String::new()];
    let mut reference = |text: String| {
        let known = symbols.iter().position(|symbol| *symbol == text);
        known.unwrap_or_else(|| {
            symbols.push(text);
            symbols.len() - 1
        }) as u32
    };
    let mut timeseries = Vec::new();
    for index in 0..SAMPLES {
        let labels = labels(index).into_iter();
        let labels_refs = labels.flat_map(|(name, value)| [reference(name.to_owned()), reference(value)]);
        let labels_refs = labels_refs.collect();
        let (timestamp, value) = sample(index);
        let samples = vec![v2::Sample { value, timestamp, start_timestamp: 0 }];
        let metadata = Some(v2::Metadata { r#type: 1, help_ref: 0, unit_ref: 0 });
        timeseries.push(v2::TimeSeries { labels_refs, samples, metadata, ..v2::TimeSeries::default() });
    }
    v2::Request { symbols, timeseries }
}
