//! The form of the trees that is scored: perfect binary trees in arrays.
//!
//! The root stands at 1, the children of `i` at `2 i` and `2 i + 1`; so a step down is
//! `i = 2 * i + (x > threshold)`, without a branch to mispredict and without a pointer to wait for. A
//! path that ends early goes on to the left past thresholds of infinity, where nothing changes. That
//! fills most slots with padding, yet a row of ordinary data visits hardly more nodes than before.
//!
//! All arrays have a length fixed at compile time, `SLOTS` = 2^depth, one monomorph a depth, so that
//! indices need no bounds check. Trees shallower than 8 levels are padded to 8.

use super::{Node, Tree};

/// A tree of depth log2(`SLOTS`), as far as scoring needs it: small, because a single row meets all trees
/// and finds them in the second cache at best.
#[derive(Clone, Debug)]
pub(super) struct PerfectTree<const SLOTS: usize> {
    /// The feature of inner node i, from 1 on; less than the forest's number of features.
    pub(super) features: [u8; SLOTS],
    /// The threshold of inner node i, from 1 on.
    pub(super) thresholds: [f32; SLOTS],
    /// Of a row that ends in leaf i, from the left: the place of its path length in [`PerfectTrees::lengths`].
    pub(super) leaves: [u16; SLOTS],
}

/// The trees of a forest.
#[derive(Clone, Debug)]
pub(super) struct PerfectTrees<const SLOTS: usize> {
    pub(super) trees: Vec<PerfectTree<SLOTS>>,
    /// Every path length that a leaf has, depth + c(training rows), ascending: fewer than 2^16, as depths are at
    /// most 12 and samples have at most 2^12 rows.
    pub(super) lengths: Vec<f64>,
    /// For each tree the path length expected of a row that is at inner node i: its depth + c(its training rows).
    expected: Vec<[f64; SLOTS]>,
}

/// What is expected on the way down one tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expectations<'a, const SLOTS: usize> {
    pub(super) tree: &'a PerfectTree<SLOTS>,
    expected: &'a [f64; SLOTS],
    lengths: &'a [f64],
}

/// The trees of a forest, all of one depth.
#[derive(Clone, Debug)]
pub(super) enum Layout {
    Depth8(PerfectTrees<256>),
    Depth9(PerfectTrees<512>),
    Depth10(PerfectTrees<1024>),
    Depth11(PerfectTrees<2048>),
    Depth12(PerfectTrees<4096>),
}

/// Runs `$body` with `$trees` bound to the trees of a [`Layout`], whatever their depth.
macro_rules! for_each_depth {
    ($layout:expr, $trees:ident => $body:expr) => {
        match $layout {
            Layout::Depth8($trees) => $body,
            Layout::Depth9($trees) => $body,
            Layout::Depth10($trees) => $body,
            Layout::Depth11($trees) => $body,
            Layout::Depth12($trees) => $body,
        }
    };
}

pub(super) use for_each_depth;

// === impl PerfectTrees ===

impl<const SLOTS: usize> PerfectTrees<SLOTS> {
    /// What is expected in each tree.
    pub(super) fn expectations(&self) -> impl Iterator<Item = Expectations<'_, SLOTS>> {
        let lengths = self.lengths.as_slice();
        let trees = self.trees.iter().zip(&self.expected);
        trees.map(move |(tree, expected)| Expectations { tree, expected, lengths })
    }
}

// === impl Expectations ===

impl<const SLOTS: usize> Expectations<'_, SLOTS> {
    /// The path length expected of a row that is at `slot`, and that of a row that ends there.
    #[inline]
    pub(super) fn at(&self, slot: usize) -> f64 {
        match self.expected.get(slot) {
            Some(expected) => *expected,
            None => self.lengths[usize::from(self.tree.leaves[slot & (SLOTS - 1)])],
        }
    }
}

// === impl Layout ===

