//! Queries that would take very long, and samples meanwhile.

use super::{
    pair::{Answer, Sidecar},
    requests::Request,
};
use crate::support::remote_write;
use emberwatch::series::{LabelSet, METRIC_NAME, Sample, TimestampMs};
use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// Readers at once: more than there are places.
const READERS: usize = 4;

const WRITES: i64 = 60;

const SERIES: usize = 200;

/// A range query that takes minutes on any machine: forty times 11,000 medians of 11,000 numbers.
pub(super) fn heavy() -> Request {
    let median = "quantile_over_time(0.5, vector(time() * 7919 % 1009)[11000s:1s])";
    let query = vec![median; 40].join(" + ");
    Request::get("query_range", &[("query", &*query), ("start", "0"), ("end", "11000"), ("step", "1")])
}

/// Sends a request and leaves the answer to come.
pub(super) fn ask_and_keep(address: SocketAddr, request: &Request) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {} HTTP/1.1\r\nHost: {address}\r\n\r\n", request.path()).unwrap();
    stream
}

/// Writes batch after batch while readers ask for everything over all of the time, or for what takes
/// minutes; each write must be taken, and afterwards each sample must be there.
pub(super) fn write_while_querying(sidecar: &Sidecar, start: TimestampMs) {
    let everything =
        Request::get("query_range", &[("query", "sum(count_over_time({load=~\".+\"}[30m]))"), ("step", "1")])
            .with("start", &start.seconds().to_string())
            .with("end", &start.plus_ms(10_999_000).seconds().to_string());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for reader in 0..READERS {
            let request = if reader % 2 == 0 { everything.clone() } else { heavy() };
            let done = &done;
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let answer = Answer::of(sidecar.address, &request);
                    assert!([200, 503].contains(&answer.status), "{answer}");
                }
            });
        }
        for n in 0..WRITES {
            remote_write::send(sidecar.address, &batch(start.plus_ms(n * 1000)));
        }
        done.store(true, Ordering::Relaxed);
    });
    let at = start.plus_ms(WRITES * 1000).seconds().to_string();
    let count =
        Request::get("query", &[("query", "sum(count_over_time({load=~\".+\"}[5m]))"), ("time", &at)]);
    let answer = Answer::of(sidecar.address, &count);
    let expected = (SERIES as i64 * WRITES).to_string();
    assert_eq!(answer.body["data"]["result"][0]["value"][1].as_str(), Some(&*expected), "{answer}");
}

fn batch(at: TimestampMs) -> Vec<(LabelSet, Vec<Sample>)> {
    let series = |n: usize| {
        let labels = [(METRIC_NAME, "load_test"), ("load", &*n.to_string())];
        (LabelSet::from_pairs(labels).unwrap(), vec![Sample::new(at.0, n as f64)])
    };
    (0..SERIES).map(series).collect()
}
