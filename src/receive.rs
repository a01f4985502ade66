//! The Remote-Write receiver: `POST /api/v1/write`, versions 1.0 and 2.0.
//!
//! ```text
//! headers --negotiate--> message type   body --body--> bytes --intake--> one batch a shard --> windows
//!                                                                                  answer <-- counts
//! ```
//!
//! It promises:
//! - what a client sent never becomes a 5xx: a sender would repeat it for ever;
//! - a request is taken whole (but for samples that are refused one by one, with a 400 that counts
//!   them) or not at all: places in all shards are reserved before anything is sent to any;
//! - types, units and help texts of metrics are kept as soon as a request is decoded, whatever becomes of its samples;
//! - 503 with `Retry-After` when there is no place, never 429, on which Prometheus drops the batch;
//! - memory is bounded: bodies in flight by [`Config::max_pending_bytes`], decoded ones by the limits;
//! - this program's own score series are recognised, ignored, counted, and answered as written.

mod answer;

mod body;

mod heard;

mod intake;

mod negotiate;

use crate::{
    metadata::MetadataStore,
    series::TimestampMs,
    shards::{NoPlace, Shards},
    telemetry::{MessageCodeLabels, MessageLabel, Metrics, ReasonLabel, ShardLabel},
    window::AppendCounts,
    wire::{Limits, MessageType, WireError, WriteSummary},
};
use answer::{Answer, Written};
use axum::{Router, extract::Request, extract::State, response::Response, routing::post};
use body::{BodyError, PendingBytes};
use intake::{IntakePool, OwnOutput};
use negotiate::UnsupportedMedia;
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// Settings of the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What one request may hold.
    pub limits: Limits,
    /// Most bytes of bodies being read or decoded at once; beyond that, 503.
    pub max_pending_bytes: usize,
    /// Longest time a body may take to arrive.
    pub body_timeout: Duration,
    /// What `Retry-After` says beside a 503; whole seconds.
    pub retry_after: Duration,
}

impl Default for Config {
    /// 256 MiB hold eight bodies of the largest size, or ten thousand of the usual 25 kB. Senders
    /// give up after 30 s (Prometheus' `remote_timeout`), so a minute is for slow lines only.
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            max_pending_bytes: 256 << 20,
            body_timeout: Duration::from_secs(60),
            retry_after: Duration::from_secs(1),
        }
    }
}

/// Why a request was refused as a whole.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Media(#[from] UnsupportedMedia),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("overloaded: {0}; repeat the request")]
    NoPlace(#[from] NoPlace),
    #[error("shutting down before the samples were written; repeat the request")]
    Ended,
}

/// The receiver; one a process.
#[derive(Debug)]
pub struct Receiver {
    config: Config,
    shards: Shards,
    metadata: Arc<MetadataStore>,
    metrics: Arc<Metrics>,
    pending: PendingBytes,
    intakes: IntakePool,
}

/// The route of the receiver.
pub fn router(receiver: Arc<Receiver>) -> Router {
    Router::new().route("/api/v1/write", post(write)).with_state(receiver)
}

async fn write(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    receiver.answer(request).await
}

// === impl Receiver ===

impl Receiver {
    /// A receiver that sends to `shards`, and keeps in `metadata` what is said of metrics.
    #[must_use]
    pub fn new(config: Config, shards: Shards, metadata: Arc<MetadataStore>, metrics: Arc<Metrics>) -> Self {
        let (queues, held) = (shards.clone(), Arc::clone(&metadata));
        metrics.at_scrape(move |metrics| {
            for (shard, (waiting, capacity)) in queues.queues().enumerate() {
                metrics.shard_queue_length.get_or_create(&ShardLabel { shard }).set(waiting as i64);
                metrics.shard_queue_capacity.set(capacity as i64);
            }
            metrics.metadata_bytes.set(held.bytes() as i64);
        });
        let pending = PendingBytes::new(config.max_pending_bytes, metrics.receive_pending_bytes.clone());
        let intakes = IntakePool::new(shards.count());
        Self { config, shards, metadata, metrics, pending, intakes }
    }

    async fn answer(&self, request: Request) -> Response {
        let (message, taken) = match negotiate::message_type(request.headers()) {
            Ok(message) => (Some(message), self.take(message, request).await),
            Err(unsupported) => (None, Err(unsupported.into())),
        };
        let answer = taken.unwrap_or_else(|refusal| Answer::refused(&refusal, self.config.retry_after));
        let labels =
            MessageCodeLabels { message: message.map_or("unknown", word), code: answer.status().as_u16() };
        self.metrics.receive_requests.get_or_create(&labels).inc();
        answer.into_response(message)
    }

    async fn take(&self, message: MessageType, request: Request) -> Result<Answer, Refusal> {
        let limit = self.config.limits.max_compressed_bytes;
        let body = body::read(request, limit, self.config.body_timeout, &self.pending).await?;
        self.metrics.receive_bytes.inc_by(body.len() as u64);
        let (now, arrival) = (wall_clock(), Instant::now());
        let mut intake = self.intakes.take();
        let summary =
            intake.decode(message, body.bytes(), &self.config.limits, &self.shards, &self.metadata)?;
        self.metrics.receive_decode_duration.observe(arrival.elapsed().as_secs_f64());
        drop(body);
        self.count_summary(message, &summary, intake.own_output());
        self.metrics.metadata_dropped.inc_by(summary.metadata_dropped + intake.learn(&self.metadata));

        let replies = match intake.send(&self.shards, now, arrival) {
            Ok(replies) => replies,
            Err(no_place) => {
                self.intakes.put_back(intake);
                return Err(no_place.into());
            }
        };
        let mut counts = AppendCounts::default();
        for (shard, reply) in replies {
            let appended = reply.await.map_err(|_| Refusal::Ended)?;
            counts.add(&appended.counts);
            intake.recycle(shard, appended.batch);
        }
        self.metrics.count_appended(&counts);
        let written = Written::new(&counts, intake.own_output());
        self.intakes.put_back(intake);
        Ok(Answer::of(&summary.invalid, &counts, written))
    }

    fn count_summary(&self, message: MessageType, summary: &WriteSummary, own: OwnOutput) {
        let labels = MessageLabel { message: word(message) };
        let metrics = &self.metrics;
        metrics.samples_received.get_or_create(&labels).inc_by(summary.samples);
        metrics.histograms_received.get_or_create(&labels).inc_by(summary.histograms);
        metrics.exemplars_received.get_or_create(&labels).inc_by(summary.exemplars);
        metrics.metadata_received.get_or_create(&labels).inc_by(summary.metadata);
        metrics.own_samples_ignored.inc_by(own.samples + own.histograms);
        for (reason, count, _) in summary.invalid.iter() {
            metrics.series_invalid.get_or_create(&ReasonLabel { reason: reason.as_str() }).inc_by(count);
        }
    }
}

/// The message as a label value.
fn word(message: MessageType) -> &'static str {
    match message {
        MessageType::V1 => "v1",
        MessageType::V2 => "v2",
    }
}

/// Now, for the bound on samples from the future. A clock before 1970 reads as 1970.
fn wall_clock() -> TimestampMs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
