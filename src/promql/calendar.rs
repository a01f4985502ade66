//! Parts of the date and time, in UTC, of Unix seconds: `hour()` and its kin.

/// Minute of the hour, 0 to 59.
pub(super) fn minute(seconds: f64) -> f64 {
    (seconds_of_day(seconds) / 60 % 60) as f64
}

/// Hour of the day, 0 to 23.
pub(super) fn hour(seconds: f64) -> f64 {
    (seconds_of_day(seconds) / 3600) as f64
}

/// 0 for Sunday to 6.
pub(super) fn day_of_week(seconds: f64) -> f64 {
    // The first of March that days are counted from was a Wednesday.
    ((days(seconds) + 3) % 7) as f64
}

/// 1 to 31.
pub(super) fn day_of_month(seconds: f64) -> f64 {
    date(seconds).day as f64
}

/// 1 to 366.
pub(super) fn day_of_year(seconds: f64) -> f64 {
    let date = date(seconds);
    let before: u64 = (1..date.month).map(|month| days_of(month, date.is_leap_year())).sum();
    (before + date.day) as f64
}

/// 28 to 31.
pub(super) fn days_in_month(seconds: f64) -> f64 {
    let date = date(seconds);
    days_of(date.month, date.is_leap_year()) as f64
}

/// 1 to 12.
pub(super) fn month(seconds: f64) -> f64 {
    date(seconds).month as f64
}

/// The year, of the Gregorian calendar.
pub(super) fn year(seconds: f64) -> f64 {
    date(seconds).year as f64
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Date {
    year: i64,
    month: u64,
    day: u64,
}

impl Date {
    fn is_leap_year(self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }
}

fn days_of(month: u64, leap_year: bool) -> u64 {
    match month {
        2 => 28 + u64::from(leap_year),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The year before which the count of days begins, so long ago that no day is negative (as Go counts).
const FIRST_YEAR: u64 = 292_277_022_400;

/// Days from the first of March of the first year to the first of January 1970.
const DAYS_TO_1970: u64 = (FIRST_YEAR / 400) * 146_097 + 719_468;

/// Seconds since the first of March of the first year. A float that is no time (NaN, too large)
/// becomes the earliest one, and what does not fit wraps around, as in Go.
fn absolute_seconds(seconds: f64) -> u64 {
    let representable = seconds >= i64::MIN as f64 && seconds < i64::MAX as f64;
    let whole = if representable { seconds as i64 } else { i64::MIN };
    DAYS_TO_1970.wrapping_mul(86_400).wrapping_add_signed(whole)
}

fn seconds_of_day(seconds: f64) -> u64 {
    absolute_seconds(seconds) % 86_400
}

fn days(seconds: f64) -> u64 {
    absolute_seconds(seconds) / 86_400
}

fn date(seconds: f64) -> Date {
    // Years that begin in March have their leap day at the end: 400 of them have 146,097 days.
    let days = days(seconds);
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March have 153 days every five.
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = (era * 400 + year_of_era) as i64 - FIRST_YEAR as i64 + i64::from(month <= 2);
    Date { year, month, day }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_known_moments() {
        // date -u -d @1709210096: Thursday, 2024-02-29 12:34:56
        let leap_day = 1_709_210_096.9;
        assert_eq!(date(leap_day), Date { year: 2024, month: 2, day: 29 });
        assert_eq!((hour(leap_day), minute(leap_day), day_of_week(leap_day)), (12.0, 34.0, 4.0));
        assert_eq!((day_of_year(leap_day), days_in_month(leap_day)), (60.0, 29.0));
        assert_eq!(date(0.0), Date { year: 1970, month: 1, day: 1 });
        assert_eq!(day_of_week(0.0), 4.0);
        // 1900 was no leap year: its day 60 is the first of March.
        assert_eq!(date(-2_203_891_200.0), Date { year: 1900, month: 3, day: 1 });
        assert_eq!(day_of_year(-2_203_891_200.0), 60.0);
    }

    #[test]
    fn floats_that_are_no_times_are_dates_too() {
        for seconds in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
            assert!((1.0..=31.0).contains(&day_of_month(seconds)));
            assert!((0.0..7.0).contains(&day_of_week(seconds)));
            assert!(year(seconds).is_finite());
        }
    }
}
