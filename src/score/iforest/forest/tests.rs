//! Forests worked by hand.

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
