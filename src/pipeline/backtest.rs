//! Recorded feature vectors, judged step by step as the running sidecar would have judged them.

use super::{
    detector::DetectorSettings,
    drift::DriftFigures,
    incident::Incidents,
    maintenance::{Maintenance, OpenMaintenance},
    training::TrainingReason,
    trial::TrialEnd,
    vector_judge::VectorJudge,
    verdict::{DetectorStep, Verdict},
};
use crate::{
    features::{FeatureMatrix, Inputs, StepBackwards},
    model::Model,
    series::{LabelSet, TimestampMs},
    train::TrainError,
};
use ndarray::Array2;
use std::sync::Arc;

/// A detector and its model without stream, clock and tasks.
///
/// It sees one step after the other and never what comes later. With [`DetectorSettings::training`] it trains its
/// models on the way, at the steps at which the sidecar would, each in use from the same step on as there; until there is one,
/// nobody is scored.
#[derive(Debug)]
pub struct Backtest {
    judge: VectorJudge,
    maintenance: Arc<Vec<Maintenance>>,
    incidents: Incidents,
    model: Option<Arc<Model>>,
    /// A model that is to be delivered.
    fitted: Option<Arc<Model>>,
    last: Option<TimestampMs>,
    trainings: Vec<Result<Arc<Model>, TrainError>>,
    reasons: Vec<TrainingReason>,
    trials: Vec<TrialEnd>,
}

/// What was made of one step.
#[derive(Debug)]
pub struct Judged {
    /// The inputs: who is warm, and how far the others are.
    pub inputs: Inputs,
    /// The verdicts.
    pub step: DetectorStep,
}

// === impl Backtest ===

impl Backtest {
    /// A detector that has seen nothing, with the model it begins with.
    #[must_use]
    pub fn new(settings: DetectorSettings, model: Option<Arc<Model>>) -> Self {
        Self {
            judge: VectorJudge::new(settings),
            maintenance: Arc::default(),
            incidents: Incidents::default(),
            model,
            fitted: None,
            last: None,
            trainings: Vec::new(),
            reasons: Vec::new(),
            trials: Vec::new(),
        }
    }

    /// The same with planned work.
    #[must_use]
    pub fn with_maintenance(self, windows: Vec<Maintenance>) -> Self {
        Self { maintenance: Arc::new(windows), ..self }
    }

    /// What it looks at, and how strictly.
    #[must_use]
    pub fn settings(&self) -> &DetectorSettings {
        self.judge.settings()
    }

    /// The model in use.
    #[must_use]
    pub fn model(&self) -> Option<&Arc<Model>> {
        self.model.as_ref()
    }

    /// The incidents after the last step.
    #[must_use]
    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    /// What became of each training on the way; after one that failed, the model before it stays in use.
    pub fn trainings(&self) -> &[Result<Arc<Model>, TrainError>] {
        &self.trainings
    }

    /// Why each of [`Self::trainings`] was begun.
    #[must_use]
    pub fn training_reasons(&self) -> &[TrainingReason] {
        &self.reasons
    }

    /// How far the inputs have moved from the training of the model in use; see [`VectorJudge::drift`].
    #[must_use]
    pub fn drift(&self) -> Option<&DriftFigures> {
        self.judge.drift()
    }

    /// The trials of new models beside the one in use that are over.
    #[must_use]
    pub fn trials(&self) -> &[TrialEnd] {
        &self.trials
    }

    /// Judges the vectors of one step. When steps lie between the last one and this, they had no vectors: as in the
    /// sidecar, the first of them ends all score series.
    ///
    /// # Errors
    /// When the step lies before the last one; nothing is changed then.
    pub fn step(&mut self, matrix: &FeatureMatrix) -> Result<Judged, StepBackwards> {
        let step_ms = self.settings().schema.step_ms();
        let silent = self.last.map(|last| last.plus_ms(step_ms)).filter(|silent| *silent < matrix.at);
        if let Some(at) = silent {
            self.one(&nobody(at, matrix.values.ncols()))?;
        }
        self.one(matrix)
    }

    fn one(&mut self, matrix: &FeatureMatrix) -> Result<Judged, StepBackwards> {
        let inputs = self.judge.take(matrix.clone())?;
        self.last = Some(matrix.at);
        self.succeed(matrix.at);
        let maintenance = OpenMaintenance::at(matrix.at, &self.maintenance);
        let mut step = self.judge.judge(&inputs, self.model.as_deref(), &maintenance);
        let detector = self.judge.settings().schema.detector();
        self.incidents.take(matrix.at, [(detector, &mut step)]);
        if let Some(job) = self.judge.training_due(matrix.at, self.model.as_deref()) {
            self.reasons.push(job.reason().clone());
            let trained = job.run().map(Arc::new);
            self.fitted = trained.as_ref().ok().cloned();
            self.trainings.push(trained);
        }
        Ok(Judged { inputs, step })
    }

    /// The model whose time has come, before step `at` is judged.
    fn succeed(&mut self, at: TimestampMs) {
        let live = self.model.clone();
        if let Some(end) = live.as_deref().and_then(|live| self.judge.end_trial(at, live)) {
            if end.outcome.is_ok() {
                self.model = Some(Arc::clone(&end.model));
            }
            self.trials.push(end);
        }
        if self.judge.awaits_before(at) {
            let candidate = self.fitted.take();
            if let Some(model) = self.judge.deliver(candidate, self.model.as_deref()) {
                self.model = Some(model);
            }
        }
    }
}

// === impl Judged ===

impl Judged {
    /// The verdict of an entity, if it has one.
    #[must_use]
    pub fn verdict(&self, entity: &LabelSet) -> Option<&Verdict> {
        let verdicts = &self.step.verdicts;
        verdicts.binary_search_by(|verdict| verdict.entity.cmp(entity)).ok().map(|place| &verdicts[place])
    }
}

/// A step at which no entity has a feature.
fn nobody(at: TimestampMs, n_features: usize) -> FeatureMatrix {
    FeatureMatrix {
        at,
        entities: Vec::new(),
        values: Array2::zeros((0, n_features)),
        ambiguous: vec![0; n_features],
    }
}
