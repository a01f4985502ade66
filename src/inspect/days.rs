//! Day by day: what a plot shows.

use super::Figures;
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
    pub features: Vec<Figures>,
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
        let day = self.days.entry(number).or_insert_with(|| Day {
            start: TimestampMs(number * DAY_MS),
            rows: 0,
            features: vec![Figures::NONE; n_features],
        });
        day.rows += 1;
        for (figures, value) in day.features.iter_mut().zip(values).filter(|(_, value)| value.is_finite()) {
            figures.take(*value);
        }
    }

    /// The days, and how many rows belong to none of them.
    pub(super) fn finish(self) -> (Vec<Day>, u64) {
        (self.days.into_values().collect(), self.left_out)
    }
}
