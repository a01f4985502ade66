//! What becomes of samples, and what the sender is told.

use crate::{
    harness::{Options, Server, compress},
    messages::{T, v1_request, v1_series, v2_histogram, v2_request, v2_series},
};
use emberwatch::{
    series::STALE_NAN,
    window,
    wire::reference::{v1, v2},
};
use prost::Message as _;

const UP: &[(&str, &str)] = &[("__name__", "up"), ("instance", "a")];

#[test]
fn a1_a_body_that_is_not_a_snappy_block_is_400() {
    let server = Server::start();
    let message = v1_request(&[(UP, &[(T, 1.0)])]);
    let block = compress(&message);
    let framed = {
        use std::io::Write as _;
        let mut encoder = snap::write::FrameEncoder::new(Vec::new());
        encoder.write_all(&message).unwrap();
        encoder.into_inner().unwrap()
    };
    let trailing = [block.as_slice(), &[0]].concat();
    let headers = [("Content-Type", "application/x-protobuf"), ("Content-Encoding", "snappy")];
    for body in [&message[..], &framed, &block[..block.len() - 1], &trailing, &[]] {
        let response = server.request("POST", "/api/v1/write", &headers, body);
        assert_eq!(response.status, 400, "{response:?}");
        assert!(!response.body.is_empty());
    }
    assert_eq!(server.metric("emberwatch_samples_received_total{message=\"v1\"}"), 0.0);
}

#[test]
fn a4_b14_success_is_204_without_a_body() {
    let server = Server::start();
    let v1 = server.write_v1(&v1_request(&[(UP, &[(T, 1.0)])]));
    assert_eq!((v1.status, v1.body.as_str(), v1.written()), (204, "", None));
    let v2 = server.write_v2(&v2_request(&[(UP, &[(T + 1, 1.0)])]));
    assert_eq!((v2.status, v2.body.as_str(), v2.written()), (204, "", Some([1, 0, 0])));
}

#[test]
fn a5_b4_an_invalid_series_is_400_with_reasons_and_the_rest_is_taken() {
    let server = Server::start();
    let twice: &[(&str, &str)] = &[("__name__", "up"), ("a", "1"), ("a", "2")];
    let nameless: &[(&str, &str)] = &[("instance", "a")];
    let series = [(UP, &[(T, 1.0), (T + 1, 1.0)][..]), (twice, &[(T, 1.0)]), (nameless, &[(T, 1.0)])];
    let response = server.write_v2(&v2_request(&series));
    assert_eq!((response.status, response.written()), (400, Some([2, 0, 0])));
    assert!(response.body.contains("repeated_label_name (1)"), "{}", response.body);
    assert!(response.body.contains("missing_metric_name (1)"), "{}", response.body);
    assert_eq!(server.metric("emberwatch_samples_appended_total"), 2.0);
    assert_eq!(server.metric("emberwatch_series_invalid_total{reason=\"missing_metric_name\"}"), 1.0);
}

#[test]
fn a7_the_order_of_labels_does_not_make_a_series() {
    let server = Server::start();
    let sorted: &[(&str, &str)] = &[("__name__", "up"), ("instance", "a"), ("job", "n")];
    let unsorted: &[(&str, &str)] = &[("job", "n"), ("instance", "a"), ("__name__", "up"), ("zone", "")];
    assert_eq!(
        server.write_v1(&v1_request(&[(sorted, &[(T, 1.0)]), (unsorted, &[(T + 1, 1.0)])])).status,
        204
    );
    assert_eq!(server.metric("emberwatch_series_created_total"), 1.0);
}

#[test]
fn a9_stale_markers_are_written() {
    let server = Server::start();
    let samples = [(T, 1.0), (T + 1, STALE_NAN), (T + 2, f64::NAN), (T + 3, f64::INFINITY)];
    assert_eq!(server.write_v1(&v1_request(&[(UP, &samples)])).status, 204);
    assert_eq!(server.metric("emberwatch_samples_appended_total"), 4.0);
    assert_eq!(server.metric("emberwatch_stale_markers_total"), 1.0);
}

#[test]
fn a10_an_empty_message_is_a_probe() {
    let server = Server::start();
    assert_eq!(server.write_v1(&[]).status, 204);
    assert_eq!(server.write_v2(&[]).written(), Some([0, 0, 0]));
}

#[test]
fn a11_a_request_with_metadata_alone_is_a_success() {
    let server = Server::start();
    let metadata = v1::MetricMetadata { metric_family_name: "up".into(), ..v1::MetricMetadata::default() };
    let request = v1::WriteRequest { timeseries: Vec::new(), metadata: vec![metadata] };
    assert_eq!(server.write_v1(&request.encode_to_vec()).status, 204);
    assert_eq!(server.metric("emberwatch_metadata_received_total{message=\"v1\"}"), 1.0);
}

