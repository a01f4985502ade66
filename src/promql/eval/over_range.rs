//! Range functions whose samples come from a subquery, or whose arguments change from step to step.

use super::{EvalError, Evaluation};
use crate::{
    promql::{
        Budget, Point, labels,
        leaf::{Answer, RangeSeries, Read, Times},
        matrix::Matrix,
        range::RangeFunction,
        tree::{RangeVector, Scalar},
    },
    series::Sample,
};
use std::borrow::Cow;

impl<'a> Evaluation<'a, '_> {
    pub(super) fn over_range(
        &mut self,
        function: RangeFunction,
        arguments: &[Scalar],
        of: &RangeVector,
    ) -> Result<Matrix, EvalError> {
        let arguments: Vec<Vec<f64>> =
            arguments.iter().map(|argument| self.scalar(argument)).collect::<Result<_, _>>()?;
        let argument = |number: usize, step: usize| arguments.get(number).map_or(0.0, |values| values[step]);
        let (series, times, range_ms) = self.range_series(of)?;
        let mut matrix = Matrix::new(times.count());
        let mut cells = Vec::new();
        for RangeSeries { labels, samples } in &*series {
            let budget: &mut Budget = self.budget;
            budget.hold(times.count())?;
            function.over_steps(
                samples,
                &times,
                range_ms,
                |step| [argument(0, step), argument(1, step)],
                |value, looked_at| {
                    cells.push(value.map(Point::Float));
                    budget.work(looked_at)
                },
            )?;
            let labels_of =
                || if function.keeps_name() { labels.clone() } else { labels::without_name(labels) };
            matrix.push_with(|row| row.append(&mut cells), labels_of);
        }
        matrix.distinct()
    }

    /// The samples of a range vector, the steps that look at them, and how far each looks back.
    pub(in crate::promql) fn range_series(
        &mut self,
        of: &RangeVector,
    ) -> Result<(Cow<'a, [RangeSeries]>, Times, i64), EvalError> {
        match of {
            RangeVector::Samples(number) => {
                let leaf = self.tree.leaves.get(*number);
                let (moment, range_ms) = match leaf.map(|leaf| (leaf.moment, leaf.read)) {
                    Some((moment, Read::Samples { range_ms })) => (moment, range_ms),
                    // The checker makes such a leaf for every range vector.
                    _ => Default::default(),
                };
                let series = match self.answers.get(*number).map(|answer| &answer.answer) {
                    Some(Answer::Samples(series)) => series.as_slice(),
                    _ => &[],
                };
                Ok((Cow::Borrowed(series), self.times.looking(moment), range_ms))
            }
            RangeVector::Subquery { of, range } => {
                let times = self.times;
                self.times = times.inside(range);
                // Whatever is inside has at least one number a step.
                self.budget.check(self.times.count())?;
                let matrix = self.vector(of);
                let inner = std::mem::replace(&mut self.times, times);
                let series = as_series(&*matrix?, &inner);
                Ok((Cow::Owned(series), times.looking(range.moment), range.range_ms))
            }
        }
    }
}

/// The floats of a matrix as samples at its steps.
fn as_series(matrix: &Matrix, times: &Times) -> Vec<RangeSeries> {
    let series = matrix.rows().map(|(labels, cells)| {
        let samples = times.steps().zip(cells);
        let samples =
            samples.filter_map(|(at, cell)| Some(Sample { timestamp: at, value: cell.as_ref()?.float()? }));
        RangeSeries { labels: labels.clone(), samples: samples.collect() }
    });
    series.collect()
}
