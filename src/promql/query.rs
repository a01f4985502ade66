//! Expressions of any type, over one step or many.

use super::{
    Budget, EvalError, Grid, LeafMatrix, LeafRequest, Memo, ParseError, Point, check,
    eval::{Evaluation, ordered},
    leaf::{RangeSeries, Times},
    matrix::{Cell, Matrix},
    parse,
    range::{between, floats_between},
    tree::{Root, Tree},
};
use crate::series::{LabelMatcher, LabelSet, TimestampMs};
use std::sync::Arc;

/// A parsed, type-checked expression of any type.
///
/// Ask every shard for [`Self::needs`], [`LeafMatrix::merge`] what the shards answer to each, and
/// [`Self::evaluate`].
#[derive(Clone, Debug)]
pub struct Query {
    pub(super) tree: Tree,
}

/// PromQL's types of expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// One number.
    Scalar,
    /// A string.
    String,
    /// A point for each label set.
    Vector,
    /// A stretch of samples for each label set.
    Matrix,
}

/// What a query is.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryValue {
    /// One number, at the step of an instant query.
    Scalar(f64),
    /// A string, of an instant query.
    String(String),
    /// A point for each label set, at the step of an instant query; ascending by labels unless the
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

/// Parses a series selector that stands alone: `up{job="node"}`.
///
/// # Errors
/// With the place of the mistake.
pub fn parse_matchers(text: &str) -> Result<Vec<LabelMatcher>, ParseError> {
    parse::parse(text).and_then(|root| check::check_matchers(&root)).map_err(|fault| fault.in_text(text))
}

// === impl Query ===

impl Query {
    /// Parses and type-checks an expression.
    ///
    /// # Errors
    /// With the place of what is broken, wrongly typed or not supported.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let tree = parse::parse(text).and_then(|root| check::check(&root));
        tree.map(|tree| Self { tree }).map_err(|fault| fault.in_text(text))
    }

    /// Its type. A range query must be a scalar or a vector.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match &self.tree.root {
            Root::Scalar(_) => ValueType::Scalar,
            Root::Vector(_) => ValueType::Vector,
            Root::Range(_) => ValueType::Matrix,
            Root::Text(_) => ValueType::String,
        }
    }

    /// What to ask of every shard.
    #[must_use]
    pub fn needs(&self, grid: &Grid) -> Vec<LeafRequest> {
        self.tree.leaves.iter().map(|leaf| leaf.request(grid)).collect()
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
        let answers: Vec<&LeafMatrix> = answers.iter().collect();
        let mut memo = Memo::default();
        let mut evaluation = evaluation(&self.tree, grid, &answers, budget, &mut memo)?;
        let instant = grid.is_instant();
        Ok(match &self.tree.root {
            Root::Text(text) if instant => QueryValue::String(text.clone()),
            Root::Range(range) if instant => {
                let (series, times, range_ms) = evaluation.range_series(range)?;
                QueryValue::Matrix(series_of_range(&series, &times, range_ms))
            }
            Root::Text(_) => return Err(EvalError::NotForRange { found: "a string" }),
            Root::Range(_) => return Err(EvalError::NotForRange { found: "a range vector" }),
            Root::Scalar(scalar) => match evaluation.scalar(scalar)?.as_slice() {
                [value] if instant => QueryValue::Scalar(*value),
                values => {
                    let points = grid.steps().zip(values.iter().map(|value| Point::Float(*value)));
                    let points: Vec<_> = points.collect();
                    let series = PointSeries { labels: LabelSet::empty(), points };
                    QueryValue::Matrix(if series.points.is_empty() { Vec::new() } else { vec![series] })
                }
            },
            Root::Vector(vector) => {
                let matrix = evaluation.vector(vector)?.into_owned();
                if instant {
                    QueryValue::Vector(ordered(matrix, &self.tree.order))
                } else {
                    QueryValue::Matrix(series_of_steps(matrix, grid))
                }
            }
        })
    }
}

/// An evaluation of a whole expression.
pub(super) fn evaluation<'a, 'b>(
    tree: &'a Tree,
    grid: &Grid,
    answers: &'a [&'a LeafMatrix],
    budget: &'b mut Budget,
    memo: &'b mut Memo,
) -> Result<Evaluation<'a, 'b>, EvalError> {
    if answers.len() != tree.leaves.len() {
        return Err(EvalError::WrongLeaves { expected: tree.leaves.len(), given: answers.len() });
    }
    budget.hold(answers.iter().map(|answer| answer.point_count()).sum())?;
    let times = Times::of(grid);
    budget.check(times.count())?;
    Ok(Evaluation { tree, answers, times, budget, memo })
}

fn series_of_steps(matrix: Matrix, grid: &Grid) -> Vec<PointSeries> {
    let (labels, cells) = matrix.into_parts();
    let mut cells = cells.into_iter();
    let series = labels.into_iter().map(|labels| {
        let row = grid.steps().zip(cells.by_ref());
        let points = row.filter_map(|(at, cell): (_, Cell)| Some((at, cell?))).collect();
        PointSeries { labels, points }
    });
    series.collect()
}

fn series_of_range(series: &[RangeSeries], times: &Times, range_ms: i64) -> Vec<PointSeries> {
    let Some((look, _)) = times.first_and_last_look() else { return Vec::new() };
    let start = look.plus_ms(range_ms.saturating_neg());
    let series = series.iter().map(|series| {
        let floats = floats_between(&series.samples, start, look);
        let floats = floats.iter().map(|sample| (sample.timestamp, Point::Float(sample.value)));
        let histograms = between(&series.histograms, start, look).iter();
        let histograms =
            histograms.map(|sample| (sample.timestamp, Point::Histogram(Arc::clone(&sample.histogram))));
        let mut points: Vec<_> = floats.chain(histograms).collect();
        // The stable sort finds both runs and merges them.
        points.sort_by_key(|(at, _)| *at);
        PointSeries { labels: series.labels.clone(), points }
    });
    series.filter(|series| !series.points.is_empty()).collect()
}

#[cfg(test)]
mod tests;
