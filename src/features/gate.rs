//! Which changes of a feature count, and which of its values can be true at all.
//!
//! What is expected comes from outside (the model knows each statistic's ordinary level for the entity); a gate
//! says which distances from it are worth hearing of. It takes away, it never adds: what does not count is moved to
//! where it would lie on an ordinary day, and what lies there already is left as it is, so that a gate changes no
//! score of calm times.

use super::Statistic;

/// On which side of what is expected a change counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// More and less alike.
    #[default]
    Both,
    /// More than expected.
    Above,
    /// Less than expected.
    Below,
}

/// The changes of one feature that count. The default lets everything through.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gate {
    direction: Direction,
    /// Invariant: finite and not negative.
    min_change: f64,
    /// Invariant: finite and not negative.
    min_relative_change: f64,
}

/// Why a gate cannot be.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum InvalidGate {
    /// A distance is negative or no number.
    #[error("{what} is {given}, must be a number from 0 up")]
    Distance {
        /// Which distance.
        what: &'static str,
        /// What was given.
        given: f64,
    },
}

/// What is ordinary for a statistic: all that is at most `reach` away from its `level`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrdinaryRange {
    /// The middle.
    pub level: f64,
    /// Half of the width; 0 for a level alone.
    pub reach: f64,
}

/// The values that a feature can take; others are errors of measuring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValidRange {
    /// Invariant: finite and below `high`.
    low: f64,
    high: f64,
}

/// The ends of a range are not two numbers in order.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{low} to {high} is no range: its ends must be numbers, the lower one first")]
pub struct InvalidRange {
    /// The given lower end.
    pub low: f64,
    /// The given upper end.
    pub high: f64,
}

// === impl Direction ===

impl Direction {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Both, Self::Above, Self::Below];

    /// Its name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Above => "above",
            Self::Below => "below",
        }
    }

    fn admits(self, change: f64) -> bool {
        match self {
            Self::Both => true,
            Self::Above => change > 0.0,
            Self::Below => change < 0.0,
        }
    }
}

// === impl Gate ===

impl Gate {
    /// A gate for changes in `direction`, of at least `min_change` in the feature's unit and of at least the share
    /// `min_relative_change` of the feature's ordinary value: a change must be as large as both.
    ///
    /// # Errors
    /// When a distance is negative or no finite number.
    pub const fn new(
        direction: Direction,
        min_change: f64,
        min_relative_change: f64,
    ) -> Result<Self, InvalidGate> {
        if !is_distance(min_change) {
            return Err(InvalidGate::Distance { what: "min_change", given: min_change });
        }
        if !is_distance(min_relative_change) {
            return Err(InvalidGate::Distance { what: "min_relative_change", given: min_relative_change });
        }
        Ok(Self { direction, min_change, min_relative_change })
    }

    /// On which side a change counts.
    #[must_use]
    pub fn direction(self) -> Direction {
        self.direction
    }

    /// The smallest change that counts, in the feature's unit.
    #[must_use]
    pub fn min_change(self) -> f64 {
        self.min_change
    }

    /// The smallest change that counts, as a share of the feature's ordinary value.
    #[must_use]
    pub fn min_relative_change(self) -> f64 {
        self.min_relative_change
    }

    /// Whether it lets everything through.
    #[must_use]
    pub fn is_open(self) -> bool {
        self == Self::default()
    }

    /// Whether the change from `usual` to `seen` counts.
    #[must_use]
    pub fn admits(self, usual: f64, seen: f64) -> bool {
        let change = seen - usual;
        self.direction.admits(change) && change.abs() >= self.least(usual)
    }

    /// The smallest change that counts where `usual` is the ordinary value.
    fn least(self, usual: f64) -> f64 {
        // `max` passes over what is not known.
        self.min_change.max(self.min_relative_change * usual.abs())
    }

