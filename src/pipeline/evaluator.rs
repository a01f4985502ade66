//! All detectors at one step: from gathered leaves to verdicts.

use super::{
    detector::Detector,
    incident::Incidents,
    judge::Judge,
    learned::Learned,
    leaves::{LeafPlaces, LeafTable},
    maintenance::{Maintenance, MaintenanceStep, Plan},
    training::TrainingJob,
    trial::TrialEnd,
    verdict::DetectorStep,
};
use crate::{
    features::FeatureMatrix,
    model::Model,
    promql::{LeafMatrix, MergeMemory},
    series::TimestampMs,
    train::{GatherUpdate, Gathered},
};
use std::sync::Arc;

/// The detectors with their windows and memories. One owner, no locks; nothing here waits.
#[derive(Debug, Default)]
pub struct Evaluator {
    judges: Vec<(Judge, Vec<LeafPlaces>)>,
    /// One for each leaf of the table.
    merges: Vec<MergeMemory>,
    /// Planned work, for all detectors.
    plan: Plan,
    incidents: Incidents,
}

// === impl Evaluator ===

impl Evaluator {
    /// Detectors that have seen nothing, and the table of leaves that every shard is to evaluate for them.
    #[must_use]
    pub fn new(detectors: Vec<Detector>) -> (Self, LeafTable) {
        let mut table = LeafTable::default();
        let mut judge = |detector: Detector| {
            let leaves = detector.leaves().into_iter();
            let mut places: Vec<_> =
                leaves.map(|(leaves, back_ms)| table.register(leaves, back_ms)).collect();
            let aside = detector.leaves_aside();
            places.extend(aside.map(|(leaves, back_ms)| table.register_aside(leaves, back_ms)));
            (Judge::new(detector), places)
        };
        let judges = detectors.into_iter().map(&mut judge).collect();
        let merges = (0..table.leaf_count()).map(|_| MergeMemory::default()).collect();
        (Self { judges, merges, plan: Plan::default(), incidents: Incidents::default() }, table)
    }

    /// Replaces the planned work that the steps from now on ask for: none at first.
    pub fn set_maintenance(&mut self, windows: Arc<Vec<Maintenance>>) {
        self.plan.set(windows);
    }

    /// Joins what the shards answered, leaf by leaf, into label order: the same whatever their number.
    pub fn gather(&mut self, shards: Vec<Vec<LeafMatrix>>) -> Vec<LeafMatrix> {
        let mut shards: Vec<_> = shards.into_iter().map(Vec::into_iter).collect();
        let mut merge =
            |memory: &mut MergeMemory| memory.merge(shards.iter_mut().filter_map(Iterator::next).collect());
        self.merges.iter_mut().map(&mut merge).collect()
    }

    /// Judges every entity of every detector at step `at`, detector by detector in their order.
    ///
    /// `leaves` is what [`Self::gather`] gave; `model` gives the model of a detector and is
    /// asked once for each, so that no step is scored by two models.
    pub fn step(
        &mut self,
        leaves: &[LeafMatrix],
        at: TimestampMs,
        mut model: impl FnMut(&str) -> Option<Arc<Model>>,
    ) -> Vec<DetectorStep> {
        let maintenance = self.plan.step(at);
        let one = |(judge, places): &mut (Judge, Vec<LeafPlaces>)| {
            let model = model(judge.name());
            judge.step(leaves, places, at, model.as_deref(), &maintenance)
        };
        let mut steps: Vec<DetectorStep> = self.judges.iter_mut().map(one).collect();
        let names = self.judges.iter().map(|(judge, _)| judge.name());
        self.incidents.take(at, names.zip(&mut steps));
        steps
    }

    /// The vectors that every detector would judge at step `at`, in their order, with what failed of each.
    pub(super) fn vectors(
        &mut self,
        leaves: &[LeafMatrix],
        at: TimestampMs,
    ) -> impl Iterator<Item = (FeatureMatrix, Vec<(String, String)>)> {
        self.judges.iter_mut().map(move |(judge, places)| {
            let mut failed = Vec::new();
            let (matrix, _) = judge.vectors(leaves, places, at, &mut failed);
            (matrix, failed)
        })
    }

    /// The incidents after the last step.
    #[must_use]
    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    /// The planned work at the last step.
    #[must_use]
    pub fn maintenance(&self) -> &MaintenanceStep {
        self.plan.last()
    }

