//! Forests and their trees.

use super::proto;
use crate::{
    model::ModelError,
    score::iforest::{Forest, HarmonicNumbers, Node, Tree},
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
    }
}

/// A forest over `columns` columns.
pub(super) fn read_forest(forest: proto::Forest, columns: usize) -> Result<Forest, ModelError> {
    const PART: &str = "a forest";
    if forest.n_features as usize != columns {
        let problem = format!("{} columns instead of {columns}", forest.n_features);
        return Err(ModelError::invalid(PART, problem));
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
    Forest::with_harmonic_numbers(trees, columns, forest.subsample_size as usize, harmonic_numbers)
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

/// Puts the right children back: each is the node after the end of the left part.
fn read_tree(tree: &proto::Tree) -> Result<Tree, ModelError> {
    let wrong = |problem: &str| ModelError::invalid("a tree", problem);
    let mut nodes = Vec::with_capacity(tree.split.len());
    // Splits whose left part is still open, innermost last.
    let mut open: Vec<usize> = Vec::new();
    let (mut thresholds, mut counts) = (tree.threshold.iter(), tree.count.iter());
    for split in &tree.split {
        if let Some(column) = split.checked_sub(1) {
            let feature = u16::try_from(column).map_err(|_| wrong("a column beyond 65,535"))?;
            let threshold = *thresholds.next().ok_or_else(|| wrong("fewer thresholds than splits"))?;
            open.push(nodes.len());
            nodes.push(Node::Split { feature, threshold, right: 0 });
            continue;
        }
        let count = *counts.next().ok_or_else(|| wrong("fewer counts than leaves"))?;
        nodes.push(Node::Leaf { count });
        let next = u32::try_from(nodes.len()).map_err(|_| wrong("too many nodes"))?;
        // This leaf ends the left part of the innermost open split; the rest is checked by the forest.
        if let Some(Node::Split { right, .. }) = open.pop().and_then(|parent| nodes.get_mut(parent)) {
            *right = next;
        }
    }
    if thresholds.next().is_some() || counts.next().is_some() {
        return Err(wrong("more thresholds or counts than nodes"));
    }
    Ok(Tree::new(nodes))
}
