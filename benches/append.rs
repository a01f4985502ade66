//! Stage `append`: samples from batches into the windows of one shard, in nanoseconds a sample.
//!
//! 2,000 samples a batch, one a series, as a Prometheus sends them.

use divan::{Bencher, counter::ItemsCount};
use emberwatch::{
    series::{LabelMatcher, LabelSet, MatchOp, Sample, SampleBatch, TimestampMs, series_hash},
    window::{Config, Store},
};

const SAMPLES_PER_BATCH: usize = 2_000;
const SCRAPE_INTERVAL_MS: i64 = 15_000;

fn main() {
    divan::main();
}

/// Every series is known and its window is full: the steady state.
#[divan::bench(args = [10_000, 100_000])]
fn known_series(bencher: Bencher<'_, '_>, series: usize) {
    let mut store = store();
    let mut timestamp = 0;
    bencher
        .counter(ItemsCount::new(series))
        .with_inputs(|| {
            timestamp += SCRAPE_INTERVAL_MS;
            (timestamp, batches(series, timestamp))
        })
        .bench_local_values(|(timestamp, batches)| append_round(&mut store, timestamp, batches));
}

/// No series is known: a deploy has renamed everything.
#[divan::bench(args = [10_000, 100_000])]
fn new_series(bencher: Bencher<'_, '_>, series: usize) {
    bencher
        .counter(ItemsCount::new(series))
        .with_inputs(|| (store(), batches(series, SCRAPE_INTERVAL_MS)))
        .bench_local_values(|(mut store, batches)| append_round(&mut store, SCRAPE_INTERVAL_MS, batches));
}

fn append_round(store: &mut Store, timestamp: i64, batches: Vec<SampleBatch>) {
    for batch in &batches {
        divan::black_box(store.append(batch, TimestampMs(timestamp)));
    }
    store.mark_evaluated(TimestampMs(timestamp));
    store.begin_step(TimestampMs(timestamp + SCRAPE_INTERVAL_MS));
}

fn store() -> Store {
    let cpu = LabelMatcher::new("__name__", MatchOp::Equal, "node_cpu_seconds_total");
    Store::new(Config::default(), vec![cpu.into_iter().collect()])
}

fn batches(series: usize, timestamp: i64) -> Vec<SampleBatch> {
    let ids: Vec<usize> = (0..series).collect();
    ids.chunks(SAMPLES_PER_BATCH).map(|ids| batch(ids, timestamp)).collect()
}

fn batch(ids: &[usize], timestamp: i64) -> SampleBatch {
    let mut batch = SampleBatch::default();
    for id in ids {
        let labels = LabelSet::from_pairs([
            ("__name__", "node_cpu_seconds_total"),
            ("cluster", "prod-1"),
            ("cpu", &(id / 4 % 64).to_string()),
            ("instance", &format!("10.0.{}.{}:9100", id / 65_536, id / 256 % 256)),
            ("job", "node-exporter"),
            ("mode", ["idle", "user", "system", "iowait"][id % 4]),
        ]);
        let labels = labels.unwrap_or_default();
        let hash = series_hash(labels.canonical_text(), 1);
        batch.push(hash, labels.canonical_text(), [Sample::new(timestamp, *id as f64)]);
    }
    batch
}
