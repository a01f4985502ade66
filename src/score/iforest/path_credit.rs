//! Which feature made the path short.
//!
//! At a node of depth k that n training rows reached, the path length to expect is k + c(n). A split
//! that parts a row from most others lowers that (by c(n) - c(few) - 1), a split that takes nobody away
//! raises it by almost 1. Each split credits its feature with the change; along a path the changes
//! telescope, so the credits of a tree sum to path length minus c(psi), what was expected at its root.
//!
//! Mind the sign: a *negative* credit shortened the path and so drives the anomaly.
//!
//! The method is additive and costs little more than scoring. It is not Tree SHAP (see `shap`): it looks
//! only at the splits on the row's own path, and a feature that would have isolated the row had it been drawn
//! earlier gets less than its due. Over a hundred trees it names the right feature nearly as often.

use super::{
    Node, Tree,
    layout::{Expectations, PerfectTrees},
    walk::{WideRow, step_down},
};

/// Adds the credits of one row, summed over all trees, to `into` (one number a feature).
pub(super) fn add_credits<const SLOTS: usize>(trees: &PerfectTrees<SLOTS>, x: &WideRow, into: &mut [f64]) {
    for expectations in trees.expectations() {
        let tree = expectations.tree;
        let mut at = 1;
        let mut expected = expectations.at(at);
        for _ in 0..SLOTS.ilog2() {
            let feature = usize::from(tree.features[at & (SLOTS - 1)]);
            at = step_down(tree, at, x);
            let next = expectations.at(at);
            // In the padding nothing changes, and feature 0 is credited with zero.
            into[feature] += next - expected;
            expected = next;
        }
    }
}

/// Adds to each feature by how much its splits change what is expected of a training row: summed over the trees
/// and their rows, without the sign. `laid_out` are the same trees in the form that is scored.
pub(super) fn add_importance<const SLOTS: usize>(
    trees: &[Tree],
    laid_out: &PerfectTrees<SLOTS>,
    into: &mut [f64],
) {
    for (tree, expectations) in trees.iter().zip(laid_out.expectations()) {
        add_branch(tree.nodes(), expectations, (0, 1), into);
    }
}

/// Adds the branch that starts at a node, laid out at a slot; gives the number of its training rows. The
/// recursion is as deep as the tree.
fn add_branch<const SLOTS: usize>(
    nodes: &[Node],
    expectations: Expectations<'_, SLOTS>,
    (node, slot): (usize, usize),
    into: &mut [f64],
) -> f64 {
    match nodes[node] {
        Node::Leaf { count } => f64::from(count),
        Node::Split { feature, right, .. } => {
            let children = [(node + 1, 2 * slot), (right as usize, 2 * slot + 1)];
            let rows = children.map(|child| add_branch(nodes, expectations, child, into));
            for (rows, (_, child)) in rows.iter().zip(children) {
                let change = expectations.at(child) - expectations.at(slot);
                into[usize::from(feature)] += rows * change.abs();
            }
            rows.iter().sum()
        }
    }
}
