//! In which unit a timestamp is.
//!
//! OpenMetrics has seconds with a fraction, Prometheus' text format whole milliseconds, and nothing at the head of a text says which it is. The
//! sizes do: the same instant is a thousand times larger in milliseconds, and the years 2001 to 5138 in seconds lie below all of 1973 to
//! 5138 in milliseconds. What is smaller or larger could be either, or microseconds, and is refused.

use super::error::{Problem, head};
use crate::series::TimestampMs;
use std::fmt;

/// From here on, in seconds: 2001-09-09.
const FIRST_SECOND: f64 = 1e9;

/// From here on, in milliseconds: 1973-03-03. In seconds it would be the year 5138.
const FIRST_MILLISECOND: f64 = 1e11;

/// Up to here, in milliseconds: the year 5138.
const END_MILLISECOND: f64 = 1e14;

/// The unit of a text's timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// OpenMetrics.
    Seconds,
    /// Prometheus' text format 0.0.4.
    Milliseconds,
}

// === impl Unit ===

impl Unit {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Seconds => Self::Milliseconds,
            Self::Milliseconds => Self::Seconds,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
        })
    }
}

/// The instant that `text` says, to the nearest millisecond, and its unit.
pub(super) fn timestamp(text: &str) -> Result<(TimestampMs, Unit), Problem> {
    let no_timestamp = || Problem::Timestamp { text: head(text) };
    let number: f64 = text.parse().map_err(|_| no_timestamp())?;
    if !number.is_finite() {
        return Err(no_timestamp());
    }
    if (FIRST_SECOND..FIRST_MILLISECOND).contains(&number) {
        // A 64-bit float has a quarter of a microsecond here: whoever wrote a millisecond gets it back.
        return Ok((TimestampMs((number * 1000.0).round() as i64), Unit::Seconds));
    }
    if !(FIRST_MILLISECOND..END_MILLISECOND).contains(&number) {
        return Err(Problem::AmbiguousTimestamp { text: head(text) });
    }
    let ms = text.parse().map_err(|_| no_timestamp())?;
    Ok((TimestampMs(ms), Unit::Milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_unit_follows_from_the_size() {
        let seconds = |text, ms| assert_eq!(timestamp(text), Ok((TimestampMs(ms), Unit::Seconds)), "{text}");
        seconds("1000000000", 1_000_000_000_000);
        seconds("1700000000.25", 1_700_000_000_250);
        seconds("1.7e9", 1_700_000_000_000);
        seconds("99999999999.999", 99_999_999_999_999);
        let ms = |text, ms| assert_eq!(timestamp(text), Ok((TimestampMs(ms), Unit::Milliseconds)), "{text}");
        ms("100000000000", 100_000_000_000);
        ms("1700000000250", 1_700_000_000_250);
        ms("99999999999999", 99_999_999_999_999);
    }

    #[test]
    fn what_could_be_either_or_neither_is_refused() {
        for text in
            ["0", "60", "-5", "999999999.999", "-1700000000", "100000000000000", "1700000000250000", "1e300"]
        {
            assert_eq!(timestamp(text), Err(Problem::AmbiguousTimestamp { text: text.to_owned() }));
        }
        for text in ["", "NaN", "+Inf", "x", "1700000000250.5", "1.7e12", "1_700_000_000", "0x6553f100"] {
            assert_eq!(timestamp(text), Err(Problem::Timestamp { text: text.to_owned() }));
        }
    }

    proptest! {
        /// For all instants between 2001 and 5138, written in seconds with three digits or in milliseconds, it is that instant.
        #[test]
        fn a_written_millisecond_is_read_as_such(ms in 1_000_000_000_000_i64..100_000_000_000_000) {
            let in_seconds = format!("{}.{:03}", ms / 1000, ms % 1000);
            prop_assert_eq!(timestamp(&in_seconds), Ok((TimestampMs(ms), Unit::Seconds)));
            prop_assert_eq!(timestamp(&ms.to_string()), Ok((TimestampMs(ms), Unit::Milliseconds)));
        }
    }
}
