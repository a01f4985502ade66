//! A checked expression: its leaves, and the tree over them.

mod check;

mod function;

use super::{
    ast::{Expr, Grouping, Matching, SetOp, Side},
    error::ParseError,
    eval::{self, EvalError, Value},
    leaf::Leaf,
    op::{ElementOp, ScalarOp},
};
use crate::{
    promql::{LeafVector, ValueType},
    series::TimestampMs,
};

/// An expression that type-checks and lies within the supported subset.
///
/// At step T, give each of [`Self::leaves`] the series it matches (in every shard), [`super::merge`]
/// the parts of each leaf, and [`Self::evaluate`] the merged vectors.
#[derive(Clone, Debug)]
pub struct Plan {
    root: Root,
    leaves: Vec<Leaf>,
}

#[derive(Clone, Debug)]
pub(super) enum Root {
    Scalar(Scalar),
    Vector(Vector),
}

/// A part whose value is one number.
#[derive(Clone, Debug)]
pub(super) enum Scalar {
    Number(f64),
    /// The step itself, in seconds.
    Time,
    Minus(Box<Scalar>),
    Binary {
        op: ScalarOp,
        left: Box<Scalar>,
        right: Box<Scalar>,
    },
    /// `scalar(v)`
    OfVector(Box<Vector>),
}

/// A part whose value is a number for each of many label sets.
#[derive(Clone, Debug)]
pub(super) enum Vector {
    /// Number of the leaf.
    Leaf(usize),
    /// `vector(s)`
    OfScalar(Scalar),
    Elementwise {
        function: Elementwise,
        of: Box<Vector>,
    },
    Aggregate {
        op: AggregateOp,
        grouping: Grouping,
        of: Box<Vector>,
    },
    HistogramQuantile {
        q: Scalar,
        of: Box<Vector>,
    },
    WithScalar {
        op: ElementOp,
        vector: Box<Vector>,
        scalar: Scalar,
        /// The side the scalar is on.
        scalar_side: Side,
    },
    Matched {
        op: ElementOp,
        left: Box<Vector>,
        right: Box<Vector>,
        matching: Matching,
    },
    Set {
        op: SetOp,
        left: Box<Vector>,
        right: Box<Vector>,
        matching: Matching,
    },
}

/// A function of each value by itself.
#[derive(Clone, Debug)]
pub(super) enum Elementwise {
    Minus,
    Abs,
    Ceil,
    Floor,
    Exp,
    Sqrt,
    Ln,
    Log2,
    Log10,
    Sgn,
    Round { to_nearest: Scalar },
    Clamp { min: Scalar, max: Scalar },
}

/// How the values of a group become one.
#[derive(Clone, Debug)]
pub(super) enum AggregateOp {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    Quantile(Scalar),
}

impl Plan {
    /// Checks an expression as Prometheus does and compiles it.
    ///
    /// # Errors
    /// With the place of what is wrongly typed, or valid PromQL outside the supported subset; then
    /// the message names it and the hint says what to write instead, where there is something.
    pub fn new(expr: &Expr) -> Result<Self, ParseError> {
        check::check(&expr.root)
            .map(|(root, leaves)| Self { root, leaves })
            .map_err(|fault| fault.in_text(&expr.text))
    }

    /// The type of the expression.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self.root {
            Root::Scalar(_) => ValueType::Scalar,
            Root::Vector(_) => ValueType::Vector,
        }
    }

    /// The leaves, each once.
    #[must_use]
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// How far before a step samples are needed: the longest range (or lookback) with its offset.
    #[must_use]
    pub fn retention_ms(&self) -> i64 {
        self.leaves.iter().map(Leaf::lookback_ms).max().unwrap_or(0)
    }

    /// How far after a step samples are needed: above 0 only with a negative offset, which makes an
    /// expression useless for a step that has just been reached.
    #[must_use]
    pub fn lookahead_ms(&self) -> i64 {
        self.leaves.iter().map(Leaf::lookahead_ms).max().unwrap_or(0)
    }

    /// The value at step `at`; `leaves` are the merged vectors of [`Self::leaves`], in that order,
    /// each ascending by labels. A resulting vector is ascending by labels, each label set once.
    ///
    /// # Errors
    /// Where Prometheus fails too: when the labels of the data do not allow the operation.
    pub fn evaluate(&self, leaves: &[LeafVector], at: TimestampMs) -> Result<Value, EvalError> {
        if leaves.len() != self.leaves.len() {
            return Err(EvalError::WrongLeaves { expected: self.leaves.len(), given: leaves.len() });
        }
        eval::Evaluation { leaves, at }.root(&self.root)
    }
}

#[cfg(test)]
mod tests;
