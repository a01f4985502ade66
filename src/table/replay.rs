//! A table as a stream of steps.

use super::Table;
use crate::{
    features::{FeatureMatrix, FeatureSchema, FeatureWindows, Inputs, StepBackwards},
    series::TimestampMs,
};
use ndarray::{Array2, Axis};

/// One step of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableStep {
    /// The vectors of its entities.
    pub matrix: FeatureMatrix,
    /// Every row of the table that falls into the step, with its entity's row of the matrix. Of several rows of an
    /// entity the last one gave the vector; where it has no value at all, the entity is not in the matrix.
    pub rows: Vec<(usize, Option<usize>)>,
}

/// The median distance of an entity's neighbouring rows; `None` when no entity has two rows.
#[must_use]
pub fn median_step_ms(table: &Table) -> Option<i64> {
    let mut last = vec![None; table.entities().len()];
    let mut spacings = Vec::with_capacity(table.rows().len());
    for row in table.in_time_order() {
        let row = &table.rows()[row];
        if let Some(earlier) = last[row.entity].replace(row.at) {
            spacings.push(row.at.since_ms(earlier));
        }
    }
    let middle = spacings.len() / 2;
    (!spacings.is_empty()).then(|| *spacings.select_nth_unstable(middle).1)
}

/// The rows, ascending in time, as steps of `step_ms`.
///
/// Rows are moved to the nearest step counted from the first row, so that late scrapes do not tear
/// holes into the windows.
pub fn steps(table: &Table, step_ms: i64) -> impl Iterator<Item = TableStep> {
    let order = table.in_time_order();
    let start = order.first().map_or(TimestampMs(0), |row| table.rows()[*row].at);
    let nearest = move |row: usize| {
        let steps = (table.rows()[row].at.since_ms(start) + step_ms / 2).div_euclid(step_ms);
        start.plus_ms(steps * step_ms)
    };
    let mut rest = 0;
    std::iter::from_fn(move || {
        let at = nearest(*order.get(rest)?);
        let begin = rest;
        rest += order[begin..].iter().take_while(|row| nearest(**row) == at).count();
        Some(step(table, at, &order[begin..rest]))
    })
}

/// Pushes all [`steps`] through fresh windows of `schema` and hands the inputs to `each`, with the row of the table
/// that gave each row of the inputs.
///
/// # Errors
/// Never for a table that was read: its rows are sorted here.
pub fn replay(
    table: &Table,
    schema: &FeatureSchema,
    mut each: impl FnMut(&Inputs, &[usize]),
) -> Result<(), StepBackwards> {
    let mut windows = FeatureWindows::new(schema);
    for TableStep { matrix, rows } in steps(table, schema.step_ms()) {
        let inputs = windows.push(&matrix)?;
        windows.forget_silent();
        let mut given = vec![0; matrix.entities.len()];
        // The last of several rows of an entity overwrites those before it.
        for (row, place) in rows {
            place.into_iter().for_each(|place| given[place] = row);
        }
        each(&inputs, &given);
    }
    Ok(())
}

/// The step `at` of the rows `given`, which ascend in time.
fn step(table: &Table, at: TimestampMs, given: &[usize]) -> TableStep {
    let labels = |row: usize| &table.entities()[table.rows()[row].entity].1;
    let mut sorted = given.to_vec();
    // Stable: several rows of one entity stay in the order of their time.
    sorted.sort_by(|a, b| labels(*a).cmp(labels(*b)));
    let has_value = |row: &usize| table.values().row(*row).iter().any(|value| value.is_finite());
    let (mut last, mut rows) = (Vec::new(), Vec::with_capacity(sorted.len()));
    for same in sorted.chunk_by(|a, b| labels(*a) == labels(*b)) {
        let vector = same.last().copied().filter(has_value);
        rows.extend(same.iter().map(|row| (*row, vector.map(|_| last.len()))));
        last.extend(vector);
    }
    let values: Array2<f64> = table.values().select(Axis(0), &last);
    let matrix = FeatureMatrix {
        at,
        entities: last.iter().map(|row| labels(*row).clone()).collect(),
        ambiguous: vec![0; values.ncols()],
        values,
    };
    TableStep { matrix, rows }
}
