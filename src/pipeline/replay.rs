//! The whole core in one place, one call after the other: for tests, for judging a recorded stream,
//! and as the shortest description of what `app` does with tasks.

use super::{
    clock::{ClockConfig, StepClock, Tick, merge_progress},
    detector::Detector,
    evaluator::Evaluator,
    learned::Learned,
    leaves::{LeafMemory, LeafTable},
    maintenance::Maintenance,
    training::TrainingJob,
    verdict::DetectorStep,
};
use crate::{
    model::Model,
    promql::LeafMatrix,
    series::{LabelMatcher, SampleBatch, TimestampMs},
    window::{self, AppendCounts, Store},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Shards, clock, detectors and models without tasks.
#[derive(Debug)]
pub struct Replay {
    stores: Vec<(Store, LeafMemory)>,
    table: LeafTable,
    clock: StepClock,
    evaluator: Evaluator,
    models: BTreeMap<String, Arc<Model>>,
    /// Models that are to be delivered.
    fitted: BTreeMap<String, Arc<Model>>,
}

// === impl Replay ===

impl Replay {
    /// A core with `shards` stores (at least one) that has seen nothing. The retention is what the
    /// detectors' expressions look back on, whatever `window` says.
    #[must_use]
    pub fn new(detectors: Vec<Detector>, clock: ClockConfig, window: window::Config, shards: usize) -> Self {
        let (evaluator, table) = Evaluator::new(detectors);
        let config = window::Config { retention_ms: table.retention_ms(), ..window };
        let stores = (0..shards.max(1)).map(|_| {
            let store = Store::new(config, table.selectors()).read_aside(table.aside());
            (store, LeafMemory::default())
        });
        let stores = stores.collect();
        Self {
            stores,
            table,
            clock: StepClock::new(clock),
            evaluator,
            models: BTreeMap::new(),
            fitted: BTreeMap::new(),
        }
    }

    /// Replaces the planned work that the steps from now on ask for: none at first.
    pub fn set_maintenance(&mut self, windows: Vec<Maintenance>) {
        self.evaluator.set_maintenance(Arc::new(windows));
    }

    /// The model that scores for `detector`.
    #[must_use]
    pub fn model(&self, detector: &str) -> Option<&Arc<Model>> {
        self.models.get(detector)
    }

    /// Takes a batch; each series goes to the shard that its hash names.
    pub fn append(&mut self, batch: &SampleBatch) -> AppendCounts {
        let shards = self.stores.len() as u64;
        let mut parts: Vec<SampleBatch> = self.stores.iter().map(|_| SampleBatch::default()).collect();
        for entry in batch.iter() {
            let shard = ((entry.hash >> 64) as u64 % shards) as usize;
            let (samples, histograms) = (entry.samples.iter().copied(), entry.histograms.iter().cloned());
            parts[shard].push_with_histograms(entry.hash, entry.labels, samples, histograms);
        }
        let mut counts = AppendCounts::default();
        for ((store, _), part) in self.stores.iter_mut().zip(&parts) {
            // A recording holds nothing from the future: its own end is the present.
            counts.add(&store.append(part, TimestampMs::MAX));
        }
        counts
    }

    /// Evaluates every step that the data has passed, oldest first; `waited` is how long, in all, the
    /// stream has been waited for (see [`StepClock`]).
    pub fn evaluate(&mut self, waited: Duration) -> Vec<(TimestampMs, Vec<DetectorStep>)> {
        let mut steps = Vec::new();
        loop {
            let progress = merge_progress(self.stores.iter().map(|(store, _)| store.progress()));
            match self.clock.tick(progress, waited) {
                Tick::Wait { .. } => return steps,
                Tick::Begin(step) => self.begin(step),
                Tick::Due(step, _) => steps.push((step, self.step(step))),
            }
        }
    }

    /// Evaluates every step up to `until`, of a past of which nothing is awaited any more; gives how many. The first one is the first behind the
    /// oldest sample.
    pub fn pass(&mut self, until: TimestampMs) -> usize {
        let mut steps = 0;
        loop {
            match self.clock.awaited() {
                Some(step) if step <= until => _ = self.step(step),
                Some(_) => return steps,
                None => {
                    let progress = merge_progress(self.stores.iter().map(|(store, _)| store.progress()));
                    let Tick::Begin(step) = self.clock.tick(progress, Duration::ZERO) else { return steps };
                    self.begin(step);
                    continue;
                }
            }
            steps += 1;
        }
    }

    /// What every detector has gathered by step `at`, and the job of a model on it.
    pub fn into_learned(self, at: TimestampMs) -> impl Iterator<Item = (Learned, TrainingJob)> {
        self.evaluator.into_learned(at)
    }

    /// What the detectors read; of each list all matchers hold.
    #[must_use]
    pub fn selectors(&self) -> Vec<Vec<LabelMatcher>> {
        self.table.selectors()
    }

    fn step(&mut self, at: TimestampMs) -> Vec<DetectorStep> {
        self.succeed(at);
        let parts = self.stores.iter_mut().map(|(store, memory)| self.table.evaluate(store, at, memory));
        let leaves = self.evaluator.gather(parts.collect());
        let steps = self.evaluator.step(&leaves, at, |detector| self.models.get(detector).cloned());
        let empty = leaves.iter().all(LeafMatrix::is_empty);
        let next_sample = || self.stores.iter().filter_map(|(store, _)| store.next_after(at)).min();
        let next = self.clock.next(at, empty.then(next_sample).flatten());
        self.stores.iter_mut().for_each(|(store, _)| store.mark_evaluated(at));
        self.begin(next);
        for job in self.evaluator.training_due(at, |detector| self.models.get(detector).cloned()) {
            let detector = job.detector().to_owned();
            // A failed training keeps the model before it, as in the running sidecar.
            if let Ok(model) = job.run() {
                self.fitted.insert(detector, Arc::new(model));
            }
        }
        steps
    }

    /// Models whose time has come, before step `at` is judged.
    fn succeed(&mut self, at: TimestampMs) {
        for end in self.evaluator.ended_trials(at, |detector| self.models.get(detector).cloned()) {
            if end.outcome.is_ok() {
                self.models.insert(end.model.schema().detector().to_owned(), end.model);
            }
        }
        for detector in self.evaluator.awaited_before(at) {
            let fitted = self.fitted.remove(&detector);
            let live = self.models.get(&detector).cloned();
            if let Some(model) = self.evaluator.deliver(&detector, fitted, live.as_deref()) {
                self.models.insert(detector, model);
            }
        }
    }

    fn begin(&mut self, step: TimestampMs) {
        self.clock.begin(step);
        self.stores.iter_mut().for_each(|(store, _)| store.begin_step(step));
    }
}
