//! A server of remote read, just large enough for one Prometheus: one request a connection.

use super::data::History;
use emberwatch::{
    series::{LabelSet, TimestampMs},
    wire::{
        Limits,
        read::{ReadQuery, ReadRequest, ResponseType, SamplesResponse, write_chunked},
    },
};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
};

const CHUNKED: &str =
    "Content-Type: application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse\r\n";

/// How it answers.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Samples,
    Chunks,
    /// As a store of tomorrow: in chunks of an encoding that is not known here, or in samples for who asks for these.
    NewerChunks,
}

/// Serves `series` until the end of the test.
pub(crate) fn start(series: BTreeMap<LabelSet, History>, form: Form) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let request = ReadRequest::decode(&body(&stream), &Limits::default()).unwrap();
            // A real Prometheus understands both, and prefers chunks.
            let form = match (form, request.response_type()) {
                (Form::NewerChunks, Some(ResponseType::Samples)) => Form::Samples,
                (form, wanted) => {
                    assert_eq!(wanted, Some(ResponseType::StreamedChunks));
                    form
                }
            };
            answer(&stream, &request, &series, form);
        }
    });
    address
}

fn body(stream: &TcpStream) -> Vec<u8> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim().to_ascii_lowercase().split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().unwrap(),
            None if line.trim().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    body
}

fn answer(mut stream: &TcpStream, request: &ReadRequest, series: &BTreeMap<LabelSet, History>, form: Form) {
    let (head, body) = match form {
        Form::Samples => {
            ("Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n", samples(request, series))
        }
        Form::Chunks => (CHUNKED, chunks(request, series)),
        Form::NewerChunks => (CHUNKED, newer_chunk()),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\n{head}Connection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
}

fn samples(request: &ReadRequest, series: &BTreeMap<LabelSet, History>) -> Vec<u8> {
    let mut response = SamplesResponse::default();
    for query in &request.queries {
        response.begin_result();
        for (labels, history) in chosen(query, series) {
            let in_range = |at: TimestampMs| query.start <= at && at <= query.end;
            let mut history = history.clone();
            history.samples.retain(|sample| in_range(sample.timestamp));
            history.histograms.retain(|sample| in_range(sample.timestamp));
            response.push(labels.iter(), &history.samples, &history.histograms);
        }
    }
    response.encode().unwrap()
}

fn chunks(request: &ReadRequest, series: &BTreeMap<LabelSet, History>) -> Vec<u8> {
    let mut stream = Vec::new();
    for (index, query) in request.queries.iter().enumerate() {
        for (labels, history) in chosen(query, series) {
            write_chunked(index, labels.iter(), &history.samples, &history.histograms, &mut stream);
        }
    }
    stream
}

/// A frame with one chunk of encoding 9: `ChunkedReadResponse { chunked_series = 1 { labels = 1, chunks = 2 { min_time_ms = 1, max_time_ms = 2,
/// type = 3, data = 4 } } }`, behind its length and its CRC-32C.
fn newer_chunk() -> Vec<u8> {
    let field = |number: u8, content: &[u8]| [&[number << 3 | 2, content.len() as u8], content].concat();
    let label = [field(1, b"__name__"), field(2, b"tomorrow")].concat();
    let chunk = [&[1 << 3, 1, 2 << 3, 2, 3 << 3, 9][..], &field(4, b"unknown")].concat();
    let message = field(1, &[field(1, &label), field(2, &chunk)].concat());
    let checksum = crc32c::crc32c(&message).to_be_bytes();
    [&[message.len() as u8][..], &checksum, &message].concat()
}

fn chosen<'a>(
    query: &ReadQuery,
    series: &'a BTreeMap<LabelSet, History>,
) -> impl Iterator<Item = (&'a LabelSet, &'a History)> {
    series.iter().filter(|(labels, _)| query.matchers.iter().all(|matcher| matcher.matches(labels)))
}
