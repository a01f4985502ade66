//! How far a row is from the nearest of a few rows of normal operation.
//!
//! M. Sugiyama and K. M. Borgwardt, "Rapid Distance-Based Outlier Detection via Sampling", NIPS 2013: a small
//! sample, drawn once, serves as well as all rows, since a normal row has a neighbour in it and a strange one has none.
//! Here the distance is the mean of those to the [`NEIGHBOURS`] nearest, which one strange row in the sample cannot
//! spoil. Distances see what forests miss: many features, each a little off, together far from anything seen.

use ndarray::{ArrayView1, ArrayView2};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Rows in the sample.
pub const SAMPLE_SIZE: usize = 1024;

/// Nearest rows whose distances count.
pub const NEIGHBOURS: usize = 3;

/// Columns whose squares are added up side by side.
const LANES: usize = 8;

/// A sample of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    n_columns: usize,
    /// Row after row. Invariant: whole rows, at least one, of finite values.
    values: Vec<f32>,
}

/// Why values are no sample.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum InvalidSample {
    /// Not one to [`SAMPLE_SIZE`] whole rows.
    #[error("{values} values are not 1 to {SAMPLE_SIZE} rows of {columns} columns")]
    Size {
        /// Values there are.
        values: usize,
        /// Columns of a row.
        columns: usize,
    },
    /// A value is NaN or infinite.
    #[error("value {index} is {value}")]
    NotFinite {
        /// Which.
        index: usize,
        /// The value.
        value: f32,
    },
}

// === impl Nearest ===

impl Nearest {
    /// Draws the sample from `rows` without replacement, by the seed and a row's place.
    ///
    /// # Errors
    /// When there is no row or no column, or a value that was drawn is not finite.
    pub fn fit(rows: ArrayView2<'_, f32>, seed: u64) -> Result<Self, InvalidSample> {
        let mut drawn: Vec<(u64, usize)> = (0..rows.nrows())
            .map(|row| (xxh3_64_with_seed(&(row as u64).to_le_bytes(), seed), row))
            .collect();
        drawn.sort_unstable();
        drawn.truncate(SAMPLE_SIZE);
        let values = drawn.into_iter().flat_map(|(_, row)| rows.row(row).to_vec()).collect();
        Self::from_values(values, rows.ncols())
    }

    /// A sample from its values, row after row.
    ///
    /// # Errors
    /// When they are not one to [`SAMPLE_SIZE`] whole rows of finite values.
    pub fn from_values(values: Vec<f32>, n_columns: usize) -> Result<Self, InvalidSample> {
        let whole = n_columns > 0 && values.len().is_multiple_of(n_columns);
        if !whole || !(1..=SAMPLE_SIZE).contains(&(values.len() / n_columns)) {
            return Err(InvalidSample::Size { values: values.len(), columns: n_columns });
        }
        if let Some((index, &value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(InvalidSample::NotFinite { index, value });
        }
        Ok(Self { n_columns, values })
    }

    /// The sample, row after row.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Columns of a row.
    #[must_use]
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// The mean Euclidean distance of `x` to the nearest rows of the sample; all of them count where it has fewer
    /// than [`NEIGHBOURS`].
    ///
    /// # Panics
    /// When `x` has other than [`Self::n_columns`] values.
    #[must_use]
    pub fn distance(&self, x: &[f32]) -> f64 {
        let nearest = self.nearest(x);
        nearest.iter().map(|square| f64::from(*square).sqrt()).sum::<f64>() / nearest.len() as f64
    }

    /// The [`Self::distance`] of every row.
    ///
    /// # Panics
    /// When `rows` has other than [`Self::n_columns`] columns, or `into` other than one place a row.
    pub fn distances(&self, rows: ArrayView2<'_, f32>, into: &mut [f64]) {
        assert_eq!(rows.nrows(), into.len(), "rows, places for distances");
        let distance = |row: ArrayView1<'_, f32>| match row.as_slice() {
            Some(x) => self.distance(x),
            None => self.distance(&row.to_vec()),
        };
        into.iter_mut().zip(rows.rows()).for_each(|(into, row)| *into = distance(row));
    }

