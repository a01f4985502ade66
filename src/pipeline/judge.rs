//! One detector at work: its features evaluated, then judged.

use super::{
    detector::Detector, leaves::LeafPlaces, training::TrainingJob, vector_judge::VectorJudge,
    verdict::DetectorStep,
};
use crate::{
    features::{FeatureMatrix, join},
    model::Model,
    promql::{LeafMatrix, Memo, Value},
    series::{LabelSet, TimestampMs},
};

/// The state of one detector.
#[derive(Debug)]
pub struct Judge {
    detector: Detector,
    /// One for each feature.
    memos: Vec<Memo>,
    vectors: VectorJudge,
}

// === impl Judge ===

impl Judge {
    /// A detector that has seen nothing.
    #[must_use]
    pub fn new(detector: Detector) -> Self {
        Self {
            memos: detector.features.iter().map(|_| Memo::default()).collect(),
            vectors: VectorJudge::new(detector.settings.clone()),
            detector,
        }
    }

    /// What it judges.
    #[must_use]
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// Rows gathered for training.
    #[must_use]
    pub fn training_row_count(&self) -> usize {
        self.vectors.training_row_count()
    }

    /// The entities whose score series stand, by ascending labels.
    pub fn scored_entities(&self) -> impl Iterator<Item = &LabelSet> {
        self.vectors.scored_entities()
    }

    /// The entities of which it stands that they are silent, by ascending labels.
    pub fn silent_entities(&self) -> impl Iterator<Item = &LabelSet> {
        self.vectors.silent_entities()
    }

    /// Judges every entity that has a feature at step `at`.
    pub fn step(
        &mut self,
        leaves: &[LeafMatrix],
        places: &[LeafPlaces],
        at: TimestampMs,
        model: Option<&Model>,
    ) -> DetectorStep {
        let mut failed_features = Vec::new();
        let matrix = self.features(leaves, places, at, &mut failed_features);
        let step = match self.vectors.take(matrix) {
            Ok(inputs) => self.vectors.judge(&inputs, model),
            // The clock only goes forward; a step that does not is left out rather than mixed in.
            Err(backwards) => {
                failed_features.push(("every feature".to_owned(), backwards.to_string()));
                DetectorStep::default()
            }
        };
        DetectorStep { failed_features, ..step }
    }

    /// What is to be trained after step `at`, given the model in use.
    pub fn training_due(&mut self, at: TimestampMs, live: Option<&Model>) -> Option<TrainingJob> {
        self.vectors.training_due(at, live)
    }

    /// Evaluates the expressions and joins their results; those that fail are said in `failed`, with the reason.
    fn features(
        &mut self,
        leaves: &[LeafMatrix],
        places: &[LeafPlaces],
        at: TimestampMs,
        failed: &mut Vec<(String, String)>,
    ) -> FeatureMatrix {
        let mut columns = Vec::with_capacity(places.len());
        for ((feature, places), memo) in self.detector.features.iter().zip(places).zip(&mut self.memos) {
            let own: Vec<&LeafMatrix> = places.iter().map(|place| &leaves[*place]).collect();
            columns.push(match feature.plan.evaluate(&own, at, memo) {
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
        let matrix = join(self.detector.settings.schema.by(), at, &columns);
        for (feature, count) in self.detector.features.iter().zip(&matrix.ambiguous) {
            if *count > 0 {
                let reason =
                    format!("{count} entities have more than one result; aggregate by the entity's labels");
                failed.push((feature.column.name.clone(), reason));
            }
        }
        matrix
    }
}