    /// Brings what does not count among one feature's `statistics`, which stand as [`Statistic::ALL`], into its
    /// ordinary range; `ordinary` knows the range, where anything is known. Gives whether anything counts.
    ///
    /// Each statistic is compared with its own ordinary level: value and means with the ordinary value and means, deviation
    /// and jump with the ordinary ones (about 0), the spread with the ordinary spread. A spread has no direction. With
    /// a direction nothing counts while the value itself lies on the other side: what comes back after a dip is no
    /// rise, and a drop does not count by the spread that it makes.
    pub fn close(
        self,
        statistics: &mut [f64],
        ordinary: impl Fn(Statistic) -> Option<OrdinaryRange>,
    ) -> bool {
        if self.is_open() {
            return true;
        }
        let seen = statistics.get(Statistic::Value as usize).copied().unwrap_or(f64::NAN);
        let usual = ordinary(Statistic::Value).map_or(f64::NAN, |range| range.level);
        // Where the value is missing, the other statistics speak for themselves.
        let other_side = !(seen - usual).is_nan() && !self.direction.admits(seen - usual);
        let least = self.least(usual);
        let mut any = false;
        for (statistic, value) in Statistic::ALL.into_iter().zip(statistics) {
            let Some(range) = ordinary(statistic) else { continue };
            let change = *value - range.level;
            let directed = statistic == Statistic::Spread || self.direction.admits(change);
            if !other_side && directed && change.abs() >= least {
                any = true;
            } else {
                *value = range.nearest(*value);
            }
        }
        any
    }
}

const fn is_distance(given: f64) -> bool {
    given.is_finite() && given >= 0.0
}

// === impl OrdinaryRange ===

impl OrdinaryRange {
    /// What lies nearest to `value` in the range; a missing value stays missing.
    #[must_use]
    pub fn nearest(self, value: f64) -> f64 {
        let (low, high) = (self.level - self.reach, self.level + self.reach);
        if value > high {
            high
        } else if value < low {
            low
        } else {
            value
        }
    }
}

// === impl ValidRange ===

impl ValidRange {
    /// The values from `low` to `high`, both included.
    ///
    /// # Errors
    /// Unless `low < high`, both finite.
    pub fn new(low: f64, high: f64) -> Result<Self, InvalidRange> {
        if low < high && low.is_finite() && high.is_finite() {
            Ok(Self { low, high })
        } else {
            Err(InvalidRange { low, high })
        }
    }

    /// Its lower end.
    #[must_use]
    pub fn low(self) -> f64 {
        self.low
    }

    /// Its upper end.
    #[must_use]
    pub fn high(self) -> f64 {
        self.high
    }

