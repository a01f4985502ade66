//! Functions of each value by itself.

use super::{EvalError, Evaluation};
use crate::{
    promql::{
        Point, labels,
        matrix::{Cell, Matrix},
        native, number,
        tree::{Elementwise, Scalar},
    },
    series::NativeHistogram,
};
use std::sync::Arc;

impl Evaluation<'_, '_> {
    /// `function` of each element; the metric name goes.
    pub(super) fn elementwise(&mut self, function: &Elementwise, of: &Matrix) -> Result<Matrix, EvalError> {
        match function {
            Elementwise::Minus => {
                // Of whole series: their labels must differ even where they do not meet.
                let mut negated = Matrix::with_capacity(of.steps(), of.row_count());
                for (labels, cells) in of.rows() {
                    let points = cells.iter().map(|cell| Some(minus(cell.as_ref()?)));
                    negated.push_with(|row| row.extend(points), || labels::without_name(labels));
                }
                negated.distinct()
            }
            Elementwise::Plain(function) => self.map_floats(of, |_, x| function(x)),
            Elementwise::OfHistogram(function) => {
                let mut values = Matrix::with_capacity(of.steps(), of.row_count());
                for (labels, cells) in of.rows() {
                    let value = |cell: &Cell| match cell {
                        Some(Point::Histogram(histogram)) => Some(Point::Float(function(histogram))),
                        _ => None,
                    };
                    values.push_with(
                        |row| row.extend(cells.iter().map(value)),
                        || labels::without_name(labels),
                    );
                }
                values.joined()
            }
            Elementwise::StepTime => self.step_times(of),
            Elementwise::Round { to_nearest } => {
                // By the inverse, as Prometheus does: 0.1 is not exact, 10 is.
                let inverse: Vec<f64> =
                    self.scalar(to_nearest)?.into_iter().map(|nearest| 1.0 / nearest).collect();
                self.map_floats(of, |step, x| (x * inverse[step] + 0.5).floor() / inverse[step])
            }
            Elementwise::Clamp { min, max } => self.clamp(of, min, max),
        }
    }

    fn step_times(&self, of: &Matrix) -> Result<Matrix, EvalError> {
        let times: Vec<f64> = self.times.steps().map(|at| at.seconds()).collect();
        let mut matrix = Matrix::with_capacity(of.steps(), of.row_count());
        for (labels, cells) in of.rows() {
            let stamped =
                cells.iter().zip(&times).map(|(cell, time)| cell.as_ref().map(|_| Point::Float(*time)));
            matrix.push_with(|row| row.extend(stamped), || labels::without_name(labels));
        }
        matrix.joined()
    }

    fn clamp(&mut self, of: &Matrix, min: &Scalar, max: &Scalar) -> Result<Matrix, EvalError> {
        let (min, max) = (self.scalar(min)?, self.scalar(max)?);
        let mut clamped = Matrix::with_capacity(of.steps(), of.row_count());
        for (labels, cells) in of.rows() {
            let cells = cells.iter().zip(min.iter().zip(&max)).map(|(cell, (min, max))| {
                let value = cell.as_ref()?.float()?;
                // A NaN bound does not empty the result, it makes it NaN.
                let is_empty = max < min;
                (!is_empty).then(|| Point::Float(number::max(*min, number::min(*max, value))))
            });
            clamped.push_with(|row| row.extend(cells), || labels::without_name(labels));
        }
        clamped.joined()
    }
}

fn minus(point: &Point) -> Point {
    match point {
        Point::Float(value) => Point::Float(-value),
        Point::Histogram(histogram) => {
            let mut negated = NativeHistogram::clone(histogram);
            native::scale(&mut negated, -1.0);
            Point::Histogram(Arc::new(negated))
        }
    }
}
