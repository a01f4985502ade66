//! That an anomaly falls into planned work, in words.

use super::sentence::clock;
use crate::series::TimestampMs;

/// Says which work is going on at `at`, to follow the sentence on an anomaly: `in maintenance "backup" until 04:00 UTC`.
#[must_use]
pub fn maintenance_clause(name: &str, until: TimestampMs, at: TimestampMs) -> String {
    let end = clock(until, at).map_or_else(String::new, |end| format!(" until {end}"));
    format!("in maintenance {name:?}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_said_with_its_end() {
        // 2026-01-05 02:00 UTC.
        let at = TimestampMs(1_767_578_400_000);
        let said = |hours: i64| maintenance_clause("backup", at.plus_ms(hours * 3_600_000), at);
        assert_eq!(said(2), "in maintenance \"backup\" until 04:00 UTC");
        assert_eq!(said(24), "in maintenance \"backup\" until 2026-01-06 02:00 UTC");
    }
}
