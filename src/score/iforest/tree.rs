//! A tree in its compact form: what a model file holds.

use super::MAX_DEPTH;
use std::ops::RangeInclusive;

/// A node of a tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// Rows with `x[feature] > threshold` go to the node at `right`, all others to the next node.
    Split {
        /// Number of the feature.
        feature: u16,
        /// Rows above it go right.
        threshold: f32,
        /// Index of the right child.
        right: u32,
    },
    /// The end of a path.
    Leaf {
        /// Training rows that ended here.
        count: u32,
    },
}

/// A tree: its nodes in the order in which one visits them, left before right.
///
/// Invariant: the left child of node i is node i + 1, its right child comes right after the last node of
/// the left part, and every node is reached; no path is longer than [`MAX_DEPTH`].
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    nodes: Vec<Node>,
}

/// Why nodes are not a tree.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum InvalidTree {
    /// A path runs over the end of the nodes.
    #[error("the tree ends within a branch: node {node} of {nodes} is missing")]
    Truncated {
        /// The missing node.
        node: usize,
        /// Number of nodes.
        nodes: usize,
    },
    /// There are nodes behind the last branch.
    #[error("{given} nodes, but the tree ends after {used}")]
    LeftOver {
        /// Number of nodes.
        given: usize,
        /// Number of nodes that are reached.
        used: usize,
    },
    /// A right child is not where the left part ends.
    #[error("node {node} has its right child at {right}, expected {expected}")]
    Order {
        /// The node.
        node: usize,
        /// Its right child.
        right: u32,
        /// Where that must be.
        expected: usize,
    },
    /// A split by a feature that there is not.
    #[error("node {node} splits by feature {feature}, there are {n_features}")]
    Feature {
        /// The node.
        node: usize,
        /// The feature.
        feature: u16,
        /// Number of features.
        n_features: usize,
    },
    /// A threshold that is not a number.
    #[error("node {node} has the threshold {threshold}")]
    Threshold {
        /// The node.
        node: usize,
        /// The threshold.
        threshold: f32,
    },
    /// A hyperplane that looks at nothing.
    #[error("node {node} splits by a hyperplane of no features")]
    NoTerms {
        /// The node.
        node: usize,
    },
    /// A part of a hyperplane that is not a number.
    #[error("node {node} has a feature with center {center} and coefficient {coefficient}")]
    Term {
        /// The node.
        node: usize,
        /// What is taken off the value.
        center: f32,
        /// What the rest is multiplied by.
        coefficient: f32,
    },
    /// A hyperplane outside of the rows that it parts.
    #[error("node {node} has the threshold {threshold} for projections from {low} to {high}")]
    Range {
        /// The node.
        node: usize,
        /// The threshold.
        threshold: f64,
        /// The smallest projection.
        low: f64,
        /// The largest one.
        high: f64,
    },
    /// A path that is too long.
    #[error("node {node} is deeper than {MAX_DEPTH} levels")]
    TooDeep {
        /// The node.
        node: usize,
    },
    /// A leaf without rows.
    #[error("leaf {node} holds no row")]
    EmptyLeaf {
        /// The node.
        node: usize,
    },
    /// The leaves hold other than the rows of the sample.
    #[error("the leaves hold {given} rows, the sample has {expected}")]
    Count {
        /// Sum over the leaves.
        given: u64,
        /// The sample's size.
        expected: usize,
    },
}

// === impl Tree ===

impl Tree {
    /// Wraps nodes; whether they are a tree is checked when a forest is made of it.
    #[must_use]
    pub fn new(nodes: Vec<Node>) -> Self {
        Self { nodes }
    }

    /// The nodes, root first.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Checks the invariant, and that the tree fits a forest of this many features and rows a tree.
    pub(super) fn check(&self, n_features: usize, rows: RangeInclusive<usize>) -> Result<(), InvalidTree> {
        let shape = |node: usize| match *self.nodes.get(node)? {
            Node::Split { right, .. } => Some(Shape::Split { right }),
            Node::Leaf { count } => Some(Shape::Leaf { count }),
        };
        check_shape(self.nodes.len(), shape, rows, |node| match self.nodes[node] {
            Node::Split { feature, .. } if usize::from(feature) >= n_features => {
                Err(InvalidTree::Feature { node, feature, n_features })
            }
            Node::Split { threshold, .. } if !threshold.is_finite() => {
                Err(InvalidTree::Threshold { node, threshold })
            }
            Node::Split { .. } | Node::Leaf { .. } => Ok(()),
        })
    }
}

