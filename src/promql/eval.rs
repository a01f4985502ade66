//! The evaluation of a plan on the vectors of its leaves.

mod aggregate;

mod elementwise;

mod histogram;

mod matching;

use super::{
    LeafVector,
    ast::Side,
    labels,
    op::ElementOp,
    plan::{Root, Scalar, Vector},
};
use crate::series::{LabelSet, TimestampMs};
use std::borrow::Cow;

/// What an expression is at one step.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One number.
    Scalar(f64),
    /// A number for each label set; ascending, each once.
    Vector(Vec<(LabelSet, f64)>),
}

/// Why the data of a step does not allow an operation. Prometheus fails in the same cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// Series that only differed in what the operation drops, as a rule the metric name.
    #[error("two series of a result have the same labels {labels}")]
    SameLabels {
        /// The labels.
        labels: LabelSet,
    },
    /// The side of a match that must be unique is not.
    #[error(
        "series {first} and {second} on the {side}-hand side both belong to the match group {group}: \
         many-to-many matching is not possible, matching labels must be unique on one side"
    )]
    ManyToMany {
        /// `left` or `right`.
        side: &'static str,
        /// The labels that are matched.
        group: LabelSet,
        /// One series.
        first: LabelSet,
        /// Another one.
        second: LabelSet,
    },
    /// Several series of the left side found the same one on the right side.
    #[error("several series match {labels}: many-to-one matching must be said by group_left or group_right")]
    ManyToOne {
        /// The second of them.
        labels: LabelSet,
    },
    /// The labels taken over by a group modifier make two results equal.
    #[error("several matches give {labels}: the labels of the group modifier must keep results apart")]
    SameGroupLabels {
        /// The labels.
        labels: LabelSet,
    },
    /// The query holds more points in memory than it may.
    #[error("the query needs more than {limit} points in memory at once")]
    TooManyPoints {
        /// The most it may hold.
        limit: usize,
    },
    /// The time given to the query is over.
    #[error("the time for the query is over")]
    Expired,
    /// The caller's mistake: not the vectors of this plan's leaves.
    #[error("the plan has {expected} leaves, but {given} vectors were given")]
    WrongLeaves {
        /// Leaves of the plan.
        expected: usize,
        /// Vectors given.
        given: usize,
    },
}

/// An intermediate vector: ascending by labels, each label set once.
type Elements = Vec<(LabelSet, f64)>;

/// One evaluation: what it reads.
pub(super) struct Evaluation<'a> {
    pub(super) leaves: &'a [LeafVector],
    pub(super) at: TimestampMs,
}

impl<'a> Evaluation<'a> {
    pub(super) fn root(&self, root: &Root) -> Result<Value, EvalError> {
        match root {
            Root::Scalar(scalar) => self.scalar(scalar).map(Value::Scalar),
            Root::Vector(vector) => self.vector(vector).map(|elements| Value::Vector(elements.into_owned())),
        }
    }

    fn scalar(&self, scalar: &Scalar) -> Result<f64, EvalError> {
        Ok(match scalar {
            Scalar::Number(value) => *value,
            Scalar::Time => self.at.seconds(),
            Scalar::Minus(of) => -self.scalar(of)?,
            Scalar::Binary { op, left, right } => op.apply(self.scalar(left)?, self.scalar(right)?),
            Scalar::OfVector(of) => match &*self.vector(of)? {
                [(_, value)] => *value,
                _ => f64::NAN,
            },
        })
    }

    fn vector(&self, vector: &Vector) -> Result<Cow<'a, [(LabelSet, f64)]>, EvalError> {
        let elements = match vector {
            Vector::Leaf(number) => return self.leaf(*number),
            Vector::OfScalar(scalar) => vec![(LabelSet::empty(), self.scalar(scalar)?)],
            Vector::Elementwise { function, of } => elementwise::apply(self, function, &self.vector(of)?)?,
            Vector::Aggregate { op, grouping, of } => {
                aggregate::aggregate(self, op, grouping, &self.vector(of)?)?
            }
            Vector::HistogramQuantile { q, of } => histogram::quantiles(self.scalar(q)?, &self.vector(of)?)?,
            Vector::WithScalar { op, vector, scalar, scalar_side } => {
                with_scalar(*op, &self.vector(vector)?, self.scalar(scalar)?, *scalar_side)?
            }
            Vector::Matched { op, left, right, matching } => {
                matching::matched(*op, &self.vector(left)?, &self.vector(right)?, matching)?
            }
            Vector::Set { op, left, right, matching } => {
                matching::set(*op, &self.vector(left)?, &self.vector(right)?, matching)?
            }
        };
        Ok(Cow::Owned(elements))
    }

    fn leaf(&self, number: usize) -> Result<Cow<'a, [(LabelSet, f64)]>, EvalError> {
        // The plan numbers its own leaves, and their count was checked.
        let leaf = self.leaves.get(number).map_or(&[][..], Vec::as_slice);
        check_unique(leaf)?;
        Ok(Cow::Borrowed(leaf))
    }
}

/// A vector and a scalar; a filter keeps the vector's value on whichever side it stands.
fn with_scalar(
    op: ElementOp,
    vector: &[(LabelSet, f64)],
    scalar: f64,
    scalar_side: Side,
) -> Result<Elements, EvalError> {
    let combine = |value: f64| match scalar_side {
        Side::Right => op.apply(value, scalar),
        Side::Left if op.keeps_name() => op.apply(scalar, value).map(|_| value),
        Side::Left => op.apply(scalar, value),
    };
    let labels_of =
        |labels: &LabelSet| if op.keeps_name() { labels.clone() } else { labels::without_name(labels) };
    finished(
        vector.iter().filter_map(|(labels, value)| Some((labels_of(labels), combine(*value)?))).collect(),
    )
}

/// Brings the elements of a result into label order and checks that each label set is there once.
fn finished(mut elements: Elements) -> Result<Elements, EvalError> {
    labels::sort(&mut elements);
    check_unique(&elements)?;
    Ok(elements)
}

fn check_unique(elements: &[(LabelSet, f64)]) -> Result<(), EvalError> {
    match elements.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(EvalError::SameLabels { labels: pair[0].0.clone() }),
        None => Ok(()),
    }
}
