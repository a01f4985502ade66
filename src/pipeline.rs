//! The core as a few calls: samples in, verdicts out, no clock, no task, no file.
//!
//! ```text
//! shards:  Store::append ... LeafTable::evaluate --> Evaluator::gather, step -> verdicts -> series
//!             |                                                  |
//!          Progress --merge--> StepClock::tick                training_due -> TrainingJob::run -> Model
//! ```
//!
//! `app` spreads these over tasks; [`Replay`] runs them one after the other. Both give the same
//! series to the last bit, whatever the number of shards: leaves are merged in label order, and a
//! model trained after step T is there a minute later (four steps, where they are shorter), is tried, and
//! scores from a step on that the data decide, never by chance of timing. [`Backtest`] begins behind the
//! expressions, with recorded feature vectors, and says the same of them.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod aftermath;
mod alerts;

mod backtest;

mod carry;

mod clock;

mod cron;

mod detector;

mod drift;

mod evaluator;

mod extraction;

mod forecast;

mod gaps;

mod incident;

mod judge;

mod learned;

mod leaves;

mod maintenance;

mod replay;

mod rules;

mod season;

mod series;

mod silence;

mod starts;

mod succession;

mod telling;

mod training;

mod trial;

mod vector_judge;

mod verdict;

mod zero;

pub use alerts::{
    AlertHistory, AlertOutcome, AlertSettings, AlertStep, AlertedTime, AlertedTimes, JudgedIncident,
    OWN_ALERTS,
};
pub use backtest::{Backtest, Judged};
pub use carry::{carried_steps, steps_beyond_first};
pub use clock::{ClockConfig, StepCause, StepClock, Tick, merge_progress};
pub use cron::{CronTimes, InvalidCron};
pub use detector::{CompiledFeature, Detector, DetectorSettings, InvalidDetector, Sight, compile_feature};
pub use drift::DriftFigures;
pub use evaluator::Evaluator;
pub use extraction::{Extraction, Vectors};
pub use incident::{Incident, IncidentChanges, IncidentId, Incidents, KEPT_INCIDENTS};
pub use judge::Judge;
pub use learned::Learned;
pub use leaves::{LeafMemory, LeafPlaces, LeafTable, SlicedEvaluation};
pub use maintenance::{
    InMaintenance, InvalidMaintenance, Maintenance, MaintenanceStep, OpenMaintenance, Schedule, Times,
};
pub use replay::Replay;
pub use rules::{FeatureRules, OnGap, OnZero, Override, Rules};
pub use series::SeriesSettings;
pub use starts::Start;
pub use training::{
    Drifted, F1Source, TrainingJob, TrainingPolicy, TrainingReason, TrainingSchedule, TrainingTriggers,
};
pub use trial::{Rejection, Tally, TrialEnd};
pub use vector_judge::VectorJudge;
pub use verdict::{Breach, DetectorStep, FeatureContribution, Seasonal, Verdict, Violation, names};
