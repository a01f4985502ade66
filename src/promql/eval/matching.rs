//! Binary operators between vectors: which series meet, and what the result is called.

use super::EvalError;
use crate::{
    promql::{
        Budget, Point,
        annotation::Remark,
        ast::{Matching, SetOp, Side},
        labels::{self, Projection},
        matrix::{Cell, Matrix},
        op::ElementOp,
    },
    series::{LabelRef, LabelSet, METRIC_NAME},
};
use std::collections::BTreeMap;

/// Arithmetic or comparison of the elements that match.
///
/// One side, called *one* here, must have at most one element a match at every step; without a group
/// modifier it is the right side, and the other side must be unique among the results too.
pub(super) fn matched(
    op: ElementOp,
    left: &Matrix,
    right: &Matrix,
    matching: &Matching,
    budget: &mut Budget,
    mut remark: impl FnMut(Remark),
) -> Result<Matrix, EvalError> {
    let swapped = matching.group.as_ref().is_some_and(|group| group.many == Side::Right);
    let (many, one) = if swapped { (right, left) } else { (left, right) };
    let mut signatures = Signatures::default();
    let ones = signatures.rows_by_signature(one, matching);
    check_one_side(&ones, one, many, matching, if swapped { "left" } else { "right" })?;
    let of_many = signatures.of_known(many, matching);

    let mut unique = (matching.group.is_none()).then(|| Unique::new(&of_many, many.steps()));
    // Of each step the last objection is said.
    let mut objections: BTreeMap<usize, Remark> = BTreeMap::new();
    let mut result = Matrix::with_capacity(many.steps(), many.row_count().min(one.row_count()));
    for ((many_labels, many_cells), signature) in many.rows().zip(&of_many) {
        let Some(signature) = *signature else { continue };
        for one_row in &ones[signature] {
            budget.hold(many.steps())?;
            let mut repeated = false;
            let combined = many_cells.iter().zip(one.row(*one_row)).enumerate().map(|(step, (many, one))| {
                let (left, right) = sides(many.as_ref()?, one.as_ref()?, swapped);
                let Some(point) = op.apply_to(left, right) else {
                    if let Some(objection) = op.objection(left, right) {
                        objections.insert(step, objection);
                    }
                    return None;
                };
                if let Some(unique) = &mut unique {
                    repeated |= !unique.take(signature, step);
                }
                Some(point)
            });
            let one_labels = &one.labels()[*one_row];
            result.push_with(
                |row| row.extend(combined),
                || result_labels(op, many_labels, one_labels, matching),
            );
            if repeated {
                return Err(EvalError::ManyToOne { labels: many_labels.clone() });
            }
        }
    }
    objections.into_values().for_each(&mut remark);
    result.joined().map_err(|error| match error {
        EvalError::SameLabels { labels } if matching.group.is_some() => EvalError::SameGroupLabels { labels },
        other => other,
    })
}

/// Left and right.
fn sides<'p>(many: &'p Point, one: &'p Point, swapped: bool) -> (&'p Point, &'p Point) {
    if swapped { (one, many) } else { (many, one) }
}

/// What is matched of each series, numbered: equal parts have the same number.
#[derive(Default)]
struct Signatures {
    numbers: BTreeMap<Box<str>, usize>,
}

impl Signatures {
    /// The rows of each signature of `matrix`.
    fn rows_by_signature(&mut self, matrix: &Matrix, matching: &Matching) -> Vec<Vec<usize>> {
        let mut rows: Vec<Vec<usize>> = Vec::new();
        let mut projection = Projection::default();
        for (row, labels) in matrix.labels().iter().enumerate() {
            let signature = projection.of(labels, |label| is_matched(matching, label));
            if let Some(number) = self.numbers.get(signature) {
                rows[*number].push(row);
            } else {
                self.numbers.insert(signature.into(), rows.len());
                rows.push(vec![row]);
            }
        }
        rows
    }

    /// The number of each row's signature; `None` for one that the other side does not have.
    fn of_known(&self, matrix: &Matrix, matching: &Matching) -> Vec<Option<usize>> {
        let mut projection = Projection::default();
        let signature = |labels| projection.of(labels, |label| is_matched(matching, label)).to_owned();
        let signatures = matrix.labels().iter().map(signature);
        signatures.map(|signature| self.numbers.get(signature.as_str()).copied()).collect()
    }
}

/// Which signatures have a result at which step already: only asked where several rows share one.
struct Unique {
    steps: usize,
    taken: BTreeMap<usize, Vec<bool>>,
}

impl Unique {
    fn new(of_many: &[Option<usize>], steps: usize) -> Self {
        let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
        for signature in of_many.iter().flatten() {
            *rows.entry(*signature).or_default() += 1;
        }
        let shared = rows.into_iter().filter(|(_, rows)| *rows > 1);
        Self { steps, taken: shared.map(|(signature, _)| (signature, vec![false; steps])).collect() }
    }

    /// False where the place was taken.
    fn take(&mut self, signature: usize, step: usize) -> bool {
        debug_assert!(step < self.steps);
        self.taken.get_mut(&signature).is_none_or(|taken| !std::mem::replace(&mut taken[step], true))
    }
}

/// That no two rows of the *one* side meet at a step; where the other side has nothing at all
/// nothing is matched.
fn check_one_side(
    ones: &[Vec<usize>],
    one: &Matrix,
    many: &Matrix,
    matching: &Matching,
    side: &'static str,
) -> Result<(), EvalError> {
    let mut occupied = None;
    for rows in ones.iter().filter(|rows| rows.len() > 1) {
        let occupied = occupied.get_or_insert_with(|| many.occupied_steps());
        for step in (0..one.steps()).filter(|step| occupied[*step]) {
            let mut present = rows.iter().filter(|row| one.row(**row)[step].is_some());
            if let (Some(first), Some(second)) = (present.next(), present.next()) {
                let (first, second) = (one.labels()[*first].clone(), one.labels()[*second].clone());
                let group = second.filtered(|label| is_matched(matching, label));
                return Err(EvalError::ManyToMany { side, group, first, second });
            }
        }
    }
    Ok(())
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
    left: &Matrix,
    right: &Matrix,
    matching: &Matching,
) -> Result<Matrix, EvalError> {
    let (kept_of, other) = match op {
        SetOp::And | SetOp::Unless => (left, right),
        SetOp::Or => (right, left),
    };
    let steps = kept_of.steps();
    let mut signatures = Signatures::default();
    let rows = signatures.rows_by_signature(other, matching);
    let present_at = |rows: &Vec<usize>, step: usize| rows.iter().any(|row| other.row(*row)[step].is_some());
    let wanted = op == SetOp::And;
    let mut result = Matrix::with_capacity(steps, kept_of.row_count());
    for ((labels, cells), signature) in kept_of.rows().zip(signatures.of_known(kept_of, matching)) {
        let kept = cells.iter().enumerate().map(|(step, cell): (usize, &Cell)| {
            let present = signature.is_some_and(|signature| present_at(&rows[signature], step));
            if present == wanted { cell.clone() } else { None }
        });
        result.push_with(|row| row.extend(kept), || labels.clone());
    }
    if op == SetOp::Or {
        for (labels, cells) in left.rows() {
            result.push(labels.clone(), cells.iter().cloned());
        }
    }
    result.joined()
}
