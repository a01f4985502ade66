//! Scoring trees of hyperplanes, and saying why.
//!
//! At every node stands what is expected of a row there: for depth, as in `path_credit`, k + c(n) at a node of depth k
//! that n training rows reached; for density the logarithm of its density, ln(n / psi) minus the logarithm of its
//! share of the volume. At a leaf that is what the path says of a row, so in both cases small is strange,
//! and the changes along a path are credits that sum to it minus what is expected at the root.

use super::{Hyperplane, HyperplaneNode, HyperplaneTree};
use crate::score::iforest::Scoring;
use ndarray::ArrayView2;

/// Rows that go down a tree before the next tree's turn comes.
const BLOCK: usize = 128;

/// What a feature did to the side of a row is counted up to here, so that sums stay finite; missing and infinite values
/// did as much.
const MOST: f64 = 1e300;

/// The trees of a forest with what is expected at their nodes.
#[derive(Clone, Debug)]
pub(in crate::score::iforest) struct HyperplaneTrees {
    /// Invariant: each passed its check; at least one.
    trees: Vec<HyperplaneTree>,
    scoring: Scoring,
    /// For each node of each tree.
    expected: Vec<Vec<f64>>,
}

/// A step down from a split.
struct Step<'a> {
    hyperplane: &'a Hyperplane,
    /// The row's projection there.
    projection: f64,
    /// Number of the split and of the child that the row goes to.
    from: usize,
    to: usize,
}

// === impl HyperplaneTrees ===

impl HyperplaneTrees {
    /// Takes trees that passed their check; `yardstick` is c(n) for each n up to psi, the size of a sample.
    pub(in crate::score::iforest) fn new(
        trees: Vec<HyperplaneTree>,
        scoring: Scoring,
        yardstick: &[f64],
    ) -> Self {
        let expected = |tree: &HyperplaneTree| {
            let mut expecting =
                Expecting { nodes: tree.nodes(), scoring, yardstick, into: vec![0.0; tree.nodes().len()] };
            expecting.branch(0, 0, 0.0);
            expecting.into
        };
        let expected = trees.iter().map(expected).collect();
        Self { trees, scoring, expected }
    }

    pub(in crate::score::iforest) fn trees(&self) -> &[HyperplaneTree] {
        &self.trees
    }

    pub(in crate::score::iforest) fn scoring(&self) -> Scoring {
        self.scoring
    }

    /// The sum over all trees of what the path of a row says.
    pub(in crate::score::iforest) fn sum(&self, x: &[f32]) -> f64 {
        (0..self.trees.len()).fold(0.0, |sum, tree| sum + self.of_path(tree, x))
    }

    /// As [`Self::sum`] for every row of a batch, bit for bit; calls `finish(row, sum)`, rows ascending.
    pub(in crate::score::iforest) fn sums(
        &self,
        rows: ArrayView2<'_, f32>,
        mut finish: impl FnMut(usize, f64),
    ) {
        let mut values = Vec::with_capacity(BLOCK * rows.ncols());
        for first in (0..rows.nrows()).step_by(BLOCK) {
            let end = rows.nrows().min(first + BLOCK);
            values.clear();
            (first..end).for_each(|row| values.extend(rows.row(row)));
            let mut sums = [0.0; BLOCK];
            for tree in 0..self.trees.len() {
                for (sum, x) in sums.iter_mut().zip(values.chunks_exact(rows.ncols())) {
                    *sum += self.of_path(tree, x);
                }
            }
            (first..end).zip(sums).for_each(|(row, sum)| finish(row, sum));
        }
    }

    /// Adds the credits of one row, summed over all trees, to `into` (one number a feature). Those of a split are
    /// shared among its features.
    pub(in crate::score::iforest) fn add_credits(&self, x: &[f32], into: &mut [f64]) {
        for (tree, expected) in self.trees.iter().zip(&self.expected) {
            walk(tree, x, |step| {
                let change = expected[step.to] - expected[step.from] - self.penalty(&step);
                step.share(change, x, into);
            });
        }
    }

