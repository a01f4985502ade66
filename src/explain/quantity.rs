//! Numbers as people read them, by the unit that a feature's name ends in.

use crate::features::FeatureSchema;
use std::fmt;

/// What is measured: a name, which says the unit. It is written as its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity<'a> {
    name: &'a str,
    unit: Unit,
}

/// What a feature measures, as its name says by Prometheus' naming habits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Nothing known: the plain number.
    None,
    /// Already in percent (`_pct`, `_percent`).
    Percent,
    /// Bytes (`_bytes`, `_bytes_total`).
    Bytes,
    /// Bytes a second (`_bytes_per_second`).
    BytesPerSecond,
    /// Seconds (`_seconds`, `_seconds_total`).
    Seconds,
    /// The rate of a counter of anything else.
    PerSecond,
    /// The rate of a counter of seconds: how much of the time, or on how many cores.
    SecondsPerSecond,
}

/// Three digits are what an eye compares.
const DIGITS: i32 = 3;

const BYTE_UNITS: [(f64, &str); 5] = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")];

const TIME_UNITS: [(f64, &str); 6] =
    [(86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "us")];

// === impl Quantity ===

impl<'a> Quantity<'a> {
    /// What a detector with this schema calls so.
    #[must_use]
    pub fn in_schema(schema: &FeatureSchema, name: &'a str) -> Self {
        if schema.is_rate(name) { Self::rate_of(name) } else { Self::of(name) }
    }

    /// A feature, or a metric that is taken as it is.
    #[must_use]
    pub fn of(name: &'a str) -> Self {
        Self { name, unit: Unit::of(name) }
    }

    /// The rate of a counter.
    #[must_use]
    pub fn rate_of(counter: &'a str) -> Self {
        Self { name: counter, unit: Unit::of_rate(counter) }
    }

    /// `value` with its unit, three significant digits.
    pub(super) fn show(self, value: f64) -> String {
        self.unit.show(value)
    }

    /// A range with its units, the unit once where both ends have the same: `1.2 to 3.4 GB`, `800 MB to 1.2 GB`. An end
    /// that looks like the other one is left out.
    pub(super) fn show_range(self, low: f64, high: f64) -> String {
        self.unit.show_range(low, high)
    }
}

impl fmt::Display for Quantity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

// === impl Unit ===

impl Unit {
    /// The unit of the rate of the counter of this name; `_sum` is that of a histogram or summary.
    fn of_rate(counter: &str) -> Self {
        match Self::of(counter.strip_suffix("_sum").unwrap_or(counter)) {
            Self::Bytes => Self::BytesPerSecond,
            Self::Seconds => Self::SecondsPerSecond,
            _ => Self::PerSecond,
        }
    }

    /// The unit of the feature of this name.
    fn of(feature: &str) -> Self {
        let name = feature.strip_suffix("_total").unwrap_or(feature);
        match name {
            name if name.ends_with("_bytes_per_second") => Self::BytesPerSecond,
            name if name.ends_with("_bytes") => Self::Bytes,
            name if name.ends_with("_seconds") => Self::Seconds,
            name if name.ends_with("_pct") || name.ends_with("_percent") => Self::Percent,
            _ => Self::None,
        }
    }

    fn show_range(self, low: f64, high: f64) -> String {
        let (low, high) = (self.show(low), self.show(high));
        if low == high {
            return high;
        }
        match (low.split_once(' '), high.split_once(' ')) {
            (Some((number, unit)), Some((_, same))) if unit == same => format!("{number} to {high}"),
            // `0 B` bears the smallest unit, which says nothing of a zero.
            (Some(("0", _)), Some(_)) => format!("0 to {high}"),
            _ if self == Self::PerSecond => format!("{} to {high}", low.trim_end_matches("/s")),
            _ => format!("{low} to {high}"),
        }
    }

    fn show(self, value: f64) -> String {
        if !value.is_finite() {
            return value.to_string();
        }
        match self {
            Self::None => number(value),
            Self::Percent => format!("{} %", number(value)),
            Self::Bytes => scaled(value, &BYTE_UNITS),
            Self::BytesPerSecond => format!("{}/s", scaled(value, &BYTE_UNITS)),
            Self::Seconds => scaled(value, &TIME_UNITS),
            Self::PerSecond => format!("{}/s", number(value)),
            // Not scaled: 250 ms/s would hide that it is a quarter.
            Self::SecondsPerSecond => format!("{} s/s", number(value)),
        }
    }
}

