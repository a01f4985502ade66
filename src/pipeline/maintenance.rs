//! Planned work: while a window of it is open, what happens on its entities is nobody's alarm.
//!
//! Windows follow from the time of the data alone. A recurring one is open by the clock on the wall: from each time that its
//! schedule names for its duration, so one from two to four ends at four on the days on which clocks change, too.

mod plan;

use super::cron::{CALENDAR, CronTimes, InvalidCron};
use crate::{
    features::Zone,
    promql::{ParseError, parse_matchers},
    series::{LabelMatcher, LabelSet, TimestampMs},
};
use jiff::Timestamp;
pub use plan::MaintenanceStep;
pub(super) use plan::Plan;
use std::{fmt, sync::Arc, time::Duration};

const MINUTE_MS: i64 = 60_000;

/// The longest recurring window: work without an end is no maintenance.
const MAX_MINUTES: i64 = 7 * 24 * 60;

/// Planned work on some entities.
#[derive(Clone, Debug)]
pub struct Maintenance {
    name: String,
    matchers: Vec<LabelMatcher>,
    times: Times,
}

/// When planned work is.
#[derive(Clone, Debug)]
pub enum Times {
    /// Once, from the one instant up to the other.
    Once {
        /// Its first instant.
        from: TimestampMs,
        /// The first instant after it.
        to: TimestampMs,
    },
    /// Again and again.
    Recurring(Schedule),
}

/// Times of a crontab, each with the same duration.
#[derive(Clone)]
pub struct Schedule {
    times: CronTimes,
    minutes: i64,
    zone: Zone,
}

/// Why there can be no such window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMaintenance {
    /// It would be over before it began.
    #[error("ends at {to}, which is not after its begin at {from} (milliseconds since 1970)")]
    Backwards {
        /// Its begin.
        from: i64,
        /// Its end.
        to: i64,
    },
    /// The schedule names no times.
    #[error(transparent)]
    Cron(#[from] InvalidCron),
    /// Not whole minutes, or too long.
    #[error("lasts {minutes} minutes, must be 1 to {MAX_MINUTES}")]
    Duration {
        /// As written, rounded down.
        minutes: u128,
    },
}

/// What is said of an entity in maintenance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InMaintenance {
    /// What the window is called.
    pub name: String,
    /// The first instant after it.
    pub until: TimestampMs,
}

// === impl Maintenance ===

impl Maintenance {
    /// Work on all entities whose labels satisfy all `matchers`.
    ///
    /// # Errors
    /// When it would end before it began.
    pub fn new(name: String, matchers: Vec<LabelMatcher>, times: Times) -> Result<Self, InvalidMaintenance> {
        match times {
            Times::Once { from, to } if to <= from => {
                Err(InvalidMaintenance::Backwards { from: from.0, to: to.0 })
            }
            _ => Ok(Self { name, matchers, times }),
        }
    }

    /// The matchers of a selector of entities; `{}` is for all.
    ///
    /// # Errors
    /// When the text is no selector.
    pub fn parse_matchers(selector: &str) -> Result<Vec<LabelMatcher>, ParseError> {
        // What PromQL refuses as too wide is meant here.
        if selector.trim() == "{}" { Ok(Vec::new()) } else { parse_matchers(selector) }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it is.
    #[must_use]
    pub fn times(&self) -> &Times {
        &self.times
    }

    /// The entities that it is for.
    #[must_use]
    pub fn matchers(&self) -> &[LabelMatcher] {
        &self.matchers
    }

    /// The first instant after the window, where it is open at `at`.
    #[must_use]
    pub fn open_until(&self, at: TimestampMs) -> Option<TimestampMs> {
        match &self.times {
            Times::Once { from, to } => (*from..*to).contains(&at).then_some(*to),
            Times::Recurring(schedule) => schedule.open_until(at),
        }
    }

    fn is_for(&self, entity: &LabelSet) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches(entity))
    }
}

// === impl Schedule ===

