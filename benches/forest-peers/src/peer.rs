//! The same trees in hessboost.

use crate::xgboost;
use emberwatch::score::iforest::{Forest, average_path_length};
use hessboost::prelude::{BoostedModel, ModelFormat};
use ndarray::{Array2, Axis};
use std::hint::black_box;

pub(crate) struct Hessboost {
    model: BoostedModel,
    n_trees: f64,
    unit: f64,
}

impl Hessboost {
    pub(crate) fn new(forest: &Forest) -> anyhow::Result<Self> {
        let model = BoostedModel::decode(xgboost::json(forest).to_string(), ModelFormat::XgboostJson)?;
        let unit = average_path_length(forest.subsample_size());
        Ok(Self { model, n_trees: forest.trees().len() as f64, unit })
    }

    /// The scores of all rows at once.
    pub(crate) fn scores(&self, rows: &Array2<f32>) -> anyhow::Result<Vec<f64>> {
        let margins = self.model.predict_margin_rows(contiguous(rows), ..)?;
        Ok(margins.as_ref().iter().map(|sum| self.score_of(*sum)).collect())
    }

    pub(crate) fn score_in_batches(&self, rows: &Array2<f32>, at_once: usize) {
        if at_once == 1 {
            let mut sum = [0.0];
            for row in contiguous(rows).chunks_exact(rows.ncols()) {
                if self.model.predict_margin_row_into(row, .., &mut sum).is_ok() {
                    black_box(self.score_of(sum[0]));
                }
            }
            return;
        }
        for rows in rows.axis_chunks_iter(Axis(0), at_once) {
            let rows = rows.to_slice().unwrap_or_default();
            if let Ok(margins) = self.model.predict_margin_rows(rows, ..) {
                black_box(margins.as_ref().iter().map(|sum| self.score_of(*sum)).collect::<Vec<f64>>());
            }
        }
    }

    fn score_of(&self, sum: f32) -> f64 {
        (-f64::from(sum) / self.n_trees / self.unit).exp2()
    }
}

fn contiguous(rows: &Array2<f32>) -> &[f32] {
    rows.as_slice().unwrap_or_default()
}
