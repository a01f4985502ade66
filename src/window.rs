//! Rolling windows of raw samples, in memory, one [`Store`] a shard.
//!
//! A store is owned by exactly one task, so nothing here locks. It promises:
//! - a series holds its samples sorted by time, one a timestamp, none older than the retention before
//!   the last evaluated step;
//! - which samples are in a window depends on what arrived, not on the order of arrival, as long as
//!   it arrived before its step was evaluated;
//! - every sample offered has exactly one [`AppendOutcome`], and the counts add up;
//! - memory is bounded by series and by bytes, and what is refused is counted.
//!
//! It does not interpret values: rates and staleness belong to `promql`, the stale marker is only
//! stored (and ends the wait for a series).

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod append;

mod chunks;

mod histograms;

mod samples;

mod selectors;

mod series;

mod store;

#[cfg(test)]
mod tests;

pub use append::{AppendCounts, AppendOutcome};
pub use chunks::{Chunks, Room};
pub use samples::Samples;
pub use series::SeriesView;
pub use store::{Config, Cursor, Progress, Store};