impl Schedule {
    /// The times of a crontab of five fields (minute, hour, day of the month, month, day of the week), in the local time of
    /// `zone`, each for a `duration` of whole minutes.
    ///
    /// # Errors
    /// When the text is no crontab or names no day that there is, or the duration is none.
    pub fn new(text: &str, duration: Duration, zone: Zone) -> Result<Self, InvalidMaintenance> {
        let times = CronTimes::new(text)?;
        let minutes = duration.as_millis() / 60_000;
        let is_whole = duration.as_millis().is_multiple_of(60_000);
        match i64::try_from(minutes) {
            Ok(minutes) if is_whole && (1..=MAX_MINUTES).contains(&minutes) => {
                Ok(Self { times, minutes, zone })
            }
            _ => Err(InvalidMaintenance::Duration { minutes }),
        }
    }

    /// The end of the last window that has begun, where that is not over.
    fn open_until(&self, at: TimestampMs) -> Option<TimestampMs> {
        let offset_ms = self.zone.offset_ms(at);
        let minute = at.plus_ms(offset_ms).align_down(MINUTE_MS);
        let clock = |minutes: i64| Timestamp::from_millisecond(minute.0 - minutes * MINUTE_MS).ok();
        if !CALENDAR.contains(&minute.0) {
            return None;
        }
        // Most of the time it is not open: one look ahead from where the first that could be open would have begun.
        let next = self.times.crontab().find_next(clock(self.minutes)?).ok()?;
        if next.timestamp().as_millisecond() > minute.0 {
            return None;
        }
        let begins = |minutes: &i64| {
            clock(*minutes).is_some_and(|at| self.times.crontab().matches(at).unwrap_or(false))
        };
        let ago = (0..self.minutes).find(begins)?;
        Some(minute.plus_ms((self.minutes - ago) * MINUTE_MS - offset_ms))
    }
}

/// For people: `0 2 * * 6 Europe/Berlin for 120 min`, `2026-12-24T00:00:00Z to 2026-12-27T00:00:00Z`.
impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once { from, to } => {
                let instant = |at: &TimestampMs| {
                    Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
                };
                write!(f, "{} to {}", instant(from), instant(to))
            }
            Self::Recurring(schedule) => {
                let zone = schedule.zone.name().map(|name| format!(" {name}")).unwrap_or_default();
                write!(f, "{}{zone} for {} min", schedule.times.text(), schedule.minutes)
            }
        }
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} for {} min in {:?}", self.times, self.minutes, self.zone)
    }
}

/// The windows that are open at a step, in their order.
#[derive(Clone, Debug, Default)]
pub struct OpenMaintenance {
    all: Arc<Vec<Maintenance>>,
    /// Their places among all, and their ends.
    open: Vec<(usize, TimestampMs)>,
}

// === impl OpenMaintenance ===

impl OpenMaintenance {
    /// Those of `all` that are open at `at`.
    #[must_use]
    pub fn at(at: TimestampMs, all: &Arc<Vec<Maintenance>>) -> Self {
        let open = all.iter().enumerate().filter_map(|(place, one)| Some((place, one.open_until(at)?)));
        Self { open: open.collect(), all: Arc::clone(all) }
    }

