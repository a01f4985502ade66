//! Durations and sizes as people write them.

use std::time::Duration;

/// Milliseconds of each unit of a duration, from the largest; a duration uses each at most once, in
/// this order.
const DURATION_UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Bytes of each unit of a size.
const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Reads a duration by Prometheus' grammar (`1h30m`, `15s`, `0`); `None` when it is none.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut units = DURATION_UNITS.iter();
    let mut rest = text;
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = take_digits(rest)?;
        let letters = after.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        // `units` goes on from the last unit found: repeats and wrong order run into its end.
        let (_, unit_ms) = units.find(|(name, _)| *name == unit)?;
        total_ms = total_ms.checked_add(number.checked_mul(*unit_ms)?)?;
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::from_millis(total_ms))
}

/// Writes a duration so that `parse_duration` reads it back; parts of a millisecond are dropped.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, unit_ms) in DURATION_UNITS {
        // Years and weeks only where nothing remains: `90d`, not `12w6d`.
        let count =
            if matches!(unit, "y" | "w") && !rest.is_multiple_of(unit_ms) { 0 } else { rest / unit_ms };
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
            rest -= count * unit_ms;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Reads a size (`64MiB`, `2GB`, `4096` or `4096B`); `None` when it is none.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = take_digits(text)?;
    let factor = match unit {
        "" => 1,
        unit => SIZE_UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    number.checked_mul(factor)
}

/// Writes a size with the largest binary unit of which it has at least one, to one decimal.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    match SIZE_UNITS[..4].iter().find(|(_, factor)| bytes >= *factor) {
        Some((unit, factor)) if bytes.is_multiple_of(*factor) => format!("{}{unit}", bytes / factor),
        Some((unit, factor)) => format!("{:.1}{unit}", bytes as f64 / *factor as f64),
        None => format!("{bytes}B"),
    }
}

fn take_digits(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_follow_prometheus() {
        let ms = |text| parse_duration(text).map(|d| d.as_millis());
        assert_eq!(ms("15s"), Some(15_000));
        assert_eq!(ms("1h30m"), Some(5_400_000));
        assert_eq!(ms("1y2w3d4h5m6s7ms"), Some(31_536_000_000 + 1_209_600_000 + 259_200_000 + 14_706_007));
        assert_eq!(ms("0"), Some(0));
        for wrong in
            ["", "s", "15", "1.5h", "1m1h", "1h1h", "5 m", "5min", "-1s", "99999999999999999999y", "1S"]
        {
            assert_eq!(ms(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        assert_eq!(parse_size("64MiB"), Some(64 << 20));
        assert_eq!(parse_size("2GB"), Some(2_000_000_000));
        assert_eq!(parse_size("4096"), Some(4096));
        for wrong in ["", "MiB", "1.5GiB", "64 MiB", "64mib", "99999999TiB"] {
            assert_eq!(parse_size(wrong), None, "{wrong:?}");
        }
        assert_eq!(format_size(2 << 30), "2GiB");
        assert_eq!(format_size(3_940), "3.8KiB");
    }

    proptest! {
        /// For all durations in whole milliseconds, what is written is read back as the same duration.
        #[test]
        fn written_durations_are_read_back(ms in 0_u64..1 << 50) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
        }

        /// For all texts, reading neither panics nor overflows.
        #[test]
        fn no_text_panics(text in "\\PC{0,30}") {
            let _ = (parse_duration(&text), parse_size(&text));
        }
    }
}