/// A node, whatever it splits by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// The left child is the next node.
    Split {
        right: u32,
    },
    Leaf {
        count: u32,
    },
}

/// Checks that `nodes` nodes are one tree whose leaves hold as many rows as allowed; `shape` gives them by number, none behind
/// the last, and `check_split` says what is wrong with a split in itself.
pub(super) fn check_shape(
    nodes: usize,
    shape: impl Fn(usize) -> Option<Shape>,
    rows: RangeInclusive<usize>,
    check_split: impl Fn(usize) -> Result<(), InvalidTree>,
) -> Result<(), InvalidTree> {
    let mut walk = ShapeWalk { nodes, shape, check_split, count: 0 };
    let used = walk.branch(0, 0)?;
    if used != nodes {
        return Err(InvalidTree::LeftOver { given: nodes, used });
    }
    if !(*rows.start() as u64..=*rows.end() as u64).contains(&walk.count) {
        return Err(InvalidTree::Count { given: walk.count, expected: *rows.end() });
    }
    Ok(())
}

/// A check under way.
struct ShapeWalk<S, C> {
    nodes: usize,
    shape: S,
    check_split: C,
    /// Rows in the leaves so far.
    count: u64,
}

// === impl ShapeWalk ===

impl<S, C> ShapeWalk<S, C>
where
    S: Fn(usize) -> Option<Shape>,
    C: Fn(usize) -> Result<(), InvalidTree>,
{
    /// Checks the branch that starts at `node`; gives the node behind it. The depth of the recursion is bounded
    /// by the check of the depth.
    fn branch(&mut self, node: usize, depth: u32) -> Result<usize, InvalidTree> {
        match (self.shape)(node) {
            None => Err(InvalidTree::Truncated { node, nodes: self.nodes }),
            Some(Shape::Leaf { count: 0 }) => Err(InvalidTree::EmptyLeaf { node }),
            Some(Shape::Leaf { count }) => {
                self.count += u64::from(count);
                Ok(node + 1)
            }
            Some(Shape::Split { .. }) if depth == MAX_DEPTH => Err(InvalidTree::TooDeep { node }),
            Some(Shape::Split { right }) => {
                (self.check_split)(node)?;
                let expected = self.branch(node + 1, depth + 1)?;
                if right as usize != expected {
                    return Err(InvalidTree::Order { node, right, expected });
                }
                self.branch(expected, depth + 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(feature: u16, right: u32) -> Node {
        Node::Split { feature, threshold: 0.5, right }
    }

    fn check(nodes: &[Node]) -> Result<(), InvalidTree> {
        Tree::new(nodes.to_vec()).check(2, 3..=3)
    }

    #[test]
    fn damaged_trees_are_refused_with_the_place() {
        let leaf = |count| Node::Leaf { count };
        assert_eq!(check(&[split(1, 2), leaf(1), leaf(2)]), Ok(()));
        assert_eq!(check(&[]), Err(InvalidTree::Truncated { node: 0, nodes: 0 }));
        assert_eq!(check(&[split(0, 2), leaf(1)]), Err(InvalidTree::Truncated { node: 2, nodes: 2 }));
        assert_eq!(check(&[leaf(3), leaf(1)]), Err(InvalidTree::LeftOver { given: 2, used: 1 }));
        assert_eq!(
            check(&[split(0, 1), leaf(1), leaf(2)]),
            Err(InvalidTree::Order { node: 0, right: 1, expected: 2 })
        );
        assert_eq!(
            check(&[split(2, 2), leaf(1), leaf(2)]),
            Err(InvalidTree::Feature { node: 0, feature: 2, n_features: 2 })
        );
        assert_eq!(check(&[split(0, 2), leaf(0), leaf(3)]), Err(InvalidTree::EmptyLeaf { node: 1 }));
        assert_eq!(check(&[leaf(2)]), Err(InvalidTree::Count { given: 2, expected: 3 }));
        let endless = vec![split(0, 0); 50];
        assert_eq!(check(&endless), Err(InvalidTree::TooDeep { node: 12 }));
    }
}
