//! Seeded series with everything that makes them hard to read back: more samples than a chunk has, late ones, stale
//! markers, payloads of NaN, and native histograms of all kinds.

use crate::support::http;
use emberwatch::{
    series::{
        Bucket, CUSTOM_BUCKETS_SCHEMA, HistogramSample, LabelSet, NativeHistogram, ResetHint, STALE_NAN,
        Sample, TimestampMs, is_stale_marker,
    },
    wire::reference::v1::{
        self, BucketSpan, WriteRequest,
        histogram::{Count, ResetHint as WireHint, ZeroCount},
    },
};
use prost::Message;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::{collections::BTreeMap, net::SocketAddr};

/// Samples of a series, over twenty minutes: four chunks.
const SAMPLES: i64 = 400;

const SCRAPE: i64 = 3_000;

/// What a series holds, by time.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) samples: Vec<Sample>,
    pub(crate) histograms: Vec<HistogramSample>,
}

pub(crate) fn is_stale(sample: &Sample) -> bool {
    is_stale_marker(sample.value)
}

/// All series, the same for the same `start`.
pub(crate) fn series(start: TimestampMs) -> BTreeMap<LabelSet, History> {
    let mut maker = Maker { start, rng: Xoshiro256PlusPlus::seed_from_u64(7), series: BTreeMap::new() };
    maker.floats();
    maker.histograms();
    maker.series
}

struct Maker {
    start: TimestampMs,
    rng: Xoshiro256PlusPlus,
    series: BTreeMap<LabelSet, History>,
}

impl Maker {
    fn floats(&mut self) {
        self.add_floats("gauge", |at, rng| match at % 50 {
            7 => f64::from_bits(0x7ff8_0000_0000_0abc),
            8 => f64::NEG_INFINITY,
            // Not -0: messages leave out what equals 0.
            9 => 0.0,
            10 => 5e-324,
            _ => rng.random_range(-1.0..1.0_f64) * 10_f64.powi((at % 30) as i32),
        });
        self.add_floats("counter", |at, _| (at * 700 + at * at % 1_009) as f64);
        self.add_floats("constant", |_, _| 1.0);
        self.add_floats("stale", |at, _| if at % 90 == 89 { STALE_NAN } else { at as f64 / 7.0 });
        self.add_floats("late", |at, _| (at as f64).sqrt());
    }

    fn histograms(&mut self) {
        let empty = NativeHistogram { schema: 2, zero_threshold: 0.01, ..NativeHistogram::default() };
        let bounds = vec![0.1, 0.25, 0.5, 1.0, 2.5, 1e9];
        let custom = NativeHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            custom_bounds: bounds,
            ..NativeHistogram::default()
        };
        let gauge = NativeHistogram { reset_hint: ResetHint::Gauge, ..empty.clone() };
        // How many observations one step adds to a bucket, at the most.
        self.add_histograms("requests", &empty, 1.0, false);
        self.add_histograms("restarting", &empty, 1.0, true);
        self.add_histograms("latency", &custom, 1.0, true);
        self.add_histograms("fractions", &empty, 0.37, true);
        self.add_histograms("temperature", &gauge, 0.37, false);
        self.add_histograms("queue", &gauge, 1.0, false);
        self.add_histograms("ended", &empty, 1.0, false);
        let ended = self.series.iter_mut().find(|(labels, _)| labels.metric_name() == "ended");
        if let Some(last) = ended.and_then(|(_, history)| history.histograms.last_mut()) {
            *last = HistogramSample::new(last.timestamp.0, NativeHistogram::stale_marker());
        }
    }

    fn add_floats(&mut self, name: &str, value: impl Fn(i64, &mut Xoshiro256PlusPlus) -> f64) {
        let times = self.times();
        let rng = &mut self.rng;
        let samples = times.into_iter().zip(0..).map(|(time, at)| Sample::new(time, value(at, rng)));
        let history = History { samples: samples.collect(), ..History::default() };
        self.series.insert(labels(name), history);
    }

    /// Observations are counted into a few buckets more and more; with `resets`, anew now and then. A gauge begins
    /// anew at every step.
    fn add_histograms(&mut self, name: &str, empty: &NativeHistogram, unit: f64, resets: bool) {
        let mut histogram = empty.clone();
        let times = self.times();
        let histograms = times.into_iter().zip(0..).map(|(time, at)| {
            if empty.reset_hint == ResetHint::Gauge || (resets && at % 170 == 169) {
                histogram = empty.clone();
            }
            for _ in 0..self.rng.random_range(1..5) {
                self.observe(unit, at / 20, &mut histogram);
            }
            HistogramSample::new(time, histogram.clone())
        });
        let history = History { histograms: histograms.collect(), ..History::default() };
        self.series.insert(labels(name), history);
    }

    /// Adds to one of the buckets, of which there are more and more.
    fn observe(&mut self, unit: f64, buckets: i32, histogram: &mut NativeHistogram) {
        let amount = unit * f64::from(self.rng.random_range(1..9));
        let index = self.rng.random_range(-buckets - 2..buckets + 2);
        let side = match index {
            _ if histogram.has_custom_buckets() => Some((&mut histogram.positive, index.rem_euclid(7))),
            0 => None,
            ..0 => Some((&mut histogram.negative, 4 * index)),
            _ => Some((&mut histogram.positive, 3 * index - 9)),
        };
        match side {
            None => histogram.zero_count += amount,
            Some((side, index)) => match side.binary_search_by_key(&index, |bucket| bucket.index) {
                Ok(place) => side[place].count += amount,
                Err(place) => side.insert(place, Bucket { index, count: amount }),
            },
        }
        histogram.sum += f64::from(index) * amount / 3.0;
        let buckets = histogram.positive.iter().chain(&histogram.negative).map(|bucket| bucket.count);
        histogram.count = histogram.zero_count + buckets.sum::<f64>();
    }

    /// Jittered scrapes, some missed.
    fn times(&mut self) -> Vec<i64> {
        let mut times = Vec::new();
        for number in 0..SAMPLES {
            let jitter = self.rng.random_range(0..if number % 100 < 50 { 1 } else { 900 });
            if self.rng.random_range(0..30) > 0 {
                times.push(self.start.0 + number * SCRAPE + jitter);
            }
        }
        times
    }
}

