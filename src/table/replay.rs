//! A table as a stream of steps.

use super::Table;
use crate::{
    features::{FeatureMatrix, FeatureSchema, FeatureWindows, Inputs, StepBackwards},
    series::TimestampMs,
};
use ndarray::{Array2, Axis};

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

/// Pushes all rows, ascending in time, through fresh windows of `schema` and hands the inputs to
/// `each`, with the row of the table behind each row of the inputs.
///
/// Rows are moved to the nearest step counted from the first row, so that late scrapes do not tear
/// holes into the windows; a second row of an entity within one step replaces the first there.
///
/// # Errors
/// Never for a table that was read: its rows are sorted here.
pub fn replay(
    table: &Table,
    schema: &FeatureSchema,
    mut each: impl FnMut(&Inputs, &[usize]),
) -> Result<(), StepBackwards> {
    let order = table.in_time_order();
    let Some(start) = order.first().map(|row| table.rows()[*row].at) else {
        return Ok(());
    };
    let step_ms = schema.step_ms();
    let nearest = |row: usize| {
        let steps = (table.rows()[row].at.since_ms(start) + step_ms / 2).div_euclid(step_ms);
        start.plus_ms(steps * step_ms)
    };
    let mut windows = FeatureWindows::new(schema);
    for step in order.chunk_by(|a, b| nearest(*a) == nearest(*b)) {
        for rows in without_repeats(table, step) {
            let inputs = windows.push(&matrix(table, nearest(rows[0]), &rows))?;
            each(&inputs, &rows);
        }
    }
    Ok(())
}

/// The rows of one step as groups in which every entity occurs once, ascending by its labels.
fn without_repeats(table: &Table, step: &[usize]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let labels = |row: &usize| &table.entities()[table.rows()[*row].entity].1;
    let mut sorted = step.to_vec();
    // Stable: several rows of one entity stay in the order of their time.
    sorted.sort_by(|a, b| labels(a).cmp(labels(b)));
    for same in sorted.chunk_by(|a, b| labels(a) == labels(b)) {
        for (occurrence, row) in same.iter().enumerate() {
            match groups.get_mut(occurrence) {
                Some(group) => group.push(*row),
                None => groups.push(vec![*row]),
            }
        }
    }
    groups
}

fn matrix(table: &Table, at: TimestampMs, rows: &[usize]) -> FeatureMatrix {
    let entity = |row: &usize| table.entities()[table.rows()[*row].entity].1.clone();
    let values: Array2<f64> = table.values().select(Axis(0), rows);
    FeatureMatrix {
        at,
        entities: rows.iter().map(entity).collect(),
        ambiguous: vec![0; values.ncols()],
        values,
    }
}
