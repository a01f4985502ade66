//! Aggregations: `sum by (job) (..)` and its kin.

use super::{EvalError, Evaluation};
use crate::{
    promql::{
        Point,
        ast::Grouping,
        labels::Projection,
        matrix::Matrix,
        number::{CompensatedSum, Mean, quantile},
        tree::AggregateOp,
    },
    series::{LabelSet, METRIC_NAME},
};
use std::collections::BTreeMap;

impl Evaluation<'_, '_> {
    /// One element for each group of `of` and step. Within a group values are taken in label order, so
    /// the result is the same to the last bit however the series were spread.
    pub(super) fn aggregate(
        &mut self,
        op: &AggregateOp,
        grouping: &Grouping,
        of: &Matrix,
    ) -> Result<Matrix, EvalError> {
        let quantiles = match op {
            AggregateOp::Quantile(q) => self.scalar(q)?,
            _ => Vec::new(),
        };
        let steps = of.steps();
        let Groups { labels, of_row } = Groups::of(of, grouping);
        self.budget.hold(labels.len().saturating_mul(steps))?;
        let mut groups: Vec<Option<Accumulator>> = Vec::new();
        groups.resize_with(labels.len() * steps, || None);
        for ((_, cells), group) in of.rows().zip(of_row) {
            let group = &mut groups[group * steps..][..steps];
            for (accumulator, cell) in group.iter_mut().zip(cells) {
                let Some(point) = cell else { continue };
                match (accumulator, point) {
                    (Some(accumulator), point) => accumulator.add(point),
                    (none, point) => *none = Accumulator::new(op, point),
                }
            }
        }
        let mut result = Matrix::with_capacity(steps, labels.len());
        let mut groups = groups.into_iter();
        for labels in labels {
            let finished = groups.by_ref().take(steps).enumerate().map(|(step, accumulator)| {
                let q = quantiles.get(step).copied().unwrap_or(f64::NAN);
                Some(Point::Float(accumulator?.finish(op, q)))
            });
            result.push(labels, finished);
        }
        Ok(result.sorted())
    }
}

/// Which rows of a matrix belong together.
pub(super) struct Groups {
    /// The labels of each group, in the order in which groups appear.
    pub(super) labels: Vec<LabelSet>,
    /// The group of each row.
    pub(super) of_row: Vec<usize>,
}

impl Groups {
    pub(super) fn of(matrix: &Matrix, grouping: &Grouping) -> Self {
        let mut numbers: BTreeMap<Box<str>, usize> = BTreeMap::new();
        let mut groups = Self { labels: Vec::new(), of_row: Vec::with_capacity(matrix.row_count()) };
        let mut projection = Projection::default();
        for labels in matrix.labels() {
            let key = match grouping {
                Grouping::By(names) => {
                    projection.of(labels, |label| names.iter().any(|name| name == label.name))
                }
                Grouping::Without(names) => projection.of(labels, |label| {
                    label.name != METRIC_NAME && !names.iter().any(|name| name == label.name)
                }),
            };
            let known = numbers.get(key).copied();
            groups.of_row.push(known.unwrap_or_else(|| {
                numbers.insert(key.into(), groups.labels.len());
                groups.labels.push(group_labels(labels, grouping));
                groups.labels.len() - 1
            }));
        }
        groups
    }
}

pub(super) fn group_labels(labels: &LabelSet, grouping: &Grouping) -> LabelSet {
    match grouping {
        Grouping::By(names) => labels.keep(names),
        Grouping::Without(names) => labels.drop(names),
    }
}

/// The state of one group; it has at least one value.
enum Accumulator {
    Sum(CompensatedSum),
    Mean(Mean),
    Min(f64),
    Max(f64),
    Count(f64),
    /// Only that there is something.
    Presence,
    /// Welford's method; `squares` is the sum of squared differences from the mean.
    Variance {
        count: f64,
        mean: f64,
        squares: f64,
    },
    Values(Vec<f64>),
}

impl Accumulator {
    /// `None` for a point that the operator does not look at.
    fn new(op: &AggregateOp, first: &Point) -> Option<Self> {
        match op {
            AggregateOp::Count => return Some(Self::Count(1.0)),
            AggregateOp::Group => return Some(Self::Presence),
            _ => {}
        }
        let first = first.float()?;
        Some(match op {
            AggregateOp::Sum => Self::Sum(CompensatedSum { sum: first, compensation: 0.0 }),
            AggregateOp::Avg => Self::Mean(Mean::of(first)),
            AggregateOp::Min => Self::Min(first),
            AggregateOp::Max => Self::Max(first),
            AggregateOp::Count => Self::Count(1.0),
            AggregateOp::Group => Self::Presence,
            AggregateOp::Stddev | AggregateOp::Stdvar => {
                let squares = if first.is_finite() { 0.0 } else { f64::NAN };
                Self::Variance { count: 1.0, mean: first, squares }
            }
            AggregateOp::Quantile(_) => Self::Values(vec![first]),
        })
    }

    fn add(&mut self, point: &Point) {
        if let Self::Count(count) = self {
            *count += 1.0;
        }
        let Some(value) = point.float() else { return };
        match self {
            Self::Sum(sum) => *sum = sum.plus(value),
            Self::Mean(mean) => mean.add(value),
            // NaN is only kept as long as there is nothing else.
            Self::Min(min) => *min = if *min > value || min.is_nan() { value } else { *min },
            Self::Max(max) => *max = if *max < value || max.is_nan() { value } else { *max },
            Self::Count(_) | Self::Presence => {}
            Self::Variance { count, mean, squares } => {
                *count += 1.0;
                let delta = value - *mean;
                *mean += delta / *count;
                *squares += delta * (value - *mean);
            }
            Self::Values(values) => values.push(value),
        }
    }

    /// The value of the group; `q` is the quantile wanted of [`Self::Values`].
    fn finish(self, op: &AggregateOp, q: f64) -> f64 {
        match self {
            Self::Sum(sum) => sum.total(),
            Self::Mean(mean) => mean.value(),
            Self::Min(value) | Self::Max(value) | Self::Count(value) => value,
            Self::Presence => 1.0,
            Self::Variance { count, squares, .. } if matches!(op, AggregateOp::Stddev) => {
                (squares / count).sqrt()
            }
            Self::Variance { count, squares, .. } => squares / count,
            Self::Values(mut values) => quantile(q, &mut values),
        }
    }
}
