//! Fitting a model to what was seen.
//!
//! [`Reservoir`] keeps a bounded, even sample of the past; [`fit()`] turns such rows into a
//! [`Model`](crate::model::Model), [`fit_plain()`] into a plain one. [`journal`] is how the sample is written down, so that it
//! survives a restart.
//!
//! Calibration is cross-fitted: the rows are cut into four blocks of time, and each block is scored by
//! forests that never saw it. A forest finds the rows it was grown from more ordinary than new ones, so its
//! scores of them would promise too few alarms. The same rows, settings and seed give the same
//! model to the last bit.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod changes;

mod fit;

pub mod journal;

mod plain;

mod regime;

mod reservoir;

pub use changes::{Columns, EntityChanges, GatherState, GatherUpdate, Gathered, RowChanges};
pub use fit::{MIN_ROWS, TrainError, TrainSettings, fit, fit_on_some};
pub use plain::fit_plain;
pub use regime::NEW_NORMAL_MS;
pub use reservoir::{Present, Reservoir, ReservoirSettings, TrainingRows};
