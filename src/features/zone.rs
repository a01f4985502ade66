//! Local time: what the clock on the wall shows at an instant.

use crate::series::TimestampMs;
use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The epoch was a Thursday: three days after Monday.
const EPOCH_WEEKDAY: i64 = 3;

/// How far local time is from UTC: always as far, or by the rules of a place.
///
/// The rules are part of the program, so they are the same on every machine and no file is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Fixed { minutes: i32 },
    Place(TimeZone),
}

/// An hour of a local day, and how much of it has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Days since 1970-01-01.
    pub day: i64,
    /// Hour of the day, 0 to 23.
    pub hour: u8,
    /// Minute of the hour, 0 to 59.
    pub minute: u8,
}

// === impl Zone ===

impl Zone {
    /// Local time is ahead of UTC by so many minutes, in summer and winter.
    #[must_use]
    pub fn fixed(minutes: i32) -> Self {
        Self(Kind::Fixed { minutes })
    }

    /// The zone of an IANA name such as `Europe/Berlin`, upper or lower case; none for an unknown one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        // The database has a zone without a name too, for what is not known.
        let zone = TimeZoneDatabase::bundled().get(name).ok().filter(|zone| zone.iana_name().is_some());
        zone.map(|zone| Self(Kind::Place(zone)))
    }

    /// The names of all zones that there are.
    #[must_use]
    pub fn names() -> Vec<String> {
        TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect()
    }

    /// The IANA name, as its database writes it; none for a fixed offset.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Kind::Fixed { .. } => None,
            Kind::Place(zone) => zone.iana_name(),
        }
    }

    /// How far local time is ahead of UTC at an instant, in milliseconds. Beyond the years of the calendar
    /// (-9999 to 9999) a place is taken to be at UTC.
    #[must_use]
    pub fn offset_ms(&self, at: TimestampMs) -> i64 {
        match &self.0 {
            Kind::Fixed { minutes } => i64::from(*minutes) * 60_000,
            Kind::Place(zone) => Timestamp::from_millisecond(at.0)
                .map_or(0, |instant| i64::from(zone.to_offset(instant).seconds()) * 1_000),
        }
    }

    /// What the clock shows at an instant.
    #[must_use]
    pub fn local_time(&self, at: TimestampMs) -> LocalTime {
        let local = at.plus_ms(self.offset_ms(at)).0;
        let in_day = local.rem_euclid(DAY_MS);
        LocalTime {
            day: local.div_euclid(DAY_MS),
            hour: (in_day / HOUR_MS) as u8,
            minute: (in_day % HOUR_MS / 60_000) as u8,
        }
    }
}

impl Default for Zone {
    /// UTC.
    fn default() -> Self {
        Self::fixed(0)
    }
}

// === impl LocalTime ===

impl LocalTime {
    /// Day of the week, 0 for Monday to 6 for Sunday.
    #[must_use]
    pub fn weekday(self) -> u8 {
        self.day.saturating_add(EPOCH_WEEKDAY).rem_euclid(7) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-29 01:00 UTC: clocks in Berlin go from 02:00 to 03:00.
    const SPRING: TimestampMs = TimestampMs(1_774_746_000_000);
    /// 2026-10-25 01:00 UTC: from 03:00 back to 02:00.
    const AUTUMN: TimestampMs = TimestampMs(1_792_890_000_000);

    #[test]
    fn a_place_keeps_its_own_summer_time() {
        let berlin = Zone::named("europe/berlin").unwrap();
        assert_eq!(berlin.name(), Some("Europe/Berlin"));
        let clock = |at: TimestampMs| (berlin.local_time(at).hour, berlin.local_time(at).minute);
        assert_eq!([clock(SPRING.plus_ms(-60_000)), clock(SPRING)], [(1, 59), (3, 0)]);
        assert_eq!([clock(AUTUMN.plus_ms(-60_000)), clock(AUTUMN)], [(2, 59), (2, 0)]);
        assert_eq!(Zone::named("Europe/Atlantis"), None);
    }

    #[test]
    fn days_change_at_local_midnight_and_weekdays_follow() {
        // 1970-01-05 was a Monday.
        let monday = TimestampMs(4 * DAY_MS);
        let ahead = Zone::fixed(90);
        assert_eq!(ahead.local_time(monday), LocalTime { day: 4, hour: 1, minute: 30 });
        assert_eq!(Zone::fixed(-30).local_time(monday), LocalTime { day: 3, hour: 23, minute: 30 });
        let weekday = |day: i64| Zone::default().local_time(TimestampMs(day * DAY_MS)).weekday();
        assert_eq!([weekday(4), weekday(10), weekday(-3), weekday(0)], [0, 6, 0, 3]);
    }

    #[test]
    fn no_instant_is_too_far() {
        for zone in [Zone::named("Asia/Tokyo").unwrap(), Zone::fixed(1440)] {
            for at in [i64::MIN, i64::MAX] {
                assert!(zone.local_time(TimestampMs(at)).hour < 24);
            }
        }
    }
}
