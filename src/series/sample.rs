//! Timestamps, samples and the staleness marker.

use std::fmt;

/// A point in time: Unix milliseconds, as on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimestampMs(pub i64);

impl TimestampMs {
    /// The earliest timestamp there is.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest timestamp there is.
    pub const MAX: Self = Self(i64::MAX);

    /// This instant, `ms` milliseconds later (earlier when negative); saturates at the ends.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this instant; saturates, negative when `earlier` is later.
    #[must_use]
    pub fn since_ms(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The latest multiple of `step_ms` that is not after this instant.
    ///
    /// `step_ms` must be positive. Steps are multiples of the step since the Unix epoch, so two
    /// processes agree on them without talking to each other.
    #[must_use]
    pub fn align_down(self, step_ms: i64) -> Self {
        debug_assert!(step_ms > 0);
        Self(self.0.div_euclid(step_ms).saturating_mul(step_ms))
    }

    /// The instant in seconds, the unit PromQL calculates in.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

impl fmt::Display for TimestampMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One value of one series at one instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When.
    pub timestamp: TimestampMs,
    /// What; any NaN but the stale marker is a value.
    pub value: f64,
}

impl Sample {
    /// A sample from its two parts.
    #[must_use]
    pub fn new(timestamp: i64, value: f64) -> Self {
        Self { timestamp: TimestampMs(timestamp), value }
    }
}

/// The staleness marker: a signalling NaN that ends a series
/// (`StaleNaN` in prometheus/prometheus `model/value/value.go`).
pub const STALE_NAN: f64 = f64::from_bits(STALE_NAN_BITS);

const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Whether `value` is the staleness marker, bit for bit. Other NaNs are ordinary values.
#[must_use]
pub fn is_stale_marker(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_marker_is_stale() {
        assert!(is_stale_marker(STALE_NAN));
        assert!(!is_stale_marker(f64::NAN));
        assert!(!is_stale_marker(f64::INFINITY));
    }

    #[test]
    fn steps_are_multiples_since_the_epoch_also_before_it() {
        assert_eq!(TimestampMs(59_999).align_down(15_000), TimestampMs(45_000));
        assert_eq!(TimestampMs(60_000).align_down(15_000), TimestampMs(60_000));
        assert_eq!(TimestampMs(-1).align_down(15_000), TimestampMs(-15_000));
    }
}
