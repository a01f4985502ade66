//! A step of 10,000 single series, from their samples to their verdicts.

use divan::{Bencher, black_box};
use emberwatch::{
    config,
    pipeline::{ClockConfig, Replay},
    series::{LabelSet, METRIC_NAME, Sample, SampleBatch, TimestampMs, series_hash},
    window::Config,
};
use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

const SERIES: usize = 10_000;
const STEP_MS: i64 = 60_000;

/// Half a window to be warm, 128 rows to be known, and some steps in which the memories of the scores grow.
const STEPS_BEFORE: i64 = 160;

fn main() {
    divan::main();
}

/// Leaves, join, windows, model, hours and verdicts of every series, half of them counters; the samples are there.
#[divan::bench(sample_count = 10)]
fn step_of_10_000_series(bencher: Bencher<'_, '_>) {
    let labels: Vec<LabelSet> = (0..SERIES).map(series).collect();
    let replay = RefCell::new(replay());
    let round = Cell::new(0);
    let append = || {
        round.set(round.get() + 1);
        replay.borrow_mut().append(&batch(&labels, round.get()));
    };
    let judge = || {
        let steps = replay.borrow_mut().evaluate(Duration::ZERO);
        steps.iter().flat_map(|(_, steps)| steps).map(|step| step.verdicts.len()).sum::<usize>()
    };
    for _ in 0..STEPS_BEFORE {
        append();
        judge();
    }
    bencher.with_inputs(append).bench_local_values(|()| assert_eq!(black_box(judge()), SERIES));
}

#[expect(clippy::unwrap_used, reason = "the detector of this bench is one")]
fn replay() -> Replay {
    let text = format!(
        "step: 1m
detectors:
  - {{name: each, series: '{{job=\"api\"}}', max_series: {SERIES}}}
"
    );
    let config = config::parse(&text).unwrap();
    let detector = config.compile(&config.detectors[0]).unwrap();
    let clock = ClockConfig { step_ms: STEP_MS, settle_timeout: Duration::ZERO };
    Replay::new(vec![detector], clock, Config::default(), 2)
}

/// Names and labels as long as they are in life.
fn series(n: usize) -> LabelSet {
    let kind =
        if n.is_multiple_of(2) { "http_server_requests_total" } else { "http_server_active_connections" };
    let (instance, path) =
        (format!("10.0.{}.{}:9100", n / 2500, n / 10 % 250), format!("/api/v1/resource/{}", n % 10));
    let pairs = [
        (METRIC_NAME, kind),
        ("cluster", "production-eu"),
        ("instance", &instance),
        ("job", "api"),
        ("path", &path),
    ];
    LabelSet::from_pairs(pairs).unwrap_or_default()
}

fn batch(labels: &[LabelSet], round: i64) -> SampleBatch {
    let mut batch = SampleBatch::default();
    for (place, labels) in labels.iter().enumerate() {
        let text = labels.canonical_text();
        // Pseudo-random, the same in every run.
        let noise = (series_hash(text, round as u64) % 1_000) as f64;
        let value = if place.is_multiple_of(2) { (round * 60_000) as f64 + noise } else { 500.0 + noise };
        batch.push(series_hash(text, 1), text, [Sample { timestamp: TimestampMs(round * STEP_MS), value }]);
    }
    batch
}
