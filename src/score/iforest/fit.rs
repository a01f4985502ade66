//! Growing a forest.

use ndarray::ArrayView2;

use super::{
    CheckedHyperparams, Forest, HarmonicNumbers, HyperplaneTree, MAX_FEATURES, Node, Scoring, Splits, Tree,
    hyperplane,
    random::TreeRandom,
    sample::{Sample, threshold_between},
};

/// Why rows cannot be fitted.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum FitError {
    /// There is no row.
    #[error("no rows to fit")]
    NoRows,
    /// There is no feature, or there are too many.
    #[error("{given} features, must be within 1 to {MAX_FEATURES}")]
    Features {
        /// Number of features.
        given: usize,
    },
    /// A value is NaN or infinite.
    #[error("row {row}, feature {feature}: the value is {value}")]
    NotFinite {
        /// The row.
        row: usize,
        /// The feature.
        feature: usize,
        /// The value.
        value: f32,
    },
}

// === impl CheckedHyperparams ===

impl CheckedHyperparams {
    /// Grows a forest from `rows` (row x feature, scaled).
    ///
    /// A tree sees `min(subsample_size, rows)` distinct rows and is at most `ceil(log2)` of that deep, as
    /// in Liu et al. 2008, algorithms 1 and 2. The same rows and settings give the same forest.
    ///
    /// # Errors
    /// No rows, no or too many features, or a value that is not finite.
    pub fn fit(&self, rows: ArrayView2<'_, f32>) -> Result<Forest, FitError> {
        check(rows)?;
        let params = self.get();
        let size = params.subsample_size.min(rows.nrows());
        let samples = (0..params.n_trees).map(|tree| {
            let mut random = TreeRandom::new(params.seed, tree);
            let sample = random.sample(rows.nrows(), size);
            (sample, random)
        });
        let forest_of = |trees| Forest::new_unchecked(trees, rows.ncols(), size, HarmonicNumbers::Exact);
        if (params.splits, params.scoring) == (Splits::Plain, Scoring::Depth) {
            let grow = |(sample, random): (Vec<usize>, _)| Growth::new(rows, &sample, random).grow();
            return Ok(forest_of(samples.map(grow).collect()));
        }
        let grow =
            |(sample, random): (Vec<usize>, _)| hyperplane::fit::grow(rows, &sample, random, params.splits);
        let trees: Vec<HyperplaneTree> = samples.map(grow).collect();
        // Guided splits by one feature are as good as plain ones to whatever scores and explains.
        if params.scoring == Scoring::Depth
            && let Some(trees) = trees.iter().map(HyperplaneTree::to_axis_parallel).collect()
        {
            return Ok(forest_of(trees));
        }
        Ok(Forest::of_hyperplanes(trees, rows.ncols(), size, params.scoring))
    }
}

fn check(rows: ArrayView2<'_, f32>) -> Result<(), FitError> {
    if rows.nrows() == 0 {
        return Err(FitError::NoRows);
    }
    if !(1..=MAX_FEATURES).contains(&rows.ncols()) {
        return Err(FitError::Features { given: rows.ncols() });
    }
    for (row, values) in rows.outer_iter().enumerate() {
        // Without an early exit the sum of this row's tests is taken several values at a time.
        if values.iter().fold(true, |finite, value| finite & value.is_finite()) {
            continue;
        }
        for (feature, &value) in values.iter().enumerate() {
            if !value.is_finite() {
                return Err(FitError::NotFinite { row, feature, value });
            }
        }
    }
    Ok(())
}

/// One tree while it grows.
struct Growth {
    random: TreeRandom,
    sample: Sample,
    height_limit: u32,
    /// Rows of the sample; a branch owns a part of it and reorders that.
    rows: Vec<u32>,
    /// The features that may still vary, first; a branch knows how many. What is constant in a
    /// branch is constant below it, so it moves behind that number for all of the branch.
    candidates: Vec<u16>,
    nodes: Vec<Node>,
}

/// Where to split a branch.
struct Split {
    feature: u16,
    threshold: f32,
}

// === impl Growth ===

impl Growth {
    fn new(rows: ArrayView2<'_, f32>, sample: &[usize], random: TreeRandom) -> Self {
        let size = sample.len();
        Self {
            random,
            sample: Sample::new(rows, sample),
            height_limit: size.next_power_of_two().ilog2(),
            rows: (0..size as u32).collect(),
            candidates: (0..rows.ncols() as u16).collect(),
            nodes: Vec::with_capacity(size),
        }
    }

    fn grow(mut self) -> Tree {
        self.grow_branch(0, self.rows.len(), 0, self.candidates.len());
        Tree::new(self.nodes)
    }

