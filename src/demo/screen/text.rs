//! Numbers and times in words.

use crate::series::TimestampMs;

/// `Tue 06 Jan 14:05`, UTC.
pub(super) fn clock(at: TimestampMs) -> String {
    formatted(at, "%a %d %b %H:%M")
}

/// `14:05`, UTC.
pub(super) fn time_of_day(at: TimestampMs) -> String {
    formatted(at, "%H:%M")
}

fn formatted(at: TimestampMs, format: &str) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(time) => time.strftime(format).to_string(),
        // Beyond the year 9999: then the number has to do.
        Err(_) => at.to_string(),
    }
}

/// A severity in words.
pub(super) fn severity(severity: u8) -> &'static str {
    match severity {
        0 => "-",
        1 => "low",
        2 => "medium",
        _ => "high",
    }
}

/// `1,234,567`.
pub(super) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A span in minutes, or hours and minutes.
pub(super) fn minutes(ms: i64) -> String {
    let minutes = ms / 60_000;
    if minutes < 120 {
        format!("{minutes} min")
    } else {
        format!("{} h {:02} min", minutes / 60, minutes % 60)
    }
}

/// Bytes per second with a decimal unit.
pub(super) fn bytes_per_second(bytes: f64) -> String {
    let (value, unit) = if bytes < 1e6 { (bytes / 1e3, "kB/s") } else { (bytes / 1e6, "MB/s") };
    format!("{value:.1} {unit}")
}

/// A duration of a request.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

/// `text` in lines of at most `width` characters, broken between words; a longer word has its own line.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_units_read_well() {
        assert_eq!([minutes(61_000), minutes(8_100_000)], ["1 min", "2 h 15 min"]);
        assert_eq!([bytes_per_second(1_540.0), bytes_per_second(2.25e7)], ["1.5 kB/s", "22.5 MB/s"]);
        assert_eq!([seconds(0.0456), seconds(1.5)], ["46 ms", "1.50 s"]);
        assert_eq!([thousands(7), thousands(1_000), thousands(1_234_567)], ["7", "1,000", "1,234,567"]);
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("a bb ccc dddd eeeeeeee", 6), ["a bb", "ccc", "dddd", "eeeeeeee"]);
        assert!(wrap("  ", 6).is_empty());
    }
}
