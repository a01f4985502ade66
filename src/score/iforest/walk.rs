//! Walking rows down the trees.
//!
//! A step down waits for two dependent loads, so one row alone leaves the processor idle. Two ways out: a
//! batch walks 8 rows down one tree in step, tree after tree over a block of rows (the tree stays in the
//! first cache); a single row walks down 8 trees in step. Both add up the path lengths in the order of
//! the trees, so both give the same bits.

use ndarray::ArrayView2;
use std::hint::black_box;

use super::{
    MAX_FEATURES,
    layout::{PerfectTree, PerfectTrees},
};

/// Rows that walk in step.
const LANES: usize = 8;

/// Groups of rows in a block: 96 rows. A block's rows and one tree fit the first cache together.
const GROUPS: usize = 12;

/// Trees that a single row walks down in step.
const TREES_IN_STEP: usize = 8;

/// A row spread out so that any feature number of one byte is a valid index.
pub(super) type WideRow = [f32; MAX_FEATURES];

/// Some rows, feature by feature. Only as many features as the forest has are filled.
type Lanes = [[f32; LANES]; MAX_FEATURES];

/// Copies a row to where it can be indexed by any byte.
pub(super) fn widen(x: &[f32]) -> WideRow {
    let mut wide = [0.0; MAX_FEATURES];
    wide[..x.len()].copy_from_slice(x);
    wide
}

/// The sum of one row's path lengths over all trees.
pub(super) fn sum_of_path_lengths<const SLOTS: usize>(trees: &PerfectTrees<SLOTS>, x: &WideRow) -> f64 {
    let PerfectTrees { trees, lengths, .. } = trees;
    let length = |tree: &PerfectTree<SLOTS>, at: usize| lengths[usize::from(tree.leaves[at & (SLOTS - 1)])];
    let mut sum = 0.0;
    let (in_step, rest) = trees.as_chunks::<TREES_IN_STEP>();
    let levels = unknown(SLOTS.ilog2());
    for trees in in_step {
        let mut at = [1; TREES_IN_STEP];
        for _ in 0..levels {
            for (at, tree) in at.iter_mut().zip(trees) {
                *at = step_down(tree, *at, x);
            }
        }
        for (at, tree) in at.iter().zip(trees) {
            sum += length(tree, *at);
        }
    }
    for tree in rest {
        sum += length(tree, (0..SLOTS.ilog2()).fold(1, |at, _| step_down(tree, at, x)));
    }
    sum
}

/// A number that the compiler does not know. It would write out all levels otherwise, keep the results of all
/// comparisons apart until the end, and run out of registers.
fn unknown(levels: u32) -> u32 {
    black_box(levels)
}

/// From an inner node to one of its children. The mask changes nothing (an inner node is below
/// `SLOTS`), it tells the compiler so.
#[inline(always)]
pub(super) fn step_down<const SLOTS: usize>(tree: &PerfectTree<SLOTS>, at: usize, x: &WideRow) -> usize {
    let node = at & (SLOTS - 1);
    2 * node + usize::from(x[usize::from(tree.features[node])] > tree.thresholds[node])
}

/// As [`sum_of_path_lengths`] for every row of a batch; calls `finish(row, sum)`, rows ascending.
pub(super) fn sums_of_path_lengths<const SLOTS: usize>(
    trees: &PerfectTrees<SLOTS>,
    rows: ArrayView2<'_, f32>,
    mut finish: impl FnMut(usize, f64),
) {
    let mut block = Block::new(rows.ncols());
    let levels = unknown(SLOTS.ilog2());
    let mut first = 0;
    while first < rows.nrows() {
        let filled = block.fill(rows, first);
        let groups = filled.div_ceil(LANES);
        let mut sums = [[0.0; LANES]; GROUPS];
        for tree in &trees.trees {
            for (group, sums) in sums.iter_mut().enumerate().take(groups) {
                walk_in_step(tree, &trees.lengths, levels, block.lanes(group), sums);
            }
        }
        for (row, sum) in sums.as_flattened().iter().enumerate().take(filled) {
            finish(first + row, *sum);
        }
        first += filled;
    }
}

/// Walks 8 rows down one tree and adds their path lengths to `sums`.
#[inline(always)]
fn walk_in_step<const SLOTS: usize>(
    tree: &PerfectTree<SLOTS>,
    lengths: &[f64],
    levels: u32,
    x: &Lanes,
    sums: &mut [f64; LANES],
) {
    let mut at = [1_usize; LANES];
    for _ in 0..levels {
        for (lane, at) in at.iter_mut().enumerate() {
            let node = *at & (SLOTS - 1);
            let value = x[usize::from(tree.features[node])][lane];
            *at = 2 * node + usize::from(value > tree.thresholds[node]);
        }
    }
    for (sum, at) in sums.iter_mut().zip(at) {
        *sum += lengths[usize::from(tree.leaves[at & (SLOTS - 1)])];
    }
}

/// A block of rows, turned so that the 8 rows of a group lie side by side, feature by feature.
struct Block {
    n_features: usize,
    /// Group g begins at `g * n_features`. A group is read through a view of [`MAX_FEATURES`] features,
    /// which reaches into the groups behind it: hence the spare room at the end.
    lanes: Vec<[f32; LANES]>,
}

// === impl Block ===

impl Block {
    fn new(n_features: usize) -> Self {
        Self { n_features, lanes: vec![[0.0; LANES]; GROUPS * n_features + MAX_FEATURES] }
    }

    /// Takes as many rows as fit, from `first` on; gives their number. Lanes beyond it keep old values,
    /// which nobody reads.
    fn fill(&mut self, rows: ArrayView2<'_, f32>, first: usize) -> usize {
        let filled = (rows.nrows() - first).min(LANES * GROUPS);
        for row in 0..filled {
            let group = &mut self.lanes[row / LANES * self.n_features..];
            for (lanes, &value) in group.iter_mut().zip(rows.row(first + row)) {
                lanes[row % LANES] = value;
            }
        }
        filled
    }

    /// The rows of a group, in a view that any feature number of one byte is a valid index of.
    fn lanes(&self, group: usize) -> &Lanes {
        let from = group * self.n_features;
        // Never the fallback: the spare room makes the view fit for every group of a block.
        self.lanes[from..].first_chunk().unwrap_or(&[[0.0; LANES]; MAX_FEATURES])
    }
}
