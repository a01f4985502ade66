//! Arithmetic on native histograms, as Prometheus 3.5 does it.
//!
//! Pure functions on [`NativeHistogram`]; what they mean is said in `model/histogram/float_histogram.go`,
//! `promql/quantile.go` and `promql/functions.go` of prometheus/prometheus. Operations run in that
//! order of additions too, since floats depend on it. Prometheus keeps buckets as spans, this program as
//! a list of index and count: compaction is leaving out what holds nothing.
//!
//! Where it drops an element, there is none here; why, is said by [`Incompatible`] or in `range/remarks.rs`.

mod combine;

mod history;

mod moments;

mod quantile;

mod rate;

mod reset;

mod text;

#[cfg(test)]
mod tests;

pub(super) use combine::{add, add_to_mean, compact, divide, scale, subtract};
pub(super) use history::{changes, resets};
pub(super) use moments::{average, variance};
pub(super) use quantile::{Nans, fraction, has_nans, quantile};
pub(super) use rate::{Change, HistogramWindow, delta, increase, instant_change, rate};
pub(super) use reset::is_reset;
pub(super) use text::text;

use crate::series::NativeHistogram;

/// Why two histograms have no sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Incompatible {
    /// One has exponential buckets, the other custom ones.
    #[error("exponential and custom buckets cannot be combined")]
    Kinds,
    /// Custom buckets with other bounds.
    #[error("custom buckets with different bounds cannot be combined")]
    Bounds,
}

/// Whether the buckets of both can be brought into line.
pub(super) fn check_compatible(one: &NativeHistogram, other: &NativeHistogram) -> Result<(), Incompatible> {
    if one.has_custom_buckets() != other.has_custom_buckets() {
        return Err(Incompatible::Kinds);
    }
    if one.has_custom_buckets() && !one.same_bounds(other) {
        return Err(Incompatible::Bounds);
    }
    Ok(())
}
