//! The fitted forest.

use ndarray::{ArrayView2, Axis};

use super::{
    HarmonicNumbers, InvalidTree, MAX_FEATURES, MAX_SUBSAMPLE_SIZE, MAX_TREES, Tree,
    layout::{Layout, for_each_depth},
    path_credit::{add_credits, add_importance},
    shap::add_shap_values,
    sweep::{Registers, SMALL_ROWS, Sweep},
    walk::{sum_of_path_lengths, sums_of_path_lengths, widen},
};

/// Below this many rows a batch is scored row by row: a group of 8 costs as much for 3 rows as for 8.
const SMALL_BATCH: usize = 4;

/// From this many rows on a batch, or what its blocks leave of it, is swept, not walked: a small block costs the same
/// for so many rows as for 64.
const LARGE_BATCH: usize = 32;

/// How a batch is scored. AVX-512 is slower where it was measured (`docs/performance.md`).
const BATCH_METHOD: BatchMethod = BatchMethod::Sweep(Registers::Avx2);

/// A fitted Isolation Forest.
#[derive(Clone, Debug)]
pub struct Forest {
    /// Invariant: each passed [`Tree::check`]; at least one.
    trees: Vec<Tree>,
    /// Invariant: 1 to [`MAX_FEATURES`].
    n_features: usize,
    /// Rows each tree was grown from. Invariant: 1 to [`MAX_SUBSAMPLE_SIZE`].
    subsample_size: usize,
    /// Of what kind c(n) is.
    harmonic_numbers: HarmonicNumbers,
    /// c(psi), which a path length is measured by. Too dear to be worked out for each row.
    unit: f64,
    /// The same trees, to be walked by single rows and small batches.
    layout: Layout,
    /// And to be swept by large ones, where they fit.
    sweep: Option<Sweep>,
}

/// How the rows of a batch are scored. Neither changes a bit of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchMethod {
    /// Down the trees, 8 rows in step.
    Walk,
    /// All nodes of a tree at once, for 128 or 64 rows.
    Sweep(Registers),
}

/// How the path length of a row is shared out among its features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribution {
    /// [`Forest::path_credit`]: what the splits on the row's own path did.
    PathCredit,
    /// [`Forest::shap_values`]: what all coalitions of features would have done.
    Shap,
}

/// Why trees are not a forest.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidForest {
    /// No tree, or too many.
    #[error("{given} trees, must be within 1 to {MAX_TREES}")]
    Trees {
        /// Number of trees.
        given: usize,
    },
    /// No feature, or too many.
    #[error("{given} features, must be within 1 to {MAX_FEATURES}")]
    Features {
        /// Number of features.
        given: usize,
    },
    /// A sample no tree can have been grown from.
    #[error("{given} rows a tree, must be within 1 to {MAX_SUBSAMPLE_SIZE}")]
    SubsampleSize {
        /// Rows a tree.
        given: usize,
    },
    /// A tree is damaged.
    #[error("tree {tree}: {source}")]
    Tree {
        /// Number of the tree, from 0.
        tree: usize,
        /// What is wrong with it.
        source: InvalidTree,
    },
}

// === impl Forest ===

impl Forest {
    /// A forest from trees in compact form that were grown here.
    ///
    /// # Errors
    /// As [`Self::with_harmonic_numbers`].
    pub fn from_trees(
        trees: Vec<Tree>,
        n_features: usize,
        subsample_size: usize,
    ) -> Result<Self, InvalidForest> {
        Self::with_harmonic_numbers(trees, n_features, subsample_size, HarmonicNumbers::Exact)
    }

    /// A forest from trees in compact form, as read from a file. Where harmonic numbers are exact, the leaves
    /// of a tree hold all rows of its sample; scikit-learn counts a row that it drew twice
    /// (`bootstrap=True`) once, so there they may hold fewer.
    ///
    /// # Errors
    /// When a number is out of its range or a tree is damaged.
    pub fn with_harmonic_numbers(
        trees: Vec<Tree>,
        n_features: usize,
        subsample_size: usize,
        harmonic_numbers: HarmonicNumbers,
    ) -> Result<Self, InvalidForest> {
        if !(1..=MAX_TREES).contains(&trees.len()) {
            return Err(InvalidForest::Trees { given: trees.len() });
        }
        if !(1..=MAX_FEATURES).contains(&n_features) {
            return Err(InvalidForest::Features { given: n_features });
        }
        if !(1..=MAX_SUBSAMPLE_SIZE).contains(&subsample_size) {
            return Err(InvalidForest::SubsampleSize { given: subsample_size });
        }
        let rows = match harmonic_numbers {
            HarmonicNumbers::Exact => subsample_size..=subsample_size,
            HarmonicNumbers::Approximate => 1..=subsample_size,
        };
        for (tree, nodes) in trees.iter().enumerate() {
            nodes.check(n_features, rows.clone()).map_err(|source| InvalidForest::Tree { tree, source })?;
        }
        Ok(Self::new_unchecked(trees, n_features, subsample_size, harmonic_numbers))
    }