    /// What is to be trained after step `at`, given the models in use.
    pub fn training_due(
        &mut self,
        at: TimestampMs,
        mut model: impl FnMut(&str) -> Option<Arc<Model>>,
    ) -> Vec<TrainingJob> {
        let due = |(judge, _): &mut (Judge, Vec<LeafPlaces>)| {
            let model = model(judge.name());
            judge.training_due(at, model.as_deref())
        };
        self.judges.iter_mut().filter_map(due).collect()
    }

    /// The detectors whose new model must be handed to [`Self::deliver`] before step `next` is judged.
    #[must_use]
    pub fn awaited_before(&self, next: TimestampMs) -> Vec<String> {
        let awaiting = self.judges().filter(|judge| judge.awaits_before(next));
        awaiting.map(|judge| judge.name().to_owned()).collect()
    }

    /// Takes what came of the training of a detector, none where it failed, before the next step is judged. Gives the model back where
    /// it is to be used from that step on; else it is on trial, until [`Self::ended_trials`] has it.
    pub fn deliver(
        &mut self,
        detector: &str,
        candidate: Option<Arc<Model>>,
        live: Option<&Model>,
    ) -> Option<Arc<Model>> {
        let judge = self.judges.iter_mut().find(|(judge, _)| judge.name() == detector);
        judge.and_then(|(judge, _)| judge.deliver(candidate, live))
    }

    /// Takes over what a detector of the same name and settings gathered elsewhere; of one that does not exist it is dropped.
    pub fn take_learned(&mut self, detector: &str, learned: Learned) {
        if let Some((judge, _)) = self.judges.iter_mut().find(|(judge, _)| judge.name() == detector) {
            judge.take_learned(learned);
        }
    }

    /// What every detector that trains has gathered by step `at`, and the job of a model on it.
    pub(super) fn into_learned(self, at: TimestampMs) -> impl Iterator<Item = (Learned, TrainingJob)> {
        self.judges.into_iter().filter_map(move |(judge, _)| judge.into_learned(at))
    }

    /// Tries a model that did not come of a training here, from step `at` on: see [`Judge::nominate`].
    ///
    /// # Errors
    /// With the model, where there is no such detector, or another model of it is being fitted or tried.
    pub fn nominate(
        &mut self,
        detector: &str,
        candidate: Arc<Model>,
        live: Option<&Model>,
        at: TimestampMs,
    ) -> Result<Option<Arc<Model>>, Arc<Model>> {
        match self.judges.iter_mut().find(|(judge, _)| judge.name() == detector) {
            Some((judge, _)) => judge.nominate(candidate, live, at),
            None => Err(candidate),
        }
    }

    /// The trials that are over before step `next` is judged, given the models in use: what passed is to be used from that step on.
    pub fn ended_trials(
        &mut self,
        next: TimestampMs,
        mut model: impl FnMut(&str) -> Option<Arc<Model>>,
    ) -> Vec<TrialEnd> {
        let end = |(judge, _): &mut (Judge, Vec<LeafPlaces>)| {
            let live = model(judge.name())?;
            judge.end_trial(next, &live)
        };
        self.judges.iter_mut().filter_map(end).collect()
    }

    /// Gives a detector what was gathered of it before, and has it note what is gathered from now on; before the first step.
    pub fn keep(&mut self, detector: &str, gathered: Gathered) {
        let judge = self.judges.iter_mut().find(|(judge, _)| judge.name() == detector);
        if let Some((judge, _)) = judge {
            judge.keep(gathered);
        }
    }

    /// What was gathered since this was last asked, of every detector that [`Self::keep`] was said of; all that there is where
    /// `everything` says so of its name.
    pub fn take_updates(&mut self, mut everything: impl FnMut(&str) -> bool) -> Vec<(String, GatherUpdate)> {
        let update = |(judge, _): &mut (Judge, Vec<LeafPlaces>)| {
            let name = judge.name().to_owned();
            let update = judge.take_update(everything(&name))?;
            Some((name, update))
        };
        self.judges.iter_mut().filter_map(update).collect()
    }

    /// The detectors, in their order.
    pub fn judges(&self) -> impl Iterator<Item = &Judge> {
        self.judges.iter().map(|(judge, _)| judge)
    }
}
