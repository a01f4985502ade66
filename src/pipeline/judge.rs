//! One detector at work: its features evaluated, then judged.

use super::{
    alerts::AlertSource,
    detector::{CompiledFeature, Detector, Sight},
    drift::DriftFigures,
    learned::Learned,
    leaves::LeafPlaces,
    maintenance::OpenMaintenance,
    series::SeriesSource,
    starts::StartSource,
    training::{F1Source, TrainingJob},
    trial::TrialEnd,
    vector_judge::VectorJudge,
    verdict::DetectorStep,
};
use crate::{
    features::{FeatureMatrix, join},
    model::Model,
    promql::{LeafMatrix, Memo, Value},
    series::{LabelSet, TimestampMs},
    train::{GatherUpdate, Gathered},
};
use std::sync::Arc;

/// The state of one detector.
#[derive(Debug)]
pub struct Judge {
    source: Source,
    starts: Option<StartSource>,
    alerts: Option<AlertSource>,
    vectors: VectorJudge,
}

/// Where the vectors come from, with what is remembered of it.
#[derive(Debug)]
enum Source {
    Features(Vec<(CompiledFeature, Memo)>),
    Series(SeriesSource),
}

// === impl Judge ===

impl Judge {
    /// A detector that has seen nothing.
    #[must_use]
    pub fn new(Detector { settings, sight, starts, alerts }: Detector) -> Self {
        let source = match sight {
            Sight::Features(features) => {
                Source::Features(features.into_iter().map(|feature| (feature, Memo::default())).collect())
            }
            Sight::Series(plan, max_series) => {
                Source::Series(SeriesSource::new(plan, max_series, settings.schema.window_ms()))
            }
        };
        let (alert_settings, alerts) = alerts.unzip();
        let vectors = VectorJudge::new(settings);
        let vectors = match &alert_settings {
            Some(settings) => vectors.with_alerts(settings),
            None => vectors,
        };
        Self { source, starts, alerts, vectors }
    }

    /// The name of the detector.
    #[must_use]
    pub fn name(&self) -> &str {
        self.vectors.settings().schema.detector()
    }

    /// Rows gathered for training.
    #[must_use]
    pub fn training_row_count(&self) -> usize {
        self.vectors.training_row_count()
    }

    /// See [`VectorJudge::is_short_of_room`].
    #[must_use]
    pub fn is_short_of_room(&self) -> bool {
        self.vectors.is_short_of_room()
    }

    /// See [`VectorJudge::keep`].
    pub fn keep(&mut self, gathered: Gathered) {
        self.vectors.keep(gathered);
    }

    /// See [`VectorJudge::take_update`].
    pub fn take_update(&mut self, everything: bool) -> Option<GatherUpdate> {
        self.vectors.take_update(everything)
    }

    /// The entities whose score series stand, by ascending labels.
    pub fn scored_entities(&self) -> impl Iterator<Item = &LabelSet> {
        self.vectors.scored_entities()
    }

    /// The entities of which it stands that they are silent, by ascending labels.
    pub fn silent_entities(&self) -> impl Iterator<Item = &LabelSet> {
        self.vectors.silent_entities()
    }

    /// The vectors of step `at`, and how many series were left out of them; features that failed are said in `failed`, with the
    /// reason.
    pub(super) fn vectors(
        &mut self,
        leaves: &[LeafMatrix],
        places: &[LeafPlaces],
        at: TimestampMs,
        failed: &mut Vec<(String, String)>,
    ) -> (FeatureMatrix, usize) {
        let mut answers = places.iter().map(|places| answers(leaves, places));
        match &mut self.source {
            Source::Series(series) => {
                let step = series.step(&answers.next().unwrap_or_default(), at);
                step.gave_way.iter().for_each(|entity| self.vectors.forget(entity));
                (step.matrix, step.left_out)
            }
            Source::Features(features) => {
                (joined(features, self.vectors.settings().schema.by(), answers, at, failed), 0)
            }
        }
    }

    /// How many of the places of its leaves are those of its vectors; behind them stand those that tell of starts and alerts.
    fn vector_places(&self) -> usize {
        match &self.source {
            Source::Series(_) => 1,
            Source::Features(features) => features.len(),
        }
    }

