//! Remote read against a real Prometheus, in both directions: what it was sent is read back, and what we answer it
//! takes for its own.

pub(crate) mod data;

pub(crate) mod server;

use crate::support::{
    http, peers,
    prometheus::{self, query_at},
};
use data::History;
use emberwatch::{
    series::{
        HistogramSample, LabelMatcher, LabelSet, MatchOp, NativeHistogram, ResetHint, Sample, TimestampMs,
    },
    wire::{
        InvalidReason, Limits,
        read::{ChunkedReader, ReadQuery, ReadRequest, ReadSeries, ResponseType, read_samples},
    },
};
use serde_json::Value;
use server::Form;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

pub(crate) const MINUTE: i64 = 60_000;

/// Late samples are kept, in chunks that overlap the others.
pub(crate) const CONFIGURATION: &str = "global: {}\nstorage:\n  tsdb:\n    out_of_order_time_window: 1h\n";

/// For all series, both forms of an answer hold what was sent, sample by sample and bit by bit: cut to the range, late
/// samples at their place, each instant once. But for one: a Prometheus up to 3.5 loses the bounds of custom buckets in
/// answers with samples, and then we say that we left the histograms out.
#[test]
fn what_prometheus_was_sent_is_read_back_in_both_forms() {
    let Some(binary) = peers::find("prometheus") else { return };
    let flags = ["--enable-feature=native-histograms", "--web.enable-remote-write-receiver"];
    let (address, _prometheus) = prometheus::start_with(&binary, CONFIGURATION, &flags);
    let start = start();
    let sent = data::series(start);
    data::requests(&sent).iter().for_each(|request| data::write(address, request));

    assert_read_back(address, start, &sent);
}

/// For all series, Prometheus queries through us what it would have if the samples were its own. In this form one up to 3.5
/// fails on histograms of floats and loses the bounds of custom buckets, whoever answers.
#[test]
fn prometheus_takes_our_answers_with_samples() {
    prometheus_queries_through_us(Form::Samples, &["fractions", "latency", "temperature"]);
}

/// The same with chunks, all kinds of them.
#[test]
fn prometheus_takes_our_answers_with_chunks() {
    prometheus_queries_through_us(Form::Chunks, &[]);
}

