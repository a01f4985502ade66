//! What a model reads at one step, and which column is what.

use super::Zone;
use crate::series::{LabelSet, TimestampMs};
use ndarray::Array2;

/// A statistic of one feature over its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statistic {
    /// The value at the step itself.
    Value,
    /// Mean over the window.
    Mean,
    /// Largest value in the window.
    Max,
    /// Standard deviation over the window (population).
    Spread,
    /// Least-squares slope over the window, as change per window length.
    Trend,
    /// Mean of the last three steps minus mean of the window before them.
    Deviation,
    /// Mean of the last three steps.
    Short,
    /// The value at the step minus mean of the window before it.
    Jump,
}

impl Statistic {
    /// All of them, in the order of the columns.
    pub const ALL: [Self; 8] = [
        Self::Value,
        Self::Mean,
        Self::Max,
        Self::Spread,
        Self::Trend,
        Self::Deviation,
        Self::Short,
        Self::Jump,
    ];
}

/// Columns behind the features: sine and cosine of the hour of the day, then of the day of the week.
pub const CALENDAR_COLUMNS: usize = 4;

/// Where a column stands: eight statistics for each feature in turn, then the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputLayout {
    /// Number of features.
    pub n_features: usize,
}

impl InputLayout {
    /// Number of columns.
    #[must_use]
    pub fn n_columns(self) -> usize {
        self.n_features * Statistic::ALL.len() + CALENDAR_COLUMNS
    }

    /// The column of one statistic of one feature.
    #[must_use]
    pub fn column(self, feature: usize, statistic: Statistic) -> usize {
        debug_assert!(feature < self.n_features);
        feature * Statistic::ALL.len() + statistic as usize
    }

    /// The first calendar column.
    #[must_use]
    pub fn calendar(self) -> usize {
        self.n_features * Statistic::ALL.len()
    }
}

/// The inputs of all entities at one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    /// The step.
    pub at: TimestampMs,
    /// The rows, ascending.
    pub entities: Vec<LabelSet>,
    /// Entity x column of [`InputLayout`]; NaN = not known.
    pub values: Array2<f64>,
    /// Entity x feature: how many steps of the window hold a value.
    pub present: Array2<u32>,
    /// For each entity: how many steps of the window hold a value of any feature.
    pub filled_steps: Vec<usize>,
    /// For each entity: whether at least half of the window is filled.
    pub warm: Vec<bool>,
}

/// Writes the calendar columns of the instant `at`.
pub(super) fn calendar(at: TimestampMs, zone: &Zone, into: &mut [f64]) {
    const DAY_MS: i64 = 86_400_000;
    const WEEK_MS: i64 = 7 * DAY_MS;
    /// The epoch was a Thursday: three days after Monday.
    const EPOCH_WEEKDAY_MS: i64 = 3 * DAY_MS;
    let local = at.plus_ms(zone.offset_ms(at));
    let turns = [
        local.0.rem_euclid(DAY_MS) as f64 / DAY_MS as f64,
        local.plus_ms(EPOCH_WEEKDAY_MS).0.rem_euclid(WEEK_MS) as f64 / WEEK_MS as f64,
    ];
    for (pair, turn) in into.chunks_exact_mut(2).zip(turns) {
        let angle = turn * std::f64::consts::TAU;
        pair.copy_from_slice(&[angle.sin(), angle.cos()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_turns_once_a_day_and_once_a_week() {
        let read = |at: i64, offset: i32| {
            let mut columns = [0.0; CALENDAR_COLUMNS];
            calendar(TimestampMs(at), &Zone::fixed(offset), &mut columns);
            columns.map(|x| (x * 1e9).round() / 1e9)
        };
        // 1970-01-05 was a Monday: midnight there is the start of both circles.
        let monday = 4 * 86_400_000;
        assert_eq!(read(monday, 0), [0.0, 1.0, 0.0, 1.0]);
        // Six hours on: a quarter of the day.
        assert_eq!(read(monday + 6 * 3_600_000, 0)[..2], [1.0, 0.0]);
        // The same in a zone six hours ahead, at midnight UTC.
        assert_eq!(read(monday, 360)[..2], [1.0, 0.0]);
        // And where a place is ahead: Tokyo by nine hours.
        let mut tokyo = [0.0; CALENDAR_COLUMNS];
        calendar(TimestampMs(monday), &Zone::named("Asia/Tokyo").unwrap(), &mut tokyo);
        assert_eq!(tokyo.map(|x| (x * 1e9).round() / 1e9), read(monday, 540));
        // Before the epoch too.
        assert_eq!(read(monday - 7 * 86_400_000, 0), [0.0, 1.0, 0.0, 1.0]);
    }
}
