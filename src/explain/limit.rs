//! A limit that was passed, in words.

use super::quantity::Unit;
use crate::calibrate::Bound;

/// Says that a feature is beyond its limit, for example `disk_usage_pct 97.3 %, above its limit of 95 %`.
#[must_use]
pub fn beyond_limit(feature: &str, seen: f64, limit: Bound) -> String {
    let unit = Unit::of(feature);
    let (side, limit) = match limit {
        Bound::Above(limit) => ("above", limit),
        Bound::Below(limit) => ("below", limit),
    };
    format!("{feature} {}, {side} its limit of {}", unit.show(seen), unit.show(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_said_with_the_unit_of_the_feature() {
        let disk = beyond_limit("disk_usage_pct", 97.312, Bound::Above(95.0));
        assert_eq!(disk, "disk_usage_pct 97.3 %, above its limit of 95 %");
        let free = beyond_limit("free_bytes", 1.5e9, Bound::Below(2e9));
        assert_eq!(free, "free_bytes 1.5 GB, below its limit of 2 GB");
    }
}
