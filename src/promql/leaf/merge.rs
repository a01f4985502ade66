//! The answers of several shards as one, step after step.

use super::{LeafMatrix, answer::Answer};
use crate::promql::{
    matrix::{Matrix, ascending, in_order},
    rows::{Order, Rows},
};

/// How the rows of the parts came into label order at the last step. As long as every part answers with
/// the same rows nothing is compared.
#[derive(Debug, Default)]
pub struct MergeMemory {
    parts: Vec<Rows>,
    rows: Rows,
    /// For each of `rows`: its place among all rows of the parts; `None` where they are in label order.
    order: Option<Vec<usize>>,
}

// === impl MergeMemory ===

impl MergeMemory {
    /// As [`LeafMatrix::merge`].
    #[must_use]
    pub fn merge(&mut self, parts: Vec<LeafMatrix>) -> LeafMatrix {
        let rows = parts.iter().map(|part| match &part.answer {
            Answer::Steps(matrix) => matrix.shared_rows().cloned(),
            Answer::Samples(_) => None,
        });
        let Some(rows) = rows.collect::<Option<Vec<Rows>>>() else { return LeafMatrix::merge(parts) };
        if rows.len() != self.parts.len() || !rows.iter().zip(&self.parts).all(|(rows, known)| rows.is(known))
        {
            *self = Self::of(rows);
        }
        let mut cells = Vec::new();
        let mut steps = 0;
        for part in parts {
            if let Answer::Steps(matrix) = part.answer {
                steps = matrix.steps();
                match cells.is_empty() {
                    true => cells = matrix.into_cells(),
                    false => cells.append(&mut matrix.into_cells()),
                }
            }
        }
        if let Some(order) = &self.order {
            cells = in_order(cells, steps, order);
        }
        Matrix::of_rows(steps, self.rows.clone(), cells).into()
    }

    fn of(parts: Vec<Rows>) -> Self {
        let all = match parts.as_slice() {
            [only] => only.clone(),
            parts => parts.iter().flat_map(|rows| rows.iter().cloned()).collect::<Vec<_>>().into(),
        };
        if all.order() != Order::None {
            return Self { parts, rows: all, order: None };
        }
        let (rows, order) = ascending(&all);
        Self { parts, rows: rows.into(), order: Some(order) }
    }
}
