//! What is usual at an hour, in words.

use super::quantity::Quantity;
use crate::features::Usual;

/// Why a value of `feature` that is ordinary in itself is not at this hour, to follow the sentence on the anomaly: `unusual for
/// this hour: request_rate is usually 80 to 130 (5 such days)`. `missed` is for what such hours reach and this one did not.
#[must_use]
pub fn season_clause(feature: Quantity<'_>, usual: &Usual, missed: bool) -> String {
    let (low, high) = (feature.show(usual.low), feature.show(usual.high));
    let days = usual.days;
    let what = if missed { "did not come this time" } else { "unusual for this hour" };
    format!("{what}: {feature} is usually {low} to {high} ({days} such days)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    #[test]
    fn what_is_usual_is_said_with_its_days() {
        let usual = Usual { low: 80.0, high: 131.2, unit: 5.0, days: 5, such_days: true };
        assert_snapshot!(season_clause(Quantity::of("request_rate"), &usual, false), @"unusual for this hour: request_rate is usually 80 to 131 (5 such days)");
        assert_snapshot!(season_clause(Quantity::of("disk_read_bytes_per_second"), &usual, true), @"did not come this time: disk_read_bytes_per_second is usually 80 B/s to 131 B/s (5 such days)");
    }
}
