//! From an instant to the hour of such a day.

use crate::{
    features::{Holidays, LocalTime, Zone},
    series::TimestampMs,
};

const HOUR_MS: i64 = 3_600_000;

/// Saturday, counted from Monday.
const SATURDAY: u8 = 5;

/// How far into an hour the hour before still counts, and how far before its end the next one does: jobs begin some
/// minutes early or late.
const BESIDE_MINUTES: u8 = 15;

/// What a day is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DayKind {
    /// Monday to Friday.
    Working,
    /// Saturday, Sunday, holiday.
    Rest,
}

/// An hour of a certain day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour {
    /// Days since 1970-01-01, local.
    pub day: i64,
    /// What the day is like.
    pub kind: DayKind,
    /// 0 to 23.
    pub hour: u8,
}

/// The hours that say what is usual at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hours {
    pub(super) now: Hour,
    /// The neighbour, within its reach.
    pub(super) beside: Option<Hour>,
    /// Whether what should have happened in the hour before may still be about to.
    pub(super) begins: bool,
}

/// Local time and days of rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    zone: Zone,
    holidays: Holidays,
}

// === impl DayKind ===

impl DayKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Working, Self::Rest];
}

// === impl Calendar ===

impl Calendar {
    /// The days of a place.
    #[must_use]
    pub fn new(zone: Zone, holidays: Holidays) -> Self {
        Self { zone, holidays }
    }

    /// The hour of an instant. Where clocks are set back, an hour of the day that comes twice is one hour.
    #[must_use]
    pub fn hour(&self, at: TimestampMs) -> Hour {
        self.hour_of(self.zone.local_time(at))
    }

    pub(super) fn hours(&self, at: TimestampMs) -> Hours {
        let local = self.zone.local_time(at);
        let (begins, ends) = (local.minute < BESIDE_MINUTES, local.minute >= 60 - BESIDE_MINUTES);
        let beside = match (begins, ends) {
            (true, _) => Some(self.hour(at.plus_ms(-HOUR_MS))),
            (_, true) => Some(self.hour(at.plus_ms(HOUR_MS))),
            _ => None,
        };
        Hours { now: self.hour_of(local), beside, begins }
    }

    fn hour_of(&self, local: LocalTime) -> Hour {
        let rest = local.weekday() >= SATURDAY || self.holidays.holds(local.day);
        let kind = if rest { DayKind::Rest } else { DayKind::Working };
        Hour { day: local.day, kind, hour: local.hour }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-09, a Friday, 00:00 UTC.
    const FRIDAY: TimestampMs = TimestampMs(1_767_916_800_000);

    fn at(hour: i64, minute: i64) -> TimestampMs {
        FRIDAY.plus_ms(hour * HOUR_MS + minute * 60_000)
    }

    #[test]
    fn weekends_and_holidays_are_days_of_rest() {
        let days = |calendar: &Calendar| [0, 24, 48, 72].map(|hour| calendar.hour(at(hour, 0)).kind);
        use DayKind::{Rest, Working};
        assert_eq!(days(&Calendar::default()), [Working, Rest, Rest, Working]);
        let holidays = Holidays::new(vec!["2026-01-12".parse().unwrap()]);
        assert_eq!(days(&Calendar::new(Zone::default(), holidays)), [Working, Rest, Rest, Rest]);
    }

    #[test]
    fn the_neighbour_counts_near_the_edge_and_has_the_kind_of_its_own_day() {
        let beside = |hour, minute| Calendar::default().hours(at(hour, minute)).beside;
        assert_eq!(beside(2, 14).map(|hour| hour.hour), Some(1));
        assert_eq!(beside(2, 15), None);
        assert_eq!(beside(2, 45).map(|hour| hour.hour), Some(3));
        let midnight = beside(23, 50).unwrap();
        assert_eq!((midnight.hour, midnight.kind), (0, DayKind::Rest));
    }
}
