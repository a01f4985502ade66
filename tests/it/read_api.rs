//! Remote read of a real sidecar process: by our own client in both forms, by a real Prometheus, and by those who mean it
//! no good.

mod hostile;

mod large;

mod peer;

mod sidecar;

use crate::{
    remote_read::{self, data},
    support::{http, process::wait_for, remote_write},
};
use emberwatch::{
    series::{LabelMatcher, LabelSet, METRIC_NAME, MatchOp, Sample, TimestampMs},
    wire::read::{ReadQuery, ReadRequest, ResponseType},
};
use sidecar::{IDLE, Sidecar};
use std::{net::SocketAddr, slice, time::Duration};

const FORMS: [ResponseType; 2] = [ResponseType::Samples, ResponseType::StreamedChunks];

/// For all series, both forms hold what was sent, bit for bit: native histograms of all kinds, stale markers, late samples
/// at their place, cut to the range at both ends.
#[test]
fn what_was_sent_is_read_back_in_both_forms() {
    let sidecar = Sidecar::start(IDLE, &[]);
    let start = remote_read::start();
    let sent = data::series(start);
    data::requests(&sent).iter().for_each(|request| data::write(sidecar.address, request));
    assert_eq!(remote_read::assert_read_back(sidecar.address, start, &sent), 0);
}

/// For more series than a piece of a shard has, over several shards, each query is answered in its place, with each of its
/// series once and in the order of labels; one that finds nothing is answered too.
#[test]
fn series_come_in_the_order_of_their_labels_query_by_query() {
    const SERIES: usize = 3_000;
    let sidecar = Sidecar::start(IDLE, &[]);
    let start = remote_read::start();
    let labels = |n: usize| {
        let n = n.to_string();
        // Some have a label that others lack.
        let last = if n.ends_with('7') { [("zone", "z")].as_slice() } else { &[] };
        let labels = [(METRIC_NAME, "made"), ("n", &n)];
        LabelSet::from_pairs(labels.iter().chain(last).copied()).unwrap()
    };
    let series: Vec<_> = (0..SERIES).map(|n| (labels(n), vec![Sample::new(start.0, n as f64)])).collect();
    remote_write::send(sidecar.address, &series);
    let queries = [
        query_of("n", MatchOp::Regex, "1.*", start),
        query_of("n", MatchOp::Equal, "no such", start),
        query_of("zone", MatchOp::Equal, "", start),
        query_of(METRIC_NAME, MatchOp::Equal, "made", start.plus_ms(1)),
        ReadQuery { end: start.plus_ms(-1), ..query_of(METRIC_NAME, MatchOp::Equal, "made", start) },
        query_of(METRIC_NAME, MatchOp::NotEqual, "", start),
    ];
    for form in FORMS {
        let (read, _) = remote_read::read(sidecar.address, &queries, form);
        let read: Vec<_> = read
            .into_iter()
            .map(|(query, (labels, history))| (query, labels, history.samples[0].value as usize))
            .collect();
        let is_of = |query: usize, n: usize| match query {
            0 => n.to_string().starts_with('1'),
            2 => n % 10 != 7,
            5 => true,
            _ => false,
        };
        let each = (0..SERIES).flat_map(|n| (0..queries.len()).map(move |query| (query, n)));
        let answered = each.filter(|(query, n)| is_of(*query, *n));
        let mut expected: Vec<_> = answered.map(|(query, n)| (query, labels(n), n)).collect();
        expected.sort();
        assert!(read == expected, "{form:?}: {} series for {}", read.len(), expected.len());
    }
    let queries = sidecar.metric("emberwatch_read_queries_total");
    assert_eq!(queries, 12.0);
    let samples = sidecar.metric("emberwatch_read_samples_total");
    assert_eq!(samples, 2.0 * (1_111.0 + 2_700.0 + 3_000.0));
}

