//! A server of remote read, just large enough for one Prometheus: one request a connection.

use super::data::History;
use emberwatch::{
    series::LabelSet,
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

/// How it answers.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Samples,
    Chunks,
}

/// Serves `series` until the end of the test.
pub(super) fn start(series: BTreeMap<LabelSet, History>, form: Form) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let request = ReadRequest::decode(&body(&stream), &Limits::default()).unwrap();
            // A real Prometheus understands both, and prefers chunks.
            assert_eq!(request.response_type(), Some(ResponseType::StreamedChunks));
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
        Form::Chunks => (
            "Content-Type: application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse\r\n",
            chunks(request, series),
        ),
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

fn chosen<'a>(
    query: &ReadQuery,
    series: &'a BTreeMap<LabelSet, History>,
) -> impl Iterator<Item = (&'a LabelSet, &'a History)> {
    series.iter().filter(|(labels, _)| query.matchers.iter().all(|matcher| matcher.matches(labels)))
}
