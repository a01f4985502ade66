//! A model of weeks instead of hours: what the store of the past has is gone through once, beside the stream and at low priority.
//!
//! A detector that has no model, or one of little time, gets a first one from the stream, or from the hours that fill its windows. Meanwhile
//! a thread of its own listens to the past as the detector would have: the same expressions, the same rows left out because of alerts,
//! planned work, starts. In the end the rows are the detector's own, and the model that comes of them is tried like any
//! other. When that is depends on the machine, as a reload does; everything after it on the data.

use super::{backfill::now, milliseconds, stepper::Stepper, successor::give_way};
use crate::{
    config::{Config, format_duration},
    history::{HistoryError, Reader, Slices},
    lifecycle::LiveModels,
    model::Model,
    pipeline::{ClockConfig, Detector, Learned, Maintenance, Replay, names},
    series::TimestampMs,
    telemetry::Metrics,
    train::TrainError,
};
use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// A model that saw this part of the time that there is to learn from needs no other one.
const SEEN_ENOUGH: i64 = 2;

/// Between two lines that say how far it is.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// What it takes to learn from the past.
#[derive(Debug)]
pub(super) struct PastTraining {
    reader: Reader,
    config: Config,
    back_ms: i64,
}

/// What one detector learned.
#[derive(Debug)]
pub(super) struct Lesson {
    detector: String,
    learned: Learned,
    rows: usize,
    model: Result<Model, TrainError>,
}

/// What is being learned.
pub(super) type Lessons = mpsc::Receiver<Lesson>;

/// Why it ended early.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Store(#[from] HistoryError),
    #[error(transparent)]
    Runtime(#[from] io::Error),
    #[error("shutting down")]
    Stopped,
}

/// One way through the past.
struct Listening {
    reader: Reader,
    replay: Replay,
    from: TimestampMs,
    until: TimestampMs,
    metrics: Arc<Metrics>,
    lessons: mpsc::Sender<Lesson>,
}

// === impl PastTraining ===

impl PastTraining {
    /// None where the config names no store, or wishes for no such training.
    pub(super) fn new(config: &Config, reader: Option<Reader>) -> Option<Self> {
        let back = config.history.as_ref()?.training;
        let back_ms = milliseconds(back);
        (back_ms > 0).then_some(Self { reader: reader?, config: config.clone(), back_ms })
    }

    /// Begins for the detectors that know too little, if there are any.
    pub(super) fn begin(
        self,
        models: &LiveModels,
        maintenance: Vec<Maintenance>,
        metrics: Arc<Metrics>,
    ) -> Option<Lessons> {
        let detectors = self.listeners(models);
        if detectors.is_empty() {
            return None;
        }
        let names: Vec<&str> = detectors.iter().map(Detector::name).collect();
        let back = Duration::from_millis(self.back_ms.unsigned_abs());
        tracing::info!(
            detectors = names.join(", "),
            history = format_duration(back),
            "training on history beside the stream"
        );
        let clock = ClockConfig {
            step_ms: detectors.iter().map(|detector| detector.settings.schema.step_ms()).min().unwrap_or(1),
            settle_timeout: Duration::ZERO,
        };
        let mut replay = Replay::new(detectors, clock, self.config.storage.past_window(), 1);
        replay.set_maintenance(maintenance);
        let (lessons, receiver) = mpsc::channel(1);
        let until = now();
        let from = until.plus_ms(-self.back_ms);
        let listening = Listening { reader: self.reader, replay, from, until, metrics, lessons };
        match thread::Builder::new().name("past training".to_owned()).spawn(|| listening.run()) {
            Ok(_) => Some(receiver),
            Err(error) => {
                tracing::error!(%error, "no thread to train on history");
                None
            }
        }
    }

    /// The detectors that know too little, as they listen: they train once, in the end.
    fn listeners(&self, models: &LiveModels) -> Vec<Detector> {
        let knows_enough = |name: &str| {
            models.load(name).is_some_and(|model| {
                let training = model.training();
                training.last.since_ms(training.first) >= self.back_ms / SEEN_ENOUGH
            })
        };
        let detectors = self.config.detectors.iter();
        let detectors = detectors.filter(|detector| !knows_enough(detector.schema.detector()));
        // Each of them is compiled already, for the stream.
        let compiled = detectors.filter_map(|detector| self.config.compile(detector).ok());
        compiled
            .filter_map(|mut detector| {
                detector.settings.training.as_mut()?.warm_up_ms = i64::MAX / 2;
                Some(detector)
            })
            .collect()
    }
}

// === impl Listening ===

impl Listening {
    fn run(mut self) {
        give_way();
        match self.listen() {
            Ok(()) => self.fit(),
            Err(Ended::Stopped) => {}
            Err(error) => {
                self.metrics.history_training_failures.inc();
                tracing::warn!(%error, "cannot train on history, the detectors learn from the stream alone");
            }
        }
    }

    fn listen(&mut self) -> Result<(), Ended> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("past training")
            .on_thread_start(give_way)
            .enable_all()
            .build()?;
        let slices = Slices::new(self.reader.clone(), self.replay.selectors().into(), self.from..=self.until);
        let mut slices = {
            let _inside = runtime.enter();
            slices.read_ahead()
        };
        let mut said = Instant::now();
        while let Some(slice) = slices.blocking_recv() {
            if self.lessons.is_closed() {
                return Err(Ended::Stopped);
            }
            let slice = slice?;
            self.metrics.history_samples.inc_by(slice.counts.samples);
            self.metrics.history_samples_left_out.inc_by(slice.counts.left_out);
            self.replay.append(&names::without_own(&slice.batch));
            let end = *slice.range.end();
            self.replay.pass(end);
            let done = end.since_ms(self.from) as f64 / self.until.since_ms(self.from).max(1) as f64;
            self.metrics.history_training_progress.set(done);
            if said.elapsed() >= SAY_EVERY {
                said = Instant::now();
                tracing::info!(percent = (100.0 * done).floor(), "training on history");
            }
        }
        Ok(())
    }

    /// Fits a model on the rows of each detector, and hands both over.
    fn fit(self) {
        for (learned, job) in self.replay.into_learned(self.until) {
            let (detector, rows) = (job.detector().to_owned(), job.row_count());
            let lesson = Lesson { detector, learned, rows, model: job.run() };
            if self.lessons.blocking_send(lesson).is_err() {
                return;
            }
        }
        self.metrics.history_training_progress.set(1.0);
    }
}

// === impl Stepper ===

impl Stepper {
    /// Begins to learn from the past, where there is one and it is worth it.
    pub(super) fn learn_the_past(&mut self) {
        let Some(plan) = self.past_training.take() else { return };
        let maintenance = self.maintenance.current().to_vec();
        self.lessons = plan.begin(&self.models, maintenance, Arc::clone(&self.metrics));
    }

    /// Takes what was learned since the last step: rows at once, models to be tried.
    pub(super) fn take_lessons(&mut self) {
        while let Some(Ok(lesson)) = self.lessons.as_mut().map(mpsc::Receiver::try_recv) {
            let Lesson { detector, learned, rows, model } = lesson;
            self.evaluator.take_learned(&detector, learned);
            match model {
                Ok(model) => {
                    let version = model.version();
                    tracing::info!(detector, version, rows, "trained a model on history");
                    self.candidates.give_back(&detector, Arc::new(model));
                }
                Err(error) => {
                    self.count_model(&detector, "failed");
                    tracing::warn!(detector, rows, %error, "training on history failed");
                }
            }
        }
    }
}
