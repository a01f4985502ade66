//! Answers to remote read, from the request to the last byte of the body. divan prints the time a sample (items =
//! samples).
//!
//! 1,000 series of 240 samples, 15 s apart: an hour of a thousand counters, in two shards.

use axum::{Router, body::Body};
use divan::{Bencher, black_box, counter::ItemsCount};
use emberwatch::{
    api,
    query::{Engine, Limits},
    series::{LabelMatcher, LabelSet, METRIC_NAME, MatchOp, Sample, SampleBatch, TimestampMs, series_hash},
    shards::{ShardMessage, Shards},
    telemetry::Metrics,
    window::{self, Store},
    wire::read::{ReadQuery, ReadRequest, ResponseType},
};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

const SERIES: usize = 1_000;

const SAMPLES: i64 = 240;

fn main() {
    divan::main();
}

#[divan::bench]
fn samples(bencher: Bencher<'_, '_>) {
    answer(bencher, ResponseType::Samples);
}

#[divan::bench]
fn chunks(bencher: Bencher<'_, '_>) {
    answer(bencher, ResponseType::StreamedChunks);
}

fn answer(bencher: Bencher<'_, '_>, form: ResponseType) {
    let Ok(runtime) = Runtime::new() else { return };
    let routes = runtime.block_on(async { serving() });
    let Ok(matcher) = LabelMatcher::new(METRIC_NAME, MatchOp::Equal, "made_total") else { return };
    let query = ReadQuery { end: TimestampMs::MAX, matchers: vec![matcher], ..ReadQuery::default() };
    let request = ReadRequest { queries: vec![query], accepted: vec![form] };
    let Ok(body) = request.encode() else { return };
    bencher.counter(ItemsCount::new(SERIES * SAMPLES as usize)).bench_local(|| {
        runtime.block_on(async {
            let mut request = http::Request::new(Body::from(body.clone()));
            *request.method_mut() = http::Method::POST;
            *request.uri_mut() = http::Uri::from_static("/api/v1/read");
            let Ok(response) = routes.clone().oneshot(black_box(request)).await;
            response.into_body().collect().await.is_ok_and(|body| body.to_bytes().len() > SERIES)
        })
    });
}

/// The route over two shards, which are served until the end of the runtime.
fn serving() -> Router {
    let (shards, mailboxes) = Shards::new(2, 4, 7);
    for (shard, mut mailbox) in mailboxes.into_iter().enumerate() {
        let store = store(|hash| shards.shard_of(hash) == shard);
        tokio::spawn(async move {
            while let Some(message) = mailbox.recv().await {
                if let ShardMessage::Read(read) = message {
                    read.serve(&store);
                }
            }
        });
    }
    let metrics = Arc::new(Metrics::new());
    let engine = Engine::new(vec![shards], Limits::default(), &metrics);
    api::read::router(Arc::new(engine), Vec::new(), metrics)
}

fn store(is_here: impl Fn(u128) -> bool) -> Store {
    let mut batch = SampleBatch::default();
    for n in 0..SERIES {
        let number = n.to_string();
        let labels = [(METRIC_NAME, "made_total"), ("instance", "node-1:9100"), ("n", &number)];
        let labels = LabelSet::from_pairs(labels).unwrap_or_default();
        let hash = series_hash(labels.canonical_text(), 7);
        let sample = |k: i64| Sample::new(k * 15_000, (k * 700 + k * k % (1_009 + n as i64)) as f64 / 100.0);
        if is_here(hash) {
            batch.push(hash, labels.canonical_text(), (0..SAMPLES).map(sample));
        }
    }
    let mut store = Store::new(window::Config::default(), Vec::new());
    store.append(&batch, TimestampMs(SAMPLES * 15_000));
    store
}
