//! Forests and their trees.

use super::{
    hyperplane::{read_hyperplane_tree, write_hyperplane_tree},
    proto,
    training::{read_scoring, write_scoring},
};
use crate::{
    model::ModelError,
    score::iforest::{Forest, HarmonicNumbers, Node, Scoring, Tree},
};

pub(super) fn write_forest(forest: &Forest) -> proto::Forest {
    let harmonic_numbers = match forest.harmonic_numbers() {
        HarmonicNumbers::Exact => proto::HarmonicNumbers::Exact,
        HarmonicNumbers::Approximate => proto::HarmonicNumbers::Approximate,
    };
    proto::Forest {
        n_features: forest.n_features() as u32,
        subsample_size: forest.subsample_size() as u32,
        trees: forest.trees().iter().map(write_tree).collect(),
        harmonic_numbers: harmonic_numbers.into(),
        hyperplane_trees: forest.hyperplane_trees().iter().map(write_hyperplane_tree).collect(),
        scoring: write_scoring(forest.scoring()).into(),
    }
}

/// A forest over `columns` columns.
pub(super) fn read_forest(forest: proto::Forest, columns: usize) -> Result<Forest, ModelError> {
    const PART: &str = "a forest";
    if forest.n_features as usize != columns {
        let problem = format!("{} columns instead of {columns}", forest.n_features);
        return Err(ModelError::invalid(PART, problem));
    }
    let subsample_size = forest.subsample_size as usize;
    let scoring = read_scoring(PART, forest.scoring)?;
    if !forest.hyperplane_trees.is_empty() {
        if !forest.trees.is_empty() {
            return Err(ModelError::invalid(PART, "trees of two kinds"));
        }
        let trees = forest.hyperplane_trees.iter().map(read_hyperplane_tree).collect::<Result<_, _>>()?;
        return Forest::from_hyperplane_trees(trees, columns, subsample_size, scoring)
            .map_err(|error| ModelError::invalid(PART, error));
    }
    if scoring != Scoring::Depth {
        return Err(ModelError::invalid(PART, format!("plain trees that are scored by {scoring}")));
    }
    let trees = forest.trees.iter().map(read_tree).collect::<Result<_, _>>()?;
    let harmonic_numbers = match proto::HarmonicNumbers::try_from(forest.harmonic_numbers) {
        Ok(proto::HarmonicNumbers::Exact) => HarmonicNumbers::Exact,
        Ok(proto::HarmonicNumbers::Approximate) => HarmonicNumbers::Approximate,
        Err(_) => {
            return Err(ModelError::invalid(
                PART,
                format!("harmonic numbers of kind {}", forest.harmonic_numbers),
            ));
        }
    };
    Forest::with_harmonic_numbers(trees, columns, subsample_size, harmonic_numbers)
        .map_err(|error| ModelError::invalid(PART, error))
}

fn write_tree(tree: &Tree) -> proto::Tree {
    let mut message = proto::Tree::default();
    for node in tree.nodes() {
        match node {
            Node::Split { feature, threshold, .. } => {
                message.split.push(u32::from(*feature) + 1);
                message.threshold.push(*threshold);
            }
            Node::Leaf { count } => {
                message.split.push(0);
                message.count.push(*count);
            }
        }
    }
    message
}

fn read_tree(tree: &proto::Tree) -> Result<Tree, ModelError> {
    let wrong = |problem: &str| ModelError::invalid("a tree", problem);
    let right = right_children(&tree.split)?;
    let (mut thresholds, mut counts) = (tree.threshold.iter(), tree.count.iter());
    let node = |(split, right): (&u32, u32)| match split.checked_sub(1) {
        Some(column) => {
            let feature = u16::try_from(column).map_err(|_| wrong("a column beyond 65,535"))?;
            let threshold = *thresholds.next().ok_or_else(|| wrong("fewer thresholds than splits"))?;
            Ok(Node::Split { feature, threshold, right })
        }
        None => Ok(Node::Leaf { count: *counts.next().ok_or_else(|| wrong("fewer counts than leaves"))? }),
    };
    let nodes = tree.split.iter().zip(right).map(node).collect::<Result<_, _>>()?;
    if thresholds.next().is_some() || counts.next().is_some() {
        return Err(wrong("more thresholds or counts than nodes"));
    }
    Ok(Tree::new(nodes))
}

/// For each node of a tree in preorder (0 = leaf, else a split) its right child, which is the node after the end of the
/// left part; 0 for a leaf, and where there is none.
pub(super) fn right_children(split: &[u32]) -> Result<Vec<u32>, ModelError> {
    let mut right = vec![0; split.len()];
    // Splits whose left part is still open, innermost last.
    let mut open: Vec<usize> = Vec::new();
    for (node, split) in split.iter().enumerate() {
        if *split > 0 {
            open.push(node);
            continue;
        }
        // This leaf ends the left part of the innermost open split; the rest is checked by the forest.
        if let Some(parent) = open.pop() {
            right[parent] =
                u32::try_from(node + 1).map_err(|_| ModelError::invalid("a tree", "too many nodes"))?;
        }
    }
    Ok(right)
}
