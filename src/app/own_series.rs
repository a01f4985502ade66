//! The windows of the program's own series: scores, severities, thresholds.
//!
//! A person who looks for `anomaly_score` by the API looks here first, and write-back may be off. So
//! each step's series are kept beside those that came in, exactly as they are written back. They have a
//! shard of their own that no detector reads: a selector that matches every series would else feed scores
//! back into scores, and the next step would wait for a score that comes only after it. The receiver ignores
//! the same series when they come back, so nothing is held twice.

use super::{board::ProgressBoard, shard_task::run_shard};
use crate::{
    pipeline::LeafTable,
    series::{LabelSet, Sample, SampleBatch, TimestampMs, series_hash},
    shards::{Append, Appended, Evaluate, Evaluated, ShardMessage, Shards},
    window::{self, Store},
};
use std::sync::Arc;
use tokio::{sync::oneshot, time::Instant};

/// Messages that may wait; a step sends three and waits for the answers.
const QUEUE_CAPACITY: usize = 4;

/// The sending side.
pub(super) struct OwnSeries {
    shards: Shards,
    board: Arc<ProgressBoard>,
    nothing: Arc<LeafTable>,
}

/// The task that owns the windows has ended.
#[derive(Debug)]
pub(super) struct Ended;

// === impl OwnSeries ===

impl OwnSeries {
    /// Starts the task that owns the windows.
    pub(super) fn spawn(window: window::Config, hash_seed: u64) -> Self {
        let (shards, mailboxes) = Shards::new(1, QUEUE_CAPACITY, hash_seed);
        let board = Arc::new(ProgressBoard::new(shards.count()));
        for (shard, mailbox) in mailboxes.into_iter().enumerate() {
            let store = Store::new(window, Vec::new());
            tokio::spawn(run_shard(shard, store, mailbox, Arc::clone(&board)));
        }
        Self { shards, board, nothing: Arc::new(LeafTable::default()) }
    }

    /// Where they can be read.
    pub(super) fn shards(&self) -> &Shards {
        &self.shards
    }

    /// Series and bytes held.
    pub(super) fn held(&self) -> (usize, usize) {
        let report = self.board.merged();
        (report.series, report.bytes)
    }

    /// Takes the series of step `at` and forgets what has left the windows. Gives what the windows made
    /// of the samples.
    pub(super) async fn append(
        &self,
        at: TimestampMs,
        series: &[(LabelSet, f64)],
    ) -> Result<window::AppendCounts, Ended> {
        let mut batch = SampleBatch::default();
        for (labels, value) in series {
            let text = labels.canonical_text();
            batch.push(series_hash(text, self.shards.hash_seed()), text, [Sample::new(at.0, *value)]);
        }
        let (reply, appended) = oneshot::channel();
        // A step is data time, which no clock has to allow.
        let append = Append { batch, now: TimestampMs::MAX, arrival: Instant::now(), reply };
        self.send(ShardMessage::Append(append)).await?;
        let Appended { counts, .. } = appended.await.map_err(|_| Ended)?;
        let (reply, evaluated) = oneshot::channel();
        let evaluate = Evaluate { at, table: Arc::clone(&self.nothing), reply };
        self.send(ShardMessage::Evaluate(evaluate)).await?;
        let Evaluated { .. } = evaluated.await.map_err(|_| Ended)?;
        self.send(ShardMessage::BeginStep { next: at }).await?;
        Ok(counts)
    }

    async fn send(&self, message: ShardMessage) -> Result<(), Ended> {
        self.shards.mailbox(0).send(message).await.map_err(|_| Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        promql::{Grid, Query, QueryValue},
        query::{Engine, Limits, Request},
        series::METRIC_NAME,
        telemetry::Metrics,
    };

    const STEP_MS: i64 = 15_000;

    fn score(instance: usize) -> LabelSet {
        let labels = [(METRIC_NAME, "anomaly_score"), ("instance", &*instance.to_string())];
        LabelSet::from_pairs(labels).unwrap()
    }

    /// What a query of the count of samples in the last hour says at `at`.
    async fn count(engine: &Engine, at: TimestampMs) -> f64 {
        let query = Query::parse("sum(count_over_time(anomaly_score[1h]))").unwrap();
        let Limits { timeout, lookback, .. } = Limits::default();
        let request = Request { query, grid: Grid::instant(at), timeout, lookback };
        match engine.evaluate(request, |value, _| value).await.unwrap() {
            QueryValue::Vector(elements) => elements[0].1.float().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn scores_can_be_asked_for_as_long_as_they_are_kept() {
        let window = window::Config { retention_ms: 4 * STEP_MS, ..window::Config::default() };
        let own = OwnSeries::spawn(window, 7);
        let engine = Engine::new(vec![own.shards().clone()], Limits::default(), &Metrics::new());
        for n in 1..=20 {
            let at = TimestampMs(n * STEP_MS);
            let series: Vec<_> = (0..3).map(|instance| (score(instance), 0.5)).collect();
            assert_eq!(own.append(at, &series).await.unwrap().appended, 3);
            // The step itself and the four before it.
            assert_eq!(count(&engine, at).await, 3.0 * n.min(5) as f64, "step {n}");
        }
    }

    #[tokio::test]
    async fn what_is_over_a_limit_is_refused_and_counted() {
        let window = window::Config { max_series: 2, ..window::Config::default() };
        let own = OwnSeries::spawn(window, 7);
        let series: Vec<_> = (0..3).map(|instance| (score(instance), 0.5)).collect();
        let counts = own.append(TimestampMs(STEP_MS), &series).await.unwrap();
        let refused: u64 = counts.refused().iter().map(|(_, count)| count).sum();
        assert_eq!((counts.appended, refused), (2, 1));
        assert_eq!(own.held().0, 2);
    }
}
