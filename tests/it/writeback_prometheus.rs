//! Scores written to a real Prometheus are there when it is asked for them.

use crate::support::{
    peers,
    process::Process,
    prometheus::{self, query_at},
};
use emberwatch::{
    series::{LabelSet, STALE_NAN, TimestampMs},
    telemetry::writeback::WritebackMetrics,
    writeback::{Config, Settings, StepSeries, spawn},
};
use prometheus_client::registry::Registry;
use std::{
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

const STEP_MS: i64 = 15_000;
const RECEIVER: &str = "--web.enable-remote-write-receiver";

/// What is read back by a range selector has the timestamps and the values that were written, to
/// the last bit, and a stale marker ends the series for instant queries.
#[tokio::test]
async fn scores_are_read_back_as_written_until_the_stale_marker() {
    let Some((address, _prometheus)) = start(&[RECEIVER]) else { return };
    let start = first_step();
    let value = |node: usize, n: i64| (node as f64 + 1.0) / (n as f64 + 3.0);
    let mut steps: Vec<StepSeries> =
        (0..10).map(|n| step(start.plus_ms(n * STEP_MS), |node| value(node, n))).collect();
    let end = start.plus_ms(10 * STEP_MS);
    steps.push(step(end, |node| if node == 0 { STALE_NAN } else { value(node, 10) }));
    let metrics = write(address, steps).await;
    assert_eq!((metrics.samples.get(), metrics.samples_failed.get()), (33, 0));

    for node in 0..3 {
        let last = if node == 0 { 9 } else { 10 };
        let expected: Vec<_> =
            (0..=last).map(|n| (start.plus_ms(n * STEP_MS).0, value(node, n).to_bits())).collect();
        assert_eq!(range(address, node, end), expected, "node {node}");
    }
    let alive = query_at(address, "anomaly_score", end);
    let alive: Vec<_> = alive.iter().map(|s| s["metric"]["instance"].as_str().unwrap().to_owned()).collect();
    assert_eq!(alive, ["node-1", "node-2"]);
}

/// Written twice (as after a lost answer), a step is no error to Prometheus and is there once.
#[tokio::test]
async fn a_step_that_is_repeated_is_there_once() {
    let Some((address, _prometheus)) = start(&[RECEIVER]) else { return };
    let at = first_step();
    let twice = [step(at, |_| 0.5), step(at, |_| 0.5)];
    for step in twice {
        assert_eq!(write(address, vec![step]).await.samples_failed.get(), 0);
    }
    assert_eq!(range(address, 1, at), [(at.0, 0.5_f64.to_bits())]);
}

/// Without its flag Prometheus refuses for good: the samples are counted as failed, not repeated.
#[tokio::test]
async fn a_prometheus_that_takes_no_writes_is_a_failure_not_a_repeat() {
    let Some((address, _prometheus)) = start(&[]) else { return };
    let metrics = write(address, vec![step(first_step(), |_| 0.5)]).await;
    assert_eq!((metrics.samples_failed.get(), metrics.samples_retried.get()), (3, 0));
}

/// A step of three entities.
fn step(at: TimestampMs, value: impl Fn(usize) -> f64) -> StepSeries {
    let labels = |node: usize| {
        let instance = format!("node-{node}");
        LabelSet::from_pairs([("__name__", "anomaly_score"), ("instance", &instance)]).unwrap()
    };
    StepSeries { at, series: (0..3).map(|node| (labels(node), value(node))).collect() }
}

/// Five minutes ago: in the past when the last step is written.
fn first_step() -> TimestampMs {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    TimestampMs(now - 300_000).align_down(STEP_MS)
}

async fn write(address: SocketAddr, steps: Vec<StepSeries>) -> WritebackMetrics {
    let metrics = WritebackMetrics::register(&mut Registry::default());
    let settings = Settings::new(format!("http://{address}/api/v1/write"));
    let (handle, _task) = spawn(Config::try_new(settings).unwrap(), metrics.clone()).unwrap();
    for step in steps {
        handle.enqueue(step);
    }
    handle.flush().await;
    metrics
}

// === the peer ===

fn start(flags: &[&str]) -> Option<(SocketAddr, Process)> {
    Some(prometheus::start(&peers::find("prometheus")?, flags))
}

/// All samples of one entity: milliseconds and the bits of the value.
fn range(address: SocketAddr, node: usize, end: TimestampMs) -> Vec<(i64, u64)> {
    let result = query_at(address, &format!("anomaly_score{{instance=\"node-{node}\"}}[10m]"), end);
    assert_eq!(result.len(), 1, "{result:?}");
    let sample = |pair: &serde_json::Value| {
        let milliseconds = (pair[0].as_f64().unwrap() * 1000.0).round() as i64;
        (milliseconds, pair[1].as_str().unwrap().parse::<f64>().unwrap().to_bits())
    };
    result[0]["values"].as_array().unwrap().iter().map(sample).collect()
}
