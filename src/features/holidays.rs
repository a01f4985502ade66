//! Days on which people do not work though the week says so.

use jiff::{Span, civil::Date};
use std::str::FromStr;

/// A leap year: 29 February can be a yearly holiday.
const LEAP_YEAR: i16 = 2024;

/// One day or several, written `2026-05-14`, `2026-08-03..2026-08-14` (both included) or, for every year, `12-25`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holiday(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Invariant: the first is not after the last.
    Days {
        first: Date,
        last: Date,
    },
    Yearly {
        month: i8,
        day: i8,
    },
}

/// Why a text is no holiday.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHoliday {
    /// A date that no calendar has, or something else.
    #[error("{0:?} is not a date")]
    Date(String),
    /// A range that ends before it begins.
    #[error("{last} lies before {first}")]
    Backwards {
        /// Where it begins.
        first: Date,
        /// Where it ends.
        last: Date,
    },
}

/// Days that count as Sundays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holidays(Vec<Holiday>);

// === impl Holiday ===

impl FromStr for Holiday {
    type Err = InvalidHoliday;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((first, last)) = text.split_once("..") {
            let (first, last) = (date(first)?, date(last)?);
            return match first <= last {
                true => Ok(Self(Kind::Days { first, last })),
                false => Err(InvalidHoliday::Backwards { first, last }),
            };
        }
        if let Some(yearly) = yearly(text) {
            return Ok(Self(yearly));
        }
        let day = date(text)?;
        Ok(Self(Kind::Days { first: day, last: day }))
    }
}

impl Holiday {
    fn holds(&self, date: Date) -> bool {
        match self.0 {
            Kind::Days { first, last } => (first..=last).contains(&date),
            Kind::Yearly { month, day } => (date.month(), date.day()) == (month, day),
        }
    }
}

/// `2026-05-14` and nothing else: a date with a time would be cut off in silence.
fn date(text: &str) -> Result<Date, InvalidHoliday> {
    let wrong = || InvalidHoliday::Date(text.to_owned());
    let shape = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if shape { text.parse().map_err(|_| wrong()) } else { Err(wrong()) }
}

/// `12-25`; none when it is written otherwise or no year has it.
fn yearly(text: &str) -> Option<Kind> {
    let (month, day) = text.split_once('-').filter(|(month, day)| month.len() == 2 && day.len() == 2)?;
    let date = Date::new(LEAP_YEAR, month.parse().ok()?, day.parse().ok()?).ok()?;
    Some(Kind::Yearly { month: date.month(), day: date.day() })
}

// === impl Holidays ===

impl Holidays {
    /// The days that any of `holidays` holds.
    #[must_use]
    pub fn new(holidays: Vec<Holiday>) -> Self {
        Self(holidays)
    }

    /// Whether the day, counted from 1970-01-01, is one. Outside the years of the calendar none is.
    #[must_use]
    pub fn holds(&self, day: i64) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let date = Span::new().try_days(day).and_then(|days| Date::constant(1970, 1, 1).checked_add(days));
        date.is_ok_and(|date| self.0.iter().any(|holiday| holiday.holds(date)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holidays(texts: &[&str]) -> Holidays {
        Holidays::new(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    /// Days from the epoch, worked out by hand: 56 years of which 14 are leap years lie before 2026.
    const NEW_YEAR_2026: i64 = 56 * 365 + 14;

    #[test]
    fn single_days_ranges_and_yearly_days_are_held() {
        let days = holidays(&["2026-01-02", "2026-01-05..2026-01-07", "01-01", "02-29"]);
        let held: Vec<i64> = (0..60).filter(|day| days.holds(NEW_YEAR_2026 + day)).collect();
        assert_eq!(held, [0, 1, 4, 5, 6]);
        // The next year keeps the yearly day alone; 2028 has a 29 February (31 + 28 days in).
        assert!(days.holds(NEW_YEAR_2026 + 365) && !days.holds(NEW_YEAR_2026 + 366));
        assert!(days.holds(NEW_YEAR_2026 + 730 + 59));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in
            ["", "christmas", "2026-02-30", "13-01", "2-3", "2026-1-1", "2026-01-01T10:00", "2026-01-01.."]
        {
            assert!(text.parse::<Holiday>().is_err(), "{text:?}");
        }
        let backwards = "2026-01-02..2026-01-01".parse::<Holiday>();
        assert_eq!(backwards.unwrap_err().to_string(), "2026-01-01 lies before 2026-01-02");
    }

    proptest! {
        /// For all texts and days, neither reading nor asking panics.
        #[test]
        fn nothing_panics(text in "[-0-9.T]{0,24}", day in any::<i64>()) {
            if let Ok(holiday) = text.parse() {
                let _ = Holidays::new(vec![holiday]).holds(day);
            }
        }
    }
}