    /// A forest from trees that keep the invariants.
    pub(super) fn new_unchecked(
        trees: Vec<Tree>,
        n_features: usize,
        subsample_size: usize,
        harmonic_numbers: HarmonicNumbers,
    ) -> Self {
        let c = |n| harmonic_numbers.average_path_length(n);
        let yardstick: Vec<f64> = (0..=subsample_size).map(c).collect();
        let layout = Layout::new(&trees, &yardstick);
        let path_length = |depth: u32, rows: u32| f64::from(depth) + yardstick[rows as usize];
        let sweep = Sweep::new(&trees, n_features, &path_length);
        Self { trees, n_features, subsample_size, harmonic_numbers, unit: c(subsample_size), layout, sweep }
    }

    /// The trees in compact form.
    #[must_use]
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// Number of features of a row.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Rows each tree was grown from: psi in the paper.
    #[must_use]
    pub fn subsample_size(&self) -> usize {
        self.subsample_size
    }

    /// Of what kind its c(n) is.
    #[must_use]
    pub fn harmonic_numbers(&self) -> HarmonicNumbers {
        self.harmonic_numbers
    }

    /// c(psi), which path lengths are measured by; 0 for trees of one row.
    #[must_use]
    pub fn unit(&self) -> f64 {
        self.unit
    }

    /// The path length of a row, averaged over the trees: "E(h(x))" in Liu et al. 2008.
    ///
    /// # Panics
    /// When `x` has other than [`Self::n_features`] values.
    #[must_use]
    pub fn path_length(&self, x: &[f32]) -> f64 {
        assert_eq!(x.len(), self.n_features, "values of the row, features of the forest");
        let sum = for_each_depth!(&self.layout, trees => sum_of_path_lengths(trees, &widen(x)));
        sum / self.trees.len() as f64
    }

    /// The score of a row, "s(x, psi)" in Liu et al. 2008, equation 2: `2^(-path_length / c(psi))`, near 1
    /// for what stands apart, 0.5 for what has the average path. A forest of trees of one row has no
    /// opinion: always 0.5.
    ///
    /// # Panics
    /// When `x` has other than [`Self::n_features`] values.
    #[must_use]
    pub fn raw_score(&self, x: &[f32]) -> f64 {
        self.score_of(self.path_length(x))
    }

    /// The [`Self::raw_score`] of every row, bit for bit.
    ///
    /// # Panics
    /// When `rows` has other than [`Self::n_features`] columns, or `into` other than one place a row.
    pub fn raw_scores(&self, rows: ArrayView2<'_, f32>, into: &mut [f64]) {
        self.raw_scores_by(BATCH_METHOD, rows, into);
    }

    /// As [`Self::raw_scores`], to the same bits, by a method of choice: for comparisons. What is too small to be
    /// swept is walked, and so is all of a forest that does not fit (a tree of more than 256 leaves).
    ///
    /// # Panics
    /// As [`Self::raw_scores`].
    pub fn raw_scores_by(&self, method: BatchMethod, rows: ArrayView2<'_, f32>, into: &mut [f64]) {
        assert_eq!(rows.ncols(), self.n_features, "columns of the rows, features of the forest");
        assert_eq!(rows.nrows(), into.len(), "rows, places for scores");
        let (BatchMethod::Sweep(registers), Some(sweep)) = (method, &self.sweep) else {
            return self.walk(rows, into);
        };
        let rest = rows.nrows() % SMALL_ROWS;
        let swept = if rest < LARGE_BATCH { rows.nrows() - rest } else { rows.nrows() };
        let (swept, walked) = rows.split_at(Axis(0), swept);
        let (swept_into, walked_into) = into.split_at_mut(swept.nrows());
        if swept.nrows() > 0 {
            let n_trees = self.trees.len() as f64;
            let finish = |row: usize, sum: f64| swept_into[row] = self.score_of(sum / n_trees);
            sweep.sums_of_path_lengths(registers, swept, finish);
        }
        self.walk(walked, walked_into);
    }

