//! What some hours say together.

/// A range is this many times as wide as its ordinary variation: what a dozen to a hundred values of a normal
/// distribution span in standard deviations.
const WIDTH_IN_UNITS: f64 = 4.0;

/// The unit is at least this part of the range that the feature has over all hours ...
const PART_OF_ALL_HOURS: f64 = 0.02;

/// ... and this part of its level: ranges are stored to 1 %.
const PART_OF_LEVEL: f64 = 0.01;

/// From so many hours on the furthest one counts no more.
const ENOUGH_TO_DROP_ONE: usize = 4;

/// Most days that are looked at together.
pub(super) const MAX_DAYS: usize = 9;

/// Lowest and highest value of an hour. Both or neither are NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
}

/// What is usual for a feature at this hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// Lowest value of such hours, the lowest of them left out where there are four or more.
    pub low: f64,
    /// Highest value, likewise.
    pub high: f64,
    /// Ordinary variation from day to day and within the hour. Invariant: above 0.
    pub unit: f64,
    /// On how many days that rests.
    pub days: u32,
    /// Whether these were days such as this; else days of the other kind stand in, because there are too few.
    pub such_days: bool,
}

/// What a feature does at any hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct AllHours {
    /// What is usual at one hour or another.
    pub(super) range: Range,
    /// How wide an hour usually is.
    pub(super) width: f64,
}

/// How low the highest value of an hour may be, and how high its lowest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reached {
    pub(super) high: f64,
    pub(super) low: f64,
    unit: f64,
}

// === impl Range ===

impl Range {
    pub(super) const NONE: Self = Self { low: f64::NAN, high: f64::NAN };

    pub(super) fn is_none(self) -> bool {
        self.low.is_nan()
    }

    /// The smallest range that holds both.
    pub(super) fn union(self, other: Self) -> Self {
        // `min` and `max` pass over NaN.
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    pub(super) fn width(self) -> f64 {
        self.high - self.low
    }
}

// === impl Usual ===

impl Usual {
    /// Fewer days than this say nothing.
    pub const MIN_DAYS: usize = 3;

    /// What `hours` say; none where there are fewer than three. `all_hours` is the range that the feature usually has at
    /// any hour, or none.
    pub(super) fn of(hours: &[Range], all_hours: Range, such_days: bool) -> Option<Self> {
        let edges = Edges::of(hours)?;
        let (low, high) = (edges.lows.nth_lowest(edges.drop), edges.highs.nth_highest(edges.drop));
        let days = u32::try_from(hours.len()).unwrap_or(u32::MAX);
        Some(Self { low, high, unit: edges.unit(all_hours, edges.widths.middle()), days, such_days })
    }

    /// The middle of what is usual.
    #[must_use]
    pub fn center(&self) -> f64 {
        self.low / 2.0 + self.high / 2.0
    }

    /// How far `value` is outside, in units, negative below; 0 within, NaN for NaN.
    #[must_use]
    pub fn deviation(&self, value: f64) -> f64 {
        let outside = if value > self.high {
            value - self.high
        } else if value < self.low {
            value - self.low
        } else {
            value * 0.0
        };
        outside / self.unit
    }

    /// What is usual at either of two hours.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            unit: self.unit.max(other.unit),
            days: self.days.min(other.days),
            such_days: self.such_days && other.such_days,
        }
    }
}

// === impl Reached ===

impl Reached {
    /// What `hours` reach, the worst of them left out; none where there are fewer than four.
    ///
    /// The width of these hours is that of the peak itself; in its place stands what is ordinary for the feature.
    pub(super) fn of(hours: &[Range], all_hours: &AllHours) -> Option<Self> {
        let edges = Edges::of(hours).filter(|edges| edges.drop > 0)?;
        Some(Self {
            high: edges.highs.nth_lowest(edges.drop),
            low: edges.lows.nth_highest(edges.drop),
            unit: edges.unit(all_hours.range, all_hours.width),
        })
    }

    /// How far `seen` stays short of it: in units, negative where its highest value is too low.
    pub(super) fn missed(&self, seen: Range) -> f64 {
        // `min` and `max` pass over NaN: what was not seen is not missed.
        let (below, above) =
            (((seen.high - self.high) / self.unit).min(0.0), ((seen.low - self.low) / self.unit).max(0.0));
        if above > -below { above } else { below }
    }
}

/// The ends of some hours, each ascending, and how many are left out on either side.
struct Edges {
    lows: Sorted,
    highs: Sorted,
    widths: Sorted,
    drop: usize,
}

/// At most [`MAX_DAYS`] numbers, ascending.
struct Sorted {
    numbers: [f64; MAX_DAYS],
    len: usize,
}

// === impl Edges ===

impl Edges {
    fn of(hours: &[Range]) -> Option<Self> {
        if hours.len() < Usual::MIN_DAYS {
            return None;
        }
        Some(Self {
            lows: Sorted::new(hours, |range| range.low),
            highs: Sorted::new(hours, |range| range.high),
            widths: Sorted::new(hours, |range| range.width()),
            drop: usize::from(hours.len() >= ENOUGH_TO_DROP_ONE),
        })
    }