    /// Grows the branch of `rows[start..end]`; `varying` features may still vary in it. The recursion
    /// is as deep as the tree.
    fn grow_branch(&mut self, start: usize, end: usize, depth: u32, mut varying: usize) {
        let count = (end - start) as u32;
        let split = if depth >= self.height_limit || count <= 1 {
            None
        } else {
            self.choose_split(start, end, &mut varying)
        };
        let Some(Split { feature, threshold }) = split else {
            self.nodes.push(Node::Leaf { count });
            return;
        };
        let node = self.nodes.len();
        self.nodes.push(Node::Split { feature, threshold, right: 0 });
        let middle = self.partition(start, end, feature, threshold);
        self.grow_branch(start, middle, depth + 1, varying);
        let right = self.nodes.len() as u32;
        self.nodes[node] = Node::Split { feature, threshold, right };
        self.grow_branch(middle, end, depth + 1, varying);
    }

    /// A feature drawn uniformly among those that vary in the branch, and a threshold drawn uniformly
    /// between its smallest and largest value; none when all rows are equal.
    ///
    /// Drawing among the candidates and drawing again when the drawn one turns out constant is
    /// uniform over those that vary, and rarely looks at more than one column.
    fn choose_split(&mut self, start: usize, end: usize, varying: &mut usize) -> Option<Split> {
        while *varying > 0 {
            let drawn = self.random.below(*varying);
            let feature = self.candidates[drawn];
            let (min, max) = self.sample.range(&self.rows[start..end], feature);
            if min < max {
                let threshold = threshold_between(min, max, self.random.fraction());
                return Some(Split { feature, threshold });
            }
            *varying -= 1;
            self.candidates.swap(drawn, *varying);
        }
        None
    }

    /// Brings the rows of a branch that stay left to its front; gives the first that goes right.
    fn partition(&mut self, start: usize, end: usize, feature: u16, threshold: f32) -> usize {
        let column = self.sample.column(feature);
        let mut middle = start;
        for at in start..end {
            if column[self.rows[at] as usize] <= threshold {
                self.rows.swap(at, middle);
                middle += 1;
            }
        }
        middle
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::iforest::Hyperparams;
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    fn fit(rows: &Array2<f32>, n_trees: usize, subsample_size: usize) -> Result<Forest, FitError> {
        Hyperparams { n_trees, subsample_size, seed: 7, ..Hyperparams::default() }
            .check()
            .unwrap()
            .fit(rows.view())
    }

    #[test]
    fn rows_that_cannot_be_fitted_are_refused_with_the_place() {
        assert_eq!(fit(&Array2::zeros((0, 3)), 1, 2).unwrap_err(), FitError::NoRows);
        assert_eq!(fit(&Array2::zeros((3, 0)), 1, 2).unwrap_err(), FitError::Features { given: 0 });
        assert_eq!(fit(&Array2::zeros((3, 257)), 1, 2).unwrap_err(), FitError::Features { given: 257 });
        let infinite = fit(&array![[0.0, 1.0], [2.0, f32::INFINITY]], 1, 2).unwrap_err();
        assert_eq!(infinite, FitError::NotFinite { row: 1, feature: 1, value: f32::INFINITY });
    }

    #[test]
    fn equal_rows_are_never_split() {
        let forest = fit(&Array2::from_elem((50, 3), 1.5), 5, 32).unwrap();
        assert!(forest.trees().iter().all(|tree| tree.nodes() == [Node::Leaf { count: 32 }]));
    }

    #[test]
    fn two_rows_are_always_parted_by_the_feature_that_varies() {
        let forest = fit(&array![[3.0, 1.0], [3.0, 2.0]], 20, 256).unwrap();
        for tree in forest.trees() {
            let [Node::Split { feature: 1, threshold, right: 2 }, left, right] = tree.nodes() else {
                panic!("{tree:?}");
            };
            assert!((1.0..2.0).contains(threshold));
            assert_eq!([left, right], [&Node::Leaf { count: 1 }; 2]);
        }
    }

    proptest! {
        /// For all rows, every tree keeps the invariant: sorted nodes, all sampled rows in its leaves, no
        /// empty leaf, and no deeper than ceil(log2 psi).
        #[test]
        fn trees_keep_their_invariant(
            rows in (1_usize..80, 1_usize..5).prop_flat_map(|(n, d)| {
                prop::collection::vec(-3_i8..3, n * d).prop_map(move |v| (n, d, v))
            }),
            subsample_size in 2_usize..64,
        ) {
            let (n, d, values) = rows;
            let values = values.into_iter().map(f32::from).collect();
            let rows = Array2::from_shape_vec((n, d), values).unwrap();
            let forest = fit(&rows, 3, subsample_size).unwrap();
            let size = subsample_size.min(n);
            for tree in forest.trees() {
                prop_assert_eq!(tree.check(d, size..=size), Ok(()));
                prop_assert!(depth(tree.nodes(), 0) <= (size as f64).log2().ceil() as u32);
            }
        }
    }

    fn depth(nodes: &[Node], at: usize) -> u32 {
        match nodes[at] {
            Node::Leaf { .. } => 0,
            Node::Split { right, .. } => 1 + depth(nodes, at + 1).max(depth(nodes, right as usize)),
        }
    }
}