    /// Whether `value` lies outside. A missing value lies nowhere.
    #[must_use]
    pub fn excludes(self, value: f64) -> bool {
        value < self.low || value > self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{Above, Below, Both};
    use proptest::prelude::*;

    const NAN: f64 = f64::NAN;

    /// What is expected of a latency in milliseconds: value and means 10, spread 2, deviation and jump 0, each within 0.25; of the
    /// largest value and the trend nothing.
    fn latency(statistic: Statistic) -> Option<OrdinaryRange> {
        let level = match statistic {
            Statistic::Value | Statistic::Mean | Statistic::Short => 10.0,
            Statistic::Spread => 2.0,
            Statistic::Deviation | Statistic::Jump => 0.0,
            Statistic::Max | Statistic::Trend => return None,
        };
        Some(OrdinaryRange { level, reach: 0.25 })
    }

    /// Value, mean, max, spread, trend, deviation, short mean, jump behind the gate.
    fn behind(gate: Gate, mut statistics: [f64; 8]) -> [f64; 8] {
        gate.close(&mut statistics, latency);
        statistics
    }

    fn gate(direction: Direction, min_change: f64, min_relative_change: f64) -> Gate {
        Gate::new(direction, min_change, min_relative_change).unwrap()
    }

    #[test]
    fn each_statistic_is_held_against_its_own_ordinary_level() {
        let seen = [14.0, 10.5, 14.0, 2.5, 9.0, 3.0, 13.0, 4.0];
        assert_eq!(behind(Gate::default(), seen), seen);
        // Changes 4, 0.5, 0.5 and 3: at least 3 is asked for.
        assert_eq!(behind(gate(Both, 3.0, 0.0), seen), [14.0, 10.25, 14.0, 2.25, 9.0, 3.0, 13.0, 4.0]);
        // 5 % of the ordinary value of 10.
        assert_eq!(behind(gate(Both, 0.0, 0.05), seen), seen);
        assert_eq!(behind(gate(Both, 0.0, 0.06), seen), [14.0, 10.25, 14.0, 2.25, 9.0, 3.0, 13.0, 4.0]);
        // Both distances are asked for.
        assert_eq!(behind(gate(Both, 3.5, 0.06), seen), [14.0, 10.25, 14.0, 2.25, 9.0, 0.25, 10.25, 4.0]);
    }

    #[test]
    fn a_direction_is_that_of_the_value() {
        let rise = [14.0, 9.0, 14.0, 5.0, 9.0, 3.0, 12.0, 5.0];
        assert_eq!(behind(gate(Above, 0.0, 0.0), rise), [14.0, 9.75, 14.0, 5.0, 9.0, 3.0, 12.0, 5.0]);
        assert_eq!(behind(gate(Below, 0.0, 0.0), rise), [10.25, 9.75, 14.0, 2.25, 9.0, 0.25, 10.25, 0.25]);
        // Coming back from 2 to 9: a rise by the deviation, and nothing above the ordinary value.
        let back = [9.0, 4.0, 10.0, 4.0, 1.0, 5.0, 7.0, 2.0];
        assert_eq!(behind(gate(Above, 0.0, 0.0), back), [9.75, 9.75, 10.0, 2.25, 1.0, 0.25, 9.75, 0.25]);
    }

    #[test]
    fn without_a_value_the_other_statistics_speak_for_themselves() {
        let [value, mean, .., deviation, short, jump] =
            behind(gate(Above, 0.0, 0.0), [NAN, 12.0, 14.0, 5.0, 9.0, -3.0, 12.0, NAN]);
        assert!(value.is_nan(), "missing stays missing");
        assert!(jump.is_nan(), "so does what is made of it");
        assert_eq!((mean, deviation, short), (12.0, -0.25, 12.0));
    }

    #[test]
    fn what_is_ordinary_stays_as_it_is() {
        let calm = [10.1, 9.9, 11.0, 2.2, 1.0, -0.1, 10.0, 0.1];
        assert_eq!(behind(gate(Both, 100.0, 10.0), calm), calm);
        assert!(!gate(Both, 100.0, 10.0).close(&mut calm.clone(), latency), "nothing counts");
        assert!(gate(Both, 0.05, 0.0).close(&mut calm.clone(), latency), "0.1 counts");
    }

    #[test]
    fn where_nothing_is_expected_nothing_is_taken_away() {
        let mut statistics = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        gate(Above, 100.0, 1.0).close(&mut statistics, |_| None);
        assert_eq!(statistics, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn only_numbers_that_mean_something_are_taken() {
        for given in [-0.1, NAN, f64::INFINITY] {
            assert!(Gate::new(Both, given, 0.0).is_err() && Gate::new(Both, 0.0, given).is_err(), "{given}");
        }
        for (low, high) in [(1.0, 1.0), (2.0, 1.0), (NAN, 1.0), (0.0, f64::INFINITY)] {
            assert!(ValidRange::new(low, high).is_err(), "{low} {high}");
        }
        let share = ValidRange::new(0.0, 1.0).unwrap();
        assert_eq!([-0.1, 0.0, 1.0, 1.1, NAN].map(|x| share.excludes(x)), [true, false, false, true, false]);
    }

    proptest! {
        /// For all gates and rows, no statistic gets further from what is ordinary, none changes sides, and what a
        /// gate lets through, a gate that asks for less lets through too.
        #[test]
        fn a_gate_only_takes_away(
            statistics in prop::array::uniform8(prop::option::weighted(0.9, -50.0..50.0_f64)),
            (change, relative) in (0.0..20.0_f64, 0.0..2.0_f64),
            direction in prop::sample::select(Direction::ALL.to_vec()),
        ) {
            let seen = statistics.map(|x| x.unwrap_or(NAN));
            let strict = behind(gate(direction, change, relative), seen);
            let loose = behind(gate(direction, change / 2.0, relative / 2.0), seen);
            for (place, statistic) in Statistic::ALL.into_iter().enumerate() {
                let level = latency(statistic).map_or(0.0, |range| range.level);
                let [strict, loose, seen] = [strict, loose, seen].map(|row| row[place] - level);
                prop_assert_eq!(strict.is_nan(), seen.is_nan());
                prop_assert!(seen.is_nan() || strict.abs() <= loose.abs() && loose.abs() <= seen.abs());
                prop_assert!(seen.is_nan() || strict * seen >= 0.0);
                prop_assert!(strict != seen || loose == seen || seen.is_nan());
            }
        }
    }
}
