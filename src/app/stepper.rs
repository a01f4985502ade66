//! The task that turns the progress of the data into steps, and steps into verdicts.

use super::{
    backfill::Past,
    board::ProgressBoard,
    outlet::Outlet,
    own_series::{self, OwnSeries},
    past_training::{Lessons, PastTraining},
    row_keeper::RowKeeper,
    status::Status,
    successor::Trainings,
};
use crate::{
    lifecycle::{Candidates, LiveModels, ModelDirectory},
    maintenance::Registry,
    pipeline::{DetectorStep, Evaluator, LeafTable, StepCause, StepClock, Tick},
    promql::LeafMatrix,
    series::{LabelSet, TimestampMs},
    shards::{Evaluate, Evaluated, ShardMessage, Shards},
    telemetry::{Metrics, ReasonLabel},
};
use std::{sync::Arc, time::Instant as StdInstant};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

/// Everything a step needs.
pub(super) struct Stepper {
    pub(super) clock: StepClock,
    pub(super) table: Arc<LeafTable>,
    pub(super) evaluator: Evaluator,
    pub(super) shards: Shards,
    pub(super) board: Arc<ProgressBoard>,
    pub(super) models: Arc<LiveModels>,
    pub(super) maintenance: Arc<Registry>,
    pub(super) directory: ModelDirectory,
    pub(super) outlet: Outlet,
    pub(super) own_series: OwnSeries,
    pub(super) metrics: Arc<Metrics>,
    /// What is said of the detectors.
    pub(super) status: Status,
    /// Models that are being fitted.
    pub(super) trainings: Trainings,
    /// Models that wait for their trial.
    pub(super) candidates: Arc<Candidates>,
    /// Keeps what is gathered to train on, where that is wanted.
    pub(super) row_keeper: Option<RowKeeper>,
    /// The store of the past, if there is one.
    pub(super) past: Option<Past>,
    /// What is to be learned from it, once the windows are full ...
    pub(super) past_training: Option<PastTraining>,
    /// ... and what is being learned.
    pub(super) lessons: Option<Lessons>,
}

/// What every shard answered, leaf by leaf.
type ShardLeaves = Vec<Vec<LeafMatrix>>;

/// A step, evaluated.
struct Judged {
    steps: Vec<DetectorStep>,
    /// Whether no leaf had a value.
    empty: bool,
}

/// A shard task has ended, so no step can be evaluated any more.
pub(super) struct ShardEnded;

// === impl Stepper ===

