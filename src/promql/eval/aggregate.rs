//! Aggregations: `sum by (job) (..)` and its kin.

use super::{Elements, EvalError, Evaluation};
use crate::{
    promql::{
        ast::Grouping,
        labels::{self, Projection},
        number::{CompensatedSum, Mean, quantile},
        plan::AggregateOp,
    },
    series::{LabelSet, METRIC_NAME},
};
use std::collections::BTreeMap;

/// One element for each group of `of`. Within a group values are taken in label order, so the
/// result is the same to the last bit however the series were spread.
pub(super) fn aggregate(
    evaluation: &Evaluation<'_>,
    op: &AggregateOp,
    grouping: &Grouping,
    of: &[(LabelSet, f64)],
) -> Result<Elements, EvalError> {
    let q = match op {
        AggregateOp::Quantile(q) => evaluation.scalar(q)?,
        _ => f64::NAN,
    };
    let mut numbers: BTreeMap<Box<str>, usize> = BTreeMap::new();
    let mut groups: Vec<(LabelSet, Accumulator)> = Vec::new();
    let mut projection = Projection::default();
    for (labels, value) in of {
        let key = match grouping {
            Grouping::By(names) => projection.of(labels, |label| names.iter().any(|name| name == label.name)),
            Grouping::Without(names) => projection.of(labels, |label| {
                label.name != METRIC_NAME && !names.iter().any(|name| name == label.name)
            }),
        };
        if let Some(number) = numbers.get(key) {
            groups[*number].1.add(*value);
        } else {
            numbers.insert(key.into(), groups.len());
            groups.push((group_labels(labels, grouping), Accumulator::new(op, *value)));
        }
    }
    let mut elements: Elements =
        groups.into_iter().map(|(labels, group)| (labels, group.finish(op, q))).collect();
    labels::sort(&mut elements);
    Ok(elements)
}

fn group_labels(labels: &LabelSet, grouping: &Grouping) -> LabelSet {
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
    fn new(op: &AggregateOp, first: f64) -> Self {
        match op {
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
        }
    }

    fn add(&mut self, value: f64) {
        match self {
            Self::Sum(sum) => *sum = sum.plus(value),
            Self::Mean(mean) => mean.add(value),
            // NaN is only kept as long as there is nothing else.
            Self::Min(min) => *min = if *min > value || min.is_nan() { value } else { *min },
            Self::Max(max) => *max = if *max < value || max.is_nan() { value } else { *max },
            Self::Count(count) => *count += 1.0,
            Self::Presence => {}
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
