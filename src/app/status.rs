//! What is said of the detectors after a step, as metrics and by the API: models, trainings, drift, F1.

use super::stepper::Stepper;
use crate::{
    api::{DetectorReport, DriftReport, F1Report, ModelReport, TrainingReport},
    model::Model,
    pipeline::{F1Source, Judge, TrainingJob},
    telemetry::{DetectorFeatureLabels, DetectorLabel, DetectorReasonLabels, Metrics},
};
use arc_swap::ArcSwap;
use std::{collections::BTreeMap, sync::Arc};

/// What was said of the detectors.
#[derive(Debug)]
pub(super) struct Status {
    reports: Arc<ArcSwap<Vec<DetectorReport>>>,
    min_f1: f64,
    trainings: BTreeMap<String, TrainingReport>,
    /// For each detector the version of its model about which something was said when it came into use.
    known: BTreeMap<String, String>,
}

// === impl Status ===

impl Status {
    pub(super) fn new(reports: Arc<ArcSwap<Vec<DetectorReport>>>, min_f1: f64) -> Self {
        Self { reports, min_f1, trainings: BTreeMap::new(), known: BTreeMap::new() }
    }

    /// A training begins: one line in the log, one more in the count.
    pub(super) fn note_training(&mut self, job: &TrainingJob, metrics: &Metrics) {
        let (detector, reason) = (job.detector().to_owned(), job.reason());
        let why = reason.to_string();
        tracing::info!(
            detector,
            reason = reason.name(),
            why,
            rows = job.row_count(),
            "training a model from the stream"
        );
        let labels = DetectorReasonLabels { detector: detector.clone(), reason: reason.name() };
        metrics.trainings_started.get_or_create(&labels).inc();
        let report = TrainingReport { at: job.asked_at(), reason: reason.name(), why };
        self.trainings.insert(detector, report);
    }

    /// Says once of each model that comes into use what is wrong with it.
    fn meet(&mut self, detector: &str, model: &Model, f1: Option<(f64, F1Source)>) {
        let known = self.known.insert(detector.to_owned(), model.version().to_owned());
        if known.is_some_and(|known| known == model.version()) {
            return;
        }
        let version = model.version();
        if model.reference().is_none() {
            tracing::info!(
                detector,
                version,
                "the model does not say how its training was distributed: drift is not measured until the next one"
            );
        }
        if let Some((f1, F1Source::Validation)) = f1.filter(|(f1, _)| *f1 < self.min_f1) {
            tracing::warn!(
                detector,
                version,
                f1,
                min_f1 = self.min_f1,
                "the F1 of the model's validation is low: another one is trained as soon as there is enough to learn from"
            );
        }
    }
}

// === impl Stepper ===

impl Stepper {
    /// Which models score, how many rows are gathered, and whether the models still fit.
    pub(super) fn show_models(&mut self) {
        let mut reports = Vec::new();
        for judge in self.evaluator.judges() {
            let detector = judge.name();
            let model = self.models.load(detector);
            let f1 = model.as_ref().and_then(|model| judge.f1(model));
            if let Some(model) = &model {
                self.outlet.show_model(detector, model.version());
                self.status.meet(detector, model, f1);
            }
            let state = match model {
                _ if self.trainings.is_training(detector) => "training",
                _ if judge.is_on_trial() => "trial",
                Some(_) => "trained",
                None => "gathering",
            };
            show(judge, state, f1, &self.metrics);
            reports.push(DetectorReport {
                detector: detector.to_owned(),
                state,
                training_rows: judge.training_row_count(),
                model: model.as_deref().map(model_report),
                last_training: self.status.trainings.get(detector).cloned(),
                drift: drift_report(judge),
                f1: f1.map(|(value, against)| F1Report {
                    value,
                    against: against.name(),
                    is_low: value < self.status.min_f1,
                }),
            });
        }
        self.status.reports.store(Arc::new(reports));
    }
}

/// One detector as metrics; what is not known any more disappears.
fn show(judge: &Judge, state: &'static str, f1: Option<(f64, F1Source)>, metrics: &Metrics) {
    let detector = judge.name();
    let label = DetectorLabel { detector: detector.to_owned() };
    metrics.training_rows.get_or_create(&label).set(judge.training_row_count() as i64);
    metrics.set_training_state(detector, state);
    match f1 {
        Some((f1, _)) => _ = metrics.detector_f1.get_or_create(&label).set(f1),
        None => _ = metrics.detector_f1.remove(&label),
    }
    let drift = judge.drift();
    match drift {
        Some(figures) => _ = metrics.score_drift.get_or_create(&label).set(figures.score),
        None => _ = metrics.score_drift.remove(&label),
    }
    for (number, feature) in judge.feature_names().enumerate() {
        let label = DetectorFeatureLabels { detector: detector.to_owned(), feature: feature.to_owned() };
        match drift.and_then(|figures| figures.features.get(number)) {
            Some(psi) => _ = metrics.feature_drift.get_or_create(&label).set(*psi),
            None => _ = metrics.feature_drift.remove(&label),
        }
    }
}

fn model_report(model: &Model) -> ModelReport {
    let training = model.training();
    ModelReport {
        version: model.version().to_owned(),
        trained_at: model.created_at(),
        first: training.first,
        last: training.last,
        drifted: training.drifted,
        has_reference: model.reference().is_some(),
    }
}

fn drift_report(judge: &Judge) -> Option<DriftReport> {
    let figures = judge.drift()?;
    Some(DriftReport {
        until: figures.until,
        rows: figures.rows,
        score_psi: figures.score,
        feature_psi: judge.feature_names().map(str::to_owned).zip(figures.features.iter().copied()).collect(),
    })
}
