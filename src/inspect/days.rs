//! Day by day: what a plot shows.

use crate::series::TimestampMs;
use std::collections::BTreeMap;

/// Most days that are told apart; those that come after are not.
pub const MAX_DAYS: usize = 4_000;

const DAY_MS: i64 = 86_400_000;

/// One day (UTC) of all entities.
#[derive(Clone, Debug, PartialEq)]
pub struct Day {
    /// When it begins.
    pub start: TimestampMs,
    /// Rows in it.
    pub rows: u64,
    /// For each feature what it was.
    pub features: Vec<OfDay>,
}

/// One feature on one day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OfDay {
    /// Finite values.
    pub present: u64,
    /// Smallest and largest, NaN without any.
    pub min: f64,
    /// See [`Self::min`].
    pub max: f64,
    /// Their mean, NaN without any.
    pub mean: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Days {
    n_features: usize,
    days: BTreeMap<i64, Day>,
    /// Rows of days that are not told apart any more.
    left_out: u64,
}

// === impl Days ===

impl Days {
    pub(super) fn new(n_features: usize) -> Self {
        Self { n_features, days: BTreeMap::new(), left_out: 0 }
    }

    pub(super) fn take(&mut self, at: TimestampMs, values: &[f64]) {
        let number = at.0.div_euclid(DAY_MS);
        if self.days.len() == MAX_DAYS && !self.days.contains_key(&number) {
            self.left_out += 1;
            return;
        }
        let n_features = self.n_features;
        let day = self.days.entry(number).or_insert_with(|| {
            let nothing = OfDay { present: 0, min: f64::NAN, max: f64::NAN, mean: f64::NAN };
            Day { start: TimestampMs(number * DAY_MS), rows: 0, features: vec![nothing; n_features] }
        });
        day.rows += 1;
        for (of_day, value) in day.features.iter_mut().zip(values).filter(|(_, value)| value.is_finite()) {
            of_day.present += 1;
            of_day.min = of_day.min.min(*value);
            of_day.max = of_day.max.max(*value);
            let mean = if of_day.present == 1 { 0.0 } else { of_day.mean };
            of_day.mean = mean + (value - mean) / of_day.present as f64;
        }
    }

    /// The days, and how many rows belong to none of them.
    pub(super) fn finish(self) -> (Vec<Day>, u64) {
        (self.days.into_values().collect(), self.left_out)
    }
}