    /// The largest of what an hour of this `width` varies, what its ends vary from day to day, and the floors; 1 where
    /// nothing varies.
    fn unit(&self, all_hours: Range, width: f64) -> f64 {
        let inner = |ends: &Sorted| ends.nth_highest(self.drop) - ends.nth_lowest(self.drop);
        let level = self.highs.middle().abs().max(self.lows.middle().abs());
        let floors = (all_hours.width() * PART_OF_ALL_HOURS).max(level * PART_OF_LEVEL);
        let unit = inner(&self.lows).max(inner(&self.highs)).max(width / WIDTH_IN_UNITS).max(floors);
        if unit > 0.0 { unit.min(f64::MAX) } else { 1.0 }
    }
}

// === impl Sorted ===

impl Sorted {
    fn new(hours: &[Range], end: impl Fn(&Range) -> f64) -> Self {
        let (mut numbers, len) = ([0.0; MAX_DAYS], hours.len().min(MAX_DAYS));
        numbers.iter_mut().zip(hours).for_each(|(into, hour)| *into = end(hour));
        numbers[..len].sort_unstable_by(f64::total_cmp);
        Self { numbers, len }
    }

    /// The smallest, with `n` left out; `n` is less than there are.
    fn nth_lowest(&self, n: usize) -> f64 {
        self.numbers[n]
    }

    fn nth_highest(&self, n: usize) -> f64 {
        self.numbers[self.len - 1 - n]
    }

    fn middle(&self) -> f64 {
        self.numbers[self.len / 2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hours(ranges: &[(f64, f64)]) -> Vec<Range> {
        ranges.iter().map(|(low, high)| Range { low: *low, high: *high }).collect()
    }

    fn usual(ranges: &[(f64, f64)]) -> Option<Usual> {
        Usual::of(&hours(ranges), Range::NONE, true)
    }

    #[test]
    fn one_day_in_four_or_five_is_left_out() {
        let ordinary = [(10.0, 20.0), (11.0, 21.0), (12.0, 22.0)];
        assert_eq!(usual(&ordinary[..2]), None);
        let three = usual(&ordinary).unwrap();
        assert_eq!((three.low, three.high, three.days), (10.0, 22.0, 3));
        let bad_night = usual(&[ordinary[0], ordinary[1], ordinary[2], (9.0, 900.0)]).unwrap();
        assert_eq!((bad_night.low, bad_night.high), (10.0, 22.0));
        // Widths 10, 10, 10 and 891, a quarter of the third is 2.5; the inner ends are 1 apart.
        assert_eq!(bad_night.unit, 2.5);
        assert_eq!(bad_night.deviation(27.0), 2.0);
        assert_eq!([bad_night.deviation(5.0), bad_night.deviation(15.0)], [-2.0, 0.0]);
        assert!(bad_night.deviation(f64::NAN).is_nan());
    }

    #[test]
    fn the_unit_has_floors() {
        let unit = |ranges: &[(f64, f64)], all| Usual::of(&hours(ranges), all, true).map(|usual| usual.unit);
        assert_eq!(unit(&[(0.0, 0.0); 3], Range::NONE), Some(1.0));
        assert_eq!(unit(&[(50.0, 50.0); 3], Range::NONE), Some(0.5));
        assert_eq!(unit(&[(0.0, 0.0); 3], Range { low: 0.0, high: 1000.0 }), Some(20.0));
    }

    #[test]
    fn a_peak_that_stays_away_is_missed() {
        // Every night reaches 90 or more, but the one that is left out.
        let nights = hours(&[(1.0, 90.0), (1.0, 95.0), (1.0, 92.0), (1.0, 5.0), (1.0, 93.0)]);
        let hours = AllHours { range: Range::NONE, width: 2.0 };
        let reached = Reached::of(&nights, &hours).unwrap();
        // The inner three of the highs are 90, 92, 93.
        assert_eq!((reached.high, reached.unit), (90.0, 3.0));
        assert_eq!(reached.missed(Range { low: 1.0, high: 30.0 }), -20.0);
        assert_eq!(reached.missed(Range { low: 0.0, high: 91.0 }), 0.0);
        let restless = Reached::of(&nights, &AllHours { width: 40.0, ..hours }).unwrap();
        assert_eq!(restless.unit, 10.0);
        assert!(Reached::of(&nights[..3], &hours).is_none());
    }

    proptest! {
        /// For all hours, what is usual is no wider than all of them, one of them more widens it or changes nothing,
        /// and its unit can be divided by.
        #[test]
        fn usual_is_within_the_hours(ends in prop::collection::vec((-1e9..1e9_f64, 0.0..1e9_f64), 3..9)) {
            let ranges: Vec<(f64, f64)> = ends.iter().map(|(low, width)| (*low, low + width)).collect();
            let usual = usual(&ranges).unwrap();
            let all = hours(&ranges).into_iter().fold(Range::NONE, Range::union);
            prop_assert!(usual.low >= all.low && usual.high <= all.high);
            prop_assert!(usual.unit > 0.0 && usual.unit.is_finite());
            prop_assert_eq!(usual.deviation(usual.high), 0.0);
        }
    }
}
