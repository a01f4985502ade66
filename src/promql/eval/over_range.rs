//! Range functions whose samples come from a subquery, or whose arguments change from step to step.

use super::{EvalError, Evaluation};
use crate::{
    promql::{
        Budget, Point, labels,
        leaf::{Answer, RangeSeries, Read, Times},
        matrix::Matrix,
        range::{RangeFunction, Reading},
        tree::{RangeVector, Scalar},
    },
    series::{HistogramSample, NativeHistogram, ResetHint, Sample},
};
use std::{borrow::Cow, sync::Arc};

impl<'a> Evaluation<'a, '_> {
    pub(super) fn over_range(
        &mut self,
        function: RangeFunction,
        arguments: &[Scalar],
        of: &RangeVector,
        at: usize,
    ) -> Result<Matrix, EvalError> {
        let arguments: Vec<Vec<f64>> =
            arguments.iter().map(|argument| self.scalar(argument)).collect::<Result<_, _>>()?;
        let argument = |number: usize, step: usize| arguments.get(number).map_or(0.0, |values| values[step]);
        let (series, times, range_ms) = self.range_series(of)?;
        let mut matrix = Matrix::new(times.count());
        let mut cells = Vec::new();
        for RangeSeries { labels, samples, histograms } in &*series {
            let budget: &mut Budget = self.budget;
            budget.hold(times.count())?;
            let arguments = |step| [argument(0, step), argument(1, step)];
            let take = |point, looked_at| {
                cells.push(point);
                budget.work(looked_at)
            };
            function.over_steps_mixed(samples, histograms, &times, range_ms, arguments, take)?;
            let read = Reading { labels, samples, histograms, times: &times, range_ms };
            function.remark(read, &cells, arguments, at, &mut self.remarks);
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

/// The points of a matrix as samples at its steps.
fn as_series(matrix: &Matrix, times: &Times) -> Vec<RangeSeries> {
    let series = matrix.rows().map(|(labels, cells)| {
        let (mut samples, mut histograms) = (Vec::new(), Vec::new());
        for (timestamp, cell) in times.steps().zip(cells) {
            match cell {
                Some(Point::Float(value)) => samples.push(Sample { timestamp, value: *value }),
                Some(Point::Histogram(histogram)) => {
                    histograms.push(HistogramSample { timestamp, histogram: without_history(histogram) });
                }
                None => {}
            }
        }
        RangeSeries { labels: labels.clone(), samples, histograms }
    });
    series.collect()
}

/// What was known of a reset between samples says nothing of the steps of a subquery.
fn without_history(histogram: &Arc<NativeHistogram>) -> Arc<NativeHistogram> {
    match histogram.reset_hint {
        ResetHint::Unknown | ResetHint::Gauge => Arc::clone(histogram),
        ResetHint::Yes | ResetHint::No => {
            Arc::new(NativeHistogram { reset_hint: ResetHint::Unknown, ..NativeHistogram::clone(histogram) })
        }
    }
}
