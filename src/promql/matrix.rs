//! Values of many series at many steps.

use super::{EvalError, Point, labels};
use crate::series::LabelSet;

/// A row of cells for each label set, a cell for each step.
///
/// Invariants: `cells.len() == labels.len() * steps`, no row without a point. The result of an
/// operator is ascending by labels, each label set once; the answer to a leaf request may repeat
/// label sets, where a function dropped what kept two series apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Matrix {
    steps: usize,
    labels: Vec<LabelSet>,
    cells: Vec<Cell>,
}

/// The point of a series at a step, if there is one.
pub(super) type Cell = Option<Point>;

// === impl Matrix ===

impl Matrix {
    /// A matrix without rows.
    pub(super) fn new(steps: usize) -> Self {
        Self { steps, labels: Vec::new(), cells: Vec::new() }
    }

    pub(super) fn with_capacity(steps: usize, rows: usize) -> Self {
        Self { steps, labels: Vec::with_capacity(rows), cells: Vec::with_capacity(rows * steps) }
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

    pub(super) fn row(&self, number: usize) -> &[Cell] {
        &self.cells[number * self.steps..][..self.steps]
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (&LabelSet, &[Cell])> {
        // Rows exist only where there are steps.
        self.labels.iter().zip(self.cells.chunks_exact(self.steps.max(1)))
    }

    /// Its label sets and its cells, row by row.
    pub(super) fn into_parts(self) -> (Vec<LabelSet>, Vec<Cell>) {
        (self.labels, self.cells)
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
            self.labels.push(labels());
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
        if self.labels.is_sorted() {
            return self;
        }
        let Self { steps, labels, mut cells } = self;
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by(|a, b| labels[*a].cmp(&labels[*b]));
        let mut sorted = Self::with_capacity(steps, labels.len());
        for number in order {
            sorted.labels.push(labels[number].clone());
            sorted.cells.extend(cells[number * steps..][..steps].iter_mut().map(Option::take));
        }
        sorted
    }

    /// As the result of an operator that works step by step: in label order, rows of the same labels
    /// as one.
    ///
    /// # Errors
    /// When two of them have a point at the same step.
    pub(super) fn joined(self) -> Result<Self, EvalError> {
        let mut sorted = self.sorted();
        if sorted.labels.is_sorted_by(|a, b| a < b) {
            return Ok(sorted);
        }
        let steps = sorted.steps;
        let mut joined = Self::with_capacity(steps, sorted.labels.len());
        for (number, labels) in sorted.labels.into_iter().enumerate() {
            let cells = &mut sorted.cells[number * steps..][..steps];
            if joined.labels.last() != Some(&labels) {
                joined.labels.push(labels);
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
        match self.labels.array_windows().find(|[a, b]| a == b) {
            Some([labels, _]) => Err(EvalError::SameLabels { labels: labels.clone() }),
            None => Ok(()),
        }
    }

    /// The rows of all `parts`, in label order; each part is in label order.
    pub(super) fn merged(parts: Vec<Self>) -> Self {
        let Some(steps) = parts.iter().find(|part| part.row_count() > 0).map(|part| part.steps) else {
            return parts.into_iter().next().unwrap_or_default();
        };
        let mut parts = parts.into_iter().filter(|part| part.row_count() > 0);
        let mut all = parts.next().unwrap_or_else(|| Self::new(steps));
        for mut part in parts {
            all.labels.append(&mut part.labels);
            all.cells.append(&mut part.cells);
        }
        all.sorted()
    }

    /// Every float through `function`, its labels without the metric name; histograms are left out.
    ///
    /// # Errors
    /// When that makes two points of a step the same.
    pub(super) fn map_floats(&self, mut function: impl FnMut(usize, f64) -> f64) -> Result<Self, EvalError> {
        let mut mapped = Self::with_capacity(self.steps, self.row_count());
        for (labels, cells) in self.rows() {
            let floats = cells.iter().enumerate();
            let floats =
                floats.map(|(step, cell)| Some(Point::Float(function(step, cell.as_ref()?.float()?))));
            mapped.push_with(|row| row.extend(floats), || labels::without_name(labels));
        }
        mapped.joined()
    }
}
