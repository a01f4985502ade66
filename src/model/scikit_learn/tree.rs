//! From scikit-learn's arrays to a tree in preorder, and back.

use super::{TreeProblem, document::TreeArrays};
use crate::score::iforest::{Node, Tree};

/// What both children of a leaf are.
const NO_CHILD: i64 = -1;

/// Reads a tree of a forest of `n_features`. How deep it is and whether its leaves add up is for the forest to check.
pub(super) fn read(arrays: &TreeArrays, n_features: usize) -> Result<Tree, TreeProblem> {
    let n = arrays.feature.len();
    let lengths = [n, arrays.threshold.len(), arrays.left.len(), arrays.right.len(), arrays.samples.len()];
    if lengths.iter().any(|length| *length != n) {
        return Err(TreeProblem::Lengths { lengths });
    }
    let mut nodes: Vec<Node> = Vec::with_capacity(n);
    let mut seen = vec![false; n];
    // Nodes still to be placed, next last; each with the placed node whose right child it is.
    let mut open: Vec<(i64, usize, Option<usize>)> = vec![(0, 0, None)];
    while let Some((child, parent, right_of)) = open.pop() {
        let node = match usize::try_from(child) {
            Ok(node) if node < n => node,
            _ => return Err(TreeProblem::Child { node: parent, child, nodes: n }),
        };
        if std::mem::replace(&mut seen[node], true) {
            return Err(TreeProblem::TwoParents { node });
        }
        let place = nodes.len();
        if let Some(Node::Split { right, .. }) = right_of.and_then(|at| nodes.get_mut(at)) {
            *right = u32::try_from(place).map_err(|_| TreeProblem::TooLarge { nodes: n })?;
        }
        match (arrays.left[node], arrays.right[node]) {
            (NO_CHILD, NO_CHILD) => nodes.push(Node::Leaf { count: samples(arrays, node)? }),
            (left, right) => {
                nodes.push(split(arrays, node, n_features)?);
                open.push((right, node, Some(place)));
                open.push((left, node, None));
            }
        }
    }
    match seen.iter().position(|seen| !seen) {
        Some(node) => Err(TreeProblem::Unreached { node }),
        None => Ok(Tree::new(nodes)),
    }
}

/// The arrays of a tree that passed its check; nodes stay in preorder.
pub(super) fn write(nodes: &[Node]) -> TreeArrays {
    let mut arrays = TreeArrays::default();
    for (place, node) in nodes.iter().enumerate() {
        let (feature, threshold, left, right, samples) = match *node {
            Node::Split { feature, threshold, right } => {
                (i64::from(feature), f64::from(threshold), place as i64 + 1, i64::from(right), 0)
            }
            Node::Leaf { count } => (NO_CHILD, 0.0, NO_CHILD, NO_CHILD, i64::from(count)),
        };
        arrays.feature.push(feature);
        arrays.threshold.push(threshold);
        arrays.left.push(left);
        arrays.right.push(right);
        arrays.samples.push(samples);
    }
    // Children stand behind their parent: from the end on, theirs are known.
    for (place, node) in nodes.iter().enumerate().rev() {
        if let Node::Split { right, .. } = node {
            arrays.samples[place] = arrays.samples[place + 1] + arrays.samples[*right as usize];
        }
    }
    arrays
}

fn samples(arrays: &TreeArrays, node: usize) -> Result<u32, TreeProblem> {
    let samples = arrays.samples[node];
    match u32::try_from(samples) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(TreeProblem::Samples { node, samples }),
    }
}

fn split(arrays: &TreeArrays, node: usize, n_features: usize) -> Result<Node, TreeProblem> {
    let (feature, threshold) = (arrays.feature[node], arrays.threshold[node]);
    let known = u16::try_from(feature).ok().filter(|feature| usize::from(*feature) < n_features);
    let feature = known.ok_or(TreeProblem::Feature { node, feature, n_features })?;
    let rounded = rounded_down(threshold);
    if !(threshold.is_finite() && rounded.is_finite()) {
        return Err(TreeProblem::Threshold { node, threshold });
    }
    Ok(Node::Split { feature, threshold: rounded, right: 0 })
}

/// The largest `f32` that is not above `threshold`: `x <= threshold` and `x <= rounded_down(threshold)` say
/// the same of every `f32` x, as no `f32` lies between the two.
fn rounded_down(threshold: f64) -> f32 {
    let nearest = threshold as f32;
    if f64::from(nearest) > threshold { nearest.next_down() } else { nearest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// For all thresholds and rows, the comparison in `f32` says what scikit-learn's says.
        #[test]
        fn rounding_down_changes_no_comparison(threshold in prop::num::f64::ANY, x in prop::num::f32::ANY) {
            prop_assume!(threshold.is_finite() && !x.is_nan());
            for x in [x, threshold as f32, (threshold as f32).next_up(), (threshold as f32).next_down()] {
                prop_assert_eq!(f64::from(x) <= threshold, x <= rounded_down(threshold), "{} {}", x, threshold);
            }
        }
    }

    #[test]
    fn thresholds_between_two_numbers_are_rounded_down() {
        // The neighbours of 0.1 are 13421772 / 2^27 and 13421773 / 2^27, the nearer one is above it.
        assert_eq!(f64::from(rounded_down(0.1)), 13_421_772.0 / f64::from(1 << 27));
        assert_eq!(rounded_down(0.5), 0.5);
        assert_eq!(rounded_down(-1e-60), -f32::from_bits(1));
        assert_eq!(rounded_down(1e300), f32::MAX);
        assert_eq!(rounded_down(-1e300), f32::NEG_INFINITY);
    }

    /// Nodes in another order than preorder: the root's right child stands first.
    #[test]
    fn any_order_of_nodes_is_read() {
        let arrays = TreeArrays {
            feature: vec![1, -2, 0, -2, -2],
            threshold: vec![0.5, -2.0, 2.0, -2.0, -2.0],
            left: vec![2, -1, 4, -1, -1],
            right: vec![1, -1, 3, -1, -1],
            samples: vec![6, 1, 5, 2, 3],
        };
        let expected = [
            Node::Split { feature: 1, threshold: 0.5, right: 4 },
            Node::Split { feature: 0, threshold: 2.0, right: 3 },
            Node::Leaf { count: 3 },
            Node::Leaf { count: 2 },
            Node::Leaf { count: 1 },
        ];
        let tree = read(&arrays, 2).unwrap();
        assert_eq!(tree.nodes(), expected);
        let written = write(tree.nodes());
        assert_eq!(written.samples, [6, 5, 3, 2, 1]);
        assert_eq!(read(&written, 2).unwrap(), tree);
    }
}