    /// Each with its end.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Maintenance, TimestampMs)> {
        self.open.iter().filter_map(|(place, until)| Some((self.all.get(*place)?, *until)))
    }

    /// The first of them that is for an entity.
    pub(super) fn of(&self, entity: &LabelSet) -> Option<InMaintenance> {
        let (window, until) = self.first(entity)?;
        Some(InMaintenance { name: window.name.clone(), until })
    }

    /// Whether one of them is for an entity.
    pub(super) fn holds(&self, entity: &LabelSet) -> bool {
        self.first(entity).is_some()
    }

    fn first(&self, entity: &LabelSet) -> Option<(&Maintenance, TimestampMs)> {
        self.iter().find(|(window, _)| window.is_for(entity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> TimestampMs {
        TimestampMs(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn schedule(text: &str, hours: u64, zone: &str) -> Schedule {
        Schedule::new(text, Duration::from_secs(hours * 3600), Zone::named(zone).unwrap()).unwrap()
    }

    /// Saturdays from two to four. 2026-01-10 is one.
    #[test]
    fn a_recurring_window_is_open_for_its_time() {
        let backup = schedule("0 2 * * 6", 2, "UTC");
        for (time, until) in [
            ("2026-01-10T01:59:59.999Z", None),
            ("2026-01-10T02:00:00Z", Some("2026-01-10T04:00:00Z")),
            ("2026-01-10T03:59:59Z", Some("2026-01-10T04:00:00Z")),
            ("2026-01-10T04:00:00Z", None),
            ("2026-01-11T03:00:00Z", None),
        ] {
            assert_eq!(backup.open_until(at(time)), until.map(at), "{time}");
        }
    }

    /// Clocks in Berlin go from 02:00 to 03:00 on 2026-03-29 and from 03:00 back to 02:00 on 2026-10-25.
    #[test]
    fn a_window_goes_by_the_clock_on_the_wall() {
        let nightly = schedule("30 1 * * *", 3, "Europe/Berlin");
        for (time, is_open) in [
            ("2026-03-29T00:29:00Z", false),
            ("2026-03-29T00:30:00Z", true),
            ("2026-03-29T02:29:00Z", true),
            ("2026-03-29T02:30:00Z", false),
            ("2026-10-24T23:30:00Z", true),
            ("2026-10-25T03:29:00Z", true),
            ("2026-10-25T03:30:00Z", false),
        ] {
            assert_eq!(nightly.open_until(at(time)).is_some(), is_open, "{time}");
        }
    }

    #[test]
    fn the_last_begin_says_the_end() {
        let often = schedule("0 * * * *", 3, "UTC");
        assert_eq!(often.open_until(at("2026-01-10T05:59:00Z")), Some(at("2026-01-10T08:00:00Z")));
    }

    #[test]
    fn what_is_no_schedule_is_said() {
        let error = |text: &str, seconds| {
            Schedule::new(text, Duration::from_secs(seconds), Zone::default()).unwrap_err().to_string()
        };
        assert_eq!(error("0 2 * *", 60), "\"0 2 * *\" is no schedule: it has 4 fields, not 5");
        assert!(error("0 25 * * *", 60).starts_with("\"0 25 * * *\" is no schedule: "));
        assert_eq!(error("0 0 31 2 *", 60), "\"0 0 31 2 *\" never comes");
        for (seconds, minutes) in [(0, 0), (90, 1), (8 * 86_400, 11_520)] {
            assert_eq!(error("0 2 * * *", seconds), format!("lasts {minutes} minutes, must be 1 to 10080"));
        }
        let backwards = Times::Once { from: TimestampMs(5), to: TimestampMs(5) };
        assert!(Maintenance::new("a".to_owned(), Vec::new(), backwards).is_err());
    }

    proptest! {
        /// For all schedules by minute and hour, a window is open exactly where one of the minutes before began it.
        #[test]
        fn a_window_is_open_where_it_began_before(
            minute in 0_i64..60, hour in 0_i64..24, minutes in 1_i64..3000, time in 0_i64..4_000_000_000_000,
        ) {
            let text = format!("{minute} {hour} * * *");
            let duration = Duration::from_secs(minutes.unsigned_abs() * 60);
            let schedule = Schedule::new(&text, duration, Zone::default()).unwrap();
            let now = time.div_euclid(MINUTE_MS);
            let since = (now - (hour * 60 + minute)).rem_euclid(1440);
            let until = (since < minutes).then(|| TimestampMs((now - since + minutes) * MINUTE_MS));
            prop_assert_eq!(schedule.open_until(TimestampMs(time)), until);
        }

        /// For all instants and texts, nothing panics.
        #[test]
        fn nothing_panics(text in "[0-9*/, a-zA-Z#?-]{0,20}", time in any::<i64>()) {
            let zone = Zone::named("Asia/Tokyo").unwrap();
            let _ = Schedule::new(&text, Duration::from_secs(60), zone.clone());
            schedule("*/7 1 * * 1-5", 30, "Asia/Tokyo").open_until(TimestampMs(time));
        }
    }
}
