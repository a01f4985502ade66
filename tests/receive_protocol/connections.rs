//! HTTP itself, and clients that stall.

use crate::{
    harness::{Options, Server, compress, read_response},
    messages::{T, v1_request},
};
use emberwatch::server;
use std::{
    io::{Read as _, Write as _},
    time::Duration,
};

const UP: &[(&str, &str)] = &[("__name__", "up"), ("instance", "a")];

fn body(at: i64) -> Vec<u8> {
    compress(&v1_request(&[(UP, &[(at, 1.0)])]))
}

fn impatient() -> Options {
    let header_timeout = Duration::from_millis(50);
    let drain_timeout = Duration::from_millis(200);
    Options {
        server: server::Config { header_timeout, drain_timeout, ..Default::default() },
        ..Options::default()
    }
}

#[test]
fn f8_stalled_connections_do_not_hold_up_a_write() {
    let server = Server::start();
    let mut stalled: Vec<_> = (0..200).map(|_| server.connect()).collect();
    for (i, stream) in stalled.iter_mut().enumerate() {
        let start = ["", "P", "PRI * HTTP/2.0\r\n", "POST /api/v1/write HTTP/1.1\r\nHost: x\r\n"][i % 4];
        stream.write_all(start.as_bytes()).unwrap();
    }
    let mut slow_body = server.connect();
    write!(slow_body, "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc").unwrap();
    assert_eq!(server.request("POST", "/api/v1/write", &[], &body(T)).status, 204);
}

#[test]
fn f8_a_connection_that_stalls_before_its_first_request_is_closed() {
    let server = Server::with(impatient());
    for start in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM", "GET / HTTP/1.1\r\nHost: x\r\n"] {
        let mut stream = server.connect();
        stream.write_all(start.as_bytes()).unwrap();
        let mut rest = Vec::new();
        // Closed or reset; a read that times out fails with another kind of error.
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{start:?}");
        }
    }
}

#[test]
fn f8_connections_over_the_limit_wait_for_their_turn() {
    let mut options = impatient();
    options.server.max_connections = 1;
    let server = Server::with(options);
    let _holder = server.connect();
    // Accepted as soon as the silent connection is closed.
    assert_eq!(server.request("POST", "/api/v1/write", &[], &body(T)).status, 204);
}

#[test]
fn f7_kept_connections_and_pipelined_requests_are_answered_in_order() {
    let server = Server::start();
    let mut stream = server.connect();
    for (at, connection) in [(T, "keep-alive"), (T + 1, "keep-alive"), (T + 2, "close")] {
        let body = body(at);
        let length = body.len();
        write!(
            stream,
            "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\nContent-Length: {length}\r\n\r\n"
        )
        .unwrap();
        stream.write_all(&body).unwrap();
    }
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("HTTP/1.1 204").count(), 3, "{text}");
    assert_eq!(server.metric("emberwatch_samples_appended_total"), 3.0);
}

#[test]
fn f7_chunked_bodies_and_100_continue_and_http_1_0() {
    let server = Server::start();
    let mut chunked = server.connect();
    let bytes = body(T);
    write!(
        chunked,
        "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    .unwrap();
    for byte in &bytes {
        chunked.write_all(&[b"1\r\n".as_slice(), &[*byte], b"\r\n"].concat()).unwrap();
    }
    chunked.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(read_response(&mut chunked).status, 204);

    let mut patient = server.connect();
    let bytes = body(T + 1);
    let length = bytes.len();
    write!(
        patient,
        "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    )
    .unwrap();
    let mut head = [0; 25];
    patient.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 100 Continue\r\n\r\n");
    patient.write_all(&bytes).unwrap();
    assert_eq!(read_response(&mut patient).status, 204);

    let mut old = server.connect();
    let bytes = body(T + 2);
    write!(old, "POST /api/v1/write HTTP/1.0\r\nContent-Length: {}\r\n\r\n", bytes.len()).unwrap();
    old.write_all(&bytes).unwrap();
    assert_eq!(read_response(&mut old).status, 204);
}

#[test]
fn f7_malformed_heads_are_4xx() {
    let server = Server::start();
    let huge = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let lengths = "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
    for (head, expected) in [("nonsense\r\n\r\n", 400), (lengths, 400), (&huge, 431)] {
        let mut stream = server.connect();
        let _ = stream.write_all(head.as_bytes());
        assert_eq!(read_response(&mut stream).status, expected, "{}", &head[..20.min(head.len())]);
    }
}

#[test]
fn a_shutdown_answers_what_is_in_flight_and_refuses_what_comes_after() {
    let mut server = Server::start();
    let mut stream = server.connect();
    let bytes = body(T);
    let length = bytes.len();
    write!(
        stream,
        "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    )
    .unwrap();
    // The interim answer shows that the handler is waiting for the body.
    let mut head = [0; 25];
    stream.read_exact(&mut head).unwrap();
    let sender = std::thread::spawn(move || {
        stream.write_all(&bytes).unwrap();
        read_response(&mut stream).status
    });
    server.shut_down();
    assert_eq!(sender.join().unwrap(), 204);
    assert!(std::net::TcpStream::connect(server.address).is_err());
}