/// The heads of answers are Prometheus' own, and the form is the first that both sides know.
#[test]
fn the_form_of_an_answer_is_the_first_that_is_known() {
    use ResponseType::{Other, Samples, StreamedChunks};
    let sidecar = Sidecar::start(IDLE, &[]);
    let samples = ("application/x-protobuf", Some("snappy"));
    let chunks = ("application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse", None);
    for (accepted, expected) in [
        (vec![], samples),
        (vec![Samples, StreamedChunks], samples),
        (vec![StreamedChunks, Samples], chunks),
        (vec![Other(9), StreamedChunks], chunks),
    ] {
        let request = ReadRequest { accepted: accepted.clone(), ..ReadRequest::default() };
        let answer = post(sidecar.address, &request.encode().unwrap());
        assert_eq!(answer.status, 200, "{accepted:?}: {}", answer.text());
        let head = (answer.header("content-type").unwrap(), answer.header("content-encoding"));
        assert_eq!(head, expected, "{accepted:?}");
    }
    let answer = http::get(sidecar.address, "/api/v1/read").unwrap();
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}

/// An answer of samples is refused where it would be larger than a query may be, with the number and what to do; a stream
/// of chunks is not held as a whole, and has no limit.
#[test]
fn an_answer_of_samples_has_a_limit_and_a_stream_has_none() {
    let sidecar = Sidecar::start(IDLE, &["--query.max-samples=999"]);
    let start = remote_read::start();
    let labels = |n: usize| LabelSet::from_pairs([(METRIC_NAME, "made"), ("n", &n.to_string())]).unwrap();
    let samples = || (0..100).map(|k| Sample::new(start.0 + k, k as f64)).collect();
    remote_write::send(sidecar.address, &(0..10).map(|n| (labels(n), samples())).collect::<Vec<_>>());
    let end = start.plus_ms(100);
    let most = ReadQuery { end, ..query_of("n", MatchOp::NotEqual, "0", start) };
    let all = ReadQuery { end, ..query_of(METRIC_NAME, MatchOp::Equal, "made", start) };
    let read = |query: &ReadQuery, form| {
        let (read, _) = remote_read::read(sidecar.address, slice::from_ref(query), form);
        read.iter().map(|(_, (_, history))| history.samples.len()).sum::<usize>()
    };
    assert_eq!(read(&most, ResponseType::Samples), 900);
    assert_eq!(read(&all, ResponseType::StreamedChunks), 1_000);
    // The limit is that of the request, not of a query.
    for queries in [vec![all], vec![most.clone(), most]] {
        let request = ReadRequest { queries, accepted: Vec::new() };
        let answer = post(sidecar.address, &request.encode().unwrap());
        assert_eq!(answer.status, 400);
        let text = answer.text();
        assert!(text.contains("more than 999 samples") && text.contains("STREAMED_XOR_CHUNKS"), "{text}");
    }
}

/// A client that does not take its answer gives its place back when the time of a query is over, and sees that the answer
/// is not whole.
#[test]
fn a_client_that_does_not_read_holds_a_place_for_the_time_of_a_query() {
    let sidecar = Sidecar::start(IDLE, &["--query.max-concurrency=1", "--query.timeout=3s"]);
    large::send(sidecar.address, remote_read::start());
    let connection = large::ask_and_keep(sidecar.address);
    let running = || sidecar.metric("emberwatch_queries_running");
    wait_for("the answer begins", Duration::from_secs(20), || (running() == 1.0).then_some(()));
    wait_for("the place is free", Duration::from_secs(20), || (running() == 0.0).then_some(()));
    assert!(!large::is_whole(connection));
    assert!(large::is_whole(large::ask_and_keep(sidecar.address)), "what is read at once is whole");
}

/// An answer whose client has gone ends long before its time.
#[test]
fn a_client_that_goes_away_ends_its_answer() {
    let sidecar = Sidecar::start(IDLE, &["--query.max-concurrency=1", "--query.timeout=1h"]);
    large::send(sidecar.address, remote_read::start());
    let connection = large::ask_and_keep(sidecar.address);
    let running = || sidecar.metric("emberwatch_queries_running");
    wait_for("the answer begins", Duration::from_secs(20), || (running() == 1.0).then_some(()));
    drop(connection);
    wait_for("the place is free", Duration::from_secs(20), || (running() == 0.0).then_some(()));
}

// === asking ===

/// All series with this label, at one instant.
fn query_of(name: &str, op: MatchOp, value: &str, at: TimestampMs) -> ReadQuery {
    let matchers = vec![LabelMatcher::new(name, op, value).unwrap()];
    ReadQuery { start: at, end: at, matchers, hints: None }
}

fn post(address: SocketAddr, body: &[u8]) -> http::Response {
    let headers = [("Content-Type", "application/x-protobuf"), ("Content-Encoding", "snappy")];
    http::post(address, "/api/v1/read", &headers, body).unwrap()
}
