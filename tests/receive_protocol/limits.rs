//! Size and overload.

use crate::{
    harness::{Options, Server, compress, read_response},
    messages::{T, v1_request, v2_request},
};
use emberwatch::{
    receive,
    series::{SampleBatch, TimestampMs},
    shards::{Append, ShardMessage},
    wire::Limits,
};
use std::{io::Write as _, time::Duration};
use tokio::{sync::oneshot, time::Instant};

const UP: &[(&str, &str)] = &[("__name__", "up"), ("instance", "a")];
const HEAD: &str = "POST /api/v1/write HTTP/1.1\r\nHost: test\r\nConnection: close\r\n";

fn small_requests() -> receive::Config {
    let limits = Limits { max_compressed_bytes: 1000, max_decoded_bytes: 4000, ..Limits::default() };
    receive::Config { limits, ..receive::Config::default() }
}

#[test]
fn a18_a_body_over_the_limit_is_413_by_its_claimed_length_alone() {
    let server = Server::with(Options { receive: small_requests(), ..Options::default() });
    let mut stream = server.connect();
    write!(stream, "{HEAD}Content-Length: 1001\r\n\r\n").unwrap();
    assert_eq!(read_response(&mut stream).status, 413);
}

#[test]
fn a18_a_chunked_body_over_the_limit_is_413_while_it_is_read() {
    let server = Server::with(Options { receive: small_requests(), ..Options::default() });
    let mut stream = server.connect();
    write!(stream, "{HEAD}Transfer-Encoding: chunked\r\n\r\n").unwrap();
    for _ in 0..11 {
        let _ = write!(stream, "64\r\n{}\r\n", "x".repeat(100));
    }
    assert_eq!(read_response(&mut stream).status, 413);
}

#[test]
fn a18_a_claimed_decoded_length_over_the_limit_is_400() {
    let server = Server::with(Options { receive: small_requests(), ..Options::default() });
    let response = server.write_v1(&vec![0; 4001]);
    assert_eq!(response.status, 400);
    assert!(response.body.contains("4000"), "{}", response.body);
    // The head of a snappy block that claims 4 GiB - 1.
    let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
    assert_eq!(server.request("POST", "/api/v1/write", &[], &claim).status, 400);
}

#[test]
fn a20_a_full_shard_is_503_with_retry_after_and_nothing_is_written() {
    let receive = receive::Config { retry_after: Duration::from_secs(7), ..receive::Config::default() };
    let options =
        Options { receive, shards: 2, queue_capacity: 1, shards_serve: false, ..Options::default() };
    let mut server = Server::with(options);
    let (reply, _answer) = oneshot::channel();
    let waiting =
        Append { batch: SampleBatch::default(), now: TimestampMs(T), arrival: Instant::now(), reply };
    server.shards.reserve([1]).unwrap().remove(0).send(ShardMessage::Append(waiting));

    let names: Vec<String> = (0..50).map(|i| format!("metric_{i}")).collect();
    let labels: Vec<[(&str, &str); 1]> = names.iter().map(|name| [("__name__", name.as_str())]).collect();
    let series: Vec<_> = labels.iter().map(|labels| (&labels[..], &[(T, 1.0)][..])).collect();
    let response = server.write_v2(&v2_request(&series));
    assert_eq!((response.status, response.header("Retry-After")), (503, Some("7")));
    assert_eq!(response.written(), Some([0, 0, 0]));
    assert!(response.body.contains("shard 1 has 1 messages waiting"), "{}", response.body);
    assert!(server.mailboxes[0].try_recv().is_none(), "the other shard got a part of the request");
    assert_eq!(server.metric("emberwatch_shard_queue_length{shard=\"1\"}"), 1.0);
}

#[test]
fn a20_shards_that_have_ended_are_503() {
    let mut server = Server::with(Options { shards_serve: false, ..Options::default() });
    server.mailboxes.clear();
    let response = server.write_v1(&v1_request(&[(UP, &[(T, 1.0)])]));
    assert_eq!((response.status, response.header("Retry-After")), (503, Some("1")));
}

#[test]
fn a20_bodies_beyond_the_memory_for_all_of_them_are_503() {
    // One permit of 4 KiB for all bodies: a body of two permits finds no room.
    let receive = receive::Config { max_pending_bytes: 4096, ..receive::Config::default() };
    let server = Server::with(Options { receive, ..Options::default() });
    let response = server.request("POST", "/api/v1/write", &[], &[0; 5000]);
    assert_eq!((response.status, response.header("Retry-After")), (503, Some("1")));
    assert_eq!(server.write_v1(&v1_request(&[(UP, &[(T, 1.0)])])).status, 204, "the room is free again");
    assert_eq!(server.metric("emberwatch_receive_pending_bytes"), 0.0);
}

#[test]
fn a_body_that_stalls_is_408() {
    let receive = receive::Config { body_timeout: Duration::from_millis(50), ..receive::Config::default() };
    let server = Server::with(Options { receive, ..Options::default() });
    let mut stream = server.connect();
    write!(stream, "{HEAD}Content-Length: 100\r\n\r\nabc").unwrap();
    assert_eq!(read_response(&mut stream).status, 408);
}

#[test]
fn a_body_that_breaks_off_is_not_written() {
    let server = Server::start();
    let body = compress(&v1_request(&[(UP, &[(T, 1.0)])]));
    let mut stream = server.connect();
    write!(stream, "{HEAD}Content-Length: {}\r\n\r\n", body.len()).unwrap();
    stream.write_all(&body[..body.len() - 1]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut rest);
    assert_eq!(server.metric("emberwatch_samples_appended_total"), 0.0);
}
