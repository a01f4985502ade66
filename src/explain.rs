//! Why a window is anomalous, in numbers and in words.
//!
//! - [`contributions()`]: the credits of a forest's input columns -> the share of each feature;
//! - [`season_clause()`]: what is usual at an hour -> a clause to follow the sentence;
//! - [`Evidence`], [`sentence()`]: what is known about one anomaly -> one line of plain English.
//!
//! Only what made the window stranger is named; a feature that made it more ordinary is no part of an
//! explanation. Nothing here calls an anomaly severe or names a cause: it says what was seen.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod contributions;

mod quantity;

mod season;

mod sentence;

pub use contributions::{Contribution, contributions};
pub use season::season_clause;
pub use sentence::{Driver, Evidence, Expected, sentence};
