//! Values of many series at many steps.

use super::{
    EvalError, Point,
    rows::{Order, Rows},
};
use crate::series::LabelSet;
use std::ops::Deref;

/// A row of cells for each label set, a cell for each step.
///
/// Invariants: `cells.len() == labels.len() * steps`, no row without a point. The result of an
/// operator is ascending by labels, each label set once; the answer to a leaf request may repeat
/// label sets, where a function dropped what kept two series apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Matrix {
    steps: usize,
    labels: Labels,
    cells: Vec<Cell>,
}

/// The labels of the rows: a list of its own unless it shares one.
#[derive(Clone, Debug, Default)]
struct Labels {
    own: Vec<LabelSet>,
    shared: Option<Rows>,
}

/// The point of a series at a step, if there is one.
pub(super) type Cell = Option<Point>;

// === impl Matrix ===

impl Matrix {
    /// A matrix without rows.
    pub(super) fn new(steps: usize) -> Self {
        Self { steps, labels: Labels::default(), cells: Vec::new() }
    }

    pub(super) fn with_capacity(steps: usize, rows: usize) -> Self {
        let labels = Labels::from(Vec::with_capacity(rows));
        Self { steps, labels, cells: Vec::with_capacity(rows * steps) }
    }

    /// `cells` row by row.
    pub(super) fn of_rows(steps: usize, rows: Rows, cells: Vec<Cell>) -> Self {
        debug_assert_eq!(cells.len(), rows.len() * steps, "a row has a cell for each step");
        Self { steps, labels: Labels { own: Vec::new(), shared: Some(rows) }, cells }
    }

    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    pub(super) fn row_count(&self) -> usize {
        self.labels.len()
    }

    pub(super) fn cell_count(&self) -> usize {
        self.cells.len()
    }

    pub(super) fn labels(&self) -> &[LabelSet] {
        &self.labels
    }

    /// The list of its labels, where that may be the one of another step.
    pub(super) fn shared_rows(&self) -> Option<&Rows> {
        self.labels.shared.as_ref()
    }

