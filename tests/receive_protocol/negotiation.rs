//! Which message a request holds, and what is refused before its body is looked at.

use crate::{
    harness::{Server, compress},
    messages::{T, v1_request, v2_request},
};

const UP: &[(&str, &str)] = &[("__name__", "up"), ("instance", "a")];

#[test]
fn a14_absent_headers_mean_1_0_and_snappy() {
    let server = Server::start();
    let body = compress(&v1_request(&[(UP, &[(T, 1.0)])]));
    let response = server.request("POST", "/api/v1/write", &[], &body);
    assert_eq!((response.status, response.body.as_str()), (204, ""));
    assert_eq!(server.metric("emberwatch_samples_appended_total"), 1.0);
}

#[test]
fn a15_b2_what_we_do_not_speak_is_415_and_says_what_we_do() {
    let server = Server::start();
    let body = compress(&v1_request(&[(UP, &[(T, 1.0)])]));
    for (content_type, encoding) in [
        ("application/json", "snappy"),
        ("text/plain", "snappy"),
        ("application/x-protobuf;proto=io.prometheus.write.v3.Request", "snappy"),
        ("application/x-protobuf", "zstd"),
        ("application/x-protobuf", "gzip"),
        ("application/x-protobuf", "snappy, gzip"),
    ] {
        let headers = [("Content-Type", content_type), ("Content-Encoding", encoding)];
        let response = server.request("POST", "/api/v1/write", &headers, &body);
        assert_eq!(response.status, 415, "{content_type} {encoding}");
        assert!(response.body.contains("io.prometheus.write.v2.Request"), "{}", response.body);
        assert_eq!(response.header("Accept-Encoding"), Some("snappy"));
    }
    assert_eq!(server.metric("emberwatch_samples_appended_total"), 0.0);
    assert_eq!(server.metric("emberwatch_receive_requests_total{message=\"unknown\",code=\"415\"}"), 6.0);
}

#[test]
fn a16_b15_the_version_header_decides_nothing() {
    let server = Server::start();
    for (at, version) in ["0.1.0", "2.0.0", "2.7.1", "nonsense", ""].into_iter().enumerate() {
        let body = compress(&v1_request(&[(UP, &[(T + at as i64, 1.0)])]));
        let headers = [
            ("Content-Type", "application/x-protobuf"),
            ("Content-Encoding", "snappy"),
            ("X-Prometheus-Remote-Write-Version", version),
        ];
        assert_eq!(server.request("POST", "/api/v1/write", &headers, &body).status, 204, "{version:?}");
    }
    assert_eq!(server.metric("emberwatch_samples_appended_total"), 5.0);
}

#[test]
fn b1_2_0_is_chosen_by_the_content_type_in_every_form() {
    let server = Server::start();
    for (at, content_type) in [
        "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        "application/x-protobuf; proto=io.prometheus.write.v2.Request",
        "application/x-protobuf ;PROTO=\"io.prometheus.write.v2.Request\"",
        "Application/X-Protobuf;charset=utf-8;proto=io.prometheus.write.v2.Request",
    ]
    .into_iter()
    .enumerate()
    {
        let response = server.write(content_type, &v2_request(&[(UP, &[(T + at as i64, 1.0)])]));
        assert_eq!((response.status, response.written()), (204, Some([1, 0, 0])), "{content_type}");
    }
    assert_eq!(server.metric("emberwatch_samples_received_total{message=\"v2\"}"), 4.0);
    assert_eq!(server.metric("emberwatch_samples_appended_total"), 4.0);
}

#[test]
fn b1_the_named_1_0_message_is_1_0() {
    let server = Server::start();
    let message = v1_request(&[(UP, &[(T, 1.0)])]);
    let response = server.write("application/x-protobuf; proto=prometheus.WriteRequest", &message);
    assert_eq!((response.status, response.written()), (204, None));
    assert_eq!(server.metric("emberwatch_samples_received_total{message=\"v1\"}"), 1.0);
}

#[test]
fn only_post_writes() {
    let server = Server::start();
    for method in ["GET", "PUT", "DELETE"] {
        let response = server.request(method, "/api/v1/write", &[], &[]);
        assert_eq!((response.status, response.header("Allow")), (405, Some("POST")), "{method}");
    }
}
