//! Aggregations: `sum by (job) (..)` and its kin.

use super::{EvalError, Evaluation};
use crate::{
    promql::{
        Point,
        annotation::{Remark, Remarks},
        ast::Grouping,
        labels::Projection,
        matrix::{Matrix, ascending, in_order},
        native,
        number::{CompensatedSum, Mean, quantile},
        rows::Rows,
        tree::AggregateOp,
    },
    series::{LabelSet, METRIC_NAME, NativeHistogram},
};
use std::{collections::BTreeMap, sync::Arc};

impl Evaluation<'_, '_> {
    /// One element for each group of `of` and step. Within a group values are taken in label order, so
    /// the result is the same to the last bit however the series were spread.
    pub(super) fn aggregate(
        &mut self,
        op: &AggregateOp,
        grouping: &Grouping,
        of: &Matrix,
        [parameter_at, operand_at]: [usize; 2],
    ) -> Result<Matrix, EvalError> {
        let quantiles = match op {
            AggregateOp::Quantile(q) => self.scalar(q)?,
            _ => Vec::new(),
        };
        check_quantiles(&quantiles, parameter_at, &mut self.remarks);
        let steps = of.steps();
        let of_groups = self.memo.groups(of, grouping);
        let Groups { labels, order, of_row } = &*of_groups;
        self.budget.hold(labels.len().saturating_mul(steps))?;
        let mut groups: Vec<Option<Accumulator>> = Vec::new();
        groups.resize_with(labels.len() * steps, || None);
        for ((labels, cells), group) in of.rows().zip(of_row) {
            let group = &mut groups[*group * steps..][..steps];
            for (accumulator, cell) in group.iter_mut().zip(cells) {
                let Some(point) = cell else { continue };
                if let (Point::Histogram(_), Some(name)) = (point, op.of_floats_alone()) {
                    self.remarks.add(operand_at, Remark::IgnoredInGroup(name));
                    continue;
                }
                let why = match (accumulator, point) {
                    (Some(accumulator), point) => accumulator.add(point),
                    (none, point) => {
                        *none = Accumulator::new(op, point);
                        None
                    }
                };
                if let Some(why) = why {
                    self.remarks.add(operand_at, why.remark(labels));
                }
            }
        }
        let finished = groups.into_iter().enumerate().map(|(place, accumulator)| {
            let q = quantiles.get(place % steps).copied().unwrap_or(f64::NAN);
            accumulator?.finish(op, q)
        });
        let cells = in_order(finished.collect(), steps, order);
        Ok(Matrix::of_occupied_rows(steps, labels.clone(), cells))
    }
}

/// Why a group has no sum.
enum NoSum {
    /// It has floats and histograms.
    Mixed,
    /// Its histograms have buckets that do not fit together.
    Incompatible(native::Incompatible),
}

impl NoSum {
    /// What is said of it, when it shows at the series with `labels`.
    fn remark(self, labels: &LabelSet) -> Remark {
        match self {
            Self::Mixed => Remark::MixedGroup,
            Self::Incompatible(why) => Remark::incompatible(why, labels.get(METRIC_NAME).unwrap_or("")),
        }
    }
}

impl AggregateOp {
    /// Its name, if it leaves histograms out.
    fn of_floats_alone(&self) -> Option<&'static str> {
        Some(match self {
            Self::Min => "min",
            Self::Max => "max",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Quantile(_) => "quantile",
            Self::Sum | Self::Avg | Self::Count | Self::Group => return None,
        })
    }
}

/// Warns of quantiles outside 0..=1: of the smallest and the largest one of all steps, and of NaN.
fn check_quantiles(quantiles: &[f64], at: usize, remarks: &mut Remarks) {
    if quantiles.iter().any(|q| q.is_nan()) {
        return remarks.check_quantile(at, f64::NAN);
    }
    for q in [quantiles.iter().copied().reduce(f64::min), quantiles.iter().copied().reduce(f64::max)] {
        remarks.check_quantile(at, q.unwrap_or(0.0));
    }
}

/// Which rows of a matrix belong together. Groups have numbers in the order in which they appear.
#[derive(Debug)]
pub(in crate::promql) struct Groups {
    /// The labels of the groups, ascending, and the number of each.
    pub(super) labels: Rows,
    order: Vec<usize>,
    /// The group of each row.
    pub(super) of_row: Vec<usize>,
}

