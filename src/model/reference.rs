//! How the training sample was distributed: what live rows are held against to see whether they have drifted.
//!
//! A column for the value of each feature, scaled as the model scales it, so that machines of different size are one sample; and one for the
//! evidence of the whole (-log10 of the tail probability by the training alone), of forests that had not seen the row. The value alone: mean, spread
//! and the others are made of the same values, and a shift of level or a wider noise shows in their distribution over a day.
//!
//! Bins are the deciles of the training sample, as far as they differ. A number is rounded to a hundredth of its unit before: in a column
//! that never moved, the last digits are no drift. Where a column has its smallest value in more than a tenth of the rows, what lies below it has
//! a bin of its own, which is empty; a missing value is in the last bin. Rows are counted for each three hours of the week: a
//! Saturday night is to be held against Saturday nights.

use super::{Model, judge::Judge};
use crate::{
    features::{InputLayout, Statistic, Zone},
    series::{LabelSet, TimestampMs},
};

/// Bins of a column: at most ten between and beyond the deciles, one below the smallest value, one for what is missing.
pub const N_BINS: usize = 12;

/// The bin of a missing value.
pub const MISSING_BIN: usize = N_BINS - 1;

/// Parts of a day, of three hours each.
const DAY_PARTS: usize = 8;

/// Parts of a week, from Monday, midnight, in local time.
pub const WEEK_PARTS: usize = 7 * DAY_PARTS;

/// A weekday with fewer rows in the training sample says nothing: the index of eleven bins would be 0.04 by chance.
const MIN_DAY_ROWS: u64 = 256;

/// Numbers are rounded to so much of a unit.
const GRID: f64 = 0.01;

/// The distribution of the training sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// Feature by feature, then the evidence.
    pub(super) columns: Vec<ReferenceColumn>,
    /// Rows in each part of the week.
    pub(super) rows: [u64; WEEK_PARTS],
}

/// One column of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ReferenceColumn {
    /// Upper ends of the bins but the last. Invariant: finite, ascending, at most ten.
    pub(super) edges: Vec<f64>,
    /// For each part of the week rows in each bin.
    pub(super) counts: Box<[[u64; N_BINS]; WEEK_PARTS]>,
}

// === impl Reference ===

impl Reference {
    /// Learns from `columns`, each with a number (NaN: missing) for every row; `at` are the times of the rows.
    #[must_use]
    pub fn fit(zone: &Zone, at: &[TimestampMs], columns: impl IntoIterator<Item = Vec<f64>>) -> Self {
        let parts: Vec<usize> = at.iter().map(|at| part_of_week(zone, *at)).collect();
        let mut rows = [0; WEEK_PARTS];
        parts.iter().for_each(|part| rows[*part] += 1);
        let columns = columns.into_iter().map(|values| ReferenceColumn::fit(&values, &parts)).collect();
        Self { columns, rows }
    }

    /// Features, and one more for the evidence.
    #[must_use]
    pub fn n_columns(&self) -> usize {
        self.columns.len()
    }

    /// The part of the week of an instant, where the sample has rows of it, and enough of its weekday.
    #[must_use]
    pub fn known_part(&self, zone: &Zone, at: TimestampMs) -> Option<usize> {
        let part = part_of_week(zone, at);
        let (days, _) = self.rows.as_chunks::<DAY_PARTS>();
        let of_day: u64 = days.get(part / DAY_PARTS)?.iter().sum();
        (self.rows[part] > 0 && of_day >= MIN_DAY_ROWS).then_some(part)
    }

    /// The bin of a number in a column.
    #[must_use]
    pub fn bin(&self, column: usize, value: f64) -> usize {
        self.columns.get(column).map_or(MISSING_BIN, |column| column.bin(value))
    }

    /// The shares of the bins of a column in the whole sample.
    #[must_use]
    pub fn whole(&self, column: usize) -> [f64; N_BINS] {
        let total: u64 = self.rows.iter().sum();
        let Some(column) = self.columns.get(column).filter(|_| total > 0) else { return [0.0; N_BINS] };
        let count = |bin: usize| column.counts.iter().map(|counts| counts[bin]).sum::<u64>();
        std::array::from_fn(|bin| count(bin) as f64 / total as f64)
    }

    /// The shares of the bins of a column that are to be expected of rows of which `rows` are in each part of the week: those of the same parts, by as much.
    #[must_use]
    pub fn expected(&self, column: usize, rows: &[u64; WEEK_PARTS]) -> [f64; N_BINS] {
        let total: u64 = rows.iter().sum();
        let mut shares = [0.0; N_BINS];
        let Some(column) = self.columns.get(column) else { return shares };
        for ((live, rows), counts) in rows.iter().zip(&self.rows).zip(column.counts.iter()) {
            if *live > 0 && *rows > 0 {
                let weight = *live as f64 / total as f64 / *rows as f64;
                shares.iter_mut().zip(counts).for_each(|(share, count)| *share += weight * *count as f64);
            }
        }
        shares
    }
}

