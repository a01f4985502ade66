//! The rows of a step as gates leave them.

use super::Model;
use crate::{
    explain::Contribution,
    features::{Gate, Inputs, Statistic},
    series::LabelSet,
};

/// What gates make of the rows that are scored; nothing where every gate is open.
pub(super) struct Gated {
    /// Row after row.
    columns: Vec<f64>,
    n_columns: usize,
    /// Row after row: whether anything about a feature counts.
    counts: Vec<bool>,
    n_features: usize,
}

// === impl Gated ===

impl Gated {
    /// The `rows` of `inputs`, with what does not count made ordinary in the eyes of `model`.
    ///
    /// Two allocations, and none where every gate is open. In a plain model that does not know what is ordinary for a
    /// feature, the feature's gate has no effect.
    pub(super) fn new<'g>(
        model: &Model,
        inputs: &Inputs,
        rows: &[usize],
        gates: impl Fn(&LabelSet) -> &'g [Gate],
    ) -> Self {
        let (n_columns, n_features) = (inputs.values.ncols(), model.layout().n_features);
        let mut gated = Self { columns: Vec::new(), n_columns, counts: Vec::new(), n_features };
        let closed = |row: &usize| !gates(&inputs.entities[*row]).iter().all(|gate| gate.is_open());
        if !rows.iter().any(closed) {
            return gated;
        }
        gated.columns.reserve_exact(rows.len() * n_columns);
        gated.counts.resize(rows.len() * n_features, true);
        for (row, counts) in rows.iter().zip(gated.counts.chunks_exact_mut(n_features)) {
            let begin = gated.columns.len();
            gated.columns.extend(inputs.values.row(*row));
            let entity = &inputs.entities[*row];
            let ordinary = model.judge.ordinary(entity);
            let features = gated.columns[begin..].chunks_exact_mut(Statistic::ALL.len()).zip(counts);
            for (feature, ((statistics, counts), gate)) in features.zip(gates(entity)).enumerate() {
                *counts = gate.close(statistics, |statistic| ordinary.of(feature, statistic));
            }
        }
        gated
    }

    /// The columns of the row in this place; none where every gate is open.
    pub(super) fn row(&self, place: usize) -> Option<&[f64]> {
        let begin = place * self.n_columns;
        self.columns.get(begin..begin + self.n_columns)
    }

    /// The contributions to the score of the row in this place without features of which nothing counts.
    pub(super) fn blamed(&self, place: usize, mut contributions: Vec<Contribution>) -> Vec<Contribution> {
        let counts = |feature: usize| self.counts.get(place * self.n_features + feature) != Some(&false);
        let before = contributions.len();
        contributions.retain(|contribution| counts(contribution.feature));
        if contributions.len() < before {
            let total: f64 = contributions.iter().map(|contribution| contribution.share).sum();
            contributions.iter_mut().for_each(|contribution| contribution.share /= total);
        }
        contributions
    }
}
