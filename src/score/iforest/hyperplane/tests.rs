//! Trees of hyperplanes worked by hand, and beside plain trees.

use super::*;
use crate::score::iforest::{Forest, Hyperparams, InvalidForest, Scoring, Splits, average_path_length};
use ndarray::{Array2, array};
use proptest::prelude::*;

fn split(terms: &[(u16, f32, f32)], [low, threshold, high]: [f64; 3], right: u32) -> HyperplaneNode {
    let term = |&(feature, center, coefficient): &(u16, f32, f32)| Term { feature, center, coefficient };
    let hyperplane = Hyperplane { terms: terms.iter().map(term).collect(), threshold, low, high };
    HyperplaneNode::Split { hyperplane, right }
}

fn leaf(count: u32) -> HyperplaneNode {
    HyperplaneNode::Leaf { count }
}

fn forest(nodes: Vec<HyperplaneNode>, rows: usize, scoring: Scoring) -> Result<Forest, InvalidForest> {
    Forest::from_hyperplane_trees(vec![HyperplaneTree::new(nodes)], 2, rows, scoring)
}

/// Of 4 rows, one is beyond (a - 1) + (b - 2) / 2 = 1.
fn diagonal(scoring: Scoring) -> Forest {
    let terms = [(0, 1.0, 1.0), (1, 2.0, 0.5)];
    forest(vec![split(&terms, [-2.0, 1.0, 2.0], 2), leaf(3), leaf(1)], 4, scoring).unwrap()
}

/// Depth 1 plus c(3) = 5/3 or c(1) = 0.
#[test]
fn a_hyperplane_parts_by_the_sum_of_its_terms() {
    let forest = diagonal(Scoring::Depth);
    for (x, length) in
        [([2.0, 2.0], 8.0 / 3.0), ([2.0, 2.1], 1.0), ([-9.0, 30.0], 1.0), ([0.0, 0.0], 8.0 / 3.0)]
    {
        assert!((forest.path_length(&x) - length).abs() < 1e-15, "{x:?}");
    }
}

/// NaN goes left, so does infinity less infinity; other infinities go to their side.
#[test]
fn values_that_are_not_finite_have_a_side() {
    let forest = diagonal(Scoring::PenalizedDepth);
    let infinity = f32::INFINITY;
    let left = 1.0 + average_path_length(3);
    for (x, length) in [
        ([f32::NAN, 9.0], left),
        ([9.0, f32::NAN], left),
        ([infinity, -infinity], left),
        ([infinity, 0.0], 0.0),
        ([0.0, -infinity], left - 1.0),
    ] {
        assert!((forest.path_length(&x) - length).abs() < 1e-15, "{x:?}");
        let mut credits = [9.0; 2];
        forest.path_credit(&x, &mut credits);
        assert!(
            (credits.iter().sum::<f64>() - (length - average_path_length(4))).abs() < 1e-14,
            "{credits:?}"
        );
    }
}

/// The training rows are 4 apart: at 5 and at -3 the split still counts, beyond it does not.
#[test]
fn out_of_range_a_split_counts_nothing() {
    let forest = diagonal(Scoring::PenalizedDepth);
    for (projection, length) in [(5.0, 1.0), (5.1, 0.0), (-3.0, 8.0 / 3.0), (-3.1, 5.0 / 3.0)] {
        assert!((forest.path_length(&[1.0 + projection, 2.0]) - length).abs() < 1e-6, "{projection}");
    }
}

/// Of 8 rows within 0 to 10, six lie below 8; of these one below 2, where the six lie within 0 to 4. The densities: 2/8 of the
/// rows in 2/10 of the volume; 1/8 in 8/10 times 1/2; 5/8 in the same.
#[test]
fn densities_by_hand() {
    let a = [(0, 0.0, 1.0)];
    let nodes =
        vec![split(&a, [0.0, 8.0, 10.0], 4), split(&a, [0.0, 2.0, 4.0], 3), leaf(1), leaf(5), leaf(2)];
    let forest = forest(nodes, 8, Scoring::Density).unwrap();
    for (x, density) in [(9.0, 1.25_f64), (1.0, 0.3125), (3.0, 1.5625)] {
        assert!((forest.raw_score(&[x, 0.0]) + density.ln()).abs() < 1e-14, "{x}");
        let mut credits = [9.0; 2];
        forest.path_credit(&[x, 0.0], &mut credits);
        assert!((credits[0] - density.ln()).abs() < 1e-14 && credits[1] == 0.0);
    }
}

