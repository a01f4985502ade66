//! What the process says of itself: metrics and log.
//!
//! Every metric stands in one table ([`Metrics`]), which `docs/metrics.md` repeats; a test compares
//! the two. Every other shell module may use this one.

mod appended;

mod exposition;

mod feature_store;

mod labels;

mod log;

mod metrics;

mod process;

mod table;

pub mod writeback;

pub use exposition::{Exposition, encode};
pub use feature_store::FeatureStoreMetrics;
pub use labels::{
    BuildLabels, DetectorFeatureLabels, DetectorLabel, DetectorOutcomeLabels, DetectorReasonLabels,
    DetectorSeverityLabels, FormLabel, HandlerCodeLabels, HandlerLabel, MessageCodeLabels, MessageLabel,
    ModelLabels, ReasonLabel, SeverityLabel, ShardLabel, StepCauseLabel, TrainingStateLabels,
};
pub use log::{LogFormat, LogSettings, UnknownLogFormat, init as init_log};
pub use metrics::{Metrics, TRAINING_STATES};
pub use table::MetricRow;