    /// The squares of the distances to the nearest rows, ascending.
    fn nearest(&self, x: &[f32]) -> Vec<f32> {
        assert_eq!(x.len(), self.n_columns, "values of the row, columns of the sample");
        let mut nearest = Vec::with_capacity(NEIGHBOURS + 1);
        for y in self.values.chunks_exact(self.n_columns) {
            let square = square_distance(x, y);
            if nearest.len() < NEIGHBOURS || nearest.last().is_some_and(|last| square < *last) {
                nearest.insert(nearest.partition_point(|other| *other <= square), square);
                nearest.truncate(NEIGHBOURS);
            }
        }
        nearest
    }
}

/// Sums in lanes, so that a vector register takes several columns; always in the same order, so that every machine
/// gets the same bits.
fn square_distance(x: &[f32], y: &[f32]) -> f32 {
    let square = |x: f32, y: f32| (x - y) * (x - y);
    let (x_lanes, x_rest) = x.as_chunks::<LANES>();
    let (y_lanes, y_rest) = y.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (x, y) in x_lanes.iter().zip(y_lanes) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum += square(*x, *y);
        }
    }
    let rest: f32 = x_rest.iter().zip(y_rest).map(|(x, y)| square(*x, *y)).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    #[test]
    fn the_distance_is_the_mean_of_the_three_nearest() {
        // From (0, 0): 5, 1, 13, 2.
        let sample = vec![3.0, 4.0, 1.0, 0.0, 5.0, 12.0, 0.0, -2.0];
        let nearest = Nearest::from_values(sample, 2).unwrap();
        assert!((nearest.distance(&[0.0, 0.0]) - (1.0 + 2.0 + 5.0) / 3.0).abs() < 1e-6);
        let one = Nearest::from_values(vec![3.0, 4.0], 2).unwrap();
        assert!((one.distance(&[0.0, 0.0]) - 5.0).abs() < 1e-6);
    }

    #[test]
    fn what_is_no_sample_is_refused() {
        for (values, columns) in
            [(vec![], 2), (vec![1.0; 3], 2), (vec![1.0; 2], 0), (vec![1.0; SAMPLE_SIZE + 1], 1)]
        {
            let n = values.len();
            assert_eq!(
                Nearest::from_values(values, columns),
                Err(InvalidSample::Size { values: n, columns })
            );
        }
        let infinite = Nearest::from_values(vec![0.0, f32::INFINITY], 1);
        assert_eq!(infinite, Err(InvalidSample::NotFinite { index: 1, value: f32::INFINITY }));
    }

    proptest! {
        /// A drawn sample holds rows of the data, none twice, and the same seed draws the same.
        #[test]
        fn a_sample_is_drawn_without_replacement(n in 1..600_usize, seed: u64) {
            let rows = Array2::from_shape_fn((n, 2), |(row, column)| (row * 2 + column) as f32);
            let nearest = Nearest::fit(rows.view(), seed).unwrap();
            let mut drawn: Vec<usize> = nearest.values().chunks_exact(2).map(|row| row[0] as usize / 2).collect();
            prop_assert!(nearest.values().chunks_exact(2).all(|row| row[1] == row[0] + 1.0));
            prop_assert_eq!(drawn.len(), n.min(SAMPLE_SIZE));
            drawn.sort_unstable();
            drawn.dedup();
            prop_assert_eq!(drawn.len(), n.min(SAMPLE_SIZE));
            prop_assert_eq!(nearest, Nearest::fit(rows.view(), seed).unwrap());
        }

        /// The fast way equals the plain one: all distances in double precision, sorted.
        #[test]
        fn distances_are_those_of_a_plain_search(
            values in prop::collection::vec(-9.0..9.0_f32, 19..(19 * 40)),
            x in prop::collection::vec(-9.0..9.0_f32, 19),
        ) {
            let values = values[..values.len() / 19 * 19].to_vec();
            let mut plain: Vec<f64> = values
                .chunks_exact(19)
                .map(|y| x.iter().zip(y).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>().sqrt())
                .collect();
            plain.sort_by(f64::total_cmp);
            plain.truncate(NEIGHBOURS);
            let expected = plain.iter().sum::<f64>() / plain.len() as f64;
            let nearest = Nearest::from_values(values, 19).unwrap();
            prop_assert!((nearest.distance(&x) - expected).abs() <= 1e-4 * expected.max(1.0));
        }
    }
}
