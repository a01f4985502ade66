//! Checked settings: what a [`super::parse`]d config says. Plain data.

use crate::{
    calibrate::{Budget, CheckedPersistence, Thresholds},
    feature_store,
    features::{FeatureSchema, SeasonSettings},
    history,
    pipeline::{
        self, AlertSettings, DetectorSettings, InvalidDetector, Maintenance, Rules, SeriesSettings,
        TrainingPolicy, TrainingTriggers,
    },
    receive,
    score::iforest::CheckedHyperparams,
    window, writeback,
};
use std::{path::PathBuf, time::Duration};

/// The whole config.
#[derive(Clone, Debug)]
pub struct Config {
    /// Distance between two evaluations, in the time of the data; whole milliseconds, at least 1 s.
    pub step: Duration,
    /// Longest wait, by the wall clock, for series that are late for a step.
    pub settle_timeout: Duration,
    /// Limits of the Remote-Write receiver.
    pub receive: receive::Config,
    /// The windows of raw samples.
    pub storage: Storage,
    /// Where scores go; without it they are only served by the API.
    pub remote_write: Option<writeback::Config>,
    /// Where the past is read from; without it windows fill from the stream alone.
    pub history: Option<History>,
    /// Where model files live.
    pub models: Models,
    /// Directory of what is to survive a restart beside models; relative to the working directory of the process.
    pub state: PathBuf,
    /// How the sidecar trains models from the stream.
    pub training: Training,
    /// What is judged; names are unique.
    pub detectors: Vec<Detector>,
    /// Planned work; names are unique.
    pub maintenance: Vec<Maintenance>,
    /// Which series are alerts, as labels of what is judged; `None`: they are not read.
    pub alerts: Option<AlertSettings>,
    /// Labels added to every score series, by name.
    pub external_labels: Vec<(String, String)>,
}

/// A store of the past, and what is read of it.
#[derive(Clone, Debug)]
pub struct History {
    /// The store.
    pub store: history::Config,
    /// How far back the steps begin that are made up for at start; zero: none are.
    pub backfill: Duration,
    /// How far back detectors without a model of as much learn, beside the stream; zero: not at all.
    pub training: Duration,
}

/// The windows of raw samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Number of shards; each has one owner task.
    pub shards: usize,
    /// Batches that may wait for one shard before requests are refused with 503.
    pub shard_queue_capacity: usize,
    /// Most series held, over all shards.
    pub max_series: usize,
    /// Most bytes held by labels and raw samples, over all shards.
    pub max_bytes: usize,
    /// Samples further ahead of the wall clock are refused.
    pub max_ahead: Duration,
    /// How far before the last step samples are kept at least, in the time of the data; zero means as far as
    /// the expressions look.
    pub retention: Duration,
}

/// Where model files live: `<path>/<detector>/<version>.ewm` and a pointer to the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Models {
    /// The directory; relative to the working directory of the process.
    pub path: PathBuf,
    /// Versions kept of each detector, the current one included.
    pub keep_versions: usize,
}

/// How the sidecar trains where no model exists.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// Time of data gathered before the first model is trained.
    pub warm_up: Duration,
    /// Most rows kept of each detector (a seeded, time-stratified reservoir).
    pub max_rows: usize,
    /// How long a new model scores beside the one in use before it follows it; zero: it follows at once.
    pub trial: Duration,
    /// How long a row is trained on, in the time of the data.
    pub retention: Duration,
    /// What makes a detector train again.
    pub triggers: TrainingTriggers,
    /// Of the forests; the seed is also that of the reservoir.
    pub hyperparams: CheckedHyperparams,
    /// Expected share of anomalies in the training data.
    pub contamination: f64,
    /// Where the rows are kept over a restart; `None`: they are not.
    pub store: Option<feature_store::Config>,
}