#[test]
fn a12_a_repeat_is_a_success_and_counted_once() {
    let server = Server::start();
    let message = v2_request(&[(UP, &[(T, 1.0)])]);
    for _ in 0..2 {
        let response = server.write_v2(&message);
        assert_eq!((response.status, response.written()), (204, Some([1, 0, 0])));
    }
    assert_eq!(server.metric("emberwatch_samples_appended_total"), 1.0);
    assert_eq!(server.metric("emberwatch_samples_duplicate_total"), 1.0);
}

#[test]
fn a12_b3_another_value_at_the_same_time_is_400_with_exact_counts() {
    let server = Server::start();
    server.write_v2(&v2_request(&[(UP, &[(T, 1.0)])]));
    let response = server.write_v2(&v2_request(&[(UP, &[(T, 2.0), (T + 1, 3.0)])]));
    assert_eq!((response.status, response.written()), (400, Some([1, 0, 0])));
    assert!(response.body.contains("1 samples were refused: conflicting_value (1)"), "{}", response.body);
}

#[test]
fn a13_the_far_future_is_400_and_does_not_block_the_series() {
    let server = Server::start();
    let far = 4_000_000_000_000; // 2096
    assert_eq!(server.write_v1(&v1_request(&[(UP, &[(far, 1.0)])])).status, 400);
    assert_eq!(server.metric("emberwatch_samples_dropped_total{reason=\"too_far_in_future\"}"), 1.0);
    assert_eq!(server.write_v1(&v1_request(&[(UP, &[(T, 1.0)])])).status, 204);
}

#[test]
fn a13_out_of_order_samples_are_a_success() {
    let server = Server::start();
    assert_eq!(server.write_v1(&v1_request(&[(UP, &[(T + 10, 1.0)])])).status, 204);
    assert_eq!(server.write_v1(&v1_request(&[(UP, &[(T, 1.0)])])).status, 204);
    assert_eq!(server.metric("emberwatch_samples_out_of_order_total"), 1.0);
}

#[test]
fn a8_series_over_the_limit_are_400_never_5xx() {
    let window = window::Config { max_series: 1, ..window::Config::default() };
    let server = Server::with(Options { window, shards: 1, ..Options::default() });
    let down: &[(&str, &str)] = &[("__name__", "down")];
    let response = server.write_v2(&v2_request(&[(UP, &[(T, 1.0)]), (down, &[(T, 1.0)])]));
    assert_eq!((response.status, response.written()), (400, Some([1, 0, 0])));
    assert!(response.body.contains("series_limit (1)"), "{}", response.body);
}

#[test]
fn a17_b3_native_histograms_are_written_and_counted_apart() {
    let server = Server::start();
    let mut request = v2::Request { symbols: vec![String::new()], timeseries: Vec::new() };
    let gauge = v2_series(&mut request.symbols, UP, &[(T, 1.0)]);
    let mut histogram = v2_series(&mut request.symbols, &[("__name__", "latency")], &[]);
    histogram.histograms.push(v2_histogram(T));
    request.timeseries = vec![gauge, histogram];
    let response = server.write_v2(&request.encode_to_vec());
    assert_eq!((response.status, response.written()), (204, Some([1, 1, 0])));
    assert_eq!(server.metric("emberwatch_histograms_received_total{message=\"v2\"}"), 1.0);
    assert_eq!(server.metric("emberwatch_samples_appended_total"), 2.0);
    // The same again: the samples were written, and are not written twice.
    let response = server.write_v2(&request.encode_to_vec());
    assert_eq!((response.status, response.written()), (204, Some([1, 1, 0])));
    assert_eq!(server.metric("emberwatch_samples_duplicate_total"), 2.0);
}

#[test]
fn b3_refused_samples_and_refused_histograms_are_told_apart() {
    let server = Server::start();
    let far = 4_000_000_000_000; // 2096
    let mut request = v2::Request { symbols: vec![String::new()], timeseries: Vec::new() };
    let gauge = v2_series(&mut request.symbols, UP, &[(T, 1.0), (T + 1, 1.0), (far, 1.0)]);
    let mut histogram = v2_series(&mut request.symbols, &[("__name__", "latency")], &[]);
    histogram.histograms = [T, T + 1, T + 2, far, far + 1].map(v2_histogram).to_vec();
    request.timeseries = vec![gauge, histogram];
    let response = server.write_v2(&request.encode_to_vec());
    assert_eq!((response.status, response.written()), (400, Some([2, 3, 0])));
    assert!(response.body.contains("too_far_in_future (3)"), "{}", response.body);
}

