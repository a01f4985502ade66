//! The numbers of formats 1 and 2, which know neither short means nor jumps, and one unit for each statistic.
//!
//! In memory a model is always as wide as the newest one: what an old one does not say stands there as missing, or as what it
//! comes nearest to, and nothing of it is ever read, because the members of old models do not look there.

use super::Format;
use crate::{
    features::{InputLayout, Statistic},
    model::{ColumnScale, scaling::N_SCALED},
};

/// Statistics of a feature among the inputs: the first ones of [`Statistic::ALL`].
const N_OLD_STATISTICS: usize = 6;

/// Scaled columns of a feature: value, mean, spread, deviation.
const N_OLD_SCALED: usize = 4;

impl Format {
    fn is_old(self) -> bool {
        self < Self::Third
    }

    /// Numbers in a row of inputs.
    pub(super) fn n_inputs(self, layout: InputLayout) -> usize {
        let missing = if self.is_old() { Statistic::ALL.len() - N_OLD_STATISTICS } else { 0 };
        layout.n_columns() - layout.n_features * missing
    }

    /// Scaled columns of a feature.
    pub(super) fn n_scaled(self) -> usize {
        if self.is_old() { N_OLD_SCALED } else { N_SCALED }
    }

    /// A row of inputs, of [`Self::n_inputs`] numbers, as wide as the layout.
    pub(super) fn widen_inputs(self, layout: InputLayout, inputs: Vec<f64>) -> Vec<f64> {
        if !self.is_old() {
            return inputs;
        }
        let (features, calendar) = inputs.split_at(layout.n_features * N_OLD_STATISTICS);
        let missing = [f64::NAN; Statistic::ALL.len() - N_OLD_STATISTICS];
        let wide = features.chunks_exact(N_OLD_STATISTICS).flat_map(|known| known.iter().chain(&missing));
        wide.chain(calendar).copied().collect()
    }

    /// A row of inputs as the file has it.
    pub(super) fn narrow_inputs(self, layout: InputLayout, inputs: &[f64]) -> Vec<f64> {
        if !self.is_old() {
            return inputs.to_vec();
        }
        let (features, calendar) = inputs.split_at(layout.calendar());
        let known = features.chunks_exact(Statistic::ALL.len()).flat_map(|all| &all[..N_OLD_STATISTICS]);
        known.chain(calendar).copied().collect()
    }

    /// The scales of whole features, each of [`Self::n_scaled`] columns, as wide as those of a new model.
    pub(super) fn widen_scales(self, columns: Vec<ColumnScale>) -> Vec<ColumnScale> {
        if !self.is_old() {
            return columns;
        }
        let (features, _) = columns.as_chunks::<N_OLD_SCALED>();
        let wide = |[value, mean, spread, deviation]: &[ColumnScale; N_OLD_SCALED]| {
            [*value, *mean, *spread, *deviation, *value, *mean, *spread, *deviation]
        };
        features.iter().flat_map(wide).collect()
    }

    /// The scales as the file has them.
    pub(super) fn narrow_scales(self, columns: &[ColumnScale]) -> impl Iterator<Item = &ColumnScale> {
        columns.chunks_exact(N_SCALED).flat_map(move |feature| &feature[..self.n_scaled()])
    }
}