/// What is judged, by what, and how strictly.
#[derive(Clone, Debug, PartialEq)]
pub struct Detector {
    /// Name, entity labels, and features; every expression compiles.
    pub schema: FeatureSchema,
    /// Which series it judges, each by itself; `None`: it joins features by labels.
    pub series: Option<SeriesSettings>,
    /// A fixed model file; `None` means the current one under [`Models::path`].
    pub model: Option<PathBuf>,
    /// Where severities begin: as configured, or higher where the budget asks for it.
    pub thresholds: Thresholds,
    /// How long a score must stay high.
    pub persistence: CheckedPersistence,
    /// After how long the recent past of an entity fades to 1/e; `None`: scores are judged by the training alone.
    pub forget_after: Option<Duration>,
    /// What holds for single features.
    pub rules: Rules,
    /// How long the silence of an entity is said; zero: not at all.
    pub silence: Duration,
    /// How long after a restart or a release an entity has grace; zero: none.
    pub grace: Duration,
    /// How many false alarms an entity may raise; it is in the thresholds already.
    pub budget: Budget,
    /// How it learns what is usual at each hour; `None`: hours are all alike.
    pub season: Option<SeasonSettings>,
}

// === impl Config ===

impl Config {
    /// A detector of this config, compiled.
    ///
    /// # Errors
    /// At the first expression that cannot be a feature.
    pub fn compile(&self, detector: &Detector) -> Result<pipeline::Detector, InvalidDetector> {
        let settings = self.detector_settings(detector);
        let compiled = match &detector.series {
            Some(series) => pipeline::Detector::of_series(settings, series),
            None => pipeline::Detector::new(settings),
        }?;
        Ok(match &self.alerts {
            Some(alerts) => compiled.with_alerts(alerts),
            None => compiled,
        })
    }

    /// A detector of this config as the pipeline takes it. Without a fixed model it trains itself.
    #[must_use]
    pub fn detector_settings(&self, detector: &Detector) -> DetectorSettings {
        let training = &self.training;
        let policy = TrainingPolicy {
            warm_up_ms: milliseconds(training.warm_up),
            max_rows: training.max_rows,
            most_rows: training.store.as_ref().map_or(usize::MAX, |store| store.most_rows(&detector.schema)),
            trial_ms: milliseconds(training.trial),
            retention_ms: milliseconds(training.retention),
            triggers: training.triggers.clone(),
            hyperparams: training.hyperparams.get(),
            contamination: training.contamination,
        };
        DetectorSettings {
            schema: detector.schema.clone(),
            thresholds: detector.thresholds,
            persistence: detector.persistence,
            forget_after: detector.forget_after,
            rules: detector.rules.clone(),
            silence: detector.silence,
            grace: detector.grace,
            season: detector.season.clone(),
            training: detector.model.is_none().then_some(policy),
        }
    }
}

// === defaults ===

impl Default for Storage {
    fn default() -> Self {
        let window = window::Config::default();
        Self {
            shards: 2,
            shard_queue_capacity: 64,
            max_series: window.max_series,
            max_bytes: window.max_bytes,
            max_ahead: Duration::from_millis(window.max_ahead_ms.unsigned_abs()),
            retention: Duration::ZERO,
        }
    }
}

/// The share of all bytes that the program's own series may take: a score and a severity for each entity,
/// where an entity stands for many series that came in.
const OWN_SHARE: usize = 16;

impl Storage {
    /// The settings of one shard's store: its share of the limits. `expressions_ms` is how far back the
    /// expressions look.
    #[must_use]
    pub fn shard_window(&self, expressions_ms: i64) -> window::Config {
        window::Config {
            retention_ms: expressions_ms.max(milliseconds(self.retention)),
            max_ahead_ms: milliseconds(self.max_ahead),
            max_series: self.max_series.div_ceil(self.shards),
            max_bytes: (self.max_bytes - self.max_bytes / OWN_SHARE) / self.shards,
        }
    }

    /// The settings of a store through which a past goes, whose reader knows how far the expressions look.
    #[must_use]
    pub fn past_window(&self) -> window::Config {
        let (max_series, max_bytes) = (self.max_series, self.max_bytes);
        window::Config { max_series, max_bytes, ..window::Config::default() }
    }

    /// The settings of the store of the program's own series, which are kept as long as the others.
    #[must_use]
    pub fn own_window(&self, expressions_ms: i64) -> window::Config {
        let window = self.shard_window(expressions_ms);
        window::Config { max_series: self.max_series, max_bytes: self.max_bytes / OWN_SHARE, ..window }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Default for Models {
    fn default() -> Self {
        Self { path: PathBuf::from("models"), keep_versions: 10 }
    }
}
