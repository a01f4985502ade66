//! Which feature made the path short.
//!
//! At a node of depth k that n training rows reached, the path length to expect is k + c(n). A split
//! that parts a row from most others lowers that (by c(n) - c(few) - 1), a split that takes nobody away
//! raises it by almost 1. Each split credits its feature with the change; along a path the changes
//! telescope, so the credits of a tree sum to path length minus c(psi), what was expected at its root.
//!
//! Mind the sign: a *negative* credit shortened the path and so drives the anomaly.
//!
//! The method is additive and costs little more than scoring. It is not Tree SHAP (Lundberg, Erion,
//! Lee, arXiv 1802.03888): it looks only at the splits on the row's own path, and a feature that would
//! have isolated the row had it been drawn earlier gets less than its due. Over a hundred trees it names
//! the right feature about as often: of rows with one feature pushed far out, 99, 92 and 87 % with 8, 16
//! and 38 features, Tree SHAP 100, 94 and 81 % (400 and 150 rows, one data set).

use super::{layout::PerfectTree, walk::WideRow, walk::step_down};

/// Adds the credits of one row, summed over all trees, to `into` (one number a feature).
pub(super) fn add_credits<const SLOTS: usize>(trees: &[PerfectTree<SLOTS>], x: &WideRow, into: &mut [f64]) {
    for tree in trees {
        let mut at = 1;
        let mut expected = tree.expected[at];
        for level in 1..=SLOTS.ilog2() {
            let feature = usize::from(tree.features[at & (SLOTS - 1)]);
            at = step_down(tree, at, x);
            let next = if level == SLOTS.ilog2() {
                tree.path_lengths[at & (SLOTS - 1)]
            } else {
                tree.expected[at & (SLOTS - 1)]
            };
            // In the padding nothing changes, and feature 0 is credited with zero.
            into[feature] += next - expected;
            expected = next;
        }
    }
}
