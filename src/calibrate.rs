//! What a score means: how rare, how severe.
//!
//! - [`Tail`]: raw score -> tail probability, from scores of normal operation;
//! - [`Recent`]: how rare that is of late, for one entity;
//! - [`SeasonalRarity`]: how rare it is that a value is unusual for its hour;
//! - [`AnomalyScore`]: tail probability -> 0 to 1, a sixth for every factor of ten;
//! - [`Limits`]: values that are anomalies whatever their score;
//! - [`Budget`]: how many false alarms are allowed -> thresholds;
//! - [`population_stability_index`]: how far scores, or anything else, have moved from what they were;
//! - [`Severity`], [`SeverityTracker`]: anomaly scores over time -> level, with persistence and hysteresis.
//!
//! Promised: a higher raw score never gets a higher probability; a probability is never rarer than
//! the number of scores can support; levels do not flap.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod anomaly_score;

mod budget;

mod dependent;

mod limit;

mod pareto;

mod recent;

mod seasonal;

mod severity;

mod stability;

mod tail;

mod tracker;

pub use anomaly_score::AnomalyScore;
pub use budget::{AlarmRate, Budget, BudgetError};
pub use dependent::tail_of_means;
pub use limit::{Bound, InvalidLimits, Limits};
pub use recent::{Memory, Recent};
pub use seasonal::SeasonalRarity;
pub use severity::{InvalidThresholds, Severity, Thresholds};
pub use stability::{SHARE_FLOOR, population_stability_index};
pub use tail::{InvalidTail, Tail, TailError, TailParts};
pub use tracker::{CheckedPersistence, InvalidPersistence, Peak, Persistence, SeverityTracker, StepEvidence};
