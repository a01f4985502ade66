//! A detector from its feature vectors on: windows, memory of its entities, training, verdicts.
//!
//! Where the vectors come from makes no difference: the running sidecar, a recorded stream and a table all go this
//! way, so that what is measured on a table is what will run.

use super::{
    detector::DetectorSettings,
    training::{Trainer, TrainingJob},
    verdict::{DetectorStep, FeatureContribution, Verdict},
};
use crate::{
    calibrate::{Memory, Severity, SeverityTracker},
    features::{FeatureMatrix, FeatureWindows, Inputs, StepBackwards},
    model::{Model, Past, Scored},
    series::{LabelSet, TimestampMs},
};
use std::collections::BTreeMap;

/// What one detector remembers.
#[derive(Debug)]
pub struct VectorJudge {
    settings: DetectorSettings,
    windows: FeatureWindows,
    trackers: BTreeMap<LabelSet, SeverityTracker>,
    past: Past,
    /// What was wrong with the vectors of the step that was taken last: feature and number of entities.
    invalid_values: Vec<(String, usize)>,
    trainer: Option<Trainer>,
}

// === impl VectorJudge ===

impl VectorJudge {
    /// A detector that has seen nothing.
    #[must_use]
    pub fn new(settings: DetectorSettings) -> Self {
        Self {
            windows: FeatureWindows::new(&settings.schema),
            trackers: BTreeMap::new(),
            past: past(&settings),
            invalid_values: Vec::new(),
            trainer: settings.training.clone().map(Trainer::new),
            settings,
        }
    }

    /// What it looks at, and how strictly.
    #[must_use]
    pub fn settings(&self) -> &DetectorSettings {
        &self.settings
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

    /// Takes the vectors of a step into the windows: the first half of a step.
    ///
    /// # Errors
    /// When the step lies before the last one; nothing is changed then.
    pub fn take(&mut self, mut matrix: FeatureMatrix) -> Result<Inputs, StepBackwards> {
        let invalid = self.settings.rules.drop_invalid(&mut matrix);
        let inputs = self.windows.push(&matrix)?;
        let named = self.settings.schema.features().iter().zip(invalid).filter(|(_, count)| *count > 0);
        self.invalid_values = named.map(|(feature, count)| (feature.name.clone(), count)).collect();
        self.windows.forget_silent();
        Ok(inputs)
    }

    /// Judges what [`Self::take`] gave, and gathers it for training: the second half of a step. Entities that had a
    /// verdict at the last step and are not among the inputs are gone.
    pub fn judge(&mut self, inputs: &Inputs, model: Option<&Model>) -> DetectorStep {
        let invalid_values = std::mem::take(&mut self.invalid_values);
        let mut step = DetectorStep { invalid_values, ..DetectorStep::default() };
        if let Some(model) = model {
            model.version().clone_into(&mut step.model_version);
            self.score(model, inputs, &mut step);
        }
        if let Some(fade) = self.settings.forget_after {
            let fade_ms = i64::try_from(fade.as_millis()).unwrap_or(i64::MAX);
            self.past.forget_before(inputs.at.plus_ms(-fade_ms));
        }
        step.warming_up = inputs.entities.len() - step.verdicts.len();
        step.gone = self.drop_unscored(&step.verdicts);
        let in_incident =
            |entity: &LabelSet| self.trackers.get(entity).is_some_and(|t| t.severity() >= Severity::Medium);
        if let Some(trainer) = &mut self.trainer {
            trainer.gather(inputs, in_incident);
        }
        step
    }

    /// What is to be trained after step `at`, given the model in use.
    pub fn training_due(&mut self, at: TimestampMs, live: Option<&Model>) -> Option<TrainingJob> {
        let settings = &self.settings;
        self.trainer.as_mut()?.due(at, live, &settings.schema, settings.thresholds, settings.forget_after)
    }

    fn score(&mut self, model: &Model, inputs: &Inputs, step: &mut DetectorStep) {
        // A model of the stream is for the entities it has seen; a fixed one is for all.
        let only_known = self.trainer.is_some();
        let chosen = |entity: &LabelSet| !only_known || model.knows(entity);
        let settings = &self.settings;
        let gates = |entity: &LabelSet| settings.rules.gates(entity);
        for scored in model.score_gated(inputs, &mut self.past, chosen, gates) {
            let fresh = || SeverityTracker::new(settings.thresholds, settings.persistence);
            let tracker = self.trackers.entry(scored.entity.clone()).or_insert_with(fresh);
            let severity = tracker.update(Some(scored.anomaly_score), inputs.at);
            let since = tracker.since();
            step.verdicts.push(verdict(model, inputs, scored, severity, since));
        }
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
        raw_score: scored.raw_score,
        severity,
        since,
        contributions,
        missing: scored.missing.iter().map(|feature| name(*feature)).collect(),
        explanation,
        entity: scored.entity,
    }
}