fn labels(name: &str) -> LabelSet {
    LabelSet::from_pairs([("__name__", name), ("instance", "a"), ("job", "read")]).unwrap()
}

// === sending ===

/// All of it in two requests; the second brings every second sample of `late`, older than what Prometheus has then.
pub(crate) fn requests(series: &BTreeMap<LabelSet, History>) -> [WriteRequest; 2] {
    let mut requests = [WriteRequest::default(), WriteRequest::default()];
    for (labels, history) in series {
        let is_late = labels.metric_name() == "late";
        for (parity, request) in requests.iter_mut().enumerate() {
            let samples = history.samples.iter().enumerate().filter(|(place, _)| match is_late {
                true => place % 2 == parity,
                false => parity == 0,
            });
            let samples: Vec<_> =
                samples.map(|(_, s)| v1::Sample { value: s.value, timestamp: s.timestamp.0 }).collect();
            let histograms =
                if parity == 0 { history.histograms.iter().map(message).collect() } else { vec![] };
            if !samples.is_empty() || !histograms.is_empty() {
                let labels = labels
                    .iter()
                    .map(|label| v1::Label { name: label.name.into(), value: label.value.into() });
                let labels = labels.collect();
                request.timeseries.push(v1::TimeSeries { labels, samples, exemplars: vec![], histograms });
            }
        }
    }
    requests
}

/// Sends a request of Remote-Write 1.0.
pub(crate) fn write(address: SocketAddr, request: &WriteRequest) {
    let headers = [
        ("Content-Type", "application/x-protobuf"),
        ("Content-Encoding", "snappy"),
        ("X-Prometheus-Remote-Write-Version", "0.1.0"),
    ];
    let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap();
    let response = http::post(address, "/api/v1/write", &headers, &body).unwrap();
    assert_eq!(response.status, 204, "{}", response.text());
}

/// The message of a histogram: of integers where all its counts are whole; each bucket is a span.
fn message(sample: &HistogramSample) -> v1::Histogram {
    let histogram = &*sample.histogram;
    let spans = |buckets: &[Bucket]| {
        let mut end = 0;
        let spans = buckets.iter().map(|bucket| {
            let span = BucketSpan { offset: bucket.index - end, length: 1 };
            end = bucket.index + 1;
            span
        });
        spans.collect()
    };
    let counts = |buckets: &[Bucket]| buckets.iter().map(|bucket| bucket.count).collect::<Vec<_>>();
    let deltas = |buckets: &[Bucket]| {
        let counts = counts(buckets);
        let before = std::iter::once(&0.0).chain(&counts);
        counts.iter().zip(before).map(|(count, before)| (count - before) as i64).collect::<Vec<_>>()
    };
    let (positive, negative) = (&histogram.positive, &histogram.negative);
    let numbers = positive.iter().chain(negative).map(|bucket| bucket.count).chain([histogram.zero_count]);
    let is_whole = numbers.into_iter().all(|count| count.fract() == 0.0);
    let common = v1::Histogram {
        sum: histogram.sum,
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        negative_spans: spans(negative),
        positive_spans: spans(positive),
        reset_hint: match histogram.reset_hint {
            ResetHint::Gauge => WireHint::Gauge as i32,
            _ => WireHint::Unknown as i32,
        },
        timestamp: sample.timestamp.0,
        custom_values: histogram.custom_bounds.clone(),
        ..v1::Histogram::default()
    };
    if is_whole {
        v1::Histogram {
            count: Some(Count::CountInt(histogram.count as u64)),
            zero_count: Some(ZeroCount::ZeroCountInt(histogram.zero_count as u64)),
            negative_deltas: deltas(negative),
            positive_deltas: deltas(positive),
            ..common
        }
    } else {
        v1::Histogram {
            count: Some(Count::CountFloat(histogram.count)),
            zero_count: Some(ZeroCount::ZeroCountFloat(histogram.zero_count)),
            negative_counts: counts(negative),
            positive_counts: counts(positive),
            ..common
        }
    }
}
