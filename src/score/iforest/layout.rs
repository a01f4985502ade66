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

/// A tree of depth log2(`SLOTS`).
#[derive(Clone, Debug)]
pub(super) struct PerfectTree<const SLOTS: usize> {
    /// The feature of inner node i, from 1 on; less than the forest's number of features.
    pub(super) features: [u8; SLOTS],
    /// The threshold of inner node i, from 1 on.
    pub(super) thresholds: [f32; SLOTS],
    /// The path length expected of a row that is at inner node i: its depth + c(its training rows).
    pub(super) expected: [f64; SLOTS],
    /// The path length of a row that ends in leaf i, from the left: depth + c(training rows).
    pub(super) path_lengths: [f64; SLOTS],
}

/// The trees of a forest, all of one depth.
#[derive(Clone, Debug)]
pub(super) enum Layout {
    Depth8(Vec<PerfectTree<256>>),
    Depth9(Vec<PerfectTree<512>>),
    Depth10(Vec<PerfectTree<1024>>),
    Depth11(Vec<PerfectTree<2048>>),
    Depth12(Vec<PerfectTree<4096>>),
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

// === impl PerfectTree ===

impl<const SLOTS: usize> PerfectTree<SLOTS> {
    /// The path length expected of a row that is at `slot`, and that of a row that ends there.
    pub(super) fn expected_at(&self, slot: usize) -> f64 {
        if slot < SLOTS { self.expected[slot] } else { self.path_lengths[slot - SLOTS] }
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
    // One entry for each right branch that is still to be walked: its depth.
    let mut open = Vec::new();
    let (mut at, mut deepest) = (0, 0);
    for node in nodes {
        match node {
            Node::Split { .. } => {
                at += 1;
                open.push(at);
            }
            Node::Leaf { .. } => {
                deepest = deepest.max(at);
                at = open.pop().unwrap_or(0);
            }
        }
    }
    deepest
}

fn lay_out<const SLOTS: usize>(trees: &[Tree], yardstick: &[f64]) -> Vec<PerfectTree<SLOTS>> {
    trees
        .iter()
        .map(|tree| {
            let mut perfect = PerfectTree {
                features: [0; SLOTS],
                thresholds: [f32::INFINITY; SLOTS],
                expected: [0.0; SLOTS],
                path_lengths: [0.0; SLOTS],
            };
            Placing { nodes: tree.nodes(), yardstick, into: &mut perfect }.place(0, 1, 0);
            perfect
        })
        .collect()
}

/// A compact tree on its way into a perfect one.
struct Placing<'a, const SLOTS: usize> {
    nodes: &'a [Node],
    yardstick: &'a [f64],
    into: &'a mut PerfectTree<SLOTS>,
}

// === impl Placing ===

impl<const SLOTS: usize> Placing<'_, SLOTS> {
    /// Puts the branch that starts at `node` to `slot`; gives the number of its training rows.
    fn place(&mut self, node: usize, slot: usize, depth: u32) -> usize {
        match self.nodes[node] {
            Node::Leaf { count } => {
                let length = f64::from(depth) + self.yardstick[count as usize];
                self.pad(slot, length);
                count as usize
            }
            Node::Split { feature, threshold, right } => {
                self.into.features[slot] = feature as u8;
                self.into.thresholds[slot] = threshold;
                let left_rows = self.place(node + 1, 2 * slot, depth + 1);
                let right_rows = self.place(right as usize, 2 * slot + 1, depth + 1);
                let rows = left_rows + right_rows;
                self.into.expected[slot] = f64::from(depth) + self.yardstick[rows];
                rows
            }
        }
    }

    /// Fills everything below and at `slot` with one path length.
    fn pad(&mut self, slot: usize, length: f64) {
        if slot >= SLOTS {
            self.into.path_lengths[slot - SLOTS] = length;
            return;
        }
        self.into.expected[slot] = length;
        self.pad(2 * slot, length);
        self.pad(2 * slot + 1, length);
    }
}
