//! The fitted forest.

use ndarray::{ArrayView2, Axis};

use super::{
    HarmonicNumbers, HyperplaneTree, InvalidTree, MAX_FEATURES, MAX_SUBSAMPLE_SIZE, MAX_TREES, Node, Scoring,
    Tree,
    hyperplane::engine::HyperplaneTrees,
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
    /// Invariant: 1 to [`MAX_FEATURES`].
    n_features: usize,
    /// Rows each tree was grown from. Invariant: 1 to [`MAX_SUBSAMPLE_SIZE`].
    subsample_size: usize,
    /// Of what kind c(n) is.
    harmonic_numbers: HarmonicNumbers,
    /// c(psi), which a path length is measured by. Too dear to be worked out for each row.
    unit: f64,
    engine: Engine,
}

/// What scores.
#[derive(Clone, Debug)]
enum Engine {
    /// One feature a split, scored by depth.
    Plain(PlainTrees),
    /// Everything else.
    Hyperplanes(HyperplaneTrees),
}

/// Trees in the forms in which they are scored.
#[derive(Clone, Debug)]
struct PlainTrees {
    /// Invariant: each passed [`Tree::check`]; at least one.
    trees: Vec<Tree>,
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
        check_sizes(trees.len(), n_features, subsample_size)?;
        let rows = match harmonic_numbers {
            HarmonicNumbers::Exact => subsample_size..=subsample_size,
            HarmonicNumbers::Approximate => 1..=subsample_size,
        };
        for (tree, nodes) in trees.iter().enumerate() {
            nodes.check(n_features, rows.clone()).map_err(|source| InvalidForest::Tree { tree, source })?;
        }
        Ok(Self::new_unchecked(trees, n_features, subsample_size, harmonic_numbers))
    }

    /// A forest from trees of hyperplanes, as read from a file.
    ///
    /// # Errors
    /// When a number is out of its range or a tree is damaged.
    pub fn from_hyperplane_trees(
        trees: Vec<HyperplaneTree>,
        n_features: usize,
        subsample_size: usize,
        scoring: Scoring,
    ) -> Result<Self, InvalidForest> {
        check_sizes(trees.len(), n_features, subsample_size)?;
        for (tree, nodes) in trees.iter().enumerate() {
            nodes
                .check(n_features, subsample_size..=subsample_size)
                .map_err(|source| InvalidForest::Tree { tree, source })?;
        }
        Ok(Self::of_hyperplanes(trees, n_features, subsample_size, scoring))
    }

    /// A forest from trees of hyperplanes that keep the invariants.
    pub(super) fn of_hyperplanes(
        trees: Vec<HyperplaneTree>,
        n_features: usize,
        subsample_size: usize,
        scoring: Scoring,
    ) -> Self {
        let harmonic_numbers = HarmonicNumbers::Exact;
        let yardstick = yardstick(harmonic_numbers, subsample_size);
        let unit = yardstick[subsample_size];
        let engine = Engine::Hyperplanes(HyperplaneTrees::new(trees, scoring, &yardstick));
        Self { n_features, subsample_size, harmonic_numbers, unit, engine }
    }

    /// A forest from trees that keep the invariants.
    pub(super) fn new_unchecked(
        trees: Vec<Tree>,
        n_features: usize,
        subsample_size: usize,
        harmonic_numbers: HarmonicNumbers,
    ) -> Self {
        let yardstick = yardstick(harmonic_numbers, subsample_size);
        let layout = Layout::new(&trees, &yardstick);
        let path_length = |depth: u32, rows: u32| f64::from(depth) + yardstick[rows as usize];
        let sweep = Sweep::new(&trees, n_features, &path_length);
        let unit = yardstick[subsample_size];
        let engine = Engine::Plain(PlainTrees { trees, layout, sweep });
        Self { n_features, subsample_size, harmonic_numbers, unit, engine }
    }

    /// The trees of a plain forest in compact form; of any other none.
    #[must_use]
    pub fn trees(&self) -> &[Tree] {
        match &self.engine {
            Engine::Plain(plain) => &plain.trees,
            Engine::Hyperplanes(_) => &[],
        }
    }

    /// The trees of a forest that is not plain; of a plain one none.
    #[must_use]
    pub fn hyperplane_trees(&self) -> &[HyperplaneTree] {
        match &self.engine {
            Engine::Plain(_) => &[],
            Engine::Hyperplanes(hyperplanes) => hyperplanes.trees(),
        }
    }

    /// Whether its splits are by one feature each and its score is the depth, so that [`Self::trees`] says all of it.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        matches!(self.engine, Engine::Plain(_))
    }

    /// What a path says of a row.
    #[must_use]
    pub fn scoring(&self) -> Scoring {
        match &self.engine {
            Engine::Plain(_) => Scoring::Depth,
            Engine::Hyperplanes(hyperplanes) => hyperplanes.scoring(),
        }
    }

    /// Number of trees.
    #[must_use]
    pub fn n_trees(&self) -> usize {
        self.trees().len() + self.hyperplane_trees().len()
    }

    /// Nodes of all trees, leaves among them.
    #[must_use]
    pub fn n_nodes(&self) -> usize {
        let plain = self.trees().iter().map(|tree| tree.nodes().len());
        plain.chain(self.hyperplane_trees().iter().map(|tree| tree.nodes().len())).sum()
    }

    /// For each feature where the forest splits it; a hyperplane of several features does so where the feature crosses it
    /// while the others are as at the middle of the branch.
    #[must_use]
    pub fn thresholds(&self) -> Vec<Vec<f32>> {
        let mut thresholds = vec![Vec::new(); self.n_features];
        for node in self.trees().iter().flat_map(Tree::nodes) {
            if let Node::Split { feature, threshold, .. } = node {
                thresholds[usize::from(*feature)].push(*threshold);
            }
        }
        for (feature, threshold) in self.hyperplane_trees().iter().flat_map(HyperplaneTree::crossings) {
            thresholds[usize::from(feature)].push(threshold);
        }
        thresholds
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

    /// The path length of a row, averaged over the trees: "E(h(x))" in Liu et al. 2008. Scored by density, the
    /// mean logarithm of the density at the path's end stands in its place here and in all that follows.
    ///
    /// # Panics
    /// When `x` has other than [`Self::n_features`] values.
    #[must_use]
    pub fn path_length(&self, x: &[f32]) -> f64 {
        assert_eq!(x.len(), self.n_features, "values of the row, features of the forest");
        let sum = match &self.engine {
            Engine::Plain(PlainTrees { layout, .. }) => {
                for_each_depth!(layout, trees => sum_of_path_lengths(trees, &widen(x)))
            }
            Engine::Hyperplanes(hyperplanes) => hyperplanes.sum(x),
        };
        sum / self.n_trees() as f64
    }

    /// The score of a row, "s(x, psi)" in Liu et al. 2008, equation 2: `2^(-path_length / c(psi))`, near 1
    /// for what stands apart, 0.5 for what has the average path. A forest of trees of one row has no
    /// opinion: always 0.5. Scored by density it is the mean logarithm of the density, with its sign changed:
    /// 0 where rows lie as densely as on average.
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
        let (BatchMethod::Sweep(registers), Engine::Plain(PlainTrees { sweep: Some(sweep), .. })) =
            (method, &self.engine)
        else {
            return self.walk(rows, into);
        };
        let rest = rows.nrows() % SMALL_ROWS;
        let swept = if rest < LARGE_BATCH { rows.nrows() - rest } else { rows.nrows() };
        let (swept, walked) = rows.split_at(Axis(0), swept);
        let (swept_into, walked_into) = into.split_at_mut(swept.nrows());
        if swept.nrows() > 0 {
            let n_trees = self.n_trees() as f64;
            let finish = |row: usize, sum: f64| swept_into[row] = self.score_of(sum / n_trees);
            sweep.sums_of_path_lengths(registers, swept, finish);
        }
        self.walk(walked, walked_into);
    }

    /// How much each feature lengthened (positive) or shortened (negative) the path of a row, averaged
    /// over the trees. **Negative credits drive the anomaly.** They sum to [`Self::path_length`] minus
    /// c(psi) (by density: minus 0), up to rounding. A split by several features shares its credit among those that
    /// moved the row past it. `into` is overwritten.
    ///
    /// # Panics
    /// When `x` or `into` has other than [`Self::n_features`] values.
    pub fn path_credit(&self, x: &[f32], into: &mut [f64]) {
        assert_eq!(x.len(), self.n_features, "values of the row, features of the forest");
        assert_eq!(into.len(), self.n_features, "places for credits, features of the forest");
        into.fill(0.0);
        match &self.engine {
            Engine::Plain(PlainTrees { layout, .. }) => {
                for_each_depth!(layout, trees => add_credits(trees, &widen(x), into));
            }
            Engine::Hyperplanes(hyperplanes) => hyperplanes.add_credits(x, into),
        }
        let n_trees = self.n_trees() as f64;
        into.iter_mut().for_each(|credit| *credit /= n_trees);
    }

    /// The exact, path-dependent SHAP values of a row's path length (Lundberg, Erion, Lee, arXiv 1802.03888),
    /// averaged over the trees, with the sign of [`Self::path_credit`]: **negative values drive the
    /// anomaly.** They sum to [`Self::path_length`] minus what is expected of the rows that the trees were grown from,
    /// up to rounding; a feature that no tree splits by has 0. About a hundred times as dear as a score.
    /// `into` is overwritten.
    ///
    /// Where a split looks at several features there is no such game: a forest that is not plain gives
    /// [`Self::path_credit`] here.
    ///
    /// # Panics
    /// When `x` or `into` has other than [`Self::n_features`] values.
    pub fn shap_values(&self, x: &[f32], into: &mut [f64]) {
        assert_eq!(x.len(), self.n_features, "values of the row, features of the forest");
        assert_eq!(into.len(), self.n_features, "places for values, features of the forest");
        let Engine::Plain(PlainTrees { trees, layout, .. }) = &self.engine else {
            return self.path_credit(x, into);
        };
        into.fill(0.0);
        for_each_depth!(layout, laid_out => add_shap_values(trees, laid_out, x, into));
        let n_trees = trees.len() as f64;
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
    /// sum to 1 (all 0 when nothing is split). A split by several features counts for each of them in equal parts.
    #[must_use]
    pub fn importance(&self) -> Vec<f64> {
        let mut shares = vec![0.0; self.n_features];
        match &self.engine {
            Engine::Plain(PlainTrees { trees, layout, .. }) => {
                for_each_depth!(layout, laid_out => add_importance(trees, laid_out, &mut shares));
            }
            Engine::Hyperplanes(hyperplanes) => hyperplanes.add_importance(&mut shares),
        }
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
        let n_trees = self.n_trees() as f64;
        let finish = |row: usize, sum: f64| into[row] = self.score_of(sum / n_trees);
        match &self.engine {
            Engine::Hyperplanes(hyperplanes) => hyperplanes.sums(rows, finish),
            Engine::Plain(PlainTrees { layout, .. }) => {
                for_each_depth!(layout, trees => sums_of_path_lengths(trees, rows, finish));
            }
        }
    }

    fn score_of(&self, path_length: f64) -> f64 {
        match self.scoring() {
            Scoring::Density => -path_length,
            Scoring::Depth | Scoring::PenalizedDepth if self.unit == 0.0 => 0.5,
            Scoring::Depth | Scoring::PenalizedDepth => (-path_length / self.unit).exp2(),
        }
    }
}

/// c(n) for each n up to the size of a sample.
fn yardstick(harmonic_numbers: HarmonicNumbers, subsample_size: usize) -> Vec<f64> {
    (0..=subsample_size).map(|n| harmonic_numbers.average_path_length(n)).collect()
}

fn check_sizes(n_trees: usize, n_features: usize, subsample_size: usize) -> Result<(), InvalidForest> {
    if !(1..=MAX_TREES).contains(&n_trees) {
        return Err(InvalidForest::Trees { given: n_trees });
    }
    if !(1..=MAX_FEATURES).contains(&n_features) {
        return Err(InvalidForest::Features { given: n_features });
    }
    if !(1..=MAX_SUBSAMPLE_SIZE).contains(&subsample_size) {
        return Err(InvalidForest::SubsampleSize { given: subsample_size });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