fn prometheus_queries_through_us(form: Form, left_out: &[&str]) {
    let Some(binary) = peers::find("prometheus") else { return };
    let start = start();
    let mut series = data::series(start);
    series.retain(|labels, _| !left_out.contains(&labels.metric_name()));
    let served = server::start(series.clone(), form);
    let configuration =
        format!("global: {{}}\nremote_read:\n  - url: http://{served}/api/v1/read\n    read_recent: true\n");
    let (address, _prometheus) = prometheus::start_with(&binary, &configuration, &[]);
    let answer = query_at(address, "{job=\"read\"}[30m]", start.plus_ms(29 * MINUTE));
    let answer: BTreeMap<LabelSet, Value> =
        answer.into_iter().map(|element| (labels(&element), element)).collect();
    assert_eq!(answer.len(), series.len(), "{answer:?}");
    for (labels, history) in &series {
        let element = &answer[labels];
        let samples: Vec<_> = history.samples.iter().filter(|sample| !data::is_stale(sample)).collect();
        let values = element["values"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert_eq!(values.len(), samples.len(), "{labels}");
        for (pair, sample) in values.iter().zip(samples) {
            assert_eq!(time(pair), sample.timestamp.0, "{labels}");
            let value: f64 = pair[1].as_str().unwrap().parse().unwrap();
            let is_same =
                value.to_bits() == sample.value.to_bits() || (value.is_nan() && sample.value.is_nan());
            assert!(is_same, "{labels}: {value} {sample:?}");
        }
        let histograms: Vec<_> =
            history.histograms.iter().filter(|sample| !sample.histogram.is_stale_marker()).collect();
        let shown = element["histograms"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert_eq!(shown.len(), histograms.len(), "{labels}");
        for (pair, sample) in shown.iter().zip(histograms) {
            assert_eq!(time(pair), sample.timestamp.0, "{labels}");
            assert_eq!(shown_histogram(&pair[1]), our_histogram(&sample.histogram), "{labels} {sample:?}");
        }
    }
}

// === reading back ===

/// Asserts of both forms of an answer that they hold what was sent, and says how many histograms we left out of one with
/// samples because the server lost the bounds of their buckets.
pub(crate) fn assert_read_back(
    address: SocketAddr,
    start: TimestampMs,
    sent: &BTreeMap<LabelSet, History>,
) -> u64 {
    let matcher = |name: &str, op, value: &str| LabelMatcher::new(name, op, value).unwrap();
    let queries = vec![
        ReadQuery {
            start,
            end: start.plus_ms(30 * MINUTE),
            matchers: vec![matcher("job", MatchOp::Equal, "read")],
            hints: None,
        },
        // From the middle of a chunk to the middle of another.
        ReadQuery {
            start: start.plus_ms(3 * MINUTE + 1),
            end: start.plus_ms(17 * MINUTE - 1),
            matchers: vec![
                matcher("job", MatchOp::Equal, "read"),
                matcher("__name__", MatchOp::NotRegex, "late|ended"),
            ],
            hints: None,
        },
    ];
    let (mut compared, mut lost) = (0, 0);
    for form in [ResponseType::Samples, ResponseType::StreamedChunks] {
        let (mut read, mut left_out) = read(address, &queries, form);
        read.sort_by(|(a, (x, _)), (b, (y, _))| (a, x).cmp(&(b, y)));
        lost += left_out;
        for (index, query) in queries.iter().enumerate() {
            let mut expected = expected(sent, query);
            if left_out > 0 {
                expected.retain(|(labels, history)| {
                    let has_custom_buckets =
                        history.histograms.iter().any(|sample| sample.histogram.has_custom_buckets());
                    assert!(!has_custom_buckets || form == ResponseType::Samples, "{labels}");
                    left_out -= if has_custom_buckets { history.histograms.len() as u64 } else { 0 };
                    !has_custom_buckets
                });
            }
            let read: Vec<_> = read.iter().filter(|(of, _)| *of == index).map(|(_, series)| series).collect();
            let names = |series: &[&(LabelSet, History)]| {
                series.iter().map(|(labels, _)| labels.to_string()).collect::<Vec<_>>()
            };
            assert_eq!(names(&read), names(&expected.iter().collect::<Vec<_>>()), "{form:?}");
            for ((labels, read), (_, expected)) in read.into_iter().zip(&expected) {
                assert_same(read, expected, &format!("{form:?} {labels}"));
                compared += expected.samples.len() + expected.histograms.len();
            }
        }
        assert_eq!(left_out, 0, "{form:?}");
    }
    assert!(compared > 6_000, "only {compared} samples compared");
    lost
}

// === asking ===

/// Half an hour ago.
pub(crate) fn start() -> TimestampMs {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    TimestampMs(now - 30 * MINUTE).align_down(MINUTE)
}

/// A series of an answer with the place of its query.
pub(crate) type Answer = (usize, (LabelSet, History));

/// The series of the answer in their order, and how many histograms were left out.
pub(crate) fn read(address: SocketAddr, queries: &[ReadQuery], form: ResponseType) -> (Vec<Answer>, u64) {
    let request = ReadRequest { queries: queries.to_vec(), accepted: vec![form] };
    let headers = [
        ("Content-Type", "application/x-protobuf"),
        ("Content-Encoding", "snappy"),
        ("X-Prometheus-Remote-Read-Version", "0.1.0"),
    ];
    let response = http::post(address, "/api/v1/read", &headers, &request.encode().unwrap()).unwrap();
    assert_eq!(response.status, 200, "{}", response.text());
    let mut series = Vec::new();
    let mut take = |read: ReadSeries<'_>| {
        let labels = emberwatch::series::Labels::of_canonical_text(read.labels);
        let labels = LabelSet::from_pairs(labels.map(|label| (label.name, label.value))).unwrap();
        let history = History { samples: read.samples.to_vec(), histograms: read.histograms.to_vec() };
        series.push((read.query, (labels, history)));
    };
    let mut left_out = 0;
    if form == ResponseType::Samples {
        let invalid = read_samples(&response.body, queries, &Limits::for_reading(), &mut take).unwrap();
        left_out = invalid.count(InvalidReason::Histogram);
        assert_eq!(invalid.total(), left_out, "{invalid}");
    } else {
        let mut reader = ChunkedReader::new(queries, &Limits::for_reading());
        response.body.chunks(1_000).for_each(|piece| reader.read(piece, &mut take).unwrap());
        reader.finish(&mut take).unwrap();
    }
    (series, left_out)
}

// === comparing ===

/// What of the data answers a query.
fn expected(sent: &BTreeMap<LabelSet, History>, query: &ReadQuery) -> Vec<(LabelSet, History)> {
    let chosen =
        sent.iter().filter(|(labels, _)| query.matchers.iter().all(|matcher| matcher.matches(labels)));
    let cut = |history: &History| {
        let is_in = |time: TimestampMs| (query.start..=query.end).contains(&time);
        History {
            samples: history.samples.iter().copied().filter(|sample| is_in(sample.timestamp)).collect(),
            histograms: history.histograms.iter().filter(|sample| is_in(sample.timestamp)).cloned().collect(),
        }
    };
    chosen.map(|(labels, history)| (labels.clone(), cut(history))).collect()
}

pub(crate) fn assert_same(read: &History, expected: &History, what: &str) {
    let bits =
        |samples: &[Sample]| samples.iter().map(|s| (s.timestamp.0, s.value.to_bits())).collect::<Vec<_>>();
    assert_eq!(bits(&read.samples), bits(&expected.samples), "{what}");
    let times = |histograms: &[HistogramSample]| histograms.iter().map(|h| h.timestamp.0).collect::<Vec<_>>();
    assert_eq!(times(&read.histograms), times(&expected.histograms), "{what}");
    for (read, expected) in read.histograms.iter().zip(&expected.histograms) {
        if expected.histogram.is_stale_marker() {
            assert!(read.histogram.is_stale_marker(), "{what}: {read:?}");
            continue;
        }
        assert!(read.histogram.same_data(&expected.histogram), "{what}:\n{read:?}\n{expected:?}");
        let is_gauge = |sample: &HistogramSample| sample.histogram.reset_hint == ResetHint::Gauge;
        assert_eq!(is_gauge(read), is_gauge(expected), "{what}");
    }
}

fn labels(element: &Value) -> LabelSet {
    let metric = element["metric"].as_object().unwrap().iter();
    LabelSet::from_pairs(metric.map(|(name, value)| (name, value.as_str().unwrap()))).unwrap()
}

fn time(pair: &Value) -> i64 {
    (pair[0].as_f64().unwrap() * 1_000.0).round() as i64
}

/// Count, sum, and of each bucket that holds anything the bounds and the count.
type Shown = (f64, f64, Vec<[f64; 3]>);

fn shown_histogram(value: &Value) -> Shown {
    let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let buckets = value["buckets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let buckets = buckets.iter().map(|bucket| [1, 2, 3].map(|place| number(&bucket[place])));
    (number(&value["count"]), number(&value["sum"]), buckets.collect())
}

fn our_histogram(histogram: &NativeHistogram) -> Shown {
    let filled = histogram.ranges().filter(|range| range.count != 0.0);
    (histogram.count, histogram.sum, filled.map(|range| [range.lower, range.upper, range.count]).collect())
}
