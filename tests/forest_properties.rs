//! What the Isolation Forest promises, on data made from seeds.

#![allow(clippy::unwrap_used, reason = "a test stops by panicking")]

use emberwatch::score::iforest::{BatchMethod, Forest, Hyperparams, Node, Registers, average_path_length};
use ndarray::{Array2, Axis};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;

fn normal_rows(n: usize, d: usize, seed: u64) -> Array2<f32> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    Array2::from_shape_simple_fn((n, d), || random.sample(StandardNormal))
}

fn fit(rows: &Array2<f32>, n_trees: usize, subsample_size: usize, seed: u64) -> Forest {
    Hyperparams { n_trees, subsample_size, seed, ..Hyperparams::default() }
        .check()
        .unwrap()
        .fit(rows.view())
        .unwrap()
}

fn scores(forest: &Forest, rows: &Array2<f32>) -> Vec<f64> {
    let mut scores = vec![0.0; rows.nrows()];
    forest.raw_scores(rows.view(), &mut scores);
    scores
}

/// Every way to score a batch on this processor.
const METHODS: [BatchMethod; 4] = [
    BatchMethod::Walk,
    BatchMethod::Sweep(Registers::Avx512),
    BatchMethod::Sweep(Registers::Avx2),
    BatchMethod::Sweep(Registers::Baseline),
];

fn scores_by(method: BatchMethod, forest: &Forest, rows: &Array2<f32>) -> Vec<f64> {
    let mut scores = vec![0.0; rows.nrows()];
    forest.raw_scores_by(method, rows.view(), &mut scores);
    scores
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn strange_value() -> impl Strategy<Value = f32> {
    let named =
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE];
    prop_oneof![prop::sample::select(named.to_vec()), prop::num::f32::ANY]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// For all batches, trees and depths, scoring a batch by any method equals scoring each row, bit for bit, and
    /// the order of the rows in the batch does not matter.
    #[test]
    fn batch_equals_single_rows(
        n in 0_usize..300, d in 1_usize..40, n_trees in 1_usize..20,
        subsample_size in prop_oneof![2_usize..300, Just(600), Just(1_100), Just(2_100)], seed: u64,
    ) {
        let forest = fit(&normal_rows(1_500, d, seed), n_trees, subsample_size, seed);
        let rows = normal_rows(n, d, seed ^ 1);
        let batch = scores(&forest, &rows);
        let single: Vec<f64> = rows.outer_iter().map(|row| forest.raw_score(row.as_slice().unwrap())).collect();
        prop_assert_eq!(bits(&batch), bits(&single));
        for method in METHODS {
            prop_assert_eq!(bits(&scores_by(method, &forest, &rows)), bits(&single), "{:?}", method);
        }
        let mut reversed = rows;
        reversed.invert_axis(Axis(0));
        let mut backwards = scores(&forest, &reversed);
        backwards.reverse();
        prop_assert_eq!(bits(&batch), bits(&backwards));
    }

    /// The same with values that are not ordinary, or equal to a threshold.
    #[test]
    fn batch_equals_single_rows_for_strange_values(
        d in 1_usize..12, strange in prop::collection::vec((0_usize..150, 0_usize..12, strange_value()), 0..200), seed: u64,
    ) {
        let forest = fit(&normal_rows(1_000, d, seed), 30, 256, seed);
        let mut rows = normal_rows(150, d, seed ^ 1);
        let splits = forest.trees().iter().flat_map(|tree| tree.nodes());
        for (row, node) in rows.outer_iter_mut().zip(splits.step_by(7)) {
            let mut row = row;
            if let Node::Split { feature, threshold, .. } = node {
                row[usize::from(*feature)] = *threshold;
            }
        }
        for (row, column, value) in strange {
            rows[[row, column % d]] = value;
        }
        let single: Vec<f64> = rows.outer_iter().map(|row| forest.raw_score(row.as_slice().unwrap())).collect();
        for method in METHODS {
            prop_assert_eq!(bits(&scores_by(method, &forest, &rows)), bits(&single), "{:?}", method);
        }
    }

    /// For all rows, a path is no longer than the height limit plus what the fullest leaf would add,
    /// a score is within 0 and 1, and walking the compact trees gives the same path length.
    #[test]
    fn path_lengths_are_bounded_and_equal_a_plain_walk(
        d in 1_usize..9, subsample_size in 2_usize..700, seed: u64,
    ) {
        let forest = fit(&normal_rows(700, d, seed), 10, subsample_size, seed);
        let limit = (subsample_size as f64).log2().ceil();
        for row in normal_rows(20, d, seed ^ 1).outer_iter() {
            let x = row.as_slice().unwrap();
            let length = forest.path_length(x);
            prop_assert!(length <= limit + average_path_length(subsample_size));
            prop_assert!((0.0..=1.0).contains(&forest.raw_score(x)));
            prop_assert!((length - plain_walk(&forest, x)).abs() < 1e-12);
        }
    }

    /// For all rows, the credits sum to the path length minus c(psi).
    #[test]
    fn credits_sum_to_the_change_of_path_length(
        d in 1_usize..9, subsample_size in 2_usize..700, seed: u64,
    ) {
        let forest = fit(&normal_rows(700, d, seed), 25, subsample_size, seed);
        let mut credits = vec![0.0; d];
        for row in normal_rows(20, d, seed ^ 1).outer_iter() {
            let x = row.as_slice().unwrap();
            forest.path_credit(x, &mut credits);
            let expected = forest.path_length(x) - average_path_length(subsample_size);
            prop_assert!((credits.iter().sum::<f64>() - expected).abs() < 1e-10);
        }
    }
}

