//! What makes a detector train again.

use crate::{features::Zone, model::Model, pipeline::cron::CronTimes, series::TimestampMs};
use std::fmt;

const WEEK_MS: i64 = 7 * 86_400_000;

/// When a detector trains again, beside the growth of a young one and newcomers.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingTriggers {
    /// How often, whatever happens.
    pub schedule: TrainingSchedule,
    /// The population stability index of a feature or of the scores from which on its inputs have drifted; 0: that is only measured.
    pub drift_threshold: f64,
    /// The F1 against labels under which a model is not good enough; 0: that is only measured.
    pub min_f1: f64,
}

/// How often a detector trains, in the time of the data.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainingSchedule {
    /// At this distance, in milliseconds.
    Every(i64),
    /// At these times, in the local time of the detector.
    At(CronTimes),
    /// Never again after the first model, for no reason.
    Never,
}

/// Why a model is trained.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainingReason {
    /// There is none.
    First,
    /// There is twice as much to learn from as the live model saw.
    Grown,
    /// The schedule says so.
    Schedule,
    /// There is an entity that the live model does not know.
    Newcomer,
    /// Inputs are not what they were.
    Drift(Drifted),
    /// The live model is not good enough.
    LowF1 {
        /// Its F1.
        f1: f64,
        /// Against what.
        against: F1Source,
    },
}

/// What was found to have drifted.
#[derive(Clone, Debug, PartialEq)]
pub struct Drifted {
    /// The feature that has drifted furthest; `None`: the scores have.
    pub feature: Option<String>,
    /// Its population stability index.
    pub psi: f64,
    /// Since when that is seen: from then on everything is of the new kind.
    pub since: TimestampMs,
}

/// What a model was held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum F1Source {
    /// The alerts in the stream.
    Alerts,
    /// The labels of the validation before it came into use.
    Validation,
}

// === impl F1Source ===

impl F1Source {
    /// One word, as in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Validation => "validation",
        }
    }
}

// === impl TrainingTriggers ===

impl TrainingTriggers {
    /// The usual reading of the index: from here on a distribution has moved a lot.
    pub const DEFAULT_DRIFT_THRESHOLD: f64 = 0.25;

    /// What is expected of a model.
    pub const DEFAULT_MIN_F1: f64 = 0.8;
}

impl Default for TrainingTriggers {
    fn default() -> Self {
        Self {
            schedule: TrainingSchedule::default(),
            drift_threshold: Self::DEFAULT_DRIFT_THRESHOLD,
            min_f1: Self::DEFAULT_MIN_F1,
        }
    }
}

// === impl TrainingSchedule ===

impl TrainingSchedule {
    /// Weekly.
    pub const DEFAULT_MS: i64 = WEEK_MS;

    /// The distance of two trainings around an instant; weekly where there are no two.
    #[must_use]
    pub fn distance_ms(&self, at: TimestampMs, zone: &Zone) -> i64 {
        match self {
            Self::Every(distance_ms) => *distance_ms,
            Self::At(times) => {
                let next = times.next_after(at, zone);
                let second = next.and_then(|next| times.next_after(next, zone));
                next.zip(second).map_or(WEEK_MS, |(next, second)| second.since_ms(next))
            }
            Self::Never => WEEK_MS,
        }
    }

    /// Whether a model is due at `at` beside `live`: a young one is followed when as much time has passed as it saw, until that is the distance
    /// of two trainings; from then on the schedule holds.
    pub(super) fn due(&self, at: TimestampMs, live: &Model, zone: &Zone) -> Option<TrainingReason> {
        if *self == Self::Never {
            return None;
        }
        let (last, seen) = (live.training().last, seen_ms(live));
        let distance = self.distance_ms(last, zone);
        let passed = at.since_ms(last);
        if seen < distance {
            return (passed >= seen).then_some(TrainingReason::Grown);
        }
        let is_due = match self {
            Self::Every(_) => passed >= distance,
            Self::At(times) => times.next_after(last, zone).is_some_and(|next| next <= at),
            Self::Never => false,
        };
        is_due.then_some(TrainingReason::Schedule)
    }
}

impl Default for TrainingSchedule {
    fn default() -> Self {
        Self::Every(Self::DEFAULT_MS)
    }
}

/// How much time a model saw of its inputs as they are now, in milliseconds: after a drift it is young again.
pub(super) fn seen_ms(model: &Model) -> i64 {
    let training = model.training();
    let first = training.drifted.map_or(training.first, |since| since.max(training.first));
    training.last.since_ms(first)
}

// === impl TrainingReason ===

impl TrainingReason {
    /// One word, as a label.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Grown => "grown",
            Self::Schedule => "schedule",
            Self::Newcomer => "newcomer",
            Self::Drift(_) => "drift",
            Self::LowF1 { .. } => "f1",
        }
    }
}

/// For people.
impl fmt::Display for TrainingReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("there is no model yet"),
            Self::Grown => f.write_str("there is twice as much to learn from"),
            Self::Schedule => f.write_str("the schedule says so"),
            Self::Newcomer => f.write_str("there is an entity that the model does not know"),
            Self::Drift(Drifted { feature: Some(feature), psi, .. }) => {
                write!(f, "feature {feature} drifted: PSI {psi:.2} over 24h")
            }
            Self::Drift(Drifted { feature: None, psi, .. }) => {
                write!(f, "the scores drifted: PSI {psi:.2} over 24h")
            }
            Self::LowF1 { f1, against: F1Source::Alerts } => {
                write!(f, "F1 against the alerts in the stream is {f1:.2}")
            }
            Self::LowF1 { f1, against: F1Source::Validation } => {
                write!(f, "F1 of the model's validation is {f1:.2}")
            }
        }
    }
}
