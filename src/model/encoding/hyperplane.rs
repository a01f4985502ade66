//! Trees of hyperplanes.

use super::{forest::right_children, proto};
use crate::{
    model::ModelError,
    score::iforest::{Hyperplane, HyperplaneNode, HyperplaneTree, Term},
};

pub(super) fn write_hyperplane_tree(tree: &HyperplaneTree) -> proto::HyperplaneTree {
    let mut message = proto::HyperplaneTree::default();
    for node in tree.nodes() {
        match node {
            HyperplaneNode::Leaf { count } => {
                message.split.push(0);
                message.count.push(*count);
            }
            HyperplaneNode::Split { hyperplane: Hyperplane { terms, threshold, low, high }, .. } => {
                message.split.push(terms.len() as u32);
                for term in terms {
                    message.column.push(term.feature.into());
                    message.center.push(term.center);
                    message.coefficient.push(term.coefficient);
                }
                message.threshold.push(*threshold);
                message.low.push(*low);
                message.high.push(*high);
            }
        }
    }
    message
}

pub(super) fn read_hyperplane_tree(tree: &proto::HyperplaneTree) -> Result<HyperplaneTree, ModelError> {
    let wrong = |problem: &str| ModelError::invalid("a tree of hyperplanes", problem);
    let right = right_children(&tree.split)?;
    let mut terms = tree.column.iter().zip(&tree.center).zip(&tree.coefficient);
    let mut ranges = tree.threshold.iter().zip(&tree.low).zip(&tree.high);
    let mut counts = tree.count.iter();
    if [tree.center.len(), tree.coefficient.len()] != [tree.column.len(); 2]
        || [tree.low.len(), tree.high.len()] != [tree.threshold.len(); 2]
    {
        return Err(wrong("lists that belong together have other lengths"));
    }
    let mut node = |(split, right): (&u32, u32)| {
        if *split == 0 {
            let count = *counts.next().ok_or_else(|| wrong("fewer counts than leaves"))?;
            return Ok(HyperplaneNode::Leaf { count });
        }
        // Collected one by one: a length that a file claims reserves nothing.
        let terms = (0..*split)
            .map(|_| {
                let ((column, center), coefficient) =
                    terms.next().ok_or_else(|| wrong("fewer columns than the splits have"))?;
                let feature = u16::try_from(*column).map_err(|_| wrong("a column beyond 65,535"))?;
                Ok(Term { feature, center: *center, coefficient: *coefficient })
            })
            .collect::<Result<Vec<_>, ModelError>>()?;
        let ((threshold, low), high) = ranges.next().ok_or_else(|| wrong("fewer thresholds than splits"))?;
        let hyperplane = Hyperplane { terms, threshold: *threshold, low: *low, high: *high };
        Ok(HyperplaneNode::Split { hyperplane, right })
    };
    let nodes = tree.split.iter().zip(right).map(&mut node).collect::<Result<_, ModelError>>()?;
    if terms.next().is_some() || ranges.next().is_some() || counts.next().is_some() {
        return Err(wrong("more columns, thresholds or counts than nodes"));
    }
    Ok(HyperplaneTree::new(nodes))
}
