//! Scores go back: a Remote-Write 1.0 sender for whole steps.
//!
//! ```text
//! enqueue(step) -> queue (bounded) -> batch -> encode -> client --POST--> target
//!                   full: oldest        ^                   |
//!                   steps go            +---- backoff <-----+  5xx, 429, no answer
//! ```
//!
//! What it promises:
//! - A step is sent at once when nothing is in flight; steps that arrive meanwhile are joined into
//!   the next batches. Nothing waits for a batch to fill.
//! - One request is in flight at a time and a repeat keeps its place, so the samples of a series
//!   reach the target in the order in which they were enqueued.
//! - No answer, 5xx and 429 are repeated until the target takes the batch; any other answer but 2xx
//!   is final. Each sample ends in exactly one counter of
//!   [`WritebackMetrics`]: sent, failed or dropped.
//! - Memory is bounded: the queue by its capacities, the batch in flight by `max_samples_per_send`,
//!   what is read of an answer by a few KiB.
//!
//! What it does not do: write to disk (a restart loses the queue), redirects, Remote-Write 2.0,
//! more than one target (start one sender a target).

mod client;

mod config;

mod encode;

mod log_limit;

mod outcome;

mod queue;

mod sender;

use crate::{
    client::TlsError,
    series::{LabelSet, TimestampMs},
    telemetry::writeback::{DropReason, WritebackMetrics},
};
pub use config::{Config, InvalidConfig, QueueSettings, Settings};
use log_limit::LogLimit;
use queue::{Evicted, Queue};
use sender::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::{Duration, Instant},
};

/// All series of one evaluation step.
///
/// Every label set names its metric (`__name__`), and no label set occurs twice. A series that ends
/// has the value [`STALE_NAN`](crate::series::STALE_NAN).
#[derive(Clone, Debug, PartialEq)]
pub struct StepSeries {
    /// The step: the timestamp of every sample.
    pub at: TimestampMs,
    /// One value a series, ascending by labels.
    pub series: Vec<(LabelSet, f64)>,
}

/// Starts the task that sends to one target.
///
/// The task ends after [`Handle::flush`], or when every handle is gone (then too it flushes first).
/// Must be called inside a tokio runtime.
///
/// # Errors
/// When a file of the target's `tls_config` cannot be used.
pub fn spawn(config: Config, metrics: WritebackMetrics) -> Result<(Handle, JoinHandle<()>), TlsError> {
    let (stop, stopped) = watch::channel(None);
    let shared = Arc::new(Shared {
        state: Mutex::new(State::new(Queue::new(config.queue.bounds()))),
        wake: Notify::new(),
        metrics,
    });
    let flush_deadline = config.flush_deadline;
    let sender = Sender::new(config, Arc::clone(&shared))?;
    let task = tokio::spawn(sender.run(stopped));
    Ok((Handle { shared, stop, flush_deadline }, task))
}

/// The way into the queue; clones share it.
#[derive(Clone, Debug)]
pub struct Handle {
    shared: Arc<Shared>,
    /// When sending must end; `None` while running. The sender task holds the only receiver.
    stop: watch::Sender<Option<Instant>>,
    flush_deadline: Duration,
}

/// What handles and the sender task share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told when a step was enqueued or the queue was closed.
    wake: Notify,
    metrics: WritebackMetrics,
}

#[derive(Debug)]
struct State {
    queue: Queue,
    /// Samples taken from the queue whose fate is not known yet.
    in_flight: usize,
    /// No step is taken any more.
    closed: bool,
    /// Samples evicted from the full queue that no log line has told yet.
    untold: usize,
    overflow: LogLimit,
}

// === impl Handle ===

impl Handle {
    /// Puts a step at the end of the queue. Never blocks.
    ///
    /// When the queue is full its oldest steps are dropped to make room, and after [`Self::flush`]
    /// was called the step itself is; both are counted. A step without series is ignored.
    pub fn enqueue(&self, step: StepSeries) {
        let mut state = self.shared.lock();
        if state.closed {
            self.shared.metrics.drop_samples(DropReason::Shutdown, step.series.len());
            return;
        }
        let evicted = state.queue.push(step);
        self.shared.publish_pending(&state);
        let told = state.tell(evicted);
        drop(state);
        self.shared.wake.notify_one();
        self.shared.metrics.drop_samples(DropReason::QueueFull, evicted.samples);
        if let Some(samples) = told {
            tracing::warn!(samples, "the remote write queue is full, dropped its oldest steps");
        }
    }

    /// Closes the queue and waits until everything in it was sent, at most the configured
    /// `flush_deadline`; what is left then is dropped and counted. Further calls wait with the first.
    pub async fn flush(&self) {
        let deadline = Instant::now() + self.flush_deadline;
        self.stop.send_if_modified(|stop| stop.is_none() && stop.replace(deadline).is_none());
        self.shared.close();
        // The task drops its receiver when it ends.
        self.stop.closed().await;
    }
}

// === impl Shared ===

impl Shared {
    /// The state is plain numbers and a queue, valid after every statement: poison means nothing.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    fn publish_pending(&self, state: &State) {
        self.metrics.set_pending(state.queue.samples() + state.in_flight);
    }
}

// === impl State ===

impl State {
    fn new(queue: Queue) -> Self {
        Self { queue, in_flight: 0, closed: false, untold: 0, overflow: LogLimit::default() }
    }

    /// The number of evicted samples that a log line is to tell now.
    fn tell(&mut self, evicted: Evicted) -> Option<usize> {
        self.untold += evicted.samples;
        if self.untold == 0 {
            return None;
        }
        self.overflow.permit(Instant::now()).map(|_| std::mem::take(&mut self.untold))
    }
}
