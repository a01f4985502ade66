//! One anomaly in one line.

use jiff::Timestamp;

use super::quantity::{Unit, grouped};
use crate::series::TimestampMs;

/// Features named in a sentence; more do not help to read it.
const MAX_DRIVERS: usize = 3;

/// Missing features named in a sentence.
const MAX_MISSING: usize = 5;

/// A feature below this share is noise, unless it is the first.
const MIN_SHARE: f64 = 0.05;

/// The range that a feature has in normal operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// A feature that drives an anomaly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Driver<'a> {
    /// Name of the feature; its ending says the unit.
    pub name: &'a str,
    /// Its value at the step; none when there is none.
    pub seen: Option<f64>,
    /// What it is in normal operation, where that is known.
    pub expected: Option<Expected>,
    /// Its part in the score, within 0..=1.
    pub share: f64,
}

/// What is known about one anomaly.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What drives it, largest share first. May be empty.
    pub drivers: &'a [Driver<'a>],
    /// How rare such a window is in normal operation.
    pub tail_probability: f64,
    /// The rarest that the calibration can tell (`Tail::floor`); what comes near is said to be "at most".
    pub floor: f64,
    /// The step.
    pub at: TimestampMs,
    /// When the episode began; none outside an episode.
    pub since: Option<TimestampMs>,
    /// Features that had no data.
    pub missing: &'a [&'a str],
}

/// Says it in plain English, for example `cpu_usage_avg 0.97, expected 0.21 to 0.38 (58 % of the score);
/// about 1 in 40,000 windows; since 14:32 UTC (6 min); no data for disk_usage_pct`.
///
/// At most three features are named, with shares under 5 % left out, and at most five missing ones.
#[must_use]
pub fn sentence(evidence: &Evidence<'_>) -> String {
    let mut parts: Vec<String> = evidence
        .drivers
        .iter()
        .take(MAX_DRIVERS)
        .enumerate()
        .filter(|(i, driver)| *i == 0 || driver.share >= MIN_SHARE)
        .map(|(_, driver)| driver_text(driver))
        .collect();
    if parts.is_empty() {
        parts.push("no single feature stands out".to_owned());
    }
    parts.push(rarity_text(evidence.tail_probability, evidence.floor));
    if let Some(since) = evidence.since {
        parts.push(since_text(since, evidence.at));
    }
    if !evidence.missing.is_empty() {
        parts.push(missing_text(evidence.missing));
    }
    parts.join("; ")
}

fn driver_text(driver: &Driver<'_>) -> String {
    let unit = Unit::of(driver.name);
    let seen = driver.seen.filter(|seen| !seen.is_nan());
    let seen = seen.map_or_else(|| "without a value".to_owned(), |seen| unit.show(seen));
    let expected = driver.expected.map(|expected| {
        let (low, high) = (unit.show(expected.low), unit.show(expected.high));
        if low == high { format!(", expected {low}") } else { format!(", expected {low} to {high}") }
    });
    let share = format!("({:.0} % of the score)", driver.share * 100.0);
    format!("{} {seen}{} {share}", driver.name, expected.unwrap_or_default())
}

fn rarity_text(p: f64, floor: f64) -> String {
    // Where the calibration ends, its probabilities only approach the floor.
    if p <= floor * 1.5 && floor > 0.0 {
        return format!("rarer than 1 in {} windows", windows(1.0 / (floor * 1.5)));
    }
    match 1.0 / p {
        often if often < 2.0 => "an ordinary window".to_owned(),
        often if often.is_finite() => format!("about 1 in {} windows", windows(often)),
        _ => "rarity unknown".to_owned(),
    }
}

/// A number of windows: a person is helped by two digits, and misled by more.
fn windows(n: f64) -> String {
    let two_digits: f64 = format!("{n:.1e}").parse().unwrap_or(n);
    grouped(if n < 10.0 { n.round() } else { two_digits } as u64)
}

fn since_text(since: TimestampMs, at: TimestampMs) -> String {
    let format = if utc(since, "%F") == utc(at, "%F") { "%H:%M UTC" } else { "%F %H:%M UTC" };
    match utc(since, format) {
        Some(time) => format!("since {time} ({})", duration_text(at.since_ms(since).max(0))),
        None => format!("for {}", duration_text(at.since_ms(since).max(0))),
    }
}

/// None outside the years that the calendar has.
fn utc(timestamp: TimestampMs, format: &str) -> Option<String> {
    Timestamp::from_millisecond(timestamp.0).ok().map(|time| time.strftime(format).to_string())
}