impl Layout {
    /// Lays out trees that passed their check; `yardstick` is c(n) for each n up to the size of a sample.
    pub(super) fn new(trees: &[Tree], yardstick: &[f64]) -> Self {
        let depth = trees.iter().map(|tree| depth(tree.nodes())).max().unwrap_or(0);
        match depth {
            0..=8 => Self::Depth8(lay_out(trees, yardstick)),
            9 => Self::Depth9(lay_out(trees, yardstick)),
            10 => Self::Depth10(lay_out(trees, yardstick)),
            11 => Self::Depth11(lay_out(trees, yardstick)),
            _ => Self::Depth12(lay_out(trees, yardstick)),
        }
    }
}

/// Levels below the root.
fn depth(nodes: &[Node]) -> u32 {
    let mut deepest = 0;
    visit_leaves(nodes, |depth, _| deepest = deepest.max(depth));
    deepest
}

/// Calls `each` with the depth and the training rows of every leaf, from the left.
fn visit_leaves(nodes: &[Node], mut each: impl FnMut(u32, usize)) {
    // One entry for each right branch that is still to be walked: its depth.
    let mut open = Vec::new();
    let mut at = 0;
    for node in nodes {
        match node {
            Node::Split { .. } => {
                at += 1;
                open.push(at);
            }
            Node::Leaf { count } => {
                each(at, *count as usize);
                at = open.pop().unwrap_or(0);
            }
        }
    }
}

fn lay_out<const SLOTS: usize>(trees: &[Tree], yardstick: &[f64]) -> PerfectTrees<SLOTS> {
    let mut lengths: Vec<f64> = Vec::new();
    for tree in trees {
        visit_leaves(tree.nodes(), |depth, count| lengths.push(path_length(yardstick, depth, count)));
    }
    lengths.sort_unstable_by(f64::total_cmp);
    lengths.dedup();
    let mut laid_out = PerfectTrees {
        trees: Vec::with_capacity(trees.len()),
        expected: Vec::with_capacity(trees.len()),
        lengths,
    };
    for tree in trees {
        let mut perfect =
            PerfectTree { features: [0; SLOTS], thresholds: [f32::INFINITY; SLOTS], leaves: [0; SLOTS] };
        let mut expected = [0.0; SLOTS];
        let lengths = &laid_out.lengths;
        let into = &mut perfect;
        Placing { nodes: tree.nodes(), yardstick, lengths, into, expected: &mut expected }.place(0, 1, 0);
        laid_out.trees.push(perfect);
        laid_out.expected.push(expected);
    }
    laid_out
}

fn path_length(yardstick: &[f64], depth: u32, rows: usize) -> f64 {
    f64::from(depth) + yardstick[rows]
}

/// A compact tree on its way into a perfect one.
struct Placing<'a, const SLOTS: usize> {
    nodes: &'a [Node],
    yardstick: &'a [f64],
    lengths: &'a [f64],
    into: &'a mut PerfectTree<SLOTS>,
    expected: &'a mut [f64; SLOTS],
}

// === impl Placing ===

impl<const SLOTS: usize> Placing<'_, SLOTS> {
    /// Puts the branch that starts at `node` to `slot`; gives the number of its training rows.
    fn place(&mut self, node: usize, slot: usize, depth: u32) -> usize {
        match self.nodes[node] {
            Node::Leaf { count } => {
                let length = path_length(self.yardstick, depth, count as usize);
                // It is among them, as all of them were collected.
                let place = self.lengths.partition_point(|known| *known < length);
                self.pad(slot, length, place as u16);
                count as usize
            }
            Node::Split { feature, threshold, right } => {
                self.into.features[slot] = feature as u8;
                self.into.thresholds[slot] = threshold;
                let left_rows = self.place(node + 1, 2 * slot, depth + 1);
                let right_rows = self.place(right as usize, 2 * slot + 1, depth + 1);
                let rows = left_rows + right_rows;
                self.expected[slot] = path_length(self.yardstick, depth, rows);
                rows
            }
        }
    }

    /// Fills everything below and at `slot` with one path length.
    fn pad(&mut self, slot: usize, length: f64, place: u16) {
        if slot >= SLOTS {
            self.into.leaves[slot - SLOTS] = place;
            return;
        }
        self.expected[slot] = length;
        self.pad(2 * slot, length, place);
        self.pad(2 * slot + 1, length, place);
    }
}
