//! Expressions as features: one step, numbers only, nothing that is not there yet.

use super::{
    Budget, EvalError, Grid, Leaf, LeafMatrix, LeafVector, Memo, ParseError, check,
    error::Fault,
    leaf::Times,
    parse,
    query::evaluation,
    tree::{Root, Tree},
};
use crate::series::TimestampMs;

/// An expression that can be a feature.
///
/// At step T, give each of [`Self::leaves`] the series it matches (in every shard), merge the parts
/// of each leaf with [`LeafMatrix::merge`], and [`Self::evaluate`] the merged answers.
#[derive(Clone, Debug)]
pub struct Plan {
    tree: Tree,
    retention_ms: i64,
}

/// What a feature is at one step.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One number.
    Scalar(f64),
    /// A number for each label set; ascending, each once.
    Vector(LeafVector),
}

/// Most steps a subquery of a feature can have: it is evaluated anew at every step.
const MAX_SUBQUERY_STEPS: usize = 11_000;

// === impl Plan ===

impl Plan {
    /// Parses an expression and checks that it can be a feature: a scalar or an instant vector that
    /// looks back from its step.
    ///
    /// # Errors
    /// With the place of what is broken, wrongly typed or not supported, or of what a feature must not do.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let tree = parse::parse(text).and_then(|root| check::check(&root));
        let plan = tree.and_then(|tree| {
            let retention_ms = check_feature(&tree)?;
            Ok(Self { tree, retention_ms })
        });
        plan.map_err(|fault| fault.in_text(text))
    }

    /// The leaves, each once.
    #[must_use]
    pub fn leaves(&self) -> &[Leaf] {
        &self.tree.leaves
    }

    /// How far before a step samples are needed: the longest range (or lookback) with its offset.
    #[must_use]
    pub fn retention_ms(&self) -> i64 {
        self.retention_ms
    }

    /// The longest stretch of time whose samples are in one value: of a range with those of the subqueries around it; 0 where only
    /// newest samples are read.
    #[must_use]
    pub fn range_ms(&self) -> i64 {
        self.tree.leaves.iter().map(Leaf::summed_range_ms).max().unwrap_or(0)
    }

    /// The value at step `at`; `answers` are the merged answers to [`Self::leaves`], in that order. `memo`
    /// holds what only depends on the labels, from one step to the next of the same plan.
    ///
    /// # Errors
    /// Where Prometheus fails too: when the labels of the data do not allow the operation. And where
    /// the result is a native histogram.
    pub fn evaluate(
        &self,
        answers: &[&LeafMatrix],
        at: TimestampMs,
        memo: &mut Memo,
    ) -> Result<Value, EvalError> {
        let value = self.value(answers, at, memo);
        memo.forget_unused();
        value
    }

    fn value(&self, answers: &[&LeafMatrix], at: TimestampMs, memo: &mut Memo) -> Result<Value, EvalError> {
        let mut budget = Budget::unlimited();
        let mut evaluation = evaluation(&self.tree, &Grid::instant(at), answers, &mut budget, memo)?;
        match &self.tree.root {
            Root::Scalar(scalar) => {
                Ok(Value::Scalar(evaluation.scalar(scalar)?.first().copied().unwrap_or(f64::NAN)))
            }
            Root::Vector(vector) => {
                let (labels, cells) = evaluation.vector(vector)?.into_owned().into_parts();
                let elements =
                    labels.into_iter().zip(cells).filter_map(|(labels, cell)| Some((labels, cell?)));
                let numbers = elements.map(|(labels, point)| match point.float() {
                    Some(value) => Ok((labels, value)),
                    None => Err(EvalError::HistogramFeature { labels }),
                });
                numbers.collect::<Result<_, _>>().map(Value::Vector)
            }
            // `check_feature` refuses both.
            Root::Range(_) | Root::Text(_) => Ok(Value::Vector(Vec::new())),
        }
    }
}

/// All that a feature must not do; says how far back it looks.
fn check_feature(tree: &Tree) -> Result<i64, Fault> {
    let found = match &tree.root {
        Root::Range(_) => Some("a range vector"),
        Root::Text(_) => Some("a string"),
        Root::Scalar(_) | Root::Vector(_) => None,
    };
    if let Some(found) = found {
        let message = format!("a feature is a scalar or an instant vector, not {found}");
        return Err(
            Fault::new(tree.root_span, message).hint("apply a function, for example avg_over_time(a[5m])")
        );
    }
    for (span, around) in &tree.subqueries {
        let grid = Grid::instant(TimestampMs(0));
        let steps = around.iter().fold(Times::of(&grid), |times, subquery| times.inside(subquery)).count();
        if steps > MAX_SUBQUERY_STEPS {
            let message =
                format!("the subquery of a feature has {steps} steps, at most {MAX_SUBQUERY_STEPS}");
            return Err(Fault::new(*span, message).hint("write a longer step, for example [1d:5m]"));
        }
    }
    let mut retention_ms = 0;
    for (leaf, span) in tree.leaves.iter().zip(&tree.leaf_spans) {
        let Some(reach) = leaf.reach() else {
            return Err(Fault::new(*span, "a feature cannot look at a fixed time: its window moves on")
                .hint("use offset to look back from the step"));
        };
        if reach.ahead_ms > 0 {
            let message = format!("a feature cannot look {} ms past its step", reach.ahead_ms);
            return Err(Fault::new(*span, message)
                .hint("a step is evaluated when it has come: look back only, with a positive offset"));
        }
        retention_ms = retention_ms.max(reach.back_ms);
    }
    Ok(retention_ms)
}

#[cfg(test)]
mod tests;
