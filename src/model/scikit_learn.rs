//! Isolation Forests of scikit-learn: from the JSON of `tools/export_sklearn.py` to a plain model, and back.
//!
//! The JSON is described in `docs/scikit-learn.md`. Promised: the imported model's raw score is
//! `-score_samples` of the forest it came from, up to the rounding of the last few bits. That takes three
//! things: values are rounded to `f32` behind the scaler, as scikit-learn does; a threshold, a double
//! there, is rounded *down* to an `f32`, which decides every comparison with an `f32` alike; and c(n) is
//! worked out with scikit-learn's harmonic numbers. Rows with their scores come along, and are scored again.
//!
//! Whatever stands in the JSON, nothing here panics, and what cannot be is refused with tree and node.

mod calibration;

mod document;

mod error;

mod tree;

mod write;

pub use calibration::Calibration;
pub use error::{ScikitLearnError, TreeProblem};

use super::{
    Judge, MAX_VERSION_BYTES, Model, PLAIN_WINDOW_STEPS, Past, Plain, PlainColumn, SelfTestRow,
    TrainingSummary, plain::self_test_columns,
};
use crate::{
    calibrate::Thresholds,
    features::{FeatureColumn, FeatureSchema, InputLayout, SchemaSettings},
    score::iforest::{Forest, Hyperparams},
    series::{LabelSet, TimestampMs},
};
use document::{Check, Document};
use ndarray::ArrayView2;

/// How far a score may be from the one that came along.
const TOLERANCE: f64 = 1e-6;

/// A forest as it was read, checked and scored again.
#[derive(Clone, Debug)]
pub struct ScikitLearnForest {
    features: Vec<String>,
    columns: Vec<PlainColumn>,
    forest: Forest,
    known: calibration::Known,
}

/// What a forest does not say of the model it is to become.
#[derive(Clone, Debug)]
pub struct ImportSettings {
    /// Name of the detector.
    pub detector: String,
    /// Label that names an entity.
    pub entity_label: String,
    /// Distance of two evaluations.
    pub step_ms: i64,
    /// From which scores on a row is of low, medium and high severity.
    pub thresholds: Thresholds,
    /// What the model calls itself; 1 to 256 bytes.
    pub version: String,
    /// The present time.
    pub created_at: TimestampMs,
}

// === impl ScikitLearnForest ===

impl ScikitLearnForest {
    /// Reads the JSON and checks all of it.
    ///
    /// # Errors
    /// With what is wrong and where: tree and node, feature or row.
    pub fn parse(json: &[u8]) -> Result<Self, ScikitLearnError> {
        let document = Document::parse(json)?;
        let columns = document.columns()?;
        let trees = document
            .trees
            .iter()
            .enumerate()
            .map(|(tree, arrays)| {
                tree::read(arrays, columns.len()).map_err(|problem| ScikitLearnError::Tree { tree, problem })
            })
            .collect::<Result<_, _>>()?;
        let forest = Forest::with_harmonic_numbers(
            trees,
            columns.len(),
            document.max_samples,
            document.harmonic_numbers.into(),
        )?;
        let known = calibration::Known::new(&document)?;
        let read = Self { features: document.features, columns, forest, known };
        read.check(&document.check)?;
        Ok(read)
    }

    /// Names of the features, in the order of the columns.
    #[must_use]
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// The plain model of this forest. `rows` (row x feature, NaN = missing), where there are any, calibrate
    /// it, and say what is ordinary for a feature.
    ///
    /// # Errors
    /// When the settings or the names are no schema, or the scores cannot be calibrated.
    pub fn into_model(
        self,
        settings: ImportSettings,
        rows: Option<ArrayView2<'_, f64>>,
    ) -> Result<(Model, Calibration), ScikitLearnError> {
        if !(1..=MAX_VERSION_BYTES).contains(&settings.version.len()) {
            return Err(ScikitLearnError::ModelVersion(settings.version.len()));
        }
        let column = |name: &String| FeatureColumn { name: name.clone(), expression: String::new() };
        let schema = FeatureSchema::new(SchemaSettings {
            detector: settings.detector,
            by: vec![settings.entity_label],
            step_ms: settings.step_ms,
            window_steps: PLAIN_WINDOW_STEPS,
            utc_offset_minutes: 0,
            time_zone: None,
            features: self.features.iter().map(column).collect(),
            series: None,
        })?;
        let Self { mut columns, forest, known, .. } = self;
        if let Some(rows) = rows {
            columns.iter_mut().zip(rows.columns()).for_each(|(column, values)| column.learn(values));
        }
        let (tail, calibration) = known.tail(rows, &columns, &forest)?;
        let training = TrainingSummary {
            first: TimestampMs::default(),
            last: TimestampMs::default(),
            rows: calibration.rows() as u64,
            entities: 0,
            hyperparams: Hyperparams {
                n_trees: forest.trees().len(),
                subsample_size: forest.subsample_size(),
                seed: 0,
                ..Hyperparams::default()
            },
            contamination: 0.0,
            validation: None,
            drifted: None,
        };
        training.hyperparams.check()?;
        let mut model = Model {
            version: settings.version,
            created_at: settings.created_at,
            schema,
            judge: Judge::Plain(Plain::new(columns, forest, tail)),
            thresholds: settings.thresholds,
            training,
            self_test: Vec::new(),
            reference: None,
            past: Past::none(),
        };
        model.self_test = self_test(&model);
        Ok((model, calibration))
    }

    /// Scores the rows that came along.
    fn check(&self, check: &Check) -> Result<(), ScikitLearnError> {
        let (rows, expected) = (&check.rows, &check.raw_scores);
        if rows.is_empty() || rows.len() != expected.len() {
            return Err(ScikitLearnError::CheckRows { rows: rows.len(), scores: expected.len() });
        }
        if let Some(row) = rows.iter().position(|row| row.len() != self.columns.len()) {
            let (given, expected) = (rows[row].len(), self.columns.len());
            return Err(ScikitLearnError::Numbers { what: format!("check row {row}"), given, expected });
        }
        let value = |row: usize, feature: usize| rows[row][feature];
        let (_, raw) = super::plain::raw_scores(&self.columns, &self.forest, rows.len(), value);
        let equal = |(got, expected): (&f64, &f64)| (got - expected).abs() <= TOLERANCE;
        match raw.iter().zip(expected).position(|pair| !equal(pair)) {
            Some(row) => Err(ScikitLearnError::Check { row, expected: expected[row], got: raw[row] }),
            None => Ok(()),
        }
    }
}

/// Rows from all over the forest's thresholds, with what the model says of them.
fn self_test(model: &Model) -> Vec<SelfTestRow> {
    let Judge::Plain(plain) = &model.judge else { return Vec::new() };
    let layout = InputLayout { n_features: plain.columns.len() };
    let entity = LabelSet::default();
    self_test_columns(plain, layout)
        .into_iter()
        .map(|inputs| {
            let tail_probability = model.score_columns(&entity, &inputs);
            SelfTestRow { entity: entity.clone(), inputs, tail_probability }
        })
        .collect()
}

#[cfg(test)]
mod tests;