/// `value` in the largest of the units (descending) that it reaches; a smaller one in the last unit.
fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    // Rounded first, so that 999.9 kB is written as 1 MB and not as 1,000 kB.
    let value = rounded(value);
    if value == 0.0 {
        let base = units.iter().find(|(size, _)| *size == 1.0).map_or("", |(_, name)| name);
        return format!("0 {base}");
    }
    let reached = units.iter().find(|(size, _)| value.abs() >= *size).or(units.last());
    let &(size, name) = reached.unwrap_or(&(1.0, ""));
    format!("{} {name}", number(value / size))
}

/// Three significant digits without needless zeros; thousands apart; very small and very large
/// numbers as powers of ten.
fn number(value: f64) -> String {
    let value = rounded(value);
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e12).contains(&size) {
        return format!("{value:e}");
    }
    if size >= 1_000.0 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", grouped(size as u64));
    }
    value.to_string()
}

/// The two largest units of a time in milliseconds, rounded down.
pub(super) fn duration_text(ms: i64) -> String {
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

/// `n` with a comma between thousands.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `value` rounded to three significant digits. -0 becomes 0.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value + 0.0;
    }
    // Decimal text rounds exactly; dividing by a power of ten would leave tails like 0.30000000000000004.
    format!("{value:.*e}", (DIGITS - 1) as usize).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_follow_the_name() {
        for (name, unit) in [
            ("memory_usage_pct", Unit::Percent),
            ("node_memory_free_bytes", Unit::Bytes),
            ("network_bytes_total", Unit::Bytes),
            ("disk_read_bytes_per_second", Unit::BytesPerSecond),
            ("request_duration_seconds", Unit::Seconds),
            ("cpu_usage_avg", Unit::None),
            ("error_ratio", Unit::None),
        ] {
            assert_eq!(Unit::of(name), unit, "{name}");
        }
    }

    #[test]
    fn rates_are_by_the_second() {
        for (counter, unit) in [
            ("http_requests_total", Unit::PerSecond),
            ("http_request_duration_seconds_count", Unit::PerSecond),
            ("http_request_duration_seconds_sum", Unit::SecondsPerSecond),
            ("node_cpu_seconds_total", Unit::SecondsPerSecond),
            ("node_network_receive_bytes_total", Unit::BytesPerSecond),
            ("http_response_size_bytes_sum", Unit::BytesPerSecond),
        ] {
            assert_eq!(Quantity::rate_of(counter).unit, unit, "{counter}");
        }
        let requests = Quantity::rate_of("requests_total");
        assert_eq!(
            (requests.show(0.21), requests.show_range(40.0, 60.0)),
            ("0.21/s".into(), "40 to 60/s".into())
        );
        assert_eq!(Quantity::rate_of("cpu_seconds_total").show_range(0.0, 0.25), "0 to 0.25 s/s");
    }

    #[test]
    fn ranges_name_a_shared_unit_once() {
        for (unit, low, high, text) in [
            (Unit::None, 0.21, 0.38, "0.21 to 0.38"),
            (Unit::Bytes, 1.2e9, 3.4e9, "1.2 to 3.4 GB"),
            (Unit::Bytes, 8e8, 1.2e9, "800 MB to 1.2 GB"),
            (Unit::BytesPerSecond, 0.0, 2e6, "0 to 2 MB/s"),
            (Unit::Percent, 40.0, 55.5, "40 to 55.5 %"),
            (Unit::Seconds, 0.0, 0.0, "0 s"),
            (Unit::Seconds, 0.25, 0.2501, "250 ms"),
            (Unit::Seconds, -1.0, 1.0, "-1 to 1 s"),
        ] {
            assert_eq!(unit.show_range(low, high), text);
        }
    }

    #[test]
    fn numbers_as_people_read_them() {
        for (unit, value, text) in [
            (Unit::None, 0.97, "0.97"),
            (Unit::None, 0.123_456, "0.123"),
            (Unit::None, -0.0, "0"),
            (Unit::None, 1_234_567.0, "1,230,000"),
            (Unit::None, -1_234.0, "-1,230"),
            (Unit::None, 0.000_012_34, "1.23e-5"),
            (Unit::None, 2.5e15, "2.5e15"),
            (Unit::None, f64::INFINITY, "inf"),
            (Unit::Percent, 93.44, "93.4 %"),
            (Unit::Bytes, 999_900.0, "1 MB"),
            (Unit::Bytes, 512.0, "512 B"),
            (Unit::Bytes, 0.0, "0 B"),
            (Unit::BytesPerSecond, 1_250_000.0, "1.25 MB/s"),
            (Unit::Seconds, 0.25, "250 ms"),
            (Unit::Seconds, 0.0, "0 s"),
            (Unit::Seconds, 90.0, "1.5 min"),
            (Unit::Seconds, 2.5e-8, "0.025 us"),
        ] {
            assert_eq!(unit.show(value), text, "{value}");
        }
    }
}
