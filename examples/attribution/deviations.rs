//! Robust z-scores, the simplest thing to compare with.

use emberwatch::{
    features::{InputLayout, Inputs, Statistic},
    model::ColumnScale,
};

/// What z-scores are of: the value at the step, and its deviation from the half hour before.
const STATISTICS: [Statistic; 2] = [Statistic::Value, Statistic::Deviation];

/// Numbers of each statistic of each feature.
pub(crate) type Seen = [Vec<Vec<f64>>; STATISTICS.len()];

/// What is ordinary for each statistic of each feature, in the units of the product: MAD with its floors.
pub(crate) struct Deviations([Vec<ColumnScale>; STATISTICS.len()]);

/// Adds the statistics of all rows of `inputs`.
pub(crate) fn collect(inputs: &Inputs, into: &mut Seen) {
    for (statistic, features) in STATISTICS.into_iter().zip(into) {
        let layout = InputLayout { n_features: features.len() };
        for (feature, seen) in features.iter_mut().enumerate() {
            seen.extend(
                inputs.values.column(layout.column(feature, statistic)).iter().filter(|x| !x.is_nan()),
            );
        }
    }
}

// === impl Deviations ===

impl Deviations {
    /// Learns from the numbers of the training rows.
    pub(crate) fn new(seen: Seen) -> Self {
        Self(seen.map(|features| features.into_iter().map(|mut seen| ColumnScale::fit(&mut seen)).collect()))
    }

    /// The |z| of each feature of a row, for each statistic; 0 where it is missing.
    pub(crate) fn of(&self, inputs: &Inputs, row: usize) -> [Vec<f64>; STATISTICS.len()] {
        let layout = InputLayout { n_features: self.0[0].len() };
        let mut index = 0;
        STATISTICS.map(|statistic| {
            let ordinary = &self.0[index];
            index += 1;
            let size = |(feature, scale): (usize, &ColumnScale)| {
                let z = scale.scaled(inputs.values[[row, layout.column(feature, statistic)]]);
                if z.is_nan() { 0.0 } else { z.abs() }
            };
            ordinary.iter().enumerate().map(size).collect()
        })
    }
}
