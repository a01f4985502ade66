//! What all detectors together ask of a shard at every step.
//!
//! Two features that look at the same selector share its list of series, and two that apply the same
//! function to it share the result: every distinct leaf is evaluated once a step.

use crate::{
    promql::{Budget, Grid, Leaf, LeafMatrix, Plan},
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
    pub fn evaluate(&self, store: &mut Store, at: TimestampMs) -> Vec<LeafMatrix> {
        store.prepare();
        let grid = Grid::instant(at);
        let evaluate = |(selector, leaf): &(usize, Leaf)| {
            leaf.request(&grid).evaluate(store.select(*selector), &mut Budget::unlimited())
        };
        // What fails without a bound is a function with a wrong constant: such a leaf has no value.
        self.leaves.iter().map(|leaf| evaluate(leaf).unwrap_or_default()).collect()
    }

    /// Joins what the shards answered, leaf by leaf, into label order: the same whatever their number.
    #[must_use]
    pub fn gather(&self, shards: Vec<Vec<LeafMatrix>>) -> Vec<LeafMatrix> {
        let mut parts: Vec<Vec<LeafMatrix>> = self.leaves.iter().map(|_| Vec::new()).collect();
        for shard in shards {
            for (part, answer) in parts.iter_mut().zip(shard) {
                part.push(answer);
            }
        }
        parts.into_iter().map(LeafMatrix::merge).collect()
    }
}

fn position_or_push<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}
