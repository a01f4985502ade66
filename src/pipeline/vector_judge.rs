//! A detector from its feature vectors on: windows, memory of its entities, training, verdicts.
//!
//! Where the vectors come from makes no difference: the running sidecar, a recorded stream and a table all go this
//! way, so that what is measured on a table is what will run.

use super::{
    detector::DetectorSettings,
    season::Season,
    training::{Trainer, TrainingJob},
    verdict::{DetectorStep, FeatureContribution, Seasonal, Verdict},
};
use crate::{
    calibrate::{Memory, Severity, SeverityTracker},
    explain,
    features::{FeatureMatrix, FeatureWindows, Inputs, SeasonalInputs, StepBackwards},
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
    season: Option<Season>,
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
            season: season(&settings),
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
    pub fn take(&mut self, matrix: &FeatureMatrix) -> Result<Inputs, StepBackwards> {
        let inputs = self.windows.push(matrix)?;
        self.windows.forget_silent();
        Ok(inputs)
    }

    /// Judges what [`Self::take`] gave, and gathers it for training: the second half of a step. Entities that had a
    /// verdict at the last step and are not among the inputs are gone.
    pub fn judge(&mut self, inputs: &Inputs, model: Option<&Model>) -> DetectorStep {
        let mut step = DetectorStep::default();
        // The hours are learned before there is a model, too.
        let seasonal = self.season.as_mut().map(|season| season.take(inputs));
        if let Some(model) = model {
            model.version().clone_into(&mut step.model_version);
            self.score(model, inputs, seasonal.as_ref(), &mut step);
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

    fn score(
        &mut self,
        model: &Model,
        inputs: &Inputs,
        seasonal: Option<&SeasonalInputs>,
        step: &mut DetectorStep,
    ) {
        // A model of the stream is for the entities it has seen; a fixed one is for all.
        let only_known = self.trainer.is_some();
        let chosen = |entity: &LabelSet| !only_known || model.knows(entity);
        let mut scored = model.score_only(inputs, &mut self.past, chosen);
        let name = |feature: usize| model.schema().features()[feature].name.clone();
        let said_by_season = match (&mut self.season, seasonal) {
            (Some(season), Some(seasonal)) => season.judge(seasonal, &mut scored, name),
            _ => vec![None; scored.len()],
        };
        for (scored, seasonal) in scored.into_iter().zip(said_by_season) {
            let settings = &self.settings;
            let fresh = || SeverityTracker::new(settings.thresholds, settings.persistence);
            let tracker = self.trackers.entry(scored.entity.clone()).or_insert_with(fresh);
            let severity = tracker.update(Some(scored.anomaly_score), inputs.at);
            let since = tracker.since();
            step.verdicts.push(verdict(model, inputs, scored, seasonal, severity, since));
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

fn season(settings: &DetectorSettings) -> Option<Season> {
    let season = settings.season.as_ref()?;
    Some(Season::new(season, &settings.schema, settings.persistence))
}

fn verdict(
    model: &Model,
    inputs: &Inputs,
    scored: Scored,
    seasonal: Option<Seasonal>,
    severity: Severity,
    since: Option<TimestampMs>,
) -> Verdict {
    let name = |feature: usize| model.schema().features()[feature].name.clone();
    let anomalous = model.thresholds().severity(scored.anomaly_score) > Severity::Normal;
    let mut explanation = String::new();
    if severity > Severity::Normal || anomalous {
        explanation = model.explain(inputs, &scored, since);
        if let Some(Seasonal::Unusual { feature, usual, missed }) = &seasonal {
            explanation = format!("{explanation}; {}", explain::season_clause(feature, usual, *missed));
        }
    }
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
        seasonal,
        missing: scored.missing.iter().map(|feature| name(*feature)).collect(),
        explanation,
        entity: scored.entity,
    }
}
