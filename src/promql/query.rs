//! Expressions of any type, over one step or many.

use super::{Budget, EvalError, Grid, Leaf, LeafVector, ParseError, Plan, Point, Value, merge, parse};
use crate::{
    series::{LabelMatcher, LabelSet, TimestampMs},
    window::SeriesView,
};
use std::collections::BTreeMap;

/// A parsed, type-checked expression of any type.
///
/// Ask every shard for [`Self::needs`], [`LeafMatrix::merge`] what the shards answer to each, and
/// [`Self::evaluate`].
#[derive(Clone, Debug)]
pub struct Query {
    plan: Plan,
}

/// PromQL's types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// A number.
    Scalar,
    /// A string.
    String,
    /// An instant vector.
    Vector,
    /// A range vector; only an instant query can be one.
    RangeVector,
}

/// What a query is.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryValue {
    /// One number, at the step of an instant query.
    Scalar(f64),
    /// A string, of an instant query.
    String(String),
    /// A point for each label set, at the step of an instant query; sorted by labels unless the
    /// expression sorts it.
    Vector(Vec<(LabelSet, Point)>),
    /// Points in time: every range query, and an instant query of a range vector. Ascending by
    /// labels, each label set once, none without points.
    Matrix(Vec<PointSeries>),
}

/// A series of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct PointSeries {
    /// Its labels.
    pub labels: LabelSet,
    /// Its points, ascending by time.
    pub points: Vec<(TimestampMs, Point)>,
}

/// What a query wants to know of the series of one selector.
#[derive(Clone, Debug)]
pub struct LeafRequest {
    leaf: Leaf,
    grid: Grid,
}

/// The answer to a [`LeafRequest`].
#[derive(Clone, Debug)]
pub struct LeafMatrix {
    steps: Vec<LeafVector>,
}

impl Query {
    /// Parses and type-checks an expression.
    ///
    /// # Errors
    /// With the place of the mistake.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let expr = parse(text)?;
        Ok(Self { plan: Plan::new(&expr)? })
    }

    /// The type of the expression.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.plan.value_type()
    }

    /// What to ask of every shard.
    #[must_use]
    pub fn needs(&self, grid: &Grid) -> Vec<LeafRequest> {
        self.plan.leaves().iter().map(|leaf| LeafRequest { leaf: leaf.clone(), grid: *grid }).collect()
    }

    /// The value over `grid`; `answers` belong to [`Self::needs`] of the same grid, in that order.
    ///
    /// # Errors
    /// Where Prometheus fails too, and when the budget is used up.
    pub fn evaluate(
        &self,
        grid: &Grid,
        answers: Vec<LeafMatrix>,
        budget: &mut Budget,
    ) -> Result<QueryValue, EvalError> {
        let mut series: BTreeMap<LabelSet, Vec<(TimestampMs, Point)>> = BTreeMap::new();
        for (number, at) in grid.steps().enumerate() {
            let leaves: Vec<LeafVector> =
                answers.iter().map(|answer| answer.steps.get(number).cloned().unwrap_or_default()).collect();
            let value = self.plan.evaluate(&leaves, at)?;
            let vector = match value {
                Value::Scalar(value) if grid.is_instant() => return Ok(QueryValue::Scalar(value)),
                Value::Scalar(value) => vec![(LabelSet::empty(), value)],
                Value::Vector(vector) => vector,
            };
            if grid.is_instant() {
                let points = vector.into_iter().map(|(labels, value)| (labels, Point::Float(value)));
                return Ok(QueryValue::Vector(points.collect()));
            }
            budget.hold(vector.len())?;
            for (labels, value) in vector {
                series.entry(labels).or_default().push((at, Point::Float(value)));
            }
        }
        let matrix = series.into_iter().map(|(labels, points)| PointSeries { labels, points });
        Ok(QueryValue::Matrix(matrix.collect()))
    }
}

impl LeafRequest {
    /// Which series it reads: all of these must hold.
    #[must_use]
    pub fn matchers(&self) -> &[LabelMatcher] {
        self.leaf.matchers()
    }

    /// The answer of one shard, given its series that satisfy [`Self::matchers`].
    ///
    /// # Errors
    /// When the budget is used up.
    pub fn evaluate<'a>(
        &self,
        series: impl Iterator<Item = SeriesView<'a>>,
        budget: &mut Budget,
    ) -> Result<LeafMatrix, EvalError> {
        let series: Vec<SeriesView<'a>> = series.collect();
        let mut steps = Vec::with_capacity(self.grid.step_count());
        for at in self.grid.steps() {
            let vector = self.leaf.evaluate(series.iter().copied(), at);
            budget.hold(vector.len())?;
            steps.push(vector);
        }
        Ok(LeafMatrix { steps })
    }
}

impl LeafMatrix {
    /// The answers of several shards to the same request as one.
    #[must_use]
    pub fn merge(parts: Vec<Self>) -> Self {
        let mut steps: Vec<Vec<LeafVector>> = Vec::new();
        for part in parts {
            steps.resize_with(steps.len().max(part.steps.len()), Vec::new);
            for (step, vector) in steps.iter_mut().zip(part.steps) {
                step.push(vector);
            }
        }
        Self { steps: steps.into_iter().map(merge).collect() }
    }
}
