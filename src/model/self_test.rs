//! Rows with their known scores: the last check of a loaded model.

use super::{Model, ModelError, Past};
use crate::{
    features::Inputs,
    series::{LabelSet, TimestampMs},
};
use ndarray::Array2;

/// Rows that a trained model carries.
pub(crate) const N_ROWS: usize = 8;

/// The most rows a model file may carry.
pub(super) const MAX_ROWS: usize = 64;

/// One row of inputs and what the model said of it when it was made.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfTestRow {
    /// The entity.
    pub entity: LabelSet,
    /// The columns of [`Inputs`]; NaN = missing.
    pub inputs: Vec<f64>,
    /// The expected result.
    pub tail_probability: f64,
}

// === impl Model ===

impl Model {
    /// Scores the self-test rows again.
    ///
    /// # Errors
    /// When a result differs from the saved one in any bit.
    pub fn run_self_test(&self) -> Result<(), ModelError> {
        for (row, test) in self.self_test.iter().enumerate() {
            let got = self.score_columns(&test.entity, &test.inputs);
            if got.to_bits() != test.tail_probability.to_bits() {
                return Err(ModelError::SelfTest { row, expected: test.tail_probability, got });
            }
        }
        Ok(())
    }

    /// The tail probability of one row of columns, NaN when it has none.
    pub(crate) fn score_columns(&self, entity: &LabelSet, columns: &[f64]) -> f64 {
        let Ok(values) = Array2::from_shape_vec((1, columns.len()), columns.to_vec()) else {
            return f64::NAN;
        };
        let inputs = Inputs {
            at: TimestampMs(0),
            entities: vec![entity.clone()],
            values,
            present: Array2::zeros((1, self.schema.features().len())),
            filled_steps: vec![self.schema.window_steps()],
            warm: vec![true],
        };
        self.score(&inputs, &mut Past::none()).first().map_or(f64::NAN, |scored| scored.tail_probability)
    }
}
