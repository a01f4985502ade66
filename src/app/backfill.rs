//! The past, brought in at start and where the stream has a gap: windows full, models trained, scores where there were none.
//!
//! The store is read slice by slice, from as far back as configured to now, and each step of it is evaluated as if its samples had
//! come by the stream: the same samples, so the same windows, models and scores. Meanwhile the next slice is read, and what senders bring is
//! refused with 503, which they repeat. Where a store cannot be read the sidecar goes on with the stream alone.
//!
//! A gap is a time of which no series that a detector reads has a sample, between what was evaluated and what has come. Senders repeat what could not be
//! delivered; what they never sent, because they were told of this receiver later or gave up, only the store has.
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
use std::{
    ops::RangeInclusive,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
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

/// A pause of the stream that is shorter is none that was noticed: single scrapes fail, and restarts take a while.
const SHORTEST_GAP_MS: i64 = 3 * 60_000;

/// Between two lines that say how far it is.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// The store of the past, and how it is used.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub(super) reader: Reader,
    /// How far back the first step is at start; zero: there is nothing to make up for then.
    pub(super) back_ms: i64,
    /// How far before a step the expressions look.
    pub(super) lookback_ms: i64,
    /// Distance of two steps.
    pub(super) step_ms: i64,
    /// Up to where a gap was filled as far as it could be.
    pub(super) tried_until: Option<TimestampMs>,
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
    /// The newest sample that was read.
    newest: Option<TimestampMs>,
}

// === impl Past ===

impl Past {
    /// Whether there is something to make up for at start.
    pub(super) fn fills_at_start(&self) -> bool {
        self.back_ms > 0
    }

    /// The scores of the detectors that there are.
    fn own_scores(stepper: &Stepper) -> Vec<Vec<LabelMatcher>> {
        let detectors: Vec<String> =
            stepper.evaluator.judges().map(|judge| regex::escape(judge.name())).collect();
        let score = LabelMatcher::new(METRIC_NAME, MatchOp::Equal, names::ANOMALY_SCORE);
        let detector = LabelMatcher::new(names::DETECTOR, MatchOp::Regex, detectors.join("|"));
        vec![score.into_iter().chain(detector).collect()]
    }

