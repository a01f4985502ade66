//! Requests by those who mean it no good, or do not know better.

use super::{
    post, query_of,
    sidecar::{IDLE, Sidecar},
};
use emberwatch::{
    series::{MatchOp, TimestampMs},
    wire::{
        read::{ReadQuery, ReadRequest, ResponseType},
        reference::v1,
    },
};
use prost::Message;
use std::{io::Write as _, slice};

/// What a client does wrong is answered by 400 and a line that says what; never by a 5xx, never by silence.
#[test]
fn what_a_client_does_wrong_is_said_with_400() {
    let sidecar = Sidecar::start(IDLE, &[]);
    let snappy = |message: &[u8]| snap::raw::Encoder::new().compress_vec(message).unwrap();
    let request = |queries: &[ReadQuery], accepted: &[ResponseType]| {
        ReadRequest { queries: queries.to_vec(), accepted: accepted.to_vec() }.encode().unwrap()
    };
    let mut frames = snap::write::FrameEncoder::new(Vec::new());
    frames.write_all(b"\x0a\x00").unwrap();
    let query = query_of("a", MatchOp::Equal, "b", TimestampMs(0));
    let whole = request(slice::from_ref(&query), &[]);
    for (body, said) in [
        (Vec::new(), "snappy"),
        (b"not compressed".to_vec(), "snappy"),
        (frames.into_inner().unwrap(), "snappy"),
        // gzip
        (
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00".to_vec(),
            "snappy",
        ),
        (whole[..whole.len() - 1].to_vec(), "snappy"),
        // Claims four gigabytes.
        (b"\xff\xff\xff\xff\x0f\x00".to_vec(), "at most 1048576"),
        (snappy(&vec![0; 2 << 20]), "at most 1048576"),
        (vec![0; (1 << 20) + 1], "more than 1048576 bytes"),
        (snappy(b"\x0a\x05\x08"), "ReadRequest"),
        (snappy(b"\x0a\x03\x1a\x01\xff"), "LabelMatcher"),
        // A matcher of type 7, and one that is not UTF-8.
        (snappy(b"\x0a\x07\x1a\x05\x08\x07\x12\x01a"), "unknown type 7"),
        (snappy(b"\x0a\x05\x1a\x03\x12\x01\xff"), "UTF-8"),
        (request(&vec![query.clone(); 101], &[]), "more than 100 queries"),
        (
            request(&[ReadQuery { matchers: vec![query.matchers[0].clone(); 201], ..query.clone() }], &[]),
            "more than 200 matchers",
        ),
        (request(&[query], &[ResponseType::Other(7)]), "SAMPLES (0) and STREAMED_XOR_CHUNKS (1)"),
    ] {
        let head: Vec<u8> = body.iter().copied().take(20).collect();
        let answer = post(sidecar.address, &body);
        assert_eq!(answer.status, 400, "{head:02x?}: {}", answer.text());
        let text = answer.text();
        assert!(text.contains(said) && text.ends_with('\n'), "{head:02x?}: {text}");
        assert!(answer.header("content-type").unwrap().starts_with("text/plain"), "{head:02x?}");
    }
    // Patterns that do not compile, or only into something huge.
    for pattern in ["(", "a)|(b", "((((a{500}){500}){500}){500})"] {
        let matcher = v1::LabelMatcher { r#type: 2, name: "n".to_owned(), value: pattern.to_owned() };
        let query = v1::Query { matchers: vec![matcher], ..v1::Query::default() };
        let request = v1::ReadRequest { queries: vec![query], ..v1::ReadRequest::default() };
        let answer = post(sidecar.address, &snappy(&request.encode_to_vec()));
        assert_eq!(answer.status, 400, "{pattern}");
        assert!(answer.text().contains("invalid regular expression"), "{}", answer.text());
    }
    assert_eq!(sidecar.metric("emberwatch_http_panics_total"), 0.0);
}
