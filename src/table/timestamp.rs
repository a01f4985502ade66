//! Timestamps as people write them.

use super::error::{Problem, head};
use crate::series::TimestampMs;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// From here on a number is taken for milliseconds: in seconds it would be the year 5138, in
/// milliseconds it is March 1973.
const FIRST_MILLISECONDS: f64 = 1e11;

/// Latest instant taken, in ms: the year 9999 and a little.
const MAX_MS: f64 = 2.6e14;

/// Reads Unix seconds (with fraction), Unix milliseconds, RFC 3339, or a date and time without zone, which is UTC.
///
/// # Errors
/// When it is none of them.
pub fn parse(text: &str) -> Result<TimestampMs, Problem> {
    instant(text).ok_or_else(|| Problem::BadTimestamp { text: head(text) })
}

fn instant(text: &str) -> Option<TimestampMs> {
    if let Ok(number) = text.parse::<f64>() {
        let ms = if number.abs() < FIRST_MILLISECONDS { number * 1000.0 } else { number };
        return (ms.abs() <= MAX_MS).then(|| TimestampMs(ms.round() as i64));
    }
    let utc = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    let instant = text.parse().ok().or_else(|| Some(utc()?.timestamp()));
    instant.map(|instant: Timestamp| TimestampMs(instant.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_milliseconds_and_rfc_3339_name_the_same_instant() {
        let expected = Some(TimestampMs(1_577_836_800_250));
        let texts = [
            "1577836800.25",
            "1577836800250",
            "2020-01-01T00:00:00.25Z",
            "2020-01-01T01:00:00.25+01:00",
            "2020-01-01 00:00:00.250000",
        ];
        for text in texts {
            assert_eq!(instant(text), expected, "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_timestamps() {
        for text in ["", "yesterday", "NaN", "inf", "1e300", "2020-13-01T00:00:00Z"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