    /// How much each feature lengthened (positive) or shortened (negative) the path of a row, averaged
    /// over the trees. **Negative credits drive the anomaly.** They sum to [`Self::path_length`] minus
    /// c(psi), up to rounding. `into` is overwritten.
    ///
    /// # Panics
    /// When `x` or `into` has other than [`Self::n_features`] values.
    pub fn path_credit(&self, x: &[f32], into: &mut [f64]) {
        assert_eq!(x.len(), self.n_features, "values of the row, features of the forest");
        assert_eq!(into.len(), self.n_features, "places for credits, features of the forest");
        into.fill(0.0);
        for_each_depth!(&self.layout, trees => add_credits(trees, &widen(x), into));
        let n_trees = self.trees.len() as f64;
        into.iter_mut().for_each(|credit| *credit /= n_trees);
    }

    /// The exact, path-dependent SHAP values of a row's path length (Lundberg, Erion, Lee, arXiv 1802.03888),
    /// averaged over the trees, with the sign of [`Self::path_credit`]: **negative values drive the
    /// anomaly.** They sum to [`Self::path_length`] minus what is expected of the rows that the trees were grown from,
    /// up to rounding; a feature that no tree splits by has 0. About a hundred times as dear as a score.
    /// `into` is overwritten.
    ///
    /// # Panics
    /// When `x` or `into` has other than [`Self::n_features`] values.
    pub fn shap_values(&self, x: &[f32], into: &mut [f64]) {
        assert_eq!(x.len(), self.n_features, "values of the row, features of the forest");
        assert_eq!(into.len(), self.n_features, "places for values, features of the forest");
        into.fill(0.0);
        for_each_depth!(&self.layout, laid_out => add_shap_values(&self.trees, laid_out, x, into));
        let n_trees = self.trees.len() as f64;
        into.iter_mut().for_each(|value| *value /= n_trees);
    }

    /// One of the two above.
    ///
    /// # Panics
    /// When `x` or `into` has other than [`Self::n_features`] values.
    pub fn attribute(&self, attribution: Attribution, x: &[f32], into: &mut [f64]) {
        match attribution {
            Attribution::PathCredit => self.path_credit(x, into),
            Attribution::Shap => self.shap_values(x, into),
        }
    }

    /// How much each feature's splits matter to the rows that the trees were grown from: the change of the
    /// expected path length at a split, without its sign, averaged over rows and trees, as shares that
    /// sum to 1 (all 0 when nothing is split).
    #[must_use]
    pub fn importance(&self) -> Vec<f64> {
        let mut shares = vec![0.0; self.n_features];
        for_each_depth!(&self.layout, laid_out => add_importance(&self.trees, laid_out, &mut shares));
        let total: f64 = shares.iter().sum();
        if total > 0.0 {
            shares.iter_mut().for_each(|share| *share /= total);
        }
        shares
    }

    fn walk(&self, rows: ArrayView2<'_, f32>, into: &mut [f64]) {
        if rows.nrows() < SMALL_BATCH {
            for (row, score) in rows.outer_iter().zip(into) {
                *score = match row.as_slice() {
                    Some(x) => self.raw_score(x),
                    None => self.raw_score(&row.to_vec()),
                };
            }
            return;
        }
        let n_trees = self.trees.len() as f64;
        let finish = |row: usize, sum: f64| into[row] = self.score_of(sum / n_trees);
        for_each_depth!(&self.layout, trees => sums_of_path_lengths(trees, rows, finish));
    }

