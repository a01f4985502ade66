//! A detector, checked: what is judged, by which features, how strictly.

use super::training::TrainingPolicy;
use crate::{
    calibrate::{CheckedPersistence, Thresholds},
    features::{FeatureColumn, FeatureSchema},
    promql::{self, ParseError, Plan},
};

/// What a detector is made of, before its expressions are compiled.
#[derive(Clone, Debug)]
pub struct DetectorSettings {
    /// Its name (also the label `detector` of its series), names,
    /// order and expressions of its features, and what their windows look like.
    pub schema: FeatureSchema,
    /// Where severities begin.
    pub thresholds: Thresholds,
    /// How long a score must stay high.
    pub persistence: CheckedPersistence,
    /// How it trains itself from the stream; `None` for a detector with a fixed model.
    pub training: Option<TrainingPolicy>,
}

/// Why a detector cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDetector {
    /// An expression is broken or outside the supported subset.
    #[error("feature {feature:?}: {source}")]
    Expression {
        /// The feature.
        feature: String,
        /// What is wrong, with its position.
        source: Box<ParseError>,
    },
    /// An expression looks at samples that are not there yet.
    #[error(
        "feature {feature:?} looks {ahead_ms} ms past its step (a negative offset); a feature is evaluated when \
         the step has come, so it can only look back"
    )]
    LooksAhead {
        /// The feature.
        feature: String,
        /// How far.
        ahead_ms: i64,
    },
}

/// A feature expression, compiled.
#[derive(Debug)]
pub struct CompiledFeature {
    /// Name and text.
    pub column: FeatureColumn,
    /// What is evaluated.
    pub plan: Plan,
}

/// A detector with compiled features.
#[derive(Debug)]
pub struct Detector {
    /// Everything but the expressions' plans.
    pub settings: DetectorSettings,
    /// In the order of the schema.
    pub features: Vec<CompiledFeature>,
}

/// Compiles one expression as a feature.
///
/// # Errors
/// When it is broken, outside the supported subset, or looks ahead.
pub fn compile_feature(name: &str, expression: &str) -> Result<Plan, InvalidDetector> {
    let invalid = |source| InvalidDetector::Expression { feature: name.to_owned(), source: Box::new(source) };
    let plan = Plan::new(&promql::parse(expression).map_err(invalid)?).map_err(invalid)?;
    match plan.lookahead_ms() {
        0 => Ok(plan),
        ahead_ms => Err(InvalidDetector::LooksAhead { feature: name.to_owned(), ahead_ms }),
    }
}

// === impl Detector ===

impl Detector {
    /// Compiles the expressions of a detector.
    ///
    /// # Errors
    /// At the first expression that cannot be a feature.
    pub fn new(settings: DetectorSettings) -> Result<Self, InvalidDetector> {
        let compile = |column: &FeatureColumn| {
            let plan = compile_feature(&column.name, &column.expression)?;
            Ok(CompiledFeature { column: column.clone(), plan })
        };
        let features = settings.schema.features().iter().map(compile).collect::<Result<_, _>>()?;
        Ok(Self { settings, features })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.settings.schema.detector()
    }
}