    /// Judges every entity that has a feature at step `at`, given the planned work that goes on.
    pub fn step(
        &mut self,
        leaves: &[LeafMatrix],
        places: &[LeafPlaces],
        at: TimestampMs,
        model: Option<&Model>,
        maintenance: &OpenMaintenance,
    ) -> DetectorStep {
        let mut failed_features = Vec::new();
        let (matrix, left_out) = self.vectors(leaves, places, at, &mut failed_features);
        let aside = places.iter().skip(self.vector_places());
        let mut aside = aside.map(|places| answers(leaves, places));
        if let Some(starts) = &mut self.starts {
            let by = self.vectors.settings().schema.by();
            let read = starts.read(&aside.next().unwrap_or_default(), by);
            self.vectors.take_starts(at, read);
        }
        if let Some(alerts) = &mut self.alerts {
            let by = self.vectors.settings().schema.by();
            let read = alerts.read(&aside.next().unwrap_or_default(), by);
            self.vectors.take_alerts(at, &read);
        }
        let step = match self.vectors.take(matrix) {
            Ok(inputs) => self.vectors.judge(&inputs, model, maintenance),
            // The clock only goes forward; a step that does not is left out rather than mixed in.
            Err(backwards) => {
                failed_features.push(("every feature".to_owned(), backwards.to_string()));
                DetectorStep::default()
            }
        };
        DetectorStep { failed_features, left_out, ..step }
    }

    /// What is to be trained after step `at`, given the model in use.
    pub fn training_due(&mut self, at: TimestampMs, live: Option<&Model>) -> Option<TrainingJob> {
        self.vectors.training_due(at, live)
    }

    /// Whether a new model scores beside the one in use.
    #[must_use]
    pub fn is_on_trial(&self) -> bool {
        self.vectors.is_on_trial()
    }

    /// The names of its features, in the order of its schema.
    pub fn feature_names(&self) -> impl Iterator<Item = &str> {
        self.vectors.settings().schema.features().iter().map(|feature| feature.name.as_str())
    }

    /// See [`VectorJudge::drift`].
    #[must_use]
    pub fn drift(&self) -> Option<&DriftFigures> {
        self.vectors.drift()
    }

    /// See [`VectorJudge::f1`].
    #[must_use]
    pub fn f1(&self, live: &Model) -> Option<(f64, F1Source)> {
        self.vectors.f1(live)
    }

    /// See [`VectorJudge::awaits_before`].
    #[must_use]
    pub fn awaits_before(&self, next: TimestampMs) -> bool {
        self.vectors.awaits_before(next)
    }

    /// See [`VectorJudge::deliver`].
    pub fn deliver(&mut self, candidate: Option<Arc<Model>>, live: Option<&Model>) -> Option<Arc<Model>> {
        self.vectors.deliver(candidate, live)
    }

    /// See [`Learned::of`].
    pub(super) fn into_learned(self, at: TimestampMs) -> Option<(Learned, TrainingJob)> {
        Learned::of(self.vectors, at)
    }

    /// Takes over what another one gathered that has the same settings.
    pub fn take_learned(&mut self, learned: Learned) {
        self.vectors.take_learned(learned);
    }

    /// See [`VectorJudge::nominate`].
    ///
    /// # Errors
    /// As there.
    pub fn nominate(
        &mut self,
        candidate: Arc<Model>,
        live: Option<&Model>,
        at: TimestampMs,
    ) -> Result<Option<Arc<Model>>, Arc<Model>> {
        self.vectors.nominate(candidate, live, at)
    }

    /// See [`VectorJudge::end_trial`].
    pub fn end_trial(&mut self, next: TimestampMs, live: &Model) -> Option<TrialEnd> {
        self.vectors.end_trial(next, live)
    }
}

/// What was answered to the leaves at `places`.
fn answers<'a>(leaves: &'a [LeafMatrix], places: &LeafPlaces) -> Vec<&'a LeafMatrix> {
    places.iter().map(|place| &leaves[*place]).collect()
}

/// Evaluates expressions and joins their results by the labels `by`; those that fail are said in `failed`, with the
/// reason.
fn joined<'a>(
    features: &mut [(CompiledFeature, Memo)],
    by: &[String],
    answers: impl Iterator<Item = Vec<&'a LeafMatrix>>,
    at: TimestampMs,
    failed: &mut Vec<(String, String)>,
) -> FeatureMatrix {
    let mut columns = Vec::with_capacity(features.len());
    for ((feature, memo), answers) in features.iter_mut().zip(answers) {
        columns.push(match feature.plan.evaluate(&answers, at, memo) {
            Ok(Value::Vector(vector)) => vector,
            // A number belongs to no entity in particular.
            Ok(Value::Scalar(_)) => Vec::new(),
            // It depends on the data: a join that was one-to-one is not any more. The feature is
            // missing at this step, and that is said.
            Err(error) => {
                failed.push((feature.column.name.clone(), error.to_string()));
                Vec::new()
            }
        });
    }
    let matrix = join(by, at, &columns);
    for ((feature, _), count) in features.iter().zip(&matrix.ambiguous) {
        if *count > 0 {
            let reason =
                format!("{count} entities have more than one result; aggregate by the entity's labels");
            failed.push((feature.column.name.clone(), reason));
        }
    }
    matrix
}
