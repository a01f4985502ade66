//! What all detectors together ask of a shard at every step.
//!
//! Two features that look at the same selector share its list of series and the unpacking of their
//! samples, and two that apply the same function to it share the result: every distinct leaf is
//! evaluated once a step.

use crate::{
    promql::{Budget, Grid, Leaf, LeafBuilder, LeafMatrix, LeafRows},
    series::{LabelMatcher, Sample, TimestampMs},
    window::{Samples, SeriesView, Store},
};

/// The distinct leaves of a set of plans, by their selectors.
#[derive(Debug, Default)]
pub struct LeafTable {
    selectors: Vec<Selector>,
    leaves: Vec<Leaf>,
    retention_ms: i64,
}

#[derive(Debug)]
struct Selector {
    matchers: Vec<LabelMatcher>,
    /// The places of its leaves.
    leaves: Vec<usize>,
    /// Whether all that it is read for can do without a series that is late.
    aside: bool,
}

/// Samples later than the one time, up to the other.
type Stretch = (TimestampMs, TimestampMs);

/// For one plan: where each of its leaves stands in the table.
pub type LeafPlaces = Vec<usize>;

/// What a shard remembers of its answers to the leaves of a table, from one step to the next.
#[derive(Debug, Default)]
pub struct LeafMemory {
    rows: Vec<LeafRows>,
}

// === impl LeafTable ===

impl LeafTable {
    /// Files `leaves`, which look back so far, and says where they are.
    pub fn register(&mut self, leaves: &[Leaf], back_ms: i64) -> LeafPlaces {
        self.retention_ms = self.retention_ms.max(back_ms);
        leaves.iter().map(|leaf| self.place(leaf, false)).collect()
    }

    /// The same of leaves that select from all that comes, for which no step is to wait longer than for the others.
    pub fn register_aside(&mut self, leaves: &[Leaf], back_ms: i64) -> LeafPlaces {
        self.retention_ms = self.retention_ms.max(back_ms);
        leaves.iter().map(|leaf| self.place(leaf, true)).collect()
    }

    fn place(&mut self, leaf: &Leaf, aside: bool) -> usize {
        let known = self.leaves.iter().position(|known| known == leaf);
        let place = known.unwrap_or(self.leaves.len());
        if known.is_none() {
            self.leaves.push(leaf.clone());
        }
        match self.selectors.iter_mut().find(|selector| selector.matchers == leaf.matchers()) {
            Some(selector) => {
                selector.aside &= aside;
                if known.is_none() {
                    selector.leaves.push(place);
                }
            }
            None => {
                let matchers = leaf.matchers().to_vec();
                self.selectors.push(Selector { matchers, leaves: vec![place], aside });
            }
        }
        place
    }

    /// The selectors to register with every [`Store`].
    #[must_use]
    pub fn selectors(&self) -> Vec<Vec<LabelMatcher>> {
        self.selectors.iter().map(|selector| selector.matchers.clone()).collect()
    }

    /// The places among [`Self::selectors`] of those that are read aside, see [`Store::read_aside`].
    #[must_use]
    pub fn aside(&self) -> Vec<usize> {
        let places = self.selectors.iter().enumerate().filter(|(_, selector)| selector.aside);
        places.map(|(place, _)| place).collect()
    }

    /// How many leaves it has.
    #[must_use]
    pub fn leaf_count(&self) -> usize {
        self.leaves.len()
    }

    /// How far back, in milliseconds, the farthest-looking leaf looks.
    #[must_use]
    pub fn retention_ms(&self) -> i64 {
        self.retention_ms
    }

    /// Evaluates every leaf over one shard at step `at`: the answers, leaf by leaf, to be joined with
    /// those of the other shards.
    #[must_use]
    pub fn evaluate(&self, store: &mut Store, at: TimestampMs, memory: &mut LeafMemory) -> Vec<LeafMatrix> {
        // One slice of everything is the last one.
        let answers = self.begin(store, at, memory).advance(store, usize::MAX).unwrap_or_default();
        memory.keep(&answers);
        answers
    }

    /// Begins to evaluate every leaf over one shard at step `at`, slice by slice: the same result as
    /// [`Self::evaluate`] would have now, as long as nothing is appended in between that is at or before
    /// `at`, and no step begun.
    #[must_use]
    pub fn begin(&self, store: &mut Store, at: TimestampMs, memory: &LeafMemory) -> SlicedEvaluation<'_> {
        store.prepare();
        let grid = Grid::instant(at);
        let before = |place: usize| memory.rows.get(place).cloned().unwrap_or_default();
        let builders = self.leaves.iter().enumerate();
        let builders = builders.map(|(place, leaf)| Some(leaf.request(&grid).begin(before(place)))).collect();
        let counts = (0..self.selectors.len()).map(|number| store.selected_count(number)).collect();
        SlicedEvaluation { table: self, counts, selector: 0, place: 0, builders, unpacked: Vec::new() }
    }
}