/// The two largest units of a time, rounded down.
fn duration_text(ms: i64) -> String {
    let minutes = ms / 60_000;
    let (days, hours) = (minutes / 1_440, minutes / 60 % 24);
    match (days, hours, minutes % 60) {
        (0, 0, 0) => format!("{} s", ms / 1_000),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{} d", grouped(days.unsigned_abs())),
        (days, hours, _) => format!("{} d {hours} h", grouped(days.unsigned_abs())),
    }
}

fn missing_text(missing: &[&str]) -> String {
    let named = missing.iter().take(MAX_MISSING).copied().collect::<Vec<_>>().join(", ");
    match missing.len().saturating_sub(MAX_MISSING) {
        0 => format!("no data for {named}"),
        more => format!("no data for {named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    /// 2026-11-21 14:38 UTC.
    const AT: TimestampMs = TimestampMs(1_795_271_880_000);

    const CPU: Driver<'_> = Driver {
        name: "cpu_usage_avg",
        seen: Some(0.9712),
        expected: Some(Expected { low: 0.21, high: 0.38 }),
        share: 0.583,
    };

    const MEMORY: Driver<'_> = Driver {
        name: "memory_usage_pct",
        seen: Some(91.26),
        expected: Some(Expected { low: 40.0, high: 55.5 }),
        share: 0.31,
    };

    fn evidence<'a>(drivers: &'a [Driver<'a>], tail_probability: f64) -> Evidence<'a> {
        Evidence { drivers, tail_probability, floor: 1e-6, at: AT, since: None, missing: &[] }
    }

    #[test]
    fn the_whole_sentence() {
        let drivers = [CPU, MEMORY];
        let since = Some(AT.plus_ms(-6 * 60_000));
        let whole = Evidence { since, missing: &["disk_usage_pct"], ..evidence(&drivers, 2.5e-5) };
        assert_snapshot!(sentence(&whole), @"cpu_usage_avg 0.971, expected 0.21 to 0.38 (58 % of the score); memory_usage_pct 91.3 %, expected 40 % to 55.5 % (31 % of the score); about 1 in 40,000 windows; since 14:32 UTC (6 min); no data for disk_usage_pct");
    }

    #[test]
    fn small_shares_and_a_fourth_feature_are_left_out() {
        let small = Driver { name: "load", share: 0.04, ..CPU };
        let plain = Driver { seen: None, expected: None, ..CPU };
        assert_snapshot!(sentence(&evidence(&[plain, small], 0.01)), @"cpu_usage_avg without a value (58 % of the score); about 1 in 100 windows");
        let equal = Driver { expected: Some(Expected { low: 0.2, high: 0.2 }), share: 0.25, ..CPU };
        assert_eq!(sentence(&evidence(&[equal; 4], 0.01)).matches("expected 0.2 (25 %").count(), 3);
    }

    #[test]
    fn nothing_known_is_said_too() {
        assert_snapshot!(sentence(&evidence(&[], 0.3)), @"no single feature stands out; about 1 in 3 windows");
        assert_snapshot!(sentence(&evidence(&[], 0.7)), @"no single feature stands out; an ordinary window");
        assert_snapshot!(sentence(&evidence(&[], f64::NAN)), @"no single feature stands out; rarity unknown");
    }

    /// The floor of 1e-6, with the half that the estimate may lie above it: 1 in 670,000.
    #[test]
    fn rarity_ends_where_the_calibration_ends() {
        assert_snapshot!(rarity_text(1.1e-6, 1e-6), @"rarer than 1 in 670,000 windows");
        assert_snapshot!(rarity_text(2e-6, 1e-6), @"about 1 in 500,000 windows");
    }

    #[test]
    fn times_on_other_days_carry_the_date() {
        let hour = 3_600_000;
        assert_snapshot!(since_text(AT.plus_ms(-26 * hour), AT), @"since 2026-11-20 12:38 UTC (1 d 2 h)");
        assert_snapshot!(since_text(AT.plus_ms(-hour - 60_000), AT), @"since 13:37 UTC (1 h 1 min)");
        assert_snapshot!(since_text(AT.plus_ms(-15_000), AT), @"since 14:37 UTC (15 s)");
        assert_snapshot!(since_text(TimestampMs::MIN, TimestampMs(0)), @"for 106,751,991,167 d 7 h");
    }

    #[test]
    fn many_missing_features_are_counted() {
        let missing = ["a", "b", "c", "d", "e", "f", "g"];
        assert_snapshot!(missing_text(&missing), @"no data for a, b, c, d, e and 2 more");
    }
}
