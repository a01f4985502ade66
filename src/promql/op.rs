//! What a binary operator does to two numbers.

mod points;

use super::{
    ast::{Arithmetic, Comparison},
    number::truth,
};

/// An operator between elements of vectors, or between them and a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ElementOp {
    Arithmetic(Arithmetic),
    /// A comparison that drops what does not satisfy it.
    Filter(Comparison),
    /// A comparison with `bool`: 1 or 0.
    Truth(Comparison),
}

/// An operator between two scalars; nothing can be dropped there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScalarOp {
    Arithmetic(Arithmetic),
    Truth(Comparison),
}

impl ElementOp {
    /// The result, the left value where a filter holds; `None` where it drops the element.
    pub(super) fn apply(self, left: f64, right: f64) -> Option<f64> {
        match self {
            Self::Arithmetic(op) => Some(op.apply(left, right)),
            Self::Filter(op) => op.holds(left, right).then_some(left),
            Self::Truth(op) => Some(truth(op.holds(left, right))),
        }
    }

    /// Only a filter leaves the meaning of a value, and with it the metric name.
    pub(super) fn keeps_name(self) -> bool {
        matches!(self, Self::Filter(_))
    }
}

impl ScalarOp {
    pub(super) fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Arithmetic(op) => op.apply(left, right),
            Self::Truth(op) => truth(op.holds(left, right)),
        }
    }
}

impl Arithmetic {
    fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Modulo => left % right,
            Self::Power => left.powf(right),
            Self::Atan2 => left.atan2(right),
        }
    }
}

impl Comparison {
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
        }
    }
}
