use super::*;
use proptest::prelude::*;

/// A working day.
fn hour(day: i64, hour: u8) -> Hour {
    Hour { day, kind: DayKind::Working, hour }
}

fn at(hour: Hour) -> Hours {
    Hours { now: hour, beside: None, begins: false }
}

/// One value, seen once an hour, of whole days whose hours hold `value(day, hour)`.
fn days(days: i64, value: impl Fn(i64, u8) -> f64) -> History {
    let mut history = History::new(1);
    for day in 0..days {
        for hour_of_day in 0..24 {
            history.begin(TimestampMs(0), hour(day, hour_of_day), 1);
            history.learn(0, value(day, hour_of_day));
        }
    }
    history.begin(TimestampMs(0), hour(days, 0), 1);
    history
}

#[test]
fn only_the_last_days_count() {
    let history = days(8, |day, _| if day < 3 { 1000.0 } else { 8.0 });
    let usual = history.usual(0, &at(hour(8, 5))).unwrap();
    assert_eq!((usual.low, usual.high, usual.days, usual.such_days), (8.0, 8.0, 5, true));
}

#[test]
fn days_of_the_other_kind_stand_in_and_say_so() {
    let history = days(3, |_, hour| f64::from(hour));
    let saturday = Hour { kind: DayKind::Rest, ..hour(5, 7) };
    let usual = history.usual(0, &at(saturday)).unwrap();
    assert_eq!((usual.high, usual.days, usual.such_days), (7.0, 3, false));
}

/// The value of each hour is its number, so the range of all hours is 0 to 23, with a slack of 2.3.
#[test]
fn ordinary_is_what_some_hour_has() {
    let history = days(4, |_, hour| f64::from(hour));
    let ordinary: Vec<bool> = [-2.4, -2.2, 11.5, 25.2, 25.4].map(|seen| history.is_ordinary(0, seen)).into();
    assert_eq!(ordinary, [false, true, true, true, false]);
    assert!(!history.is_ordinary(0, f64::NAN));
}

#[test]
fn days_that_reached_a_level_are_counted() {
    let history = days(5, |day, hour| if hour == 2 && day != 1 { 9.0 } else { 1.0 });
    assert_eq!(history.days_reaching(0, &at(hour(5, 2)), 8.0), (4, 5));
    let beside = Hours { beside: Some(hour(5, 2)), ..at(hour(5, 3)) };
    assert_eq!(history.days_reaching(0, &beside, 8.0), (4, 5));
    assert_eq!(history.days_reaching(0, &at(hour(5, 3)), 8.0), (0, 5));
}

/// A job of every night that began after a weekend: two of four days of rest, and five of five working days.
#[test]
fn all_days_count_where_they_say_more() {
    let mut history = days(0, |_, _| 0.0);
    for day in 0..14 {
        let kind = if day % 7 < 2 { DayKind::Rest } else { DayKind::Working };
        for hour_of_day in [2, 3] {
            history.begin(TimestampMs(0), Hour { kind, ..hour(day, hour_of_day) }, 1);
            history.learn(0, if day < 2 { 0.0 } else { 9.0 });
        }
    }
    history.begin(TimestampMs(0), hour(14, 4), 1);
    let saturday = Hour { kind: DayKind::Rest, ..hour(14, 2) };
    assert_eq!(history.days_reaching(0, &at(saturday), 8.0), (7, 9));
}

/// An hour of which most was not seen says nothing of its kind.
#[test]
fn an_hour_seen_in_part_is_not_learned() {
    let mut history = History::new(1);
    for day in 0..9 {
        for step in 0..29 {
            history.begin(TimestampMs(step), hour(day, 4), 60);
            history.learn(0, 1.0);
        }
    }
    assert_eq!(history.usual(0, &at(hour(9, 4))), None);
}

/// Where clocks are set back, the same hour of the same day is begun twice and learned once.
#[test]
fn an_hour_that_comes_twice_is_one_hour() {
    let mut history = days(3, |_, _| 1.0);
    for value in [1.0, 50.0] {
        history.begin(TimestampMs(0), hour(3, 2), 1);
        history.learn(0, value);
    }
    history.begin(TimestampMs(0), hour(3, 3), 1);
    assert_eq!(history.usual(0, &at(hour(4, 2))).map(|usual| usual.days), Some(4));
}

#[test]
fn a_history_is_as_large_as_is_said() {
    assert_eq!(CELLS * size_of::<Cell>(), 864);
    assert!(History::bytes(20) < 20 * 864 + 20 * 20 + 400);
}

proptest! {
    /// For all ranges of single precision, a cell holds the range, and is wider by less than 1 % of its ends.
    #[test]
    fn cells_round_outwards(a in -1e30..1e30_f32, b in -1e-3..1e-3_f32) {
        let (low, high) = (a.min(b), a.max(b));
        let stored = Range::from(Cell::of(CoarseRange { low, high }));
        let (low, high) = (f64::from(low), f64::from(high));
        prop_assert!(stored.low <= low && stored.high >= high);
        prop_assert!((stored.low - low).abs() <= low.abs() * 0.0079 && (stored.high - high).abs() <= high.abs() * 0.0079);
    }

    /// For all values, the ends of the number range included, what is stored is a range or nothing.
    #[test]
    fn no_value_breaks_a_cell(value in any::<f64>()) {
        let mut history = History::new(1);
        history.learn(0, value);
        let stored = Range::from(Cell::of(history.ranges[0]));
        prop_assert!(stored.is_none() != value.is_finite());
        prop_assert!(stored.is_none() || (stored.low.is_finite() && stored.low <= stored.high));
    }
}
