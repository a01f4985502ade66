//! Binary operators between vectors: which series meet, and what the result is called.

use super::{Elements, EvalError, finished};
use crate::{
    promql::{
        ast::{Matching, SetOp, Side},
        labels::{self, Projection},
        op::ElementOp,
    },
    series::{LabelRef, LabelSet, METRIC_NAME},
};
use std::collections::{BTreeMap, BTreeSet};

/// Arithmetic or comparison of the elements that match.
///
/// One side, called *one* here, must have at most one series a match; without a group modifier it
/// is the right side, and the other side must be unique among the results too.
pub(super) fn matched(
    op: ElementOp,
    left: &[(LabelSet, f64)],
    right: &[(LabelSet, f64)],
    matching: &Matching,
) -> Result<Elements, EvalError> {
    if left.is_empty() || right.is_empty() {
        return Ok(Elements::new());
    }
    let swapped = matching.group.as_ref().is_some_and(|group| group.many == Side::Right);
    let (many, one) = if swapped { (right, left) } else { (left, right) };
    let ones = unique_side(one, matching, if swapped { "left" } else { "right" })?;

    let mut projection = Projection::default();
    let mut seen = BTreeSet::new();
    let mut elements = Elements::new();
    for (many_labels, many_value) in many {
        let signature = projection.of(many_labels, |label| is_matched(matching, label));
        let Some(&(one_labels, one_value)) = ones.get(signature) else { continue };
        let (left, right) = if swapped { (one_value, *many_value) } else { (*many_value, one_value) };
        let Some(value) = op.apply(left, right) else { continue };
        let result = result_labels(op, many_labels, one_labels, matching);
        if matching.group.is_none() && !seen.insert(signature.to_owned()) {
            return Err(EvalError::ManyToOne { labels: many_labels.clone() });
        }
        elements.push((result, value));
    }
    finished(elements).map_err(|error| match error {
        EvalError::SameLabels { labels } if matching.group.is_some() => EvalError::SameGroupLabels { labels },
        other => other,
    })
}

/// The elements of the side that must be unique, by what is matched.
fn unique_side<'a>(
    side: &'a [(LabelSet, f64)],
    matching: &Matching,
    name: &'static str,
) -> Result<BTreeMap<Box<str>, (&'a LabelSet, f64)>, EvalError> {
    let mut projection = Projection::default();
    let mut by_signature: BTreeMap<Box<str>, (&LabelSet, f64)> = BTreeMap::new();
    for (labels, value) in side {
        let signature = projection.of(labels, |label| is_matched(matching, label));
        if let Some((first, _)) = by_signature.insert(signature.into(), (labels, *value)) {
            return Err(EvalError::ManyToMany {
                side: name,
                group: labels.filtered(|label| is_matched(matching, label)),
                first: first.clone(),
                second: labels.clone(),
            });
        }
    }
    Ok(by_signature)
}

/// Whether a label takes part in the match: the named ones with `on`, all but the named ones and
/// the metric name with `ignoring`.
fn is_matched(matching: &Matching, label: LabelRef<'_>) -> bool {
    let named = matching.labels.iter().any(|name| name == label.name);
    if matching.on { named } else { !named && label.name != METRIC_NAME }
}

/// The labels of a result: the matched ones in a one-to-one match, those of the *many* side plus
/// the included ones of the *one* side otherwise.
fn result_labels(op: ElementOp, many: &LabelSet, one: &LabelSet, matching: &Matching) -> LabelSet {
    let Some(group) = &matching.group else {
        let listed = |label: LabelRef<'_>| matching.labels.iter().any(|name| name == label.name);
        return many.filtered(|label| {
            (op.keeps_name() || !labels::is_metadata(label)) && listed(label) == matching.on
        });
    };
    // `bool` takes the name away at the end, arithmetic before labels are included.
    let mut result = match op {
        ElementOp::Arithmetic(_) => labels::without_name(many),
        ElementOp::Filter(_) | ElementOp::Truth(_) => many.clone(),
    };
    for name in &group.include {
        result = result.with(name, one.get(name).unwrap_or(""));
    }
    if matches!(op, ElementOp::Truth(_)) { labels::without_name(&result) } else { result }
}

/// `and`, `or`, `unless`: elements pass unchanged, with their names.
pub(super) fn set(
    op: SetOp,
    left: &[(LabelSet, f64)],
    right: &[(LabelSet, f64)],
    matching: &Matching,
) -> Result<Elements, EvalError> {
    let (kept_of, other) = match op {
        SetOp::And | SetOp::Unless => (left, right),
        SetOp::Or => (right, left),
    };
    let mut projection = Projection::default();
    let signatures: BTreeSet<Box<str>> = other
        .iter()
        .map(|(labels, _)| projection.of(labels, |label| is_matched(matching, label)).into())
        .collect();
    let wanted = op == SetOp::And;
    let mut projection = Projection::default();
    let kept = kept_of.iter().filter(|(labels, _)| {
        signatures.contains(projection.of(labels, |label| is_matched(matching, label))) == wanted
    });
    let mut elements: Elements = kept.cloned().collect();
    if op == SetOp::Or {
        elements.extend_from_slice(left);
    }
    finished(elements)
}