/// Projection 3 = 2 + 1, 2 beyond the threshold: the first feature brought 2 of a way of 1/2, the second 1 of 1/2. They
/// share 1 - c(4) = -7/6 as 3 to 1. With 5 - 1 the second held the row back.
#[test]
fn a_credit_is_shared_by_what_moved_the_row_past() {
    let forest = diagonal(Scoring::Depth);
    for (x, shares) in [([3.0, 4.0], [0.75, 0.25]), ([6.0, 0.0], [1.0, 0.0]), ([f32::NAN, 4.0], [1.0, 0.0])] {
        let mut credits = [9.0; 2];
        forest.path_credit(&x, &mut credits);
        let change = forest.path_length(&x) - average_path_length(4);
        for (credit, share) in credits.iter().zip(shares) {
            assert!((credit - change * share).abs() < 1e-14, "{x:?}: {credits:?}");
        }
    }
}

#[test]
fn damaged_hyperplanes_are_refused_with_the_place() {
    let a = (0, 0.0, 1.0);
    let refused = |split: HyperplaneNode| {
        let Err(InvalidForest::Tree { tree: 0, source }) =
            forest(vec![split, leaf(1), leaf(2)], 3, Scoring::Depth)
        else {
            panic!("accepted");
        };
        source
    };
    assert_eq!(refused(split(&[], [0.0, 1.0, 2.0], 2)), InvalidTree::NoTerms { node: 0 });
    assert_eq!(
        refused(split(&[a, (2, 0.0, 1.0)], [0.0, 1.0, 2.0], 2)),
        InvalidTree::Feature { node: 0, feature: 2, n_features: 2 }
    );
    let endless = split(&[(0, f32::INFINITY, 1.0)], [0.0, 1.0, 2.0], 2);
    assert_eq!(refused(endless), InvalidTree::Term { node: 0, center: f32::INFINITY, coefficient: 1.0 });
    for range in [[0.0, 2.0, 2.0], [1.0, 0.0, 2.0], [0.0, 1.0, f64::INFINITY], [0.0, f64::NAN, 2.0]] {
        assert!(matches!(refused(split(&[a], range, 2)), InvalidTree::Range { node: 0, .. }), "{range:?}");
    }
    assert!(matches!(refused(split(&[a], [0.0, 1.0, 2.0], 1)), InvalidTree::Order { .. }));
}

fn params(splits: Splits, scoring: Scoring, seed: u64) -> Hyperparams {
    Hyperparams { n_trees: 8, subsample_size: 64, seed, splits, scoring }
}

fn fit(rows: &Array2<f32>, params: Hyperparams) -> Forest {
    params.check().unwrap().fit(rows.view()).unwrap()
}

/// 0, 2, 10 in the only feature that varies: the best cut is behind 2 (worked out in `gain`), at the middle, 6.
#[test]
fn a_guided_split_by_hand() {
    let rows = array![[1.0, 0.0], [1.0, 2.0], [1.0, 10.0]];
    let forest = fit(&rows, params(Splits::Guided { features: 1, candidates: 2 }, Scoring::Depth, 3));
    for tree in forest.trees() {
        assert!(
            matches!(tree.nodes()[0], Node::Split { feature: 1, threshold: 6.0, .. }),
            "{:?}",
            tree.nodes()
        );
    }
}

fn some_rows() -> impl Strategy<Value = Array2<f32>> {
    (1_usize..90, 1_usize..6).prop_flat_map(|(n, d)| {
        prop::collection::vec(-9_i16..9, n * d).prop_map(move |values| {
            let values = values.into_iter().map(|value| f32::from(value) / 4.0).collect();
            Array2::from_shape_vec((n, d), values).unwrap()
        })
    })
}

fn some_splits() -> impl Strategy<Value = Splits> {
    prop_oneof![
        Just(Splits::Plain),
        (1_usize..7).prop_map(|features| Splits::Extended { features }),
        (1_usize..4, 1_usize..5).prop_map(|(features, candidates)| Splits::Guided { features, candidates }),
    ]
}

