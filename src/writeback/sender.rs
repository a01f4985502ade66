//! The task that empties the queue: one batch after the other, one request at a time.

use super::{
    Config, Shared, StepSeries,
    client::Target,
    encode::encode,
    log_limit::LogLimit,
    outcome::{RetryCause, SendOutcome},
};
use crate::{
    client::TlsError,
    series::TimestampMs,
    telemetry::writeback::{DropReason, WritebackMetrics},
};
use bytes::Bytes;
use http::StatusCode;
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

/// Owner of the way from the queue to the target.
#[derive(Debug)]
pub(super) struct Sender {
    target: Target,
    config: Config,
    shared: Arc<Shared>,
    failing: LogLimit,
    /// A failure was logged and its end was not.
    failure_told: bool,
    rejecting: LogLimit,
}

/// What one batch has come to.
enum Fate {
    Sent,
    Failed,
    /// All its samples passed the age limit while it waited.
    Expired,
}

// === impl Sender ===

impl Sender {
    pub(super) fn new(config: Config, shared: Arc<Shared>) -> Result<Self, TlsError> {
        Ok(Self {
            target: Target::new(&config)?,
            config,
            shared,
            failing: LogLimit::default(),
            failure_told: false,
            rejecting: LogLimit::default(),
        })
    }

    /// Sends until the queue is closed and empty, or the time for that is over.
    pub(super) async fn run(mut self, stop: watch::Receiver<Option<Instant>>) {
        let shared = Arc::clone(&self.shared);
        let flush_deadline = self.config.flush_deadline;
        tokio::select! {
            () = self.send_all() => {}
            () = deadline(stop, &shared, flush_deadline) => self.abandon(),
        }
    }

    async fn send_all(&mut self) {
        while let Some(batch) = self.next_batch().await {
            self.deliver(batch).await;
        }
    }

    /// The oldest steps as soon as there are some; `None` when the queue is closed and empty.
    async fn next_batch(&mut self) -> Option<Vec<StepSeries>> {
        loop {
            {
                let mut state = self.shared.lock();
                if let Some(oldest) = self.oldest_allowed() {
                    let expired = state.queue.evict_before(oldest).samples;
                    self.metrics().drop_samples(DropReason::TooOld, expired);
                }
                let batch = state.queue.take(self.config.queue.max_samples_per_send);
                state.in_flight = samples(&batch);
                self.shared.publish_pending(&state);
                if !batch.is_empty() {
                    return Some(batch);
                }
                if state.closed {
                    return None;
                }
            }
            // A step enqueued since the lock was released left a permit: nothing is missed.
            self.shared.wake.notified().await;
        }
    }

    /// Sends one batch until its fate is known.
    async fn deliver(&mut self, mut batch: Vec<StepSeries>) {
        let mut body = None;
        let mut attempt = 0;
        let fate = loop {
            if self.expire(&mut batch) {
                body = None;
            }
            if batch.is_empty() {
                break Fate::Expired;
            }
            let Some(encoded) = body.take().or_else(|| encode_or_log(&batch)) else { break Fate::Failed };
            match self.attempt(&batch, encoded.clone(), attempt).await {
                SendOutcome::Delivered => break Fate::Sent,
                SendOutcome::Rejected { status, body, hint } => {
                    self.log_rejected(&batch, status, &body, hint.as_deref());
                    break Fate::Failed;
                }
                SendOutcome::Retry { after, cause } => {
                    attempt += 1;
                    let wait = self.config.queue.backoff.wait(attempt, after);
                    self.log_retry(&batch, attempt, wait, &cause);
                    body = Some(encoded);
                    sleep(wait).await;
                }
            }
        };
        self.settle(&batch, &fate, attempt);
    }

    async fn attempt(&self, batch: &[StepSeries], body: Bytes, attempt: u32) -> SendOutcome {
        let metrics = self.metrics();
        if attempt > 0 {
            metrics.samples_retried.inc_by(samples(batch) as u64);
        }
        metrics.bytes.inc_by(body.len() as u64);
        let start = Instant::now();
        let outcome = self.target.send(body, attempt).await;
        metrics.sent_batch_duration_seconds.observe(start.elapsed().as_secs_f64());
        outcome
    }

