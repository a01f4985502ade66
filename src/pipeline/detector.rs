//! A detector, checked: what is judged, by which features, how strictly.

use super::{
    alerts::{AlertSettings, AlertSource},
    rules::Rules,
    series::{self, SeriesSettings},
    starts::StartSource,
    training::TrainingPolicy,
};
use crate::{
    calibrate::{CheckedPersistence, Thresholds},
    features::{FeatureColumn, FeatureSchema, SeasonSettings},
    promql::{Leaf, ParseError, Plan, SeriesPlan},
};
use std::time::Duration;

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
    /// After how long the recent past of an entity, against which its scores are judged, fades to 1/e; `None` to judge
    /// by the training alone.
    pub forget_after: Option<Duration>,
    /// What holds for single features.
    pub rules: Rules,
    /// How long it is said of an entity that nothing is heard of it any more; zero: not at all.
    pub silence: Duration,
    /// How long after a restart or a release an entity is not alarmed of for being unusual, nor trained on; zero: starts are not
    /// looked for. For detectors of features: a single series has no process.
    pub grace: Duration,
    /// How it learns what is usual at each hour, in the local time of the schema; `None`: hours are all alike.
    pub season: Option<SeasonSettings>,
    /// How it trains itself from the stream; `None` for a detector with a fixed model.
    pub training: Option<TrainingPolicy>,
}

/// Why a detector cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDetector {
    /// An expression is broken, not supported, or does what a feature must not.
    #[error("feature {feature:?}: {source}")]
    Expression {
        /// The feature.
        feature: String,
        /// What is wrong, with its position.
        source: Box<ParseError>,
    },
    /// A schema of features for a detector of series, or the other way round.
    #[error(
        "a detector either joins features by labels or judges single series, and its schema does the other"
    )]
    Sight,
}

/// A feature expression, compiled.
#[derive(Debug)]
pub struct CompiledFeature {
    /// Name and text.
    pub column: FeatureColumn,
    /// What is evaluated.
    pub plan: Plan,
}

/// What a detector looks at.
#[derive(Debug)]
pub enum Sight {
    /// Expressions, in the order of the schema, joined by the labels of the entities.
    Features(Vec<CompiledFeature>),
    /// Single series, at most so many.
    Series(SeriesPlan, usize),
}

/// A detector, compiled.
#[derive(Debug)]
pub struct Detector {
    /// How strictly it judges.
    pub settings: DetectorSettings,
    /// What.
    pub sight: Sight,
    /// What tells of starts, where that is looked for.
    pub(super) starts: Option<StartSource>,
    /// What the alerts of its entities are good for, and where they are read, where that is.
    pub(super) alerts: Option<(AlertSettings, AlertSource)>,
}

/// Compiles one expression as a feature.
///
/// # Errors
/// When it is broken or does what a feature must not.
pub fn compile_feature(name: &str, expression: &str) -> Result<Plan, InvalidDetector> {
    Plan::parse(expression)
        .map_err(|source| InvalidDetector::Expression { feature: name.to_owned(), source: Box::new(source) })
}

// === impl Detector ===

impl Detector {
    /// Compiles the expressions of a detector.
    ///
    /// # Errors
    /// At the first expression that cannot be a feature, or when the schema is one of series.
    pub fn new(settings: DetectorSettings) -> Result<Self, InvalidDetector> {
        if settings.schema.series().is_some() {
            return Err(InvalidDetector::Sight);
        }
        let compile = |column: &FeatureColumn| {
            let plan = compile_feature(&column.name, &column.expression)?;
            Ok(CompiledFeature { column: column.clone(), plan })
        };
        let features = settings.schema.features().iter().map(compile).collect::<Result<_, _>>()?;
        let starts = (!settings.grace.is_zero()).then(StartSource::new);
        Ok(Self { settings, sight: Sight::Features(features), starts, alerts: None })
    }

    /// A detector of the series that `series` selects.
    ///
    /// # Errors
    /// When the schema is not one of series.
    pub fn of_series(settings: DetectorSettings, series: &SeriesSettings) -> Result<Self, InvalidDetector> {
        let reading = settings.schema.series().ok_or(InvalidDetector::Sight)?;
        let plan = series::plan(series, reading);
        Ok(Self { settings, sight: Sight::Series(plan, series.max_series), starts: None, alerts: None })
    }

    /// The same with a look at the alerts on its entities. A single series does not say what an alert on it would be called, so
    /// detectors of series have none.
    #[must_use]
    pub fn with_alerts(self, settings: &AlertSettings) -> Self {
        let reads = matches!(self.sight, Sight::Features(_));
        Self { alerts: reads.then(|| (settings.clone(), AlertSource::new(settings))), ..self }
    }

    /// What the shards are to read for it: the leaves of each feature, or of all series, and how far back they look.
    #[must_use]
    pub fn leaves(&self) -> Vec<(&[Leaf], i64)> {
        match &self.sight {
            Sight::Features(features) => {
                features.iter().map(|feature| (feature.plan.leaves(), feature.plan.retention_ms())).collect()
            }
            Sight::Series(plan, _) => vec![(plan.leaves(), plan.retention_ms())],
        }
    }

    /// The leaves that tell of starts and those that are alerts, where these are looked for, and how far back they look. They select
    /// from all that comes, so they are to be read aside.
    pub fn leaves_aside(&self) -> impl Iterator<Item = (&[Leaf], i64)> {
        let alerts = self.alerts.iter().map(|(_, source)| source.leaves());
        self.starts.iter().map(StartSource::leaves).chain(alerts)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.settings.schema.detector()
    }
}