proptest! {
    /// For all rows and seeds, plain splits make the same trees however they are scored: grown as hyperplanes of one
    /// feature each, with coefficient 1, and as plain trees.
    #[test]
    fn scoring_changes_no_plain_tree(rows in some_rows(), seed: u64) {
        let plain = fit(&rows, params(Splits::Plain, Scoring::Depth, seed));
        for scoring in [Scoring::PenalizedDepth, Scoring::Density] {
            let other = fit(&rows, params(Splits::Plain, scoring, seed));
            let trees: Vec<Tree> =
                other.hyperplane_trees().iter().map(|tree| tree.to_axis_parallel().unwrap()).collect();
            prop_assert_eq!(trees.as_slice(), plain.trees());
        }
    }

    /// For all rows, hyperplanes of one feature each with coefficient 1 give the path lengths, credits and importance
    /// of the plain forest of the same trees, and scores to the last bit.
    #[test]
    fn hyperplanes_of_one_feature_equal_a_plain_forest(rows in some_rows(), x in some_rows(), seed: u64) {
        let plain = fit(&rows, params(Splits::Plain, Scoring::Depth, seed));
        let d = plain.n_features();
        let same = fit(&rows, params(Splits::Plain, Scoring::PenalizedDepth, seed));
        let same = Forest::from_hyperplane_trees(
            same.hyperplane_trees().to_vec(), d, plain.subsample_size(), Scoring::Depth,
        ).unwrap();
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        prop_assert!(close(&plain.importance(), &same.importance()));
        for row in x.outer_iter() {
            let x: Vec<f32> = row.iter().copied().cycle().take(d).collect();
            prop_assert_eq!(plain.raw_score(&x).to_bits(), same.raw_score(&x).to_bits());
            let (mut a, mut b) = (vec![0.0; d], vec![0.0; d]);
            plain.path_credit(&x, &mut a);
            same.path_credit(&x, &mut b);
            prop_assert!(close(&a, &b), "{:?} {:?}", a, b);
        }
    }

    /// For all rows and settings, trees keep the invariant, the same seed gives the same trees, a batch has the scores of its rows,
    /// and credits sum to the path length less what is expected at the root.
    #[test]
    fn forests_of_all_kinds_keep_the_promises_of_plain_ones(
        rows in some_rows(), splits in some_splits(), scoring in prop::sample::select(Scoring::ALL.to_vec()), seed: u64,
    ) {
        prop_assume!(scoring != Scoring::Density || splits.features() == 1);
        let forest = fit(&rows, params(splits, scoring, seed));
        let size = forest.subsample_size();
        for tree in forest.hyperplane_trees() {
            prop_assert_eq!(tree.check(rows.ncols(), size..=size), Ok(()));
        }
        let again = fit(&rows, params(splits, scoring, seed));
        prop_assert_eq!(forest.hyperplane_trees(), again.hyperplane_trees());
        let mut batch = vec![0.0; rows.nrows()];
        forest.raw_scores(rows.view(), &mut batch);
        let root = if scoring == Scoring::Density { 0.0 } else { average_path_length(size) };
        for (row, score) in rows.outer_iter().zip(batch) {
            let x = row.to_vec();
            prop_assert_eq!(score.to_bits(), forest.raw_score(&x).to_bits());
            prop_assert!(scoring == Scoring::Density || (0.0..=1.0).contains(&score));
            let mut credits = vec![0.0; x.len()];
            forest.path_credit(&x, &mut credits);
            prop_assert!((credits.iter().sum::<f64>() - (forest.path_length(&x) - root)).abs() < 1e-10);
        }
    }

    /// For all rows, hyperplanes do not care for a feature's unit: multiplied by a power of two, it gets a part of it
    /// in its coefficients and every row goes where it went.
    #[test]
    fn units_change_no_side(rows in some_rows(), features in 2_usize..4, guided: bool, seed: u64) {
        let splits = if guided { Splits::Guided { features, candidates: 3 } } else { Splits::Extended { features } };
        let mut scaled = rows.clone();
        scaled.column_mut(0).mapv_inplace(|value| value * 1_024.0);
        let forests = [&rows, &scaled].map(|rows| fit(rows, params(splits, Scoring::Depth, seed)));
        for (row, scaled) in rows.outer_iter().zip(scaled.outer_iter()) {
            let lengths = [forests[0].path_length(&row.to_vec()), forests[1].path_length(&scaled.to_vec())];
            prop_assert_eq!(lengths[0].to_bits(), lengths[1].to_bits());
        }
    }
}
