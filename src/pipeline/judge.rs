//! One detector at work: windows of its features, memory of its entities, verdicts.

use super::{
    detector::{Detector, DetectorSettings},
    leaves::LeafPlaces,
    training::{Trainer, TrainingJob},
    verdict::{DetectorStep, FeatureContribution, Verdict},
};
use crate::{
    calibrate::{Memory, Severity, SeverityTracker},
    features::{FeatureMatrix, FeatureWindows, Inputs, join},
    model::{Model, Past, Scored},
    promql::{LeafMatrix, Memo, Value},
    series::{LabelSet, TimestampMs},
};
use std::collections::BTreeMap;

/// The state of one detector.
#[derive(Debug)]
pub struct Judge {
    detector: Detector,
    /// One for each feature.
    memos: Vec<Memo>,
    windows: FeatureWindows,
    trackers: BTreeMap<LabelSet, SeverityTracker>,
    past: Past,
    trainer: Option<Trainer>,
}

// === impl Judge ===

impl Judge {
    /// A detector that has seen nothing.
    #[must_use]
    pub fn new(detector: Detector) -> Self {
        Self {
            memos: detector.features.iter().map(|_| Memo::default()).collect(),
            windows: FeatureWindows::new(&detector.settings.schema),
            trackers: BTreeMap::new(),
            past: past(&detector.settings),
            trainer: detector.settings.training.clone().map(Trainer::new),
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
        self.trainer.as_ref().map_or(0, Trainer::row_count)
    }

    /// The entities whose score series stand, by ascending labels.
    pub fn scored_entities(&self) -> impl Iterator<Item = &LabelSet> {
        self.trackers.keys()
    }

    /// Judges every entity that has a feature at step `at`.
    pub fn step(
        &mut self,
        leaves: &[LeafMatrix],
        places: &[LeafPlaces],
        at: TimestampMs,
        model: Option<&Model>,
    ) -> DetectorStep {
        let mut step = DetectorStep::default();
        let matrix = self.features(leaves, places, at, &mut step);
        let inputs = match self.windows.push(&matrix) {
            Ok(inputs) => inputs,
            // The clock only goes forward; a step that does not is left out rather than mixed in.
            Err(backwards) => {
                step.failed_features.push(("every feature".to_owned(), backwards.to_string()));
                return step;
            }
        };
        self.forget_silent(at);
        if let Some(model) = model {
            model.version().clone_into(&mut step.model_version);
            self.score(model, &inputs, &mut step);
        }
        step.warming_up = inputs.entities.len() - step.verdicts.len();
        step.gone = self.drop_unscored(&step.verdicts);
        let in_incident =
            |entity: &LabelSet| self.trackers.get(entity).is_some_and(|t| t.severity() >= Severity::Medium);
        if let Some(trainer) = &mut self.trainer {
            trainer.gather(&inputs, in_incident);
        }
        step
    }

    /// What is to be trained after step `at`, given the model in use.
    pub fn training_due(&mut self, at: TimestampMs, live: Option<&Model>) -> Option<TrainingJob> {
        let settings = &self.detector.settings;
        self.trainer.as_mut()?.due(at, live, &settings.schema, settings.thresholds)
    }

    fn features(
        &mut self,
        leaves: &[LeafMatrix],
        places: &[LeafPlaces],
        at: TimestampMs,
        step: &mut DetectorStep,
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
                    step.failed_features.push((feature.column.name.clone(), error.to_string()));
                    Vec::new()
                }
            });
        }
        let matrix = join(self.detector.settings.schema.by(), at, &columns);
        for (feature, count) in self.detector.features.iter().zip(&matrix.ambiguous) {
            if *count > 0 {
                let reason =
                    format!("{count} entities have more than one result; aggregate by the entity's labels");
                step.failed_features.push((feature.column.name.clone(), reason));
            }
        }
        matrix
    }

    fn score(&mut self, model: &Model, inputs: &Inputs, step: &mut DetectorStep) {
        // A model of the stream is for the entities it has seen; a fixed one is for all.
        let only_known = self.trainer.is_some();
        let chosen = |entity: &LabelSet| !only_known || model.knows(entity);
        for scored in model.score_only(inputs, &mut self.past, chosen) {
            let settings = &self.detector.settings;
            let fresh = || SeverityTracker::new(settings.thresholds, settings.persistence);
            let tracker = self.trackers.entry(scored.entity.clone()).or_insert_with(fresh);
            let severity = tracker.update(Some(scored.anomaly_score), inputs.at);
            let since = tracker.since();
            step.verdicts.push(verdict(model, inputs, scored, severity, since));
        }
    }

    /// Drops the windows of entities that have been silent for longer than a window.
    fn forget_silent(&mut self, at: TimestampMs) {
        let schema = &self.detector.settings.schema;
        let window_ms = schema.step_ms().saturating_mul(schema.window_steps() as i64);
        self.windows.forget_before(at.plus_ms(-window_ms));
    }

    /// Entities that had a verdict and have none now: their series end at this step.
    fn drop_unscored(&mut self, verdicts: &[Verdict]) -> Vec<LabelSet> {
        let scored = |entity: &LabelSet| verdicts.binary_search_by(|v| v.entity.cmp(entity)).is_ok();
        let gone: Vec<LabelSet> = self.trackers.keys().filter(|entity| !scored(entity)).cloned().collect();
        for entity in &gone {
            self.trackers.remove(entity);
        }
        gone
    }
}

fn past(settings: &DetectorSettings) -> Past {
    match settings.forget_after {
        Some(fade) => Past::new(Memory::new(fade, settings.schema.step_ms())),
        None => Past::none(),
    }
}

fn verdict(
    model: &Model,
    inputs: &Inputs,
    scored: Scored,
    severity: Severity,
    since: Option<TimestampMs>,
) -> Verdict {
    let name = |feature: usize| model.schema().features()[feature].name.clone();
    let anomalous = model.thresholds().severity(scored.anomaly_score) > Severity::Normal;
    let explanation = if severity > Severity::Normal || anomalous {
        model.explain(inputs, &scored, since)
    } else {
        String::new()
    };
    let contributions = scored
        .contributions
        .iter()
        .map(|c| FeatureContribution { feature: name(c.feature), share: c.share })
        .collect();
    Verdict {
        at: inputs.at,
        anomaly_score: scored.anomaly_score,
        tail_probability: scored.tail_probability,
        severity,
        since,
        contributions,
        missing: scored.missing.iter().map(|feature| name(*feature)).collect(),
        explanation,
        entity: scored.entity,
    }
}