/// The mean path length by following the nodes of the compact trees: the second implementation.
fn plain_walk(forest: &Forest, x: &[f32]) -> f64 {
    let length = |nodes: &[Node]| {
        let (mut at, mut depth) = (0, 0.0);
        loop {
            match nodes[at] {
                Node::Leaf { count } => return depth + average_path_length(count as usize),
                Node::Split { feature, threshold, right } => {
                    at = if x[usize::from(feature)] > threshold { right as usize } else { at + 1 };
                }
            }
            depth += 1.0;
        }
    };
    forest.trees().iter().map(|tree| length(tree.nodes())).sum::<f64>() / forest.trees().len() as f64
}

#[test]
fn trees_written_out_and_read_back_score_the_same() {
    let rows = normal_rows(500, 6, 1);
    let forest = fit(&rows, 30, 256, 42);
    let read = Forest::from_trees(forest.trees().to_vec(), 6, forest.subsample_size()).unwrap();
    assert_eq!(bits(&scores(&forest, &rows)), bits(&scores(&read, &rows)));
}

#[test]
fn an_outlier_beside_a_cluster_scores_highest() {
    let mut rows = normal_rows(400, 4, 3);
    rows.row_mut(123).fill(8.0);
    let scores = scores(&fit(&rows, 100, 256, 42), &rows);
    let highest = (0..400).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    assert_eq!(highest, Some(123));
}

/// Equal rows make trees of one leaf: every path is c(psi), every score one half.
#[test]
fn equal_rows_score_one_half() {
    let forest = fit(&Array2::from_elem((300, 3), 2.0), 10, 256, 42);
    for x in [[2.0, 2.0, 2.0], [9.0, -9.0, 0.0]] {
        assert!((forest.raw_score(&x) - 0.5).abs() < 1e-12);
    }
}

/// Nine copies of one row and one other row, all of them sampled: the first split parts the two, so the
/// other row has a path of 1, the copies 1 + c(9).
#[test]
fn copies_share_a_leaf() {
    let mut rows = Array2::<f32>::zeros((10, 2));
    rows.row_mut(4).fill(1.0);
    let forest = fit(&rows, 7, 256, 42);
    assert_eq!(forest.subsample_size(), 10);
    assert!((forest.path_length(&[1.0, 1.0]) - 1.0).abs() < 1e-12);
    assert!((forest.path_length(&[0.0, 0.0]) - 1.0 - average_path_length(9)).abs() < 1e-12);
}

#[test]
fn one_row_has_no_opinion_and_two_rows_are_parted() {
    assert_eq!(fit(&normal_rows(1, 3, 5), 10, 256, 42).raw_score(&[0.0; 3]), 0.5);
    let two = normal_rows(2, 3, 5);
    let forest = fit(&two, 10, 256, 42);
    // Every path is 1 = c(2).
    assert!(two.outer_iter().all(|row| forest.raw_score(row.as_slice().unwrap()) == 0.5));
}

/// One feature of an ordinary row pushed 12 standard deviations out is named first, by the most negative
/// credit, in at least 95 % of 1,000 cases.
#[test]
fn the_inflated_feature_is_named_first() {
    let forest = fit(&normal_rows(4_000, 8, 11), 100, 256, 42);
    let ordinary = normal_rows(1_000, 8, 12);
    let mut hits = 0;
    for (case, row) in ordinary.outer_iter().enumerate() {
        let (feature, sign) = (case % 8, if case % 16 < 8 { 12.0 } else { -12.0 });
        let mut x = row.to_vec();
        x[feature] += sign;
        let mut credits = [0.0; 8];
        forest.path_credit(&x, &mut credits);
        let first = (0..8).min_by(|&a, &b| credits[a].total_cmp(&credits[b]));
        hits += usize::from(first == Some(feature));
    }
    assert!(hits >= 950, "named first in {hits} of 1000 cases");
}

/// A change detector, not a truth: it says only that the forest of this seed is still the one it was.
/// Change the number knowingly, and say so in the changelog: users' models differ from then on.
#[test]
fn the_forest_of_a_seed_has_not_changed() {
    // Whole numbers made without any generator or library function.
    let rows = Array2::from_shape_fn((600, 5), |(i, j)| ((i * 37 + j * 101 + i * i % 89) % 211) as f32);
    let forest = fit(&rows, 20, 128, 42);
    let mut bytes = Vec::new();
    for tree in forest.trees() {
        for node in tree.nodes() {
            bytes.extend(format!("{node:?}\n").into_bytes());
        }
    }
    assert_eq!(crc32fast::hash(&bytes), 742_499_687);
}
