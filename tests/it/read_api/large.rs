//! An answer far larger than what the system keeps between two ends of a connection.

use crate::support::remote_write;
use emberwatch::{
    series::{LabelMatcher, LabelSet, METRIC_NAME, MatchOp, Sample, TimestampMs},
    wire::read::{ReadQuery, ReadRequest, ResponseType},
};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Series, each with a label of [`LABEL_BYTES`]: 48 MB.
const SERIES: usize = 3_000;

const LABEL_BYTES: usize = 16_000;

/// Series of a request.
const AT_ONCE: usize = 1_000;

/// Sends the series that make the answer large.
pub(super) fn send(address: SocketAddr, at: TimestampMs) {
    let long = "x".repeat(LABEL_BYTES);
    let series: Vec<_> = (0..SERIES)
        .map(|n| {
            let labels = [(METRIC_NAME, "large"), ("long", &long), ("n", &n.to_string())];
            (LabelSet::from_pairs(labels).unwrap(), vec![Sample::new(at.0, n as f64)])
        })
        .collect();
    series.chunks(AT_ONCE).for_each(|series| remote_write::send(address, series));
}

/// Asks for all of them as chunks, and leaves the answer to come.
pub(super) fn ask_and_keep(address: SocketAddr) -> TcpStream {
    let matchers = vec![LabelMatcher::new(METRIC_NAME, MatchOp::Equal, "large").unwrap()];
    let query = ReadQuery { start: TimestampMs(0), end: TimestampMs::MAX, matchers, hints: None };
    let request = ReadRequest { queries: vec![query], accepted: vec![ResponseType::StreamedChunks] };
    let body = request.encode().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!(
        "POST /api/v1/read HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    stream
}

/// Reads the answer; whether it has the end that a chunked body has when it is whole.
pub(super) fn is_whole(mut connection: TcpStream) -> bool {
    let mut answer = Vec::new();
    // A connection that is cut may be reset; what came before is in `answer`.
    let _ = connection.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    let is_whole = answer.ends_with(b"\r\n0\r\n\r\n");
    assert!(!is_whole || answer.len() > SERIES * LABEL_BYTES, "{} bytes", answer.len());
    is_whole
}
