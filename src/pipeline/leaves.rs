//! What all detectors together ask of a shard at every step.
//!
//! Two features that look at the same selector share its list of series, and two that apply the same
//! function to it share the result: every distinct leaf is evaluated once a step.

use crate::{
    promql::{Leaf, LeafVector, Plan, merge},
    series::{LabelMatcher, TimestampMs},
    window::Store,
};

/// The distinct leaves of a set of plans, each with the number of its selector.
#[derive(Debug, Default)]
pub struct LeafTable {
    selectors: Vec<Vec<LabelMatcher>>,
    leaves: Vec<(usize, Leaf)>,
    retention_ms: i64,
}

/// For one plan: where each of its leaves stands in the table.
pub type LeafPlaces = Vec<usize>;

// === impl LeafTable ===

impl LeafTable {
    /// Files the leaves of `plan` and says where they are.
    pub fn register(&mut self, plan: &Plan) -> LeafPlaces {
        self.retention_ms = self.retention_ms.max(plan.retention_ms());
        plan.leaves().iter().map(|leaf| self.place(leaf)).collect()
    }

    fn place(&mut self, leaf: &Leaf) -> usize {
        let selector = position_or_push(&mut self.selectors, leaf.matchers().to_vec());
        position_or_push(&mut self.leaves, (selector, leaf.clone()))
    }

    /// The selectors to register with every [`Store`].
    #[must_use]
    pub fn selectors(&self) -> Vec<Vec<LabelMatcher>> {
        self.selectors.clone()
    }

    /// How far back, in milliseconds, the farthest-looking leaf looks.
    #[must_use]
    pub fn retention_ms(&self) -> i64 {
        self.retention_ms
    }

    /// Evaluates every leaf over one shard at step `at`.
    #[must_use]
    pub fn evaluate(&self, store: &mut Store, at: TimestampMs) -> Vec<LeafVector> {
        store.prepare();
        self.leaves.iter().map(|(selector, leaf)| leaf.evaluate(store.select(*selector), at)).collect()
    }

    /// Joins what the shards answered, leaf by leaf, into label order: the same whatever their number.
    #[must_use]
    pub fn gather(&self, shards: Vec<Vec<LeafVector>>) -> Vec<LeafVector> {
        let mut parts: Vec<Vec<LeafVector>> = self.leaves.iter().map(|_| Vec::new()).collect();
        for shard in shards {
            for (part, vector) in parts.iter_mut().zip(shard) {
                part.push(vector);
            }
        }
        parts.into_iter().map(merge).collect()
    }
}

fn position_or_push<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}