    /// Whether a gap before `due` was tried to be filled already, and the store had nothing of it.
    fn was_tried(&self, due: TimestampMs) -> bool {
        self.tried_until.is_some_and(|until| due <= until)
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
    /// Makes up for the past at start; returns when the windows are as full as the store can make them.
    pub(super) async fn backfill(&mut self, stop: &mut watch::Receiver<bool>) {
        let Some(plan) = self.past.clone().filter(Past::fills_at_start) else { return };
        let now = now();
        let first = now.plus_ms(-plan.back_ms).align_down(plan.step_ms);
        let mut status = Status::new(first);
        tracing::info!(minutes = plan.back_ms / 60_000, "filling the windows from history");
        let ended = self.fill(&plan, first, &mut status, stop).await;
        self.metrics.backfill_duration.set(status.begun.elapsed().as_secs_f64());
        self.say_end(ended, &status);
    }

    /// The time that the stream has left out before the first step that is due, if it is worth asking the store for.
    pub(super) async fn gap(
        &self,
        due: TimestampMs,
        newest: Option<TimestampMs>,
    ) -> Result<Option<RangeInclusive<TimestampMs>>, ShardEnded> {
        let Some(plan) = &self.past else { return Ok(None) };
        if newest.is_none_or(|newest| newest.since_ms(due) < SHORTEST_GAP_MS) {
            return Ok(None);
        }
        let mut next: Option<TimestampMs> = None;
        let before = due.plus_ms(-plan.step_ms);
        for shard in 0..self.shards.count() {
            let (reply, answer) = oneshot::channel();
            let message = ShardMessage::NextAfter { at: before, reply };
            self.shards.mailbox(shard).send(message).await.map_err(|_| ShardEnded)?;
            next = [next, answer.await.map_err(|_| ShardEnded)?].into_iter().flatten().min();
        }
        let gap = next.filter(|next| next.since_ms(due) >= SHORTEST_GAP_MS && !plan.was_tried(due));
        Ok(gap.map(|next| before.plus_ms(1)..=next))
    }

    /// Makes up for a gap of the stream: what the store has of it is evaluated, up to where the stream goes on.
    pub(super) async fn fill_gap(
        &mut self,
        gap: RangeInclusive<TimestampMs>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), ShardEnded> {
        let Some(plan) = self.past.clone() else { return Ok(()) };
        let (begin, end) = (*gap.start(), *gap.end());
        tracing::info!(minutes = end.since_ms(begin) / 60_000, "filling a gap of the stream from history");
        self.shards.set_filling(true);
        let mut status = Status::new(begin);
        let ended = self.fill_range(&plan, gap, end.plus_ms(-1), &mut status, stop).await;
        self.shards.set_filling(false);
        if let Some(past) = &mut self.past {
            past.tried_until = Some(end);
        }
        let is_over = matches!(ended, Err(Ended::Shards));
        self.say_end(ended, &status);
        if is_over { Err(ShardEnded) } else { Ok(()) }
    }

    fn say_end(&self, ended: Result<(), Ended>, status: &Status) {
        let seconds = status.begun.elapsed().as_secs_f64();
        let Status { read: Counts { samples, left_out, .. }, steps, .. } = status;
        match ended {
            Ok(()) => {
                tracing::info!(samples, left_out, steps, seconds, "the windows are filled from history");
            }
            Err(Ended::History(error)) => {
                self.metrics.backfill_failures.inc();
                tracing::warn!(%error, samples, steps, "history cannot be read (any further): the windows fill from the stream");
            }
            // Whoever waits for the next step finds out, too.
            Err(Ended::Shards | Ended::Stopped) => {}
        }
    }

    async fn fill(
        &mut self,
        plan: &Past,
        first: TimestampMs,
        status: &mut Status,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Ended> {
        let begin = first.plus_ms(-plan.lookback_ms);
        let last_score = tokio::select! {
            last = plan.last_score(self, first, now()) => last.map_err(Ended::History)?,
            _ = stop.changed() => return Err(Ended::Stopped),
        };
        self.outlet.hold_back_until(last_score.unwrap_or(TimestampMs::MAX));
        let ended = self.fill_rounds(plan, begin, status, stop).await;
        if last_score.is_none() {
            // Of what comes from now on all are to hear.
            let last = self.clock.awaited().map(|next| next.plus_ms(-plan.step_ms));
            self.outlet.hold_back_until(last.unwrap_or(TimestampMs::MIN));
        }
        ended
    }

    /// Reads up to now, and once more what came meanwhile.
    async fn fill_rounds(
        &mut self,
        plan: &Past,
        begin: TimestampMs,
        status: &mut Status,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Ended> {
        let mut from = begin;
        for _ in 0..MAX_ROUNDS {
            let until = now();
            let settled = until.plus_ms(-SETTLING_MS);
            self.fill_range(plan, from..=until, settled, status, stop).await?;
            from = settled.plus_ms(1);
            if now().since_ms(until) < SHORT_ROUND_MS {
                break;
            }
        }
        Ok(())
    }

    /// Reads a range and evaluates its steps up to `settled`.
    async fn fill_range(
        &mut self,
        plan: &Past,
        range: RangeInclusive<TimestampMs>,
        settled: TimestampMs,
        status: &mut Status,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Ended> {
        let slices = Slices::new(plan.reader.clone(), self.table.selectors().into(), range);
        let mut slices = slices.read_ahead();
        loop {
            let slice = tokio::select! {
                slice = slices.recv() => slice,
                _ = stop.changed() => return Err(Ended::Stopped),
            };
            let Some(slice) = slice else { return Ok(()) };
            let slice = slice.map_err(Ended::History)?;
            self.take(slice, settled, plan, status).await.map_err(|ShardEnded| Ended::Shards)?;
            if *stop.borrow() {
                return Err(Ended::Stopped);
            }
        }
    }

    /// Puts a slice into the windows and evaluates the steps that it completes.
    async fn take(
        &mut self,
        slice: Slice,
        settled: TimestampMs,
        plan: &Past,
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
        status.newest = status.newest.max(batch.newest());
        // Nor are there any behind the last ones: what a sender still holds of that time would come too late.
        let Some(newest) = status.newest else { return Ok(()) };
        let until = (*range.end()).min(settled).min(newest);
        while let Some(step) = self.clock.awaited().filter(|step| *step <= until) {
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
    fn new(first: TimestampMs) -> Self {
        let begun = Instant::now();
        Self { begun, said: begun, read: Counts::default(), steps: 0, first, newest: None }
    }

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
pub(super) fn now() -> TimestampMs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
