//! Aggregations that keep elements or count them: `topk` and its kin, `count_values`.

use super::{
    EvalError,
    aggregate::{Groups, group_labels},
};
use crate::{
    promql::{
        Budget, Point,
        ast::Grouping,
        matrix::{Cell, Matrix},
        native,
        number::{ascending, descending, shortest},
        tree::Selection,
    },
    series::LabelSet,
};
use std::collections::BTreeMap;

/// The `count[step]` elements of each group that `which` prefers; of equal ones those that come
/// first in label order.
pub(super) fn selected(
    which: Selection,
    count: &[f64],
    groups: &Groups,
    of: &Matrix,
) -> Result<Matrix, EvalError> {
    let steps = of.steps();
    if !count.iter().any(|count| *count >= 1.0 || count.is_nan()) || of.row_count() == 0 {
        return Ok(Matrix::new(steps));
    }
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); groups.labels.len()];
    for (row, group) in groups.of_row.iter().enumerate() {
        members[*group].push(row);
    }
    let mut stays = vec![false; of.row_count() * steps];
    let mut found = Vec::new();
    let occupied = of.occupied_steps();
    for (step, count) in count.iter().enumerate().filter(|(step, _)| occupied[*step]) {
        let count = selected_count(*count, of.row_count())?;
        for members in &members {
            found.clear();
            for row in members {
                match (&of.row(*row)[step], which) {
                    (Some(_), Selection::First) => found.push((*row, 0.0)),
                    (Some(Point::Float(value)), _) => found.push((*row, *value)),
                    _ => {}
                }
            }
            match which {
                Selection::First => {}
                Selection::Largest => found.sort_by(|a, b| descending(a.1, b.1)),
                Selection::Smallest => found.sort_by(|a, b| ascending(a.1, b.1)),
            }
            for (row, _) in found.iter().take(count) {
                stays[row * steps + step] = true;
            }
        }
    }
    let mut result = Matrix::with_capacity(steps, of.row_count());
    for ((labels, cells), stays) in of.rows().zip(stays.chunks_exact(steps)) {
        let kept = cells.iter().zip(stays).map(|(cell, stays)| if *stays { cell.clone() } else { None });
        result.push_with(|row| row.extend(kept), || labels.clone());
    }
    Ok(result)
}

/// A scalar as a number of elements, at most `all`.
fn selected_count(count: f64, all: usize) -> Result<usize, EvalError> {
    // The bounds of Go's `int64`, beyond which Prometheus fails; NaN is beyond.
    if !(-9_223_372_036_854_775_808.0..=9_223_372_036_854_775_807.0).contains(&count) {
        return Err(EvalError::Count { value: count });
    }
    Ok((count.max(0.0) as usize).min(all))
}

/// For each value of each group how many elements have it; the value becomes the label `label`.
pub(super) fn count_values(
    label: &str,
    grouping: &Grouping,
    of: &Matrix,
    budget: &mut Budget,
) -> Result<Matrix, EvalError> {
    let grouping = match grouping {
        Grouping::By(names) => Grouping::By(names.iter().cloned().chain([label.to_owned()]).collect()),
        Grouping::Without(names) => Grouping::Without(names.clone()),
    };
    let mut counts: BTreeMap<LabelSet, Vec<Cell>> = BTreeMap::new();
    for (labels, cells) in of.rows() {
        for (step, cell) in cells.iter().enumerate() {
            let value = match cell {
                Some(Point::Float(value)) => shortest(*value),
                Some(Point::Histogram(histogram)) => native::text(histogram),
                None => continue,
            };
            let group = group_labels(&labels.with(label, &value), &grouping);
            budget.work(1)?;
            let row = match counts.get_mut(&group) {
                Some(row) => row,
                None => {
                    budget.hold(of.steps())?;
                    counts.entry(group).or_insert_with(|| vec![None; of.steps()])
                }
            };
            let before = row[step].as_ref().and_then(Point::float).unwrap_or(0.0);
            row[step] = Some(Point::Float(before + 1.0));
        }
    }
    let mut result = Matrix::with_capacity(of.steps(), counts.len());
    for (labels, cells) in counts {
        result.push(labels, cells);
    }
    Ok(result)
}