// === impl LeafMemory ===

impl LeafMemory {
    /// Remembers `answers` for the next step.
    pub fn keep(&mut self, answers: &[LeafMatrix]) {
        self.rows = answers.iter().map(LeafMatrix::rows).collect();
    }
}

/// An evaluation under way. See [`LeafTable::begin`].
#[derive(Debug)]
pub struct SlicedEvaluation<'a> {
    table: &'a LeafTable,
    /// For each selector: how many series it had at the beginning.
    counts: Vec<usize>,
    /// The selector at hand, and how many of its series are done.
    selector: usize,
    place: usize,
    /// For each leaf: its answer so far. None for one that failed: what fails without a bound is a function
    /// with a wrong constant, and such a leaf has no value.
    builders: Vec<Option<LeafBuilder>>,
    unpacked: Vec<Sample>,
}

// === impl SlicedEvaluation ===

impl SlicedEvaluation<'_> {
    /// Goes on with about `looks` looks of a leaf at a series; the answers of all leaves when none is left.
    pub fn advance(&mut self, store: &Store, mut looks: usize) -> Option<Vec<LeafMatrix>> {
        while let Some(Selector { leaves, .. }) = self.table.selectors.get(self.selector) {
            let (number, count) = (self.selector, self.counts[self.selector]);
            // At least one, so that every call comes closer to the end.
            let end = count.min(self.place.saturating_add((looks / leaves.len()).max(1)));
            let together = self.read_together(leaves);
            for view in store.select(number, self.place..end) {
                self.look_at(&view, leaves, together);
            }
            looks = looks.saturating_sub((end - self.place) * leaves.len());
            self.place = end;
            if end < count {
                return None;
            }
            self.place = 0;
            self.selector += 1;
        }
        let builders = std::mem::take(&mut self.builders).into_iter();
        Some(builders.map(|builder| builder.map(LeafBuilder::finish).unwrap_or_default()).collect())
    }

    /// The stretch of time that holds what all of `leaves` read, where several do.
    fn read_together(&self, leaves: &[usize]) -> Option<Stretch> {
        let mut reads = leaves.iter().filter_map(|leaf| self.builders[*leaf].as_ref()?.reads());
        let (first, second) = (reads.next()?, reads.next()?);
        let wider = |all: Stretch, one: Stretch| (all.0.min(one.0), all.1.max(one.1));
        Some(reads.fold(wider(first, second), wider))
    }

    fn look_at(&mut self, view: &SeriesView<'_>, leaves: &[usize], together: Option<Stretch>) {
        let unpacked = together.map(|(after, until)| view.samples.between(after, until, &mut self.unpacked));
        let unpacked = unpacked.map(|samples| SeriesView { samples: Samples::from(samples), ..*view });
        for leaf in leaves {
            let Some(builder) = &mut self.builders[*leaf] else { continue };
            let seen = unpacked.as_ref().filter(|_| builder.reads().is_some()).unwrap_or(view);
            if builder.push(seen, &mut Budget::unlimited()).is_err() {
                self.builders[*leaf] = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        promql::Plan,
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

    #[test]
    fn a_selector_is_read_aside_as_long_as_all_read_it_so() {
        let [a, b] = ["a", "rate(b[1m])"].map(|text| Plan::parse(text).unwrap());
        let mut table = LeafTable::default();
        assert_eq!(table.register_aside(a.leaves(), 0), [0]);
        table.register_aside(b.leaves(), 0);
        assert_eq!(table.aside(), [0, 1]);
        assert_eq!(table.register(a.leaves(), 0), [0]);
        table.register(Plan::parse("b").unwrap().leaves(), 0);
        assert!(table.aside().is_empty());
    }

    proptest! {
        /// For all sizes of a slice, evaluating slice by slice gives what evaluating at once gives, also
        /// when newer samples and new series come in between.
        #[test]
        fn slices_make_a_whole(names in prop::collection::vec("[a-d]{1,3}", 1..40), slice in 1usize..50) {
            let mut table = LeafTable::default();
            for text in ["m", "rate(m[1m])", "max_over_time(m[20s] offset 5s)", "sum(m) / count(rate(other[5m]))"] {
                let plan = Plan::parse(text).unwrap();
                table.register(plan.leaves(), plan.retention_ms());
            }
            let mut store = Store::new(Config::default(), table.selectors());
            for timestamp in [0, 15_000, 30_000] {
                store.append(&batch(&names, timestamp), TimestampMs::MAX);
            }
            let at = TimestampMs(30_000);
            let memory = LeafMemory::default();
            let whole = table.evaluate(&mut store, at, &mut LeafMemory::default());
            let mut evaluation = table.begin(&mut store, at, &memory);
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