#[test]
fn b13_an_invalid_histogram_is_400_with_zero_histograms_written() {
    let server = Server::start();
    let mut request = v2::Request { symbols: vec![String::new()], timeseries: Vec::new() };
    let mut histogram = v2_series(&mut request.symbols, &[("__name__", "latency")], &[]);
    histogram.histograms.push(v2::Histogram { positive_deltas: vec![1, 2], ..v2_histogram(T) });
    request.timeseries = vec![histogram];
    let response = server.write_v2(&request.encode_to_vec());
    assert_eq!((response.status, response.written()), (400, Some([0, 0, 0])));
    assert!(response.body.contains("invalid_histogram (1)"), "{}", response.body);
}

#[test]
fn b6_references_outside_the_symbol_table_are_400_and_nothing_is_written() {
    let server = Server::start();
    for labels_refs in [vec![1, 99], vec![1, 2, 1], vec![u32::MAX, 2]] {
        let mut request = v2::Request::decode(v2_request(&[(UP, &[(T, 1.0)])]).as_slice()).unwrap();
        let mut second = request.timeseries[0].clone();
        second.labels_refs = labels_refs;
        request.timeseries.push(second);
        let response = server.write_v2(&request.encode_to_vec());
        assert_eq!((response.status, response.written()), (400, Some([0, 0, 0])), "{response:?}");
    }
    assert_eq!(server.metric("emberwatch_samples_appended_total"), 0.0);
}

#[test]
fn b10_the_same_series_may_come_several_times_in_one_request() {
    let server = Server::start();
    let response = server.write_v2(&v2_request(&[(UP, &[(T, 1.0)]), (UP, &[(T + 1, 2.0)])]));
    assert_eq!((response.status, response.written()), (204, Some([2, 0, 0])));
}

#[test]
fn b14_exemplars_are_accepted_and_their_count_is_zero() {
    let server = Server::start();
    let mut request = v2::Request::decode(v2_request(&[(UP, &[(T, 1.0)])]).as_slice()).unwrap();
    let exemplar = v2::Exemplar { value: 1.0, timestamp: T, ..v2::Exemplar::default() };
    request.timeseries[0].exemplars.push(exemplar);
    let response = server.write_v2(&request.encode_to_vec());
    assert_eq!((response.status, response.written()), (204, Some([1, 0, 0])));
    assert_eq!(server.metric("emberwatch_exemplars_received_total{message=\"v2\"}"), 1.0);
}

#[test]
fn c13_own_output_is_ignored_counted_and_answered_as_written() {
    let server = Server::start();
    let own: &[(&str, &str)] = &[("__name__", "anomaly_score"), ("detector", "node"), ("instance", "a")];
    let response = server.write_v2(&v2_request(&[(own, &[(T, 0.5), (T + 1, 0.6)]), (UP, &[(T, 1.0)])]));
    assert_eq!((response.status, response.written()), (204, Some([3, 0, 0])));
    assert_eq!(server.metric("emberwatch_own_samples_ignored_total"), 2.0);
    assert_eq!(server.metric("emberwatch_samples_appended_total"), 1.0);
    assert_eq!(server.metric("emberwatch_series_created_total"), 1.0);
}

#[test]
fn a_request_spread_over_many_shards_is_counted_in_one_answer() {
    let server = Server::with(Options { shards: 5, ..Options::default() });
    let names: Vec<String> = (0..100).map(|i| format!("metric_{i}")).collect();
    let series = names.iter().map(|name| v1_series(&[("__name__", name)], &[(T, 1.0)])).collect();
    let request = v1::WriteRequest { timeseries: series, metadata: Vec::new() };
    assert_eq!(server.write_v1(&request.encode_to_vec()).status, 204);
    assert_eq!(server.metric("emberwatch_samples_appended_total"), 100.0);
}

/// The first captured request of each is a plain one of 300 samples; see `tests/data/wire/README.md`.
#[test]
fn requests_captured_from_real_senders_are_taken_whole() {
    const V2: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    let window = window::Config { max_ahead_ms: i64::MAX, ..window::Config::default() };
    for (file, content_type, written) in [
        ("prometheus-3.5.3-v1.bin", "application/x-protobuf", None),
        ("prometheus-3.5.3-v1-metadata.bin", "application/x-protobuf", None),
        ("prometheus-3.5.3-v1-histograms.bin", "application/x-protobuf", None),
        ("vmagent-1.145-v1.bin", "application/x-protobuf", None),
        ("vmagent-1.145-v1-metadata.bin", "application/x-protobuf", None),
        ("prometheus-3.5.3-v2.bin", V2, Some([300, 0, 0])),
        ("prometheus-3.5.3-v2-histograms.bin", V2, Some([3, 4, 0])),
    ] {
        let server = Server::with(Options { window, ..Options::default() });
        let body = std::fs::read(format!("tests/data/wire/{file}")).unwrap();
        let headers = [("Content-Type", content_type), ("Content-Encoding", "snappy")];
        let response = server.request("POST", "/api/v1/write", &headers, &body);
        assert_eq!((response.status, response.written()), (204, written), "{file}: {}", response.body);
    }
}
