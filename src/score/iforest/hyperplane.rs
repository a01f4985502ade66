//! Trees that split by hyperplanes, or whose splits remember the range of their rows: whatever a plain
//! forest is not.
//!
//! A split looks at a short list of features: it projects a row onto one number and compares that
//! with a threshold. It also keeps the range that the training rows had there, which the scorings beside
//! depth read (see [`Scoring`](super::Scoring)). In reading order:
//! - [`Hyperplane`], [`HyperplaneTree`]: as they stand in a model file;
//! - `fit`: growing them, `gain`: the best place to cut;
//! - `engine`: scoring and credits, row by row. It makes no haste: about five times a plain
//!   forest's time.

pub(super) mod engine;

pub(super) mod fit;

mod gain;

use super::{
    InvalidTree, Node, Tree,
    tree::{Shape, check_shape},
};
use std::ops::RangeInclusive;

/// Volumes below this share of their branch are taken for it, so that no density is infinite: the distance of
/// two single-precision numbers.
const LEAST_VOLUME: f64 = f32::EPSILON as f64;

/// The part of one feature in a hyperplane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    /// Number of the feature.
    pub feature: u16,
    /// What is taken off its value: the mean of the training rows at the split.
    pub center: f32,
    /// What the rest is multiplied by.
    pub coefficient: f32,
}

/// Where a branch is split. The *projection* of a row is the sum over the terms, in their order, of
/// `coefficient * (value - center)`, in double precision.
#[derive(Clone, Debug, PartialEq)]
pub struct Hyperplane {
    /// One for each feature that it looks at; not empty.
    pub terms: Vec<Term>,
    /// Rows whose projection is above it go right, all others, NaN among them, left.
    pub threshold: f64,
    /// The smallest projection of a training row at the split; not above the threshold.
    pub low: f64,
    /// The largest one; above the threshold.
    pub high: f64,
}

/// A node of a [`HyperplaneTree`].
#[derive(Clone, Debug, PartialEq)]
pub enum HyperplaneNode {
    /// Rows beyond the hyperplane go to the node at `right`, all others to the next node.
    Split {
        /// What parts them.
        hyperplane: Hyperplane,
        /// Index of the right child.
        right: u32,
    },
    /// The end of a path.
    Leaf {
        /// Training rows that ended here.
        count: u32,
    },
}

/// A tree of hyperplanes: its nodes in the order in which one visits them, left before right, under the
/// invariant of [`Tree`].
#[derive(Clone, Debug, PartialEq)]
pub struct HyperplaneTree {
    nodes: Vec<HyperplaneNode>,
}

// === impl Term ===

impl Term {
    /// A feature as it is.
    fn of(feature: u16) -> Self {
        Self { feature, center: 0.0, coefficient: 1.0 }
    }

    /// Its part in the projection.
    fn project(&self, value: f32) -> f64 {
        f64::from(self.coefficient) * (f64::from(value) - f64::from(self.center))
    }
}

// === impl Hyperplane ===

impl Hyperplane {
    /// The projection of a row.
    fn project(&self, x: &[f32]) -> f64 {
        self.terms.iter().map(|term| term.project(x[usize::from(term.feature)])).sum()
    }

    /// Whether a projection is further from the threshold than the training rows are apart.
    fn is_out_of_range(&self, projection: f64) -> bool {
        (projection - self.threshold).abs() > self.high - self.low
    }

    /// The share of the branch's volume that lies to the left, and that to the right.
    fn volumes(&self) -> [f64; 2] {
        let left = (self.threshold - self.low) / (self.high - self.low);
        let left = left.clamp(LEAST_VOLUME, 1.0 - LEAST_VOLUME);
        [left, 1.0 - left]
    }

    /// Where a feature crosses it when all others are as at their centers; not finite where it hardly counts.
    fn crossing(&self, term: &Term) -> f64 {
        f64::from(term.center) + self.threshold / f64::from(term.coefficient)
    }

    /// The same split as a feature and a threshold, where it is one.
    fn axis_parallel(&self) -> Option<(u16, f32)> {
        let threshold = self.threshold as f32;
        match self.terms.as_slice() {
            [term] if *term == Term::of(term.feature) && f64::from(threshold) == self.threshold => {
                Some((term.feature, threshold))
            }
            _ => None,
        }
    }

    fn check(&self, node: usize, n_features: usize) -> Result<(), InvalidTree> {
        if self.terms.is_empty() {
            return Err(InvalidTree::NoTerms { node });
        }
        for &Term { feature, center, coefficient } in &self.terms {
            if usize::from(feature) >= n_features {
                return Err(InvalidTree::Feature { node, feature, n_features });
            }
            if !(center.is_finite() && coefficient.is_finite()) {
                return Err(InvalidTree::Term { node, center, coefficient });
            }
        }
        let &Self { threshold, low, high, .. } = self;
        if !(low.is_finite() && high.is_finite() && low <= threshold && threshold < high) {
            return Err(InvalidTree::Range { node, threshold, low, high });
        }
        Ok(())
    }
}

// === impl HyperplaneTree ===

impl HyperplaneTree {
    /// Wraps nodes; whether they are a tree is checked when a forest is made of it.
    #[must_use]
    pub fn new(nodes: Vec<HyperplaneNode>) -> Self {
        Self { nodes }
    }

    /// The nodes, root first.
    #[must_use]
    pub fn nodes(&self) -> &[HyperplaneNode] {
        &self.nodes
    }

    /// The hyperplanes, root first.
    pub fn hyperplanes(&self) -> impl Iterator<Item = &Hyperplane> {
        self.nodes.iter().filter_map(|node| match node {
            HyperplaneNode::Split { hyperplane, .. } => Some(hyperplane),
            HyperplaneNode::Leaf { .. } => None,
        })
    }

    /// For each hyperplane and each of its features: where that feature alone crosses it.
    pub(super) fn crossings(&self) -> impl Iterator<Item = (u16, f32)> {
        let crossing = |hyperplane: &Hyperplane, term: &Term| {
            let at = hyperplane.crossing(term) as f32;
            at.is_finite().then_some((term.feature, at))
        };
        self.hyperplanes()
            .flat_map(move |plane| plane.terms.iter().filter_map(move |term| crossing(plane, term)))
    }

    /// The same tree in the form of a plain forest, where all its splits are by one feature as it is.
    pub(super) fn to_axis_parallel(&self) -> Option<Tree> {
        let node = |node: &HyperplaneNode| match node {
            HyperplaneNode::Leaf { count } => Some(Node::Leaf { count: *count }),
            HyperplaneNode::Split { hyperplane, right } => hyperplane
                .axis_parallel()
                .map(|(feature, threshold)| Node::Split { feature, threshold, right: *right }),
        };
        self.nodes.iter().map(node).collect::<Option<Vec<_>>>().map(Tree::new)
    }

    /// Checks the invariant, and that the tree fits a forest of this many features and rows a tree.
    pub(super) fn check(&self, n_features: usize, rows: RangeInclusive<usize>) -> Result<(), InvalidTree> {
        let shape = |node: usize| match self.nodes.get(node)? {
            HyperplaneNode::Split { right, .. } => Some(Shape::Split { right: *right }),
            HyperplaneNode::Leaf { count } => Some(Shape::Leaf { count: *count }),
        };
        check_shape(self.nodes.len(), shape, rows, |node| match &self.nodes[node] {
            HyperplaneNode::Split { hyperplane, .. } => hyperplane.check(node, n_features),
            HyperplaneNode::Leaf { .. } => Ok(()),
        })
    }
}

#[cfg(test)]
mod tests;