// === impl ReferenceColumn ===

impl ReferenceColumn {
    fn fit(values: &[f64], parts: &[usize]) -> Self {
        let mut sorted: Vec<f64> =
            values.iter().copied().filter(|value| value.is_finite()).map(on_grid).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let mut edges: Vec<f64> = Vec::with_capacity(N_BINS - 2);
        if let Some(first) = sorted.first() {
            let decile = |tenth: usize| sorted[(sorted.len() * tenth).div_ceil(10).max(1) - 1];
            edges.extend((1..10).map(decile));
            edges.dedup();
            if edges.first() == Some(first) {
                edges.insert(0, on_grid(first - GRID));
            }
        }
        let mut column = Self { edges, counts: Box::new([[0; N_BINS]; WEEK_PARTS]) };
        for (value, part) in values.iter().zip(parts) {
            let bin = column.bin(*value);
            column.counts[*part][bin] += 1;
        }
        column
    }

    /// The first bin whose upper end is not below the number.
    fn bin(&self, value: f64) -> usize {
        if !value.is_finite() {
            return MISSING_BIN;
        }
        let value = on_grid(value);
        self.edges.partition_point(|edge| *edge < value)
    }
}

// === impl Model ===

impl Model {
    /// How its training sample was distributed; none in models that were trained before this was kept, and in plain ones.
    #[must_use]
    pub fn reference(&self) -> Option<&Reference> {
        self.reference.as_ref()
    }

    /// The bins of a row of inputs: for the value of each feature, as `entity` is scaled. Nothing for a plain model.
    pub fn value_bins<'a>(
        &'a self,
        reference: &'a Reference,
        entity: &LabelSet,
        columns: &'a [f64],
    ) -> impl Iterator<Item = usize> + 'a {
        let layout = InputLayout { n_features: self.schema.features().len() };
        let scales = match &self.judge {
            Judge::Members(members) => Some(members.scaling.of(entity)),
            Judge::Plain(_) => None,
        };
        scales.into_iter().flat_map(move |scales| {
            (0..layout.n_features).map(move |feature| {
                let value = columns[layout.column(feature, Statistic::Value)];
                reference.bin(feature, scales.value(feature).scaled(value))
            })
        })
    }
}

fn part_of_week(zone: &Zone, at: TimestampMs) -> usize {
    let local = zone.local_time(at);
    usize::from(local.weekday()) * DAY_PARTS + usize::from(local.hour) * DAY_PARTS / 24
}