impl Stepper {
    /// Evaluates step after step until `stop` changes (or its sender is gone) or a shard ends.
    /// Returns what shutdown still needs: who was scored last, for the stale markers.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Self {
        let started = Instant::now();
        self.show_models();
        // During a backlog steps are due one after another without a pause: a stop does not wait for them.
        while !*stop.borrow() {
            let report = self.board.merged();
            let (own_series, own_bytes) = self.own_series.held();
            self.metrics.series.set((report.series + own_series) as i64);
            self.metrics.window_bytes.set((report.bytes + own_bytes) as i64);
            if let (Some(awaited), Some(newest)) = (self.clock.awaited(), report.progress.newest) {
                self.shards.set_lead(awaited, newest);
            }
            self.keep_rows().await;
            let rows_due = self.row_keeper.as_ref().map(RowKeeper::due);
            let done = match self.clock.tick(report.progress, started.elapsed()) {
                Tick::Wait { until } => {
                    let deadline = until.map(|until| started + until);
                    tokio::select! {
                        () = self.board.changed() => Ok(()),
                        () = sleep_until(deadline) => Ok(()),
                        () = sleep_until(rows_due) => Ok(()),
                        _ = stop.changed() => return self,
                    }
                }
                Tick::Begin(step) => self.begin(step).await,
                Tick::Due(step, cause) => match self.gap(step, report.progress.newest).await {
                    Ok(Some(gap)) => self.fill_gap(gap, &mut stop).await,
                    Ok(None) => self.evaluate(step, cause, report.last_arrival).await,
                    Err(ended) => Err(ended),
                },
            };
            if let Err(ShardEnded) = done {
                break;
            }
        }
        self
    }

    /// Ends every score series that stands: the process goes, and a last score must not stay standing.
    pub(super) fn end(&self) {
        self.outlet.end(self.evaluator.judges());
    }

    pub(super) async fn begin(&mut self, next: TimestampMs) -> Result<(), ShardEnded> {
        self.clock.begin(next);
        for shard in 0..self.shards.count() {
            let mailbox = self.shards.mailbox(shard);
            mailbox.send(ShardMessage::BeginStep { next }).await.map_err(|_| ShardEnded)?;
        }
        Ok(())
    }

    pub(super) async fn evaluate(
        &mut self,
        at: TimestampMs,
        cause: StepCause,
        last_arrival: Option<Instant>,
    ) -> Result<(), ShardEnded> {
        self.succeed(at).await;
        let begun = StdInstant::now();
        let (parts, next_sample) = self.gather(at).await?;
        let Judged { steps, empty } = self.judge(at, parts).await;
        self.metrics.step_evaluation_duration.observe(begun.elapsed().as_secs_f64());
        let (incidents, maintenance) = (self.evaluator.incidents(), self.evaluator.maintenance());
        let series = self.outlet.publish(at, &steps, incidents, maintenance);
        self.outlet.count(cause, at, last_arrival);
        self.keep(at, &series).await?;
        self.show_models();
        self.begin(self.clock.next(at, next_sample.filter(|_| empty))).await?;
        let models = Arc::clone(&self.models);
        for job in self.evaluator.training_due(at, |detector| models.load(detector)) {
            self.status.note_training(&job, &self.metrics);
            self.trainings.begin(job, &self.metrics);
        }
        // Also where the past is made up for, which takes a while.
        self.keep_rows().await;
        Ok(())
    }

    /// Joins what the shards answered and judges it.
    async fn judge(&mut self, at: TimestampMs, parts: ShardLeaves) -> Judged {
        let models = Arc::clone(&self.models);
        self.evaluator.set_maintenance(self.maintenance.current());
        self.with_evaluator(move |evaluator| {
            let leaves = evaluator.gather(parts);
            let steps = evaluator.step(&leaves, at, |detector| models.load(detector));
            Judged { steps, empty: leaves.iter().all(LeafMatrix::is_empty) }
        })
        .await
    }

    /// Lends the evaluator to `work`, on a thread of its own: with many series that takes longer than a request may wait for a thread of
    /// the runtime.
    pub(super) async fn with_evaluator<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Evaluator) -> T + Send + 'static,
    ) -> T {
        let mut evaluator = std::mem::take(&mut self.evaluator);
        let working = tokio::task::spawn_blocking(move || {
            let done = work(&mut evaluator);
            (evaluator, done)
        });
        match working.await {
            Ok((evaluator, done)) => {
                self.evaluator = evaluator;
                done
            }
            // It is never cancelled, and a panic there is one here.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Asks every shard for its leaves at `at`; the second part says where to go on when all of
    /// them are empty.
    async fn gather(&self, at: TimestampMs) -> Result<(ShardLeaves, Option<TimestampMs>), ShardEnded> {
        let mut replies = Vec::with_capacity(self.shards.count());
        for shard in 0..self.shards.count() {
            let (reply, answer) = oneshot::channel();
            let message = ShardMessage::Evaluate(Evaluate { at, table: Arc::clone(&self.table), reply });
            self.shards.mailbox(shard).send(message).await.map_err(|_| ShardEnded)?;
            replies.push(answer);
        }
        let mut parts = Vec::with_capacity(replies.len());
        let mut next_sample: Option<TimestampMs> = None;
        for reply in replies {
            let Evaluated { leaves, next_sample: next } = reply.await.map_err(|_| ShardEnded)?;
            next_sample = match (next_sample, next) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            parts.push(leaves);
        }
        Ok((parts, next_sample))
    }

    /// Keeps the series of step `at` for queries.
    async fn keep(&self, at: TimestampMs, series: &[(LabelSet, f64)]) -> Result<(), ShardEnded> {
        let counts = self.own_series.append(at, series).await.map_err(|own_series::Ended| ShardEnded)?;
        for (reason, count) in counts.refused().into_iter().filter(|(_, count)| *count > 0) {
            self.metrics.samples_dropped.get_or_create(&ReasonLabel { reason }).inc_by(count);
        }
        Ok(())
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
