//! Why a window is anomalous, in numbers and in words.
//!
//! - [`Criterion`], [`AnomalyType`]: by what it is anomalous, and what kind of trouble that is;
//! - [`contributions()`]: the credits of a forest's input columns -> the share of each feature;
//! - [`Reason`]: value and window of a feature, what is ordinary for them -> the criteria it meets, with the numbers;
//! - [`beyond_limit()`], [`dropped_to_zero()`]: a value that is an anomaly by itself -> words;
//! - [`season_clause()`]: what is usual at an hour -> a clause to follow the sentence;
//! - [`start_clause()`], [`restarts_clause()`]: that a process started lately -> a clause to follow the sentence;
//! - [`alerts_clause()`]: the alerts that fire -> another such clause;
//! - [`maintenance_clause()`]: planned work -> another such clause;
//! - [`filled_in()`]: what stands for missing values -> words;
//! - [`Evidence`], [`sentence()`]: what is known about one anomaly -> one line of plain English.
//!
//! Only what made the window stranger is named; a feature that made it more ordinary is no part of an
//! explanation. Nothing here calls an anomaly severe or names a cause: it says what was seen.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod alert;

mod anomaly_type;

mod change;

mod contributions;

mod criterion;

mod limit;

mod maintenance;

mod quantity;

mod reason;

mod season;

mod sentence;

mod start;

pub use alert::alerts_clause;
pub use change::{Aspect, Change, Recent};
pub use contributions::{Contribution, contributions};
pub use criterion::{AnomalyType, Criterion};
pub use limit::{beyond_limit, dropped_to_zero, heading_for};
pub use maintenance::maintenance_clause;
pub use quantity::Quantity;
pub use reason::{BEYOND, FeatureScales, Reason, Scale};
pub use season::season_clause;
pub use sentence::{Driver, Evidence, Expected, MAX_EXAMINED, filled_in, sentence};
pub use start::{StartKind, restarts_clause, start_clause};
