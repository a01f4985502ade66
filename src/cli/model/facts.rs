//! What `model show` and `model diff` say of a model.

use crate::{
    calibrate::Severity,
    cli::{instant, number::short},
    config::{format_duration, format_size},
    explain::Expected,
    features::{FeatureColumn, FeatureSchema},
    model::{Model, Validation},
};
use serde_json::{Value, json};
use std::time::Duration;

/// A model in words and numbers.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) version: String,
    /// Name and value, in the order in which they are shown.
    lines: Vec<(&'static str, String)>,
    /// The most important first.
    pub(super) features: Vec<FeatureFacts>,
}

/// A feature of a model.
#[derive(Clone, Debug)]
pub(super) struct FeatureFacts {
    pub(super) name: String,
    pub(super) expression: String,
    /// Its share, 0 to 1.
    pub(super) importance: f64,
    pub(super) expected: Option<Expected>,
}

// === impl Facts ===

impl Facts {
    pub(super) fn of(model: &Model, file_bytes: u64) -> Self {
        let importance = model.importance();
        let schema = model.schema();
        let feature = |(number, column): (usize, &FeatureColumn)| FeatureFacts {
            name: column.name.clone(),
            expression: column.expression.clone(),
            importance: importance
                .iter()
                .find(|share| share.feature == number)
                .map_or(0.0, |share| share.share),
            expected: model.expected(number),
        };
        let mut features: Vec<FeatureFacts> = schema.features().iter().enumerate().map(feature).collect();
        // Stable: features of equal importance stay in the order of the schema.
        features.sort_by(|a, b| b.importance.total_cmp(&a.importance));
        Self { version: model.version().to_owned(), lines: lines(model, file_bytes), features }
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.lines.iter().map(|(name, value)| (*name, value.as_str()))
    }

    pub(super) fn line(&self, name: &str) -> Option<&str> {
        self.lines().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub(super) fn feature(&self, name: &str) -> Option<&FeatureFacts> {
        self.features.iter().find(|feature| feature.name == name)
    }

    pub(super) fn json(&self) -> Value {
        let lines: serde_json::Map<String, Value> =
            self.lines.iter().map(|(name, value)| (name.replace(' ', "_"), value.clone().into())).collect();
        let feature = |feature: &FeatureFacts| {
            json!({
                "name": feature.name,
                "expression": feature.expression,
                "importance": feature.importance,
                "low": feature.expected.map(|expected| expected.low),
                "high": feature.expected.map(|expected| expected.high),
            })
        };
        let mut all = lines;
        all.insert("features".to_owned(), self.features.iter().map(feature).collect());
        all.into()
    }
}

// === impl FeatureFacts ===

impl FeatureFacts {
    pub(super) fn expected_text(&self) -> String {
        match self.expected {
            Some(Expected { low, high }) => format!("{} to {}", short(low), short(high)),
            None => "not known".to_owned(),
        }
    }
}

fn entity_text(schema: &FeatureSchema) -> String {
    match schema.series() {
        Some(reading) => format!("every series; {}", reading.get()),
        None => schema.by().join(", "),
    }
}

/// How good it was found to be, row by row and by incident.
fn validation(Validation { first, last, counts }: &Validation) -> [(&'static str, String); 3] {
    let by_row = format!(
        "{:.3} (precision {:.3}, recall {:.3}, false-positive rate {:.5})",
        counts.f1_score(),
        counts.precision(),
        counts.recall(),
        counts.false_positive_rate()
    );
    let by_incident = format!(
        "{:.3} ({} of {} incidents found, {} false alarms)",
        counts.event_f1_score(),
        counts.detected,
        counts.incidents,
        counts.false_alarms
    );
    let on = format!("{} rows, {} to {}", counts.rows, instant(*first), instant(*last));
    [("validated on", on), ("F1", by_row), ("event F1", by_incident)]
}

fn lines(model: &Model, file_bytes: u64) -> Vec<(&'static str, String)> {
    let (schema, training) = (model.schema(), model.training());
    let step = Duration::from_millis(schema.step_ms().unsigned_abs());
    let mut lines = vec![
        ("version", model.version().to_owned()),
        ("created", instant(model.created_at())),
        ("size", format_size(file_bytes)),
        ("detector", schema.detector().to_owned()),
        ("entity", entity_text(schema)),
        ("step", format_duration(step)),
        ("window", format!("{} steps", schema.window_steps())),
        ("training rows", training.rows.to_string()),
        (
            "entities",
            format!("{} in training, {} scaled by themselves", training.entities, model.known_entities()),
        ),
        ("first row", instant(training.first)),
        ("last row", instant(training.last)),
        ("contamination", training.contamination.to_string()),
        ("seed", training.hyperparams.seed.to_string()),
        ("splits", training.hyperparams.splits.to_string()),
        ("scoring", training.hyperparams.scoring.to_string()),
    ];
    lines.extend(training.validation.iter().flat_map(validation));
    for part in model.parts() {
        let size = part.forest.map_or_else(
            || "the largest deviation of any feature".to_owned(),
            |forest| {
                format!(
                    "{} trees of {} rows, {} columns, {} nodes",
                    forest.n_trees, forest.subsample_size, forest.n_columns, forest.n_nodes
                )
            },
        );
        lines.push((part.name, size));
    }
    for (name, severity) in
        [("low from", Severity::Low), ("medium from", Severity::Medium), ("high from", Severity::High)]
    {
        lines.push((name, model.thresholds().of(severity).to_string()));
    }
    lines
}