    /// Drops the steps of a waiting batch that have become too old; whether there were any.
    fn expire(&self, batch: &mut Vec<StepSeries>) -> bool {
        let Some(oldest) = self.oldest_allowed() else { return false };
        let before = samples(batch);
        batch.retain(|step| step.at >= oldest);
        let expired = before - samples(batch);
        if expired > 0 {
            let mut state = self.shared.lock();
            state.in_flight = samples(batch);
            self.shared.publish_pending(&state);
            self.metrics().drop_samples(DropReason::TooOld, expired);
        }
        expired > 0
    }

    fn settle(&mut self, batch: &[StepSeries], fate: &Fate, attempts: u32) {
        let count = samples(batch) as u64;
        let metrics = self.metrics();
        match fate {
            Fate::Sent => {
                metrics.samples.inc_by(count);
                if let Some(newest) = batch.iter().map(|step| step.at).max() {
                    metrics.highest_sent_timestamp_seconds.set(newest.seconds());
                }
            }
            Fate::Failed => {
                metrics.samples_failed.inc_by(count);
            }
            Fate::Expired => {}
        }
        let mut state = self.shared.lock();
        state.in_flight = 0;
        self.shared.publish_pending(&state);
        drop(state);
        if matches!(fate, Fate::Sent) && std::mem::take(&mut self.failure_told) {
            tracing::info!(target_name = %self.config.name, attempts, "remote write works again");
        }
    }

    /// Gives up what was not sent in time.
    fn abandon(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        let left = std::mem::take(&mut state.in_flight) + state.queue.clear().samples;
        self.shared.publish_pending(&state);
        drop(state);
        self.metrics().drop_samples(DropReason::Shutdown, left);
        if left > 0 {
            tracing::warn!(
                target_name = %self.config.name,
                samples = left,
                "stopped before the target took all samples, dropped the rest"
            );
        }
    }

    fn oldest_allowed(&self) -> Option<TimestampMs> {
        let limit = i64::try_from(self.config.queue.sample_age_limit?.as_millis()).ok()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis();
        Some(TimestampMs(i64::try_from(now).ok()?).plus_ms(-limit))
    }

    fn metrics(&self) -> &WritebackMetrics {
        &self.shared.metrics
    }

    fn log_retry(&mut self, batch: &[StepSeries], attempt: u32, wait: Duration, cause: &RetryCause) {
        if let Some(unsaid) = self.failing.permit(Instant::now()) {
            self.failure_told = true;
            tracing::warn!(
                target_name = %self.config.name,
                url = %self.config.url(),
                samples = samples(batch),
                attempt,
                wait_ms = wait.as_millis() as u64,
                unsaid,
                %cause,
                "remote write failed, the batch will be sent again"
            );
        }
    }

    fn log_rejected(&mut self, batch: &[StepSeries], status: StatusCode, body: &str, hint: Option<&str>) {
        if let Some(unsaid) = self.rejecting.permit(Instant::now()) {
            tracing::error!(
                target_name = %self.config.name,
                url = %self.config.url(),
                samples = samples(batch),
                %status,
                body,
                hint,
                unsaid,
                "the target refused a batch for good, its samples are lost"
            );
        }
    }
}

// === helpers ===

/// Ends when the flush deadline passes; without handles it is counted from now.
async fn deadline(mut stop: watch::Receiver<Option<Instant>>, shared: &Shared, flush_deadline: Duration) {
    let asked = stop.wait_for(Option::is_some).await.ok().and_then(|at| *at);
    shared.close();
    sleep_until(asked.unwrap_or_else(|| Instant::now() + flush_deadline)).await;
}

fn samples(batch: &[StepSeries]) -> usize {
    batch.iter().map(|step| step.series.len()).sum()
}

fn encode_or_log(batch: &[StepSeries]) -> Option<Bytes> {
    encode(batch)
        .inspect_err(|error| tracing::error!(%error, samples = samples(batch), "cannot encode a batch"))
        .ok()
}