    fn score_of(&self, path_length: f64) -> f64 {
        if self.unit == 0.0 { 0.5 } else { (-path_length / self.unit).exp2() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::iforest::Node;

    /// Of 4 rows, one is above 0.5 in feature 0; of the other three one is above 2 in feature 1.
    fn hand_worked() -> Forest {
        let tree = Tree::new(vec![
            Node::Split { feature: 0, threshold: 0.5, right: 4 },
            Node::Split { feature: 1, threshold: 2.0, right: 3 },
            Node::Leaf { count: 2 },
            Node::Leaf { count: 1 },
            Node::Leaf { count: 1 },
        ]);
        Forest::from_trees(vec![tree], 2, 4).unwrap()
    }

    /// Depths 1, 2, 2 plus c(1) = 0, c(1) = 0, c(2) = 1; c(4) = 13/6.
    #[test]
    fn path_lengths_and_scores_by_hand() {
        let forest = hand_worked();
        for (x, length) in [([0.6, 0.0], 1.0), ([0.5, 2.1], 2.0), ([0.5, 2.0], 3.0)] {
            assert_eq!(forest.path_length(&x), length);
            let expected = 2.0_f64.powf(-length * 6.0 / 13.0);
            assert!((forest.raw_score(&x) - expected).abs() < 1e-15);
        }
    }

    /// Expected: 13/6 at the root, 1 + c(3) = 8/3 at the inner node; then 1, 2 and 3 at the ends.
    #[test]
    fn credits_by_hand() {
        let forest = hand_worked();
        for (x, credits) in [
            ([0.6, 0.0], [1.0 - 13.0 / 6.0, 0.0]),
            ([0.5, 2.1], [0.5, 2.0 - 8.0 / 3.0]),
            ([0.5, 2.0], [0.5, 3.0 - 8.0 / 3.0]),
        ] {
            let mut into = [9.0; 2];
            forest.path_credit(&x, &mut into);
            assert!(into.iter().zip(credits).all(|(a, b)| (a - b).abs() < 1e-14), "{into:?} {credits:?}");
        }
    }

    /// The first split changes 13/6 to 8/3 for three rows and to 1 for one: 3/2 + 7/6 = 8/3. The second
    /// changes 8/3 to 3 for two rows and to 2 for one: 4/3.
    #[test]
    fn importance_by_hand() {
        let shares = hand_worked().importance();
        assert!((shares[0] - 2.0 / 3.0).abs() < 1e-14 && (shares[1] - 1.0 / 3.0).abs() < 1e-14);
    }

    /// By hand for [0.6, 0]: with nothing known 9/4 is expected (lengths 1, 3, 2 of 1, 2, 1 rows), with the
    /// first feature known 1, with the second known (1 + 3 * 3) / 4 = 10/4, with both 1. So the first
    /// has the mean of 1 - 9/4 and 1 - 10/4, the second that of 10/4 - 9/4 and 0. For [0.5, 2.1]: 9/4; 8/3; 7/4; 2.
    #[test]
    fn shap_values_by_hand() {
        let forest = hand_worked();
        for (x, values) in [([0.6, 0.0], [-11.0 / 8.0, 1.0 / 8.0]), ([0.5, 2.1], [1.0 / 3.0, -7.0 / 12.0])] {
            let mut into = [9.0; 2];
            forest.shap_values(&x, &mut into);
            assert!(into.iter().zip(values).all(|(a, b)| (a - b).abs() < 1e-14), "{into:?} {values:?}");
        }
    }

    /// NaN is not above any threshold, infinities are on their side of it.
    #[test]
    fn values_that_are_not_finite_have_a_side() {
        let forest = hand_worked();
        assert_eq!(forest.path_length(&[f32::NAN, f32::NAN]), 3.0);
        assert_eq!(forest.path_length(&[f32::INFINITY, 0.0]), 1.0);
        assert_eq!(forest.path_length(&[f32::NEG_INFINITY, f32::INFINITY]), 2.0);
    }

    #[test]
    fn a_forest_of_single_rows_has_no_opinion() {
        let forest = Forest::from_trees(vec![Tree::new(vec![Node::Leaf { count: 1 }])], 1, 1).unwrap();
        assert_eq!(forest.raw_score(&[5.0]), 0.5);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let leaf = || vec![Tree::new(vec![Node::Leaf { count: 1 }])];
        let refused = |trees, features, rows| Forest::from_trees(trees, features, rows).unwrap_err();
        assert_eq!(refused(vec![], 1, 1), InvalidForest::Trees { given: 0 });
        assert_eq!(refused(leaf(), 0, 1), InvalidForest::Features { given: 0 });
        assert_eq!(refused(leaf(), 257, 1), InvalidForest::Features { given: 257 });
        assert_eq!(refused(leaf(), 1, 4097), InvalidForest::SubsampleSize { given: 4097 });
        assert_eq!(
            refused(leaf(), 1, 2),
            InvalidForest::Tree { tree: 0, source: InvalidTree::Count { given: 1, expected: 2 } }
        );
    }
}