/// The nearest hundredth.
fn on_grid(value: f64) -> f64 {
    let rounded = (value / GRID).round() * GRID;
    // Adding zero makes a negative zero a plain one; far out there are no hundredths.
    if rounded.is_finite() { rounded + 0.0 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::{SHARE_FLOOR, population_stability_index};
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    /// Hour by hour from a Monday, midnight, on.
    fn hours(n: usize) -> Vec<TimestampMs> {
        (0..n as i64).map(|hour| TimestampMs((4 * 24 + hour) * HOUR)).collect()
    }

    fn fit(values: &[f64]) -> Reference {
        Reference::fit(&Zone::default(), &hours(values.len()), [values.to_vec()])
    }

    /// 1 to 20: two numbers in each tenth, the largest of which is its end. Nothing lies below 1, which is no tenth by itself.
    #[test]
    fn deciles_by_hand() {
        let reference = fit(&(1..=20).map(f64::from).collect::<Vec<_>>());
        assert_eq!(reference.columns[0].edges, [2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0]);
        let bins: Vec<usize> =
            [-5.0, 2.0, 2.004, 2.006, 18.0, 19.0, 1e300].map(|value| reference.bin(0, value)).into();
        assert_eq!(bins, [0, 0, 0, 1, 8, 9, 9]);
        assert_eq!([f64::NAN, f64::INFINITY].map(|value| reference.bin(0, value)), [MISSING_BIN; 2]);
    }

    /// Its last digits are no drift; half a unit up or down is, and so is its absence.
    #[test]
    fn a_column_that_never_moved_has_a_bin_below_and_one_above() {
        let reference = fit(&[0.0; 30]);
        let bins = [1e-12, -1e-12, 0.5, -0.5, f64::NAN].map(|value| reference.bin(0, value));
        assert_eq!(bins, [1, 1, 2, 0, MISSING_BIN]);
        let none = fit(&[f64::NAN; 30]);
        assert_eq!((none.bin(0, f64::NAN), none.bin(0, 7.0)), (MISSING_BIN, 0));
        assert_eq!(none.whole(0)[MISSING_BIN], 1.0);
    }

    /// 48 hours of a Monday and a Tuesday, 1 on the one and 2 on the other: of rows that are three quarters on Mondays, three quarters are 1.
    #[test]
    fn what_is_expected_goes_by_the_time_of_the_rows() {
        let values: Vec<f64> = (0..48).map(|hour| if hour < 24 { 1.0 } else { 2.0 }).collect();
        let reference = fit(&values);
        let mut rows = [0; WEEK_PARTS];
        (rows[3], rows[8]) = (30, 10);
        let expected = reference.expected(0, &rows);
        assert_eq!((expected[reference.bin(0, 1.0)], expected[reference.bin(0, 2.0)]), (0.75, 0.25));
        assert_eq!(reference.whole(0)[reference.bin(0, 1.0)], 0.5);
    }

    #[test]
    fn a_part_of_the_week_is_known_with_rows_of_it_and_enough_of_the_day() {
        // A quarter of an hour apart, from Monday, midnight, to Wednesday, 16:00.
        let at: Vec<TimestampMs> = (0..64 * 4).map(|n| TimestampMs(4 * 24 * HOUR + n * HOUR / 4)).collect();
        // Four times, so that a whole day has 384 rows and the last one 256.
        let all: Vec<TimestampMs> = at.iter().flat_map(|at| [*at; 4]).collect();
        let reference = Reference::fit(&Zone::default(), &all, [vec![0.0; all.len()]]);
        let known = |hour: i64| reference.known_part(&Zone::default(), TimestampMs((4 * 24 + hour) * HOUR));
        assert_eq!([known(0), known(5), known(23), known(48 + 15)], [Some(0), Some(1), Some(7), Some(21)]);
        assert_eq!([known(48 + 18), known(72)], [None, None], "Wednesday evening and Thursday");
        assert_eq!(known(7 * 24 + 5), Some(1), "the next Monday");
        let few = Reference::fit(&Zone::default(), &at, [vec![0.0; at.len()]]);
        assert_eq!(few.known_part(&Zone::default(), TimestampMs(4 * 24 * HOUR)), None, "96 rows of a day");
    }

    proptest! {
        /// For all samples, the index of a reference is that of a straightforward computation: sort, cut at the tenths, count.
        #[test]
        fn the_index_is_that_of_a_second_implementation(
            training in prop::collection::vec(prop_oneof![4 => -50_i32..50, 1 => Just(7)], 1..300),
            live in prop::collection::vec(prop_oneof![9 => (-80_i32..80).prop_map(Some), 1 => Just(None)], 1..100),
        ) {
            // Quarters of a unit are not rounded.
            let value = |quarters: i32| f64::from(quarters) / 4.0;
            let reference = fit(&training.iter().copied().map(value).collect::<Vec<_>>());
            let share = 1.0 / live.len() as f64;
            let mut seen = [0.0; N_BINS];
            live.iter().for_each(|live| seen[reference.bin(0, live.map_or(f64::NAN, value))] += share);
            let index = population_stability_index(reference.whole(0).into_iter().zip(seen));

            let mut sorted = training.clone();
            sorted.sort_unstable();
            // The smallest number that a tenth, two tenths ... of the sample do not exceed.
            let at_most = |end: i32| sorted.iter().filter(|value| **value <= end).count();
            let mut ends: Vec<i32> = (1..10)
                .map(|tenths| *sorted.iter().find(|end| at_most(**end) * 10 >= tenths * sorted.len()).unwrap())
                .collect();
            ends.dedup();
            if ends[0] == sorted[0] {
                ends.insert(0, sorted[0] - 1);
            }
            let mut expected_index = 0.0;
            for bin in 0..=ends.len() {
                let inside = |value: &&i32| (bin == 0 || **value > ends[bin - 1]) && ends.get(bin).is_none_or(|end| **value <= *end);
                let expected = training.iter().filter(inside).count() as f64 / training.len() as f64;
                let actual = live.iter().flatten().filter(inside).count() as f64 / live.len() as f64;
                let (expected, actual) = (expected.max(SHARE_FLOOR), actual.max(SHARE_FLOOR));
                expected_index += actual * (actual / expected).ln() + expected * (expected / actual).ln();
            }
            let missing = (live.iter().filter(|live| live.is_none()).count() as f64 / live.len() as f64).max(SHARE_FLOOR);
            expected_index += (missing - SHARE_FLOOR) * (missing.ln() - SHARE_FLOOR.ln());
            prop_assert!((index - expected_index).abs() < 1e-9 * (1.0 + index), "{index} {expected_index}");
        }
    }
}