    pub(super) fn row(&self, number: usize) -> &[Cell] {
        &self.cells[number * self.steps..][..self.steps]
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (&LabelSet, &[Cell])> {
        // Rows exist only where there are steps.
        self.labels.iter().zip(self.cells.chunks_exact(self.steps.max(1)))
    }

    /// Its label sets and its cells, row by row.
    pub(super) fn into_parts(self) -> (Vec<LabelSet>, Vec<Cell>) {
        (self.labels.into_own(), self.cells)
    }

    /// Its cells, row by row.
    pub(super) fn into_cells(self) -> Vec<Cell> {
        self.cells
    }

    /// Adds a row unless it has no point.
    pub(super) fn push(&mut self, labels: LabelSet, cells: impl IntoIterator<Item = Cell>) {
        self.push_with(|row| row.extend(cells), || labels);
    }

    /// Adds the row that `fill` appends, unless it has no point; `labels` is only asked where it has.
    pub(super) fn push_with(&mut self, fill: impl FnOnce(&mut Vec<Cell>), labels: impl FnOnce() -> LabelSet) {
        let start = self.cells.len();
        fill(&mut self.cells);
        debug_assert_eq!(self.cells.len(), start + self.steps, "a row has a cell for each step");
        if self.cells[start..].iter().any(Option::is_some) {
            self.labels.own().push(labels());
        } else {
            self.cells.truncate(start);
        }
    }

    /// Whether a step has any point, step by step.
    pub(super) fn occupied_steps(&self) -> Vec<bool> {
        let mut occupied = vec![false; self.steps];
        for (_, cells) in self.rows() {
            for (occupied, cell) in occupied.iter_mut().zip(cells) {
                *occupied |= cell.is_some();
            }
        }
        occupied
    }

    /// Rows in label order; equal label sets keep their order.
    pub(super) fn sorted(self) -> Self {
        if self.labels.order() != Order::None {
            return self;
        }
        let (labels, order) = ascending(&self.labels);
        Self { steps: self.steps, cells: in_order(self.cells, self.steps, &order), labels: labels.into() }
    }

    /// As the result of an operator that works step by step: in label order, rows of the same labels
    /// as one.
    ///
    /// # Errors
    /// When two of them have a point at the same step.
    pub(super) fn joined(self) -> Result<Self, EvalError> {
        let mut sorted = self.sorted();
        if sorted.labels.order() == Order::Strict {
            return Ok(sorted);
        }
        let steps = sorted.steps;
        let mut joined = Self::with_capacity(steps, sorted.labels.len());
        for (number, labels) in sorted.labels.into_own().into_iter().enumerate() {
            let cells = &mut sorted.cells[number * steps..][..steps];
            if joined.labels.last() != Some(&labels) {
                joined.labels.own().push(labels);
                joined.cells.extend(cells.iter_mut().map(Option::take));
                continue;
            }
            let start = joined.cells.len() - steps;
            for (into, cell) in joined.cells[start..].iter_mut().zip(cells) {
                match (into.is_some(), cell.take()) {
                    (true, Some(_)) => return Err(EvalError::SameLabels { labels }),
                    (false, cell) => *into = cell,
                    (true, None) => {}
                }
            }
        }
        Ok(joined)
    }

    /// As the result of an operator on whole series: in label order.
    ///
    /// # Errors
    /// When two rows have the same labels, whether they meet at a step or not.
    pub(super) fn distinct(self) -> Result<Self, EvalError> {
        let sorted = self.sorted();
        sorted.check_distinct()?;
        Ok(sorted)
    }

    /// # Errors
    /// When two neighbouring rows have the same labels.
    pub(super) fn check_distinct(&self) -> Result<(), EvalError> {
        match self.labels.order() {
            Order::Repeats(place) => Err(EvalError::SameLabels { labels: self.labels[place].clone() }),
            Order::Strict | Order::None => Ok(()),
        }
    }

    /// The rows of all `parts`, part by part.
    pub(super) fn laid_end_to_end(parts: Vec<Self>) -> Self {
        let steps = parts.first().map_or(0, Self::steps);
        let mut parts = parts.into_iter().filter(|part| part.row_count() > 0);
        let mut all = parts.next().unwrap_or_else(|| Self::new(steps));
        for mut part in parts {
            all.labels.own().append(&mut part.labels.into_own());
            all.cells.append(&mut part.cells);
        }
        all
    }

    /// `cells` row by row; rows without a point are left out.
    pub(super) fn of_occupied_rows(steps: usize, rows: Rows, cells: Vec<Cell>) -> Self {
        if cells.chunks_exact(steps.max(1)).all(|row| row.iter().any(Option::is_some)) {
            return Self::of_rows(steps, rows, cells);
        }
        let mut matrix = Self::with_capacity(steps, rows.len());
        let mut cells = cells.into_iter();
        for labels in &*rows {
            matrix.push(labels.clone(), cells.by_ref().take(steps));
        }
        matrix
    }
}

/// `labels` in their order, and the place that each of them had; equal ones stay as they stand.
pub(super) fn ascending(labels: &[LabelSet]) -> (Vec<LabelSet>, Vec<usize>) {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|a, b| labels[*a].cmp(&labels[*b]));
    (order.iter().map(|place| labels[*place].clone()).collect(), order)
}

/// Rows of cells in this order.
pub(super) fn in_order(mut cells: Vec<Cell>, steps: usize, order: &[usize]) -> Vec<Cell> {
    let mut ordered = Vec::with_capacity(cells.len());
    for number in order {
        ordered.extend(cells[number * steps..][..steps].iter_mut().map(Option::take));
    }
    ordered
}

// === impl Labels ===

impl Labels {
    /// As a list of its own, to be added to.
    fn own(&mut self) -> &mut Vec<LabelSet> {
        if let Some(rows) = self.shared.take() {
            self.own = rows.into_labels();
        }
        &mut self.own
    }

    fn into_own(mut self) -> Vec<LabelSet> {
        std::mem::take(self.own())
    }

    fn order(&self) -> Order {
        self.shared.as_ref().map_or_else(|| Order::of(&self.own), Rows::order)
    }
}

impl From<Vec<LabelSet>> for Labels {
    fn from(own: Vec<LabelSet>) -> Self {
        Self { own, shared: None }
    }
}

impl Deref for Labels {
    type Target = [LabelSet];

    fn deref(&self) -> &[LabelSet] {
        self.shared.as_ref().map_or(&self.own, |rows| rows)
    }
}
