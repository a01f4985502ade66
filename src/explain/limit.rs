//! Values that are anomalies by themselves, in words.

use super::quantity::{Quantity, duration_text};
use crate::calibrate::Bound;

/// Says that a feature is beyond its limit, for example `disk_usage_pct 97.3 %, above its limit of 95 %`.
#[must_use]
pub fn beyond_limit(feature: Quantity<'_>, seen: f64, limit: Bound) -> String {
    format!("{feature} {}, {}", feature.show(seen), beyond(feature, limit))
}

/// Says that a feature is zero and hardly ever was, for example `request_rate is 0, it was never 0 in 3 d`. `known_ms` is
/// how long it has been seen; `ever`: whether it was zero at any step of that.
#[must_use]
pub fn dropped_to_zero(feature: Quantity<'_>, known_ms: i64, ever: bool) -> String {
    let zero = feature.show(0.0);
    if ever {
        return format!("{feature} is {zero}, it was {zero} at fewer than 1 of 1,000 steps");
    }
    format!("{feature} is {zero}, it was never {zero} in {}", duration_text(known_ms))
}

/// Says that a feature is heading for its limit, for example `memory_usage_pct is 71 %, and at this pace above its limit of 90 %
/// in 3 h`.
#[must_use]
pub fn heading_for(feature: Quantity<'_>, seen: f64, limit: Bound, after_ms: i64) -> String {
    let (seen, beyond, after) = (feature.show(seen), beyond(feature, limit), duration_text(after_ms));
    format!("{feature} is {seen}, and at this pace {beyond} in {after}")
}

/// On which side of which limit.
fn beyond(feature: Quantity<'_>, limit: Bound) -> String {
    let (side, limit) = match limit {
        Bound::Above(limit) => ("above", limit),
        Bound::Below(limit) => ("below", limit),
    };
    format!("{side} its limit of {}", feature.show(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_says_the_limit_and_the_time() {
        let memory = heading_for(Quantity::of("memory_usage_pct"), 71.04, Bound::Above(90.0), 3 * 3_600_000);
        assert_eq!(memory, "memory_usage_pct is 71 %, and at this pace above its limit of 90 % in 3 h");
    }

    #[test]
    fn a_limit_is_said_with_the_unit_of_the_feature() {
        let disk = beyond_limit(Quantity::of("disk_usage_pct"), 97.312, Bound::Above(95.0));
        assert_eq!(disk, "disk_usage_pct 97.3 %, above its limit of 95 %");
        let free = beyond_limit(Quantity::of("free_bytes"), 1.5e9, Bound::Below(2e9));
        assert_eq!(free, "free_bytes 1.5 GB, below its limit of 2 GB");
    }

    #[test]
    fn a_drop_to_zero_says_what_was_known() {
        let days = 3 * 86_400_000;
        assert_eq!(
            dropped_to_zero(Quantity::of("request_rate"), days, false),
            "request_rate is 0, it was never 0 in 3 d"
        );
        let often = "sent_bytes is 0 B, it was 0 B at fewer than 1 of 1,000 steps";
        assert_eq!(dropped_to_zero(Quantity::of("sent_bytes"), days, true), often);
    }
}
