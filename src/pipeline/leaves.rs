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
        // One slice of everything is the last one.
        self.begin(store, at).advance(store, usize::MAX).unwrap_or_default()
    }

    /// Begins to evaluate every leaf over one shard at step `at`, slice by slice: the same result as
    /// [`Self::evaluate`] would have now, as long as nothing is appended in between that is at or before
    /// `at`, and no step begun.
    #[must_use]
    pub fn begin(&self, store: &mut Store, at: TimestampMs) -> SlicedEvaluation<'_> {
        store.prepare();
        let counts = self.leaves.iter().map(|(selector, _)| store.selected_count(*selector)).collect();
        let grid = Grid::instant(at);
        SlicedEvaluation { table: self, grid, counts, place: 0, parts: Vec::new(), done: Vec::new() }
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

/// An evaluation under way. See [`LeafTable::begin`].
#[derive(Debug)]
pub struct SlicedEvaluation<'a> {
    table: &'a LeafTable,
    grid: Grid,
    /// For each leaf: how many series it had at the beginning.
    counts: Vec<usize>,
    /// How many series of the leaf at hand are done, and what they gave.
    place: usize,
    parts: Vec<LeafMatrix>,
    /// The leaves that are done.
    done: Vec<LeafMatrix>,
}

// === impl SlicedEvaluation ===

impl SlicedEvaluation<'_> {
    /// Goes on with about `series` series; the vectors of all leaves when none is left.
    pub fn advance(&mut self, store: &Store, mut series: usize) -> Option<Vec<LeafMatrix>> {
        while let Some((selector, leaf)) = self.table.leaves.get(self.done.len()) {
            let end = self.counts[self.done.len()].min(self.place.saturating_add(series));
            let part = store.select(*selector, self.place..end);
            let answer = leaf.request(&self.grid).evaluate(part, &mut Budget::unlimited());
            // What fails without a bound is a function with a wrong constant: such a leaf has no value.
            self.parts.push(answer.unwrap_or_default());
            series -= end - self.place;
            self.place = end;
            if end < self.counts[self.done.len()] {
                return None;
            }
            self.place = 0;
            self.done.push(LeafMatrix::merge(std::mem::take(&mut self.parts)));
        }
        Some(std::mem::take(&mut self.done))
    }
}

fn position_or_push<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        series::{LabelSet, Sample, SampleBatch, series_hash},
        window::Config,
    };
    use proptest::prelude::*;

    fn batch(names: &[String], timestamp: i64) -> SampleBatch {
        let mut batch = SampleBatch::default();
        for (index, name) in names.iter().enumerate() {
            let labels = LabelSet::from_pairs([("__name__", "m"), ("instance", name.as_str())]).unwrap();
            let hash = series_hash(labels.canonical_text(), 1);
            batch.push(hash, labels.canonical_text(), [Sample::new(timestamp, index as f64)]);
        }
        batch
    }

    proptest! {
        /// For all sizes of a slice, evaluating slice by slice gives what evaluating at once gives, also
        /// when newer samples and new series come in between.
        #[test]
        fn slices_make_a_whole(names in prop::collection::vec("[a-d]{1,3}", 1..40), slice in 1usize..50) {
            let mut table = LeafTable::default();
            for text in ["m", "rate(m[1m])", "sum(m) / count(rate(other[5m]))"] {
                table.register(&Plan::parse(text).unwrap());
            }
            let mut store = Store::new(Config::default(), table.selectors());
            for timestamp in [0, 15_000, 30_000] {
                store.append(&batch(&names, timestamp), TimestampMs::MAX);
            }
            let at = TimestampMs(30_000);
            let whole = table.evaluate(&mut store, at);
            let mut evaluation = table.begin(&mut store, at);
            let sliced = loop {
                match evaluation.advance(&store, slice) {
                    Some(leaves) => break leaves,
                    None => {
                        let newer = batch(&["a".to_owned(), "new".to_owned()], 45_000);
                        store.append(&newer, TimestampMs::MAX);
                    }
                }
            };
            prop_assert_eq!(format!("{sliced:?}"), format!("{whole:?}"));
        }
    }
}
