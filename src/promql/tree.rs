//! A checked expression: its leaves, and the tree over them.

use super::{
    ast::{Grouping, Matching, SetOp, Side},
    error::Span,
    leaf::{Leaf, SubqueryRange},
    op::{ElementOp, ScalarOp},
    range::RangeFunction,
};
use crate::series::{LabelSet, NativeHistogram};
use regex::Regex;

/// An expression whose types fit.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) root: Root,
    pub(super) root_span: Span,
    /// The order of an instant query's result.
    pub(super) order: Order,
    /// Each once.
    pub(super) leaves: Vec<Leaf>,
    /// Where each leaf is written first.
    pub(super) leaf_spans: Vec<Span>,
    /// Each subquery's place and ranges, with those of the subqueries around it, outermost first.
    pub(super) subqueries: Vec<(Span, Vec<SubqueryRange>)>,
}

#[derive(Clone, Debug)]
pub(super) enum Root {
    Scalar(Scalar),
    Vector(Vector),
    Range(RangeVector),
    Text(String),
}

/// A part whose value is one number a step.
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

/// A part whose value is a point for each of many label sets a step.
#[derive(Clone, Debug)]
pub(super) enum Vector {
    Leaf {
        /// Number of the leaf.
        number: usize,
        /// Where what is read stands, for remarks about it.
        at: usize,
    },
    /// `vector(s)`
    OfScalar(Scalar),
    /// A range function that no leaf can be.
    OverRange {
        function: RangeFunction,
        arguments: Vec<Scalar>,
        of: RangeVector,
        /// Where remarks say that it stands.
        at: usize,
    },
    Elementwise {
        function: Elementwise,
        of: Box<Vector>,
    },
    /// 1 where there is nothing.
    Absent {
        labels: LabelSet,
        of: Box<Vector>,
    },
    Relabel {
        how: Relabel,
        of: Box<Vector>,
    },
    /// Only the floats: what sorting leaves; the order itself is [`Order`].
    Floats(Box<Vector>),
    Aggregate {
        op: AggregateOp,
        grouping: Grouping,
        of: Box<Vector>,
        /// Where the parameter and the operand stand.
        at: [usize; 2],
    },
    CountValues {
        label: String,
        grouping: Grouping,
        of: Box<Vector>,
    },
    /// `topk` and its kin: some of the elements of each group.
    Select {
        which: Selection,
        count: Scalar,
        grouping: Grouping,
        of: Box<Vector>,
        /// Where the parameter and the whole stand.
        at: [usize; 2],
    },
    HistogramQuantile {
        q: Scalar,
        of: Box<Vector>,
        /// Where both stand.
        at: [usize; 2],
    },
    HistogramFraction {
        lower: Scalar,
        upper: Scalar,
        of: Box<Vector>,
        /// Where the first argument and the operand stand.
        at: [usize; 2],
    },
    WithScalar {
        op: ElementOp,
        vector: Box<Vector>,
        scalar: Scalar,
        /// The side the scalar is on.
        scalar_side: Side,
        /// Where the whole stands.
        at: usize,
    },
    Matched {
        op: ElementOp,
        left: Box<Vector>,
        right: Box<Vector>,
        matching: Matching,
        /// Where the whole stands.
        at: usize,
    },
    Set {
        op: SetOp,
        left: Box<Vector>,
        right: Box<Vector>,
        matching: Matching,
    },
}

/// A part whose value is a stretch of samples for each of many label sets.
#[derive(Clone, Debug)]
pub(super) enum RangeVector {
    /// Number of a leaf that reads samples.
    Samples(usize),
    Subquery {
        of: Box<Vector>,
        range: SubqueryRange,
    },
}

/// A function of each float by itself.
#[derive(Clone, Debug)]
pub(super) enum Elementwise {
    Minus,
    Plain(Plain),
    /// Of each native histogram; floats are left out.
    OfHistogram(HistogramValue),
    /// The step, in seconds, for each element.
    StepTime,
    Round {
        to_nearest: Scalar,
    },
    Clamp {
        min: Scalar,
        max: Scalar,
    },
}

/// A function of one number alone.
pub(super) type Plain = fn(f64) -> f64;

/// A number that a native histogram tells.
pub(super) type HistogramValue = fn(&NativeHistogram) -> f64;

/// A function of the labels of each element.
#[derive(Clone, Debug)]
pub(super) enum Relabel {
    Replace { target: String, template: String, source: String, pattern: Regex },
    Join { target: String, separator: String, sources: Vec<String> },
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

/// Which elements of a group stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    Largest,
    Smallest,
    /// The first ones in label order.
    First,
    /// Those whose labels hash to a share of all hashes: the same ones at every step.
    Share,
}

/// In which order the elements of an instant query's result stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Labels,
    /// By value, NaN last.
    Ascending,
    Descending,
    /// Group by group, the best first.
    Selected {
        which: Selection,
        grouping: Grouping,
    },
    /// By the values of these labels, digits in them as numbers, then by all labels.
    ByLabels {
        names: Vec<String>,
        descending: bool,
    },
}
