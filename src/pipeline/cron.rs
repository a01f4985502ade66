//! Times of a crontab, by the clock on the wall.

use crate::{features::Zone, series::TimestampMs};
use cronexpr::{Crontab, FallbackTimezoneOption, ParseOptions};
use jiff::Timestamp;
use std::fmt;

/// Times are looked up between these years, which the calendar's arithmetic does not leave.
pub(super) const CALENDAR: std::ops::Range<i64> = 0..253_000_000_000_000;

/// The times of a crontab of five fields: minute, hour, day of the month, month, day of the week.
#[derive(Clone)]
pub struct CronTimes {
    text: String,
    /// Of a clock that shows local time and takes it for UTC.
    crontab: Crontab,
}

/// Why a text names no times.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCron {
    /// It cannot be read, with the reason.
    #[error("{text:?} is no schedule: {reason}")]
    Text {
        /// As written.
        text: String,
        /// What is wrong.
        reason: String,
    },
    /// No day is such a day.
    #[error("{text:?} never comes")]
    Never {
        /// As written.
        text: String,
    },
}

// === impl CronTimes ===

impl CronTimes {
    /// Reads a crontab.
    ///
    /// # Errors
    /// When the text is none, or names no day that there is.
    pub fn new(text: &str) -> Result<Self, InvalidCron> {
        let invalid = |reason: String| InvalidCron::Text { text: text.to_owned(), reason };
        let fields = text.split_whitespace().count();
        if fields != 5 {
            return Err(invalid(format!("it has {fields} fields, not 5")));
        }
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        let crontab = cronexpr::parse_crontab_with(text, options).map_err(|error| {
            // The reason stands behind an arrow that shows where.
            let text = error.to_string();
            let reason = text.rsplit_once("^ ").and_then(|(_, reason)| reason.lines().next());
            invalid(reason.unwrap_or("it cannot be read").to_owned())
        })?;
        if crontab.find_next(Timestamp::UNIX_EPOCH).is_err() {
            return Err(InvalidCron::Never { text: text.to_owned() });
        }
        Ok(Self { text: text.to_owned(), crontab })
    }

    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The crontab, of a clock that shows local time and takes it for UTC.
    pub(super) fn crontab(&self) -> &Crontab {
        &self.crontab
    }

    /// The first time after an instant, where there is one. A time that the clock leaves out comes an hour later, one that it shows twice
    /// the first time.
    #[must_use]
    pub fn next_after(&self, at: TimestampMs, zone: &Zone) -> Option<TimestampMs> {
        let offset_ms = zone.offset_ms(at);
        let local = at.plus_ms(offset_ms);
        if !CALENDAR.contains(&local.0) {
            return None;
        }
        let next = self.crontab.find_next(Timestamp::from_millisecond(local.0).ok()?).ok()?;
        let next = TimestampMs(next.timestamp().as_millisecond());
        // As the clock stands now, and as it will stand then, where it is changed in between.
        let (as_now, then) =
            (next.plus_ms(-offset_ms), next.plus_ms(-zone.offset_ms(next.plus_ms(-offset_ms))));
        Some(if then > at { then } else { as_now })
    }
}

impl PartialEq for CronTimes {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for CronTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> TimestampMs {
        TimestampMs(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    /// Sundays at four. 2026-03-29 and 2026-10-25 are Sundays on which clocks in Berlin change, at one in the morning of UTC.
    #[test]
    fn the_next_time_goes_by_the_clock_on_the_wall() {
        let (weekly, berlin) = (CronTimes::new("0 4 * * 0").unwrap(), Zone::named("Europe/Berlin").unwrap());
        for (time, next) in [
            ("2026-03-28T12:00:00Z", "2026-03-29T02:00:00Z"),
            ("2026-03-29T02:00:00Z", "2026-04-05T02:00:00Z"),
            ("2026-10-24T12:00:00Z", "2026-10-25T03:00:00Z"),
            ("2026-10-25T03:00:00Z", "2026-11-01T03:00:00Z"),
        ] {
            assert_eq!(weekly.next_after(at(time), &berlin), Some(at(next)), "{time}");
        }
        assert_eq!(weekly.next_after(TimestampMs::MAX, &berlin), None);
    }

    proptest! {
        /// For all instants, the next time of a daily crontab comes after it, within 25 hours, and is the next one of any instant in between.
        #[test]
        fn the_next_time_is_the_first(hour in 0_i64..24, time in 0_i64..4_000_000_000_000, part in 0.0..1.0_f64) {
            let (daily, zone) = (CronTimes::new(&format!("0 {hour} * * *")).unwrap(), Zone::named("Europe/Berlin").unwrap());
            let time = TimestampMs(time);
            let next = daily.next_after(time, &zone).unwrap();
            let ahead = next.since_ms(time);
            prop_assert!((1..=25 * 3_600_000).contains(&ahead));
            let between = time.plus_ms((ahead as f64 * part) as i64);
            prop_assert_eq!(daily.next_after(between, &zone).unwrap(), next);
        }
    }
}