impl Groups {
    pub(in crate::promql) fn of(rows: &[LabelSet], grouping: &Grouping) -> Self {
        let mut numbers: BTreeMap<Box<str>, usize> = BTreeMap::new();
        let mut found = Vec::new();
        let mut of_row = Vec::with_capacity(rows.len());
        let mut projection = Projection::default();
        for labels in rows {
            let key = match grouping {
                Grouping::By(names) => {
                    projection.of(labels, |label| names.iter().any(|name| name == label.name))
                }
                Grouping::Without(names) => projection.of(labels, |label| {
                    label.name != METRIC_NAME && !names.iter().any(|name| name == label.name)
                }),
            };
            let known = numbers.get(key).copied();
            of_row.push(known.unwrap_or_else(|| {
                numbers.insert(key.into(), found.len());
                found.push(group_labels(labels, grouping));
                found.len() - 1
            }));
        }
        let (labels, order) = ascending(&found);
        Self { labels: labels.into(), order, of_row }
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
    HistogramSum(NativeHistogram),
    HistogramMean {
        count: f64,
        mean: NativeHistogram,
    },
    /// Floats and histograms, or histograms with incompatible buckets: they have no sum.
    NoSum,
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
        if let Point::Histogram(first) = first {
            return match op {
                AggregateOp::Sum => Some(Self::HistogramSum(NativeHistogram::clone(first))),
                AggregateOp::Avg => {
                    Some(Self::HistogramMean { count: 1.0, mean: NativeHistogram::clone(first) })
                }
                _ => None,
            };
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

    /// Why there is no sum any more, if this point takes it away.
    fn add(&mut self, point: &Point) -> Option<NoSum> {
        if let Self::Count(count) = self {
            *count += 1.0;
        }
        let value = match point {
            Point::Float(value) => *value,
            Point::Histogram(histogram) => return self.add_histogram(histogram),
        };
        match self {
            Self::HistogramSum(_) | Self::HistogramMean { .. } => {
                *self = Self::NoSum;
                return Some(NoSum::Mixed);
            }
            Self::Sum(sum) => *sum = sum.plus(value),
            Self::Mean(mean) => mean.add(value),
            // NaN is only kept as long as there is nothing else.
            Self::Min(min) => *min = if *min > value || min.is_nan() { value } else { *min },
            Self::Max(max) => *max = if *max < value || max.is_nan() { value } else { *max },
            Self::Count(_) | Self::Presence | Self::NoSum => {}
            Self::Variance { count, mean, squares } => {
                *count += 1.0;
                let delta = value - *mean;
                *mean += delta / *count;
                *squares += delta * (value - *mean);
            }
            Self::Values(values) => values.push(value),
        }
        None
    }

    fn add_histogram(&mut self, histogram: &NativeHistogram) -> Option<NoSum> {
        let added = match self {
            Self::Sum(_) | Self::Mean(_) => Err(NoSum::Mixed),
            Self::HistogramSum(sum) => native::add(sum, histogram).map_err(NoSum::Incompatible),
            Self::HistogramMean { count, mean } => {
                *count += 1.0;
                native::add_to_mean(mean, histogram, *count).map_err(NoSum::Incompatible)
            }
            // The others look at floats alone, or only at whether there is something.
            _ => Ok(()),
        };
        let why = added.err();
        if why.is_some() {
            *self = Self::NoSum;
        }
        why
    }

    /// The point of the group; `q` is the quantile wanted of [`Self::Values`].
    fn finish(self, op: &AggregateOp, q: f64) -> Option<Point> {
        match self {
            Self::HistogramSum(mut result) | Self::HistogramMean { mean: mut result, .. } => {
                native::compact(&mut result);
                Some(Point::Histogram(Arc::new(result)))
            }
            Self::NoSum => None,
            other => Some(Point::Float(other.finish_floats(op, q))),
        }
    }

    fn finish_floats(self, op: &AggregateOp, q: f64) -> f64 {
        match self {
            Self::Sum(sum) => sum.total(),
            Self::Mean(mean) => mean.value(),
            Self::Min(value) | Self::Max(value) | Self::Count(value) => value,
            Self::Presence => 1.0,
            // What has no number is finished by the caller.
            Self::HistogramSum(_) | Self::HistogramMean { .. } | Self::NoSum => f64::NAN,
            Self::Variance { count, squares, .. } if matches!(op, AggregateOp::Stddev) => {
                (squares / count).sqrt()
            }
            Self::Variance { count, squares, .. } => squares / count,
            Self::Values(mut values) => quantile(q, &mut values),
        }
    }
}
