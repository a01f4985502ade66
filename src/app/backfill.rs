//! The past, brought in at start: windows full, models trained, scores where there were none.
//!
//! The store is read slice by slice, from as far back as configured to now, and each step of it is evaluated as if its samples had
//! come by the stream: the same samples, so the same windows, models and scores. Meanwhile the next slice is read, and what senders bring is
//! refused with 503, which they repeat. Where a store cannot be read the sidecar goes on with the stream alone, and says how long it warms up.
//!
//! Scores of steps that lie before the newest of ours that the store has are not written again: after a restart there is neither a hole nor
//! a second opinion. Where the store has none of ours, none of before the start are written.

use super::stepper::{ShardEnded, Stepper};
use crate::{
    history::{Counts, HistoryError, Reader, Slice, Slices},
    pipeline::{StepCause, names},
    series::{LabelMatcher, METRIC_NAME, MatchOp, SampleBatch, TimestampMs, is_stale_marker},
    shards::{Append, ShardMessage},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

/// What lies so close to now may still be on its way into the store; the stream brings it, too.
const SETTLING_MS: i64 = 15_000;

/// What took longer is followed by another round for what came meanwhile.
const SHORT_ROUND_MS: i64 = 30_000;

/// However slow, it ends: after so many rounds the stream has to bring the rest.
const MAX_ROUNDS: usize = 5;

/// Samples that a shard is given at once, so that queries need not wait long.
const SAMPLES_AT_ONCE: usize = 50_000;

/// Between two lines that say how far it is.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// What is to be made up for.
#[derive(Debug)]
pub(super) struct Backfill {
    pub(super) reader: Reader,
    /// How far back the first step is.
    pub(super) back_ms: i64,
    /// How far before a step the expressions look.
    pub(super) lookback_ms: i64,
    /// Distance of two steps.
    pub(super) step_ms: i64,
}

/// Why it ended early.
enum Ended {
    /// The store cannot be read.
    History(HistoryError),
    /// The process stops.
    Shards,
    Stopped,
}

/// How far it has come.
struct Status {
    begun: Instant,
    said: Instant,
    read: Counts,
    steps: usize,
    first: TimestampMs,
}

// === impl Backfill ===

impl Backfill {
    /// The scores of the detectors that there are.
    fn own_scores(stepper: &Stepper) -> Vec<Vec<LabelMatcher>> {
        let detectors: Vec<String> =
            stepper.evaluator.judges().map(|judge| regex::escape(judge.name())).collect();
        let score = LabelMatcher::new(METRIC_NAME, MatchOp::Equal, names::ANOMALY_SCORE);
        let detector = LabelMatcher::new(names::DETECTOR, MatchOp::Regex, &detectors.join("|"));
        vec![score.into_iter().chain(detector).collect()]
    }

    /// When the newest of our scores is that the store has of this time.
    async fn last_score(
        &self,
        stepper: &Stepper,
        from: TimestampMs,
        until: TimestampMs,
    ) -> Result<Option<TimestampMs>, HistoryError> {
        let selectors = Self::own_scores(stepper).into();
        let mut slices = Slices::new(self.reader.clone(), selectors, from..=until);
        let mut last = None;
        while let Some(slice) = slices.next().await? {
            for entry in slice.batch.iter() {
                let scores = entry.samples.iter().filter(|sample| !is_stale_marker(sample.value));
                last = last.max(scores.map(|sample| sample.timestamp).max());
            }
        }
        Ok(last)
    }
}

// === impl Stepper ===

impl Stepper {
    /// Makes up for the past; returns when the windows are as full as the store can make them.
    pub(super) async fn backfill(&mut self, plan: &Backfill, stop: &mut watch::Receiver<bool>) {
        let now = now();
        let first = now.plus_ms(-plan.back_ms).align_down(plan.step_ms);
        let mut status =
            Status { begun: Instant::now(), said: Instant::now(), read: Counts::default(), steps: 0, first };
        tracing::info!(minutes = plan.back_ms / 60_000, "filling the windows from history");
        let ended = self.fill(plan, first, &mut status, stop).await;
        let seconds = status.begun.elapsed().as_secs_f64();
        let Status { read: Counts { samples, left_out, .. }, steps, .. } = status;
        self.metrics.backfill_duration.set(seconds);
        match ended {
            Ok(()) => {
                tracing::info!(samples, left_out, steps, seconds, "the windows are filled from history");
            }
            Err(Ended::History(error)) => {
                self.metrics.backfill_failures.inc();
                tracing::warn!(
                    %error,
                    samples,
                    steps,
                    "history cannot be read (any further): the windows fill from the stream, which takes as long as they are"
                );
            }
            // Whoever waits for the next step finds out, too.
            Err(Ended::Shards | Ended::Stopped) => {}
        }
    }

    async fn fill(
        &mut self,
        plan: &Backfill,
        first: TimestampMs,
        status: &mut Status,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Ended> {
        let begin = first.plus_ms(-plan.lookback_ms);
        let last_score = tokio::select! {
            last = plan.last_score(self, first, now()) => last.map_err(Ended::History)?,
            _ = stop.changed() => return Err(Ended::Stopped),
        };
        self.outlet.hold_back_until(last_score.unwrap_or_else(now));
        let mut from = begin;
        for _ in 0..MAX_ROUNDS {
            let until = now();
            let settled = until.plus_ms(-SETTLING_MS);
            let slices = Slices::new(plan.reader.clone(), self.table.selectors().into(), from..=until);
            let mut slices = slices.read_ahead();
            loop {
                let slice = tokio::select! {
                    slice = slices.recv() => slice,
                    _ = stop.changed() => return Err(Ended::Stopped),
                };
                let Some(slice) = slice else { break };
                let slice = slice.map_err(Ended::History)?;
                self.take(slice, settled, plan, status).await.map_err(|ShardEnded| Ended::Shards)?;
                if *stop.borrow() {
                    return Err(Ended::Stopped);
                }
            }
            from = settled.plus_ms(1);
            if now().since_ms(until) < SHORT_ROUND_MS {
                break;
            }
        }
        Ok(())
    }

    /// Puts a slice into the windows and evaluates the steps that it completes.
    async fn take(
        &mut self,
        slice: Slice,
        settled: TimestampMs,
        plan: &Backfill,
        status: &mut Status,
    ) -> Result<(), ShardEnded> {
        let Slice { range, batch, counts } = slice;
        status.read.add(&counts);
        self.metrics.history_samples.inc_by(counts.samples);
        self.metrics.history_samples_left_out.inc_by(counts.left_out);
        // Before the first samples there are no steps to evaluate.
        if self.clock.awaited().is_none() {
            let Some(oldest) = batch.oldest() else { return Ok(()) };
            let first = oldest.align_down(plan.step_ms).plus_ms(plan.step_ms);
            self.begin(first.max(status.first)).await?;
        }
        self.append(&batch).await?;
        while let Some(step) = self.clock.awaited().filter(|step| step <= range.end() && *step <= settled) {
            self.evaluate(step, StepCause::History, None).await?;
            status.steps += 1;
            status.say(step);
        }
        Ok(())
    }

    /// Gives the samples to the shards that own them, and waits until they have them.
    async fn append(&self, batch: &SampleBatch) -> Result<(), ShardEnded> {
        let mut parts: Vec<SampleBatch> = (0..self.shards.count()).map(|_| SampleBatch::default()).collect();
        for entry in batch.iter() {
            if names::is_own(entry.labels) {
                self.metrics.own_samples_ignored.inc_by(entry.samples.len() as u64);
                continue;
            }
            let shard = self.shards.shard_of(entry.hash);
            let part = &mut parts[shard];
            let samples = entry.samples.iter().copied();
            if entry.histograms.is_empty() {
                part.push(entry.hash, entry.labels, samples);
            } else {
                part.push_with_histograms(
                    entry.hash,
                    entry.labels,
                    samples,
                    entry.histograms.iter().cloned(),
                );
            }
            if part.sample_count() >= SAMPLES_AT_ONCE {
                self.append_to(shard, std::mem::take(part)).await?;
            }
        }
        for (shard, part) in parts.into_iter().enumerate().filter(|(_, part)| !part.is_empty()) {
            self.append_to(shard, part).await?;
        }
        Ok(())
    }

    async fn append_to(&self, shard: usize, batch: SampleBatch) -> Result<(), ShardEnded> {
        let (reply, appended) = oneshot::channel();
        // What the store took was no matter of the future then.
        let append = Append { batch, now: TimestampMs::MAX, arrival: Instant::now(), reply };
        self.shards.mailbox(shard).send(ShardMessage::Append(append)).await.map_err(|_| ShardEnded)?;
        let counts = appended.await.map_err(|_| ShardEnded)?.counts;
        self.metrics.count_appended(&counts);
        Ok(())
    }
}

// === impl Status ===

impl Status {
    fn say(&mut self, step: TimestampMs) {
        if self.said.elapsed() < SAY_EVERY {
            return;
        }
        self.said = Instant::now();
        let (done, all) = (step.since_ms(self.first), now().since_ms(self.first));
        let percent = 100 * done / all.max(1);
        tracing::info!(
            percent,
            samples = self.read.samples,
            steps = self.steps,
            "filling the windows from history"
        );
    }
}

/// The wall clock.
fn now() -> TimestampMs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
