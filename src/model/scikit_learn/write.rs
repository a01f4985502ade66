//! The way back: a plain model as the JSON that it could have come from.

use super::{
    document::{Check, Document, FORMAT, Scaler, TreeArrays, VERSION},
    tree,
};
use crate::{
    features::{InputLayout, Statistic},
    model::{
        ExportError, Model, Plain,
        plain::{raw_scores, self_test_columns},
    },
    score::iforest::Tree,
};

/// What `threshold` says, as nothing is known of it: that of `contamination="auto"`.
const THRESHOLD: f64 = 0.5;

// === impl Model ===

impl Model {
    /// The forest and its standardisation as JSON, without the calibration; `docs/scikit-learn.md` describes it.
    ///
    /// # Errors
    /// When it is no plain model, or its forest is not plain.
    pub fn to_scikit_learn_json(&self) -> Result<Vec<u8>, ExportError> {
        let plain = self.exportable()?;
        let scales = || plain.columns.iter().map(|column| column.scale);
        let is_scaled = scales().any(|scale| scale.center != 0.0 || scale.unit != 1.0);
        let document = Document {
            format: FORMAT.to_owned(),
            version: VERSION,
            made_by: Some(concat!("emberwatch ", env!("CARGO_PKG_VERSION")).to_owned()),
            features: self.schema.features().iter().map(|feature| feature.name.clone()).collect(),
            scaler: is_scaled.then(|| Scaler {
                mean: scales().map(|scale| scale.center).collect(),
                scale: scales().map(|scale| scale.unit).collect(),
            }),
            max_samples: plain.forest.subsample_size(),
            harmonic_numbers: plain.forest.harmonic_numbers().into(),
            contamination: None,
            threshold: THRESHOLD,
            trees: plain.forest.trees().iter().map(Tree::nodes).map(tree::write).collect::<Vec<TreeArrays>>(),
            training_scores: Vec::new(),
            check: check(plain),
        };
        serde_json::to_vec(&document).map_err(|error| ExportError::Json(error.to_string()))
    }
}

/// Rows from all over the thresholds, with their scores.
fn check(plain: &Plain) -> Check {
    let layout = InputLayout { n_features: plain.columns.len() };
    let values = |columns: Vec<f64>| -> Vec<f64> {
        (0..layout.n_features).map(|feature| columns[layout.column(feature, Statistic::Value)]).collect()
    };
    let rows: Vec<Vec<f64>> = self_test_columns(plain, layout).into_iter().map(values).collect();
    let (_, scores) =
        raw_scores(&plain.columns, &plain.forest, rows.len(), |row, feature| rows[row][feature]);
    Check { rows, raw_scores: scores }
}
