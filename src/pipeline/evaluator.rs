//! All detectors at one step: from gathered leaves to verdicts.

use super::{
    detector::Detector,
    judge::Judge,
    leaves::{LeafPlaces, LeafTable},
    training::TrainingJob,
    verdict::DetectorStep,
};
use crate::{model::Model, promql::LeafMatrix, series::TimestampMs};
use std::sync::Arc;

/// The detectors with their windows and memories. One owner, no locks; nothing here waits.
#[derive(Debug, Default)]
pub struct Evaluator {
    judges: Vec<(Judge, Vec<LeafPlaces>)>,
}

// === impl Evaluator ===

impl Evaluator {
    /// Detectors that have seen nothing, and the table of leaves that every shard is to evaluate for them.
    #[must_use]
    pub fn new(detectors: Vec<Detector>) -> (Self, LeafTable) {
        let mut table = LeafTable::default();
        let mut judge = |detector: Detector| {
            let places = detector.features.iter().map(|feature| table.register(&feature.plan)).collect();
            (Judge::new(detector), places)
        };
        let judges = detectors.into_iter().map(&mut judge).collect();
        (Self { judges }, table)
    }

    /// Judges every entity of every detector at step `at`, detector by detector in their order.
    ///
    /// `leaves` are the gathered results of the table; `model` gives the model of a detector and is
    /// asked once for each, so that no step is scored by two models.
    pub fn step(
        &mut self,
        leaves: &[LeafMatrix],
        at: TimestampMs,
        mut model: impl FnMut(&str) -> Option<Arc<Model>>,
    ) -> Vec<DetectorStep> {
        let one = |(judge, places): &mut (Judge, Vec<LeafPlaces>)| {
            let model = model(judge.detector().name());
            judge.step(leaves, places, at, model.as_deref())
        };
        self.judges.iter_mut().map(one).collect()
    }

    /// What is to be trained after step `at`, given the models in use.
    pub fn training_due(
        &mut self,
        at: TimestampMs,
        mut model: impl FnMut(&str) -> Option<Arc<Model>>,
    ) -> Vec<TrainingJob> {
        let due = |(judge, _): &mut (Judge, Vec<LeafPlaces>)| {
            let model = model(judge.detector().name());
            judge.training_due(at, model.as_deref())
        };
        self.judges.iter_mut().filter_map(due).collect()
    }

    /// The detectors, in their order.
    pub fn judges(&self) -> impl Iterator<Item = &Judge> {
        self.judges.iter().map(|(judge, _)| judge)
    }
}
