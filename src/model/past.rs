//! The recent evidence of the entities that a model scores.

use crate::{
    calibrate::{Memory, Recent},
    series::{LabelSet, TimestampMs},
};
use std::collections::BTreeMap;

/// What the entities of a detector showed lately, see [`Recent`]. It belongs to one model: the next one was
/// trained on newer rows and begins anew.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// None: nothing is remembered, and evidence is that of the training alone.
    memory: Option<Memory>,
    /// The model that gave the evidence: its version and when it was trained.
    of: Option<(String, TimestampMs)>,
    /// Entities by labels: when they were last judged, and a memory for each kind of evidence.
    entities: BTreeMap<LabelSet, (TimestampMs, Vec<Recent>)>,
}

// === impl Past ===

impl Past {
    /// No past: every row is judged by the training alone.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// An empty past that fades as `memory` says.
    #[must_use]
    pub fn new(memory: Memory) -> Self {
        Self { memory: Some(memory), ..Self::default() }
    }

    /// Forgets the entities that were not judged since `oldest`.
    pub fn forget_before(&mut self, oldest: TimestampMs) {
        self.entities.retain(|_, (last, _)| *last >= oldest);
    }

    /// Number of entities that are remembered.
    #[must_use]
    pub fn entity_count(&self) -> usize {
        self.entities.len()
    }

    /// Begins a step of this model.
    pub(super) fn begin(&mut self, version: &str, created_at: TimestampMs) {
        if self.of.as_ref().is_none_or(|(of, at)| of != version || *at != created_at) {
            self.entities.clear();
            self.of = Some((version.to_owned(), created_at));
        }
    }

    /// Turns the evidence that `entity` gives at the step `at`, in factors of ten, into what remains of it beside
    /// its recent past, and remembers it.
    pub(crate) fn judge(&mut self, entity: &LabelSet, at: TimestampMs, evidence: &mut [f64]) {
        let Some(memory) = self.memory else { return };
        if !self.entities.contains_key(entity) {
            let fresh = vec![Recent::new(memory); evidence.len()];
            self.entities.insert(entity.clone(), (at, fresh));
        }
        let Some((last, recent)) = self.entities.get_mut(entity) else { return };
        *last = at;
        for (evidence, recent) in evidence.iter_mut().zip(recent) {
            *evidence = recent.judge(*evidence, at);
        }
    }
}