    /// Adds to each feature by how much its splits change what is expected of a training row: summed over the trees
    /// and their rows, without the sign, in equal parts to the features of a split.
    pub(in crate::score::iforest) fn add_importance(&self, into: &mut [f64]) {
        for (tree, expected) in self.trees.iter().zip(&self.expected) {
            let mut rows = vec![0.0; expected.len()];
            // Children stand behind their parent.
            for (at, node) in tree.nodes().iter().enumerate().rev() {
                match node {
                    HyperplaneNode::Leaf { count } => rows[at] = f64::from(*count),
                    HyperplaneNode::Split { hyperplane, right } => {
                        let children = [at + 1, *right as usize];
                        rows[at] = children.iter().map(|child| rows[*child]).sum();
                        let change = |child: &usize| rows[*child] * (expected[*child] - expected[at]).abs();
                        let changes: f64 = children.iter().map(change).sum();
                        for term in &hyperplane.terms {
                            into[usize::from(term.feature)] += changes / hyperplane.terms.len() as f64;
                        }
                    }
                }
            }
        }
    }

    /// What the path of a row down one tree says of it.
    fn of_path(&self, tree: usize, x: &[f32]) -> f64 {
        let mut penalty = 0.0;
        let leaf = walk(&self.trees[tree], x, |step| penalty += self.penalty(&step));
        self.expected[tree][leaf] - penalty
    }

    /// What the path is shorter by because the row is out of range at a split.
    fn penalty(&self, step: &Step<'_>) -> f64 {
        let counts = self.scoring == Scoring::PenalizedDepth;
        f64::from(u8::from(counts && step.hyperplane.is_out_of_range(step.projection)))
    }
}

/// Leads a row down a tree, step by step; gives the leaf.
#[inline]
fn walk(tree: &HyperplaneTree, x: &[f32], mut each: impl FnMut(Step<'_>)) -> usize {
    let mut at = 0;
    while let HyperplaneNode::Split { hyperplane, right } = &tree.nodes()[at] {
        let projection = hyperplane.project(x);
        let to = if projection > hyperplane.threshold { *right as usize } else { at + 1 };
        each(Step { hyperplane, projection, from: at, to });
        at = to;
    }
    at
}

// === impl Step ===

impl Step<'_> {
    /// Shares `credit` among the features of the hyperplane, by how far each moved the row past it, to the side that it
    /// took; those that held it back get nothing. In equal parts where none moved it.
    fn share(&self, credit: f64, x: &[f32], into: &mut [f64]) {
        let terms = &self.hyperplane.terms;
        if let [term] = terms.as_slice() {
            into[usize::from(term.feature)] += credit;
            return;
        }
        let side = if self.to == self.from + 1 { -1.0 } else { 1.0 };
        let part_of_way = self.hyperplane.threshold / terms.len() as f64;
        let moved = |place: usize| {
            let projected = terms[place].project(x[usize::from(terms[place].feature)]);
            let moved = side * (projected - part_of_way);
            if moved.is_finite() || moved == f64::NEG_INFINITY { moved.clamp(0.0, MOST) } else { MOST }
        };
        let total: f64 = (0..terms.len()).map(moved).sum();
        for (place, term) in terms.iter().enumerate() {
            let share = if total > 0.0 { moved(place) / total } else { 1.0 / terms.len() as f64 };
            into[usize::from(term.feature)] += credit * share;
        }
    }
}

/// One tree for which it is worked out what is expected.
struct Expecting<'a> {
    nodes: &'a [HyperplaneNode],
    scoring: Scoring,
    yardstick: &'a [f64],
    into: Vec<f64>,
}

// === impl Expecting ===

impl Expecting<'_> {
    /// Works out the branch that starts at `node`, given the logarithm of its share of the volume; gives the number of
    /// its training rows. The recursion is as deep as the tree.
    fn branch(&mut self, node: usize, depth: u32, volume: f64) -> usize {
        let rows = match &self.nodes[node] {
            HyperplaneNode::Leaf { count } => *count as usize,
            HyperplaneNode::Split { hyperplane, right } => {
                let [left_share, right_share] = hyperplane.volumes();
                let right = *right as usize;
                self.branch(node + 1, depth + 1, volume + left_share.ln())
                    + self.branch(right, depth + 1, volume + right_share.ln())
            }
        };
        self.into[node] = match self.scoring {
            Scoring::Depth | Scoring::PenalizedDepth => f64::from(depth) + self.yardstick[rows],
            Scoring::Density => (rows as f64 / (self.yardstick.len() - 1) as f64).ln() - volume,
        };
        rows
    }
}
