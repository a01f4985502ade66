//! The expression as written, with the place of every part.

use super::error::Span;
use crate::series::{MatchOp, TimestampMs};

/// One part of an expression.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    /// Levels of parts below this one, itself included; the parser bounds it, so that walking and
    /// dropping a tree may recurse.
    pub(super) height: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Number(f64),
    Text(String),
    Selector(Selector),
    Subquery(Box<Subquery>),
    Paren(Box<Node>),
    /// Unary `-`; unary `+` is `Plus`.
    Minus(Box<Node>),
    Plus(Box<Node>),
    Binary(Box<Binary>),
    Call {
        name: Name,
        args: Vec<Node>,
    },
    Aggregate {
        /// The operator in lower case.
        op: Name,
        grouping: Grouping,
        args: Vec<Node>,
    },
}

/// A name and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) span: Span,
}

/// A series selector, with a range or without.
#[derive(Clone, Debug)]
pub(super) struct Selector {
    /// The metric name before the braces.
    pub(super) metric: Option<String>,
    pub(super) matchers: Vec<Matcher>,
    pub(super) range_ms: Option<i64>,
    pub(super) moment: Moment,
}

/// `expression[1h:5m]`
#[derive(Clone, Debug)]
pub(super) struct Subquery {
    pub(super) inner: Node,
    pub(super) range_ms: i64,
    /// `None` where the query's own interval is meant: `[1h:]`.
    pub(super) step_ms: Option<i64>,
    pub(super) moment: Moment,
}

/// When a selector or a subquery looks, seen from the step: `@` and `offset`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moment {
    /// Positive looks back.
    pub(super) offset_ms: i64,
    pub(super) at: Option<At>,
}

/// The argument of `@`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Fixed(TimestampMs),
    /// `start()`: the first step of the whole query.
    Start,
    /// `end()`: its last one.
    End,
}

/// A label matcher as written; its pattern is not compiled yet.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    pub(super) name: String,
    pub(super) op: MatchOp,
    pub(super) value: String,
    pub(super) span: Span,
}

/// Which labels an aggregation keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Grouping {
    By(Vec<String>),
    Without(Vec<String>),
}

#[derive(Clone, Debug)]
pub(super) struct Binary {
    pub(super) op: BinaryOp,
    pub(super) op_span: Span,
    pub(super) left: Node,
    pub(super) right: Node,
    /// The `bool` modifier.
    pub(super) returns_bool: bool,
    /// `on` or `ignoring`, where written.
    pub(super) matching: Option<Matching>,
}

/// How series of two vectors find each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Matching {
    /// `on` when true, `ignoring` when false.
    pub(super) on: bool,
    pub(super) labels: Vec<String>,
    pub(super) group: Option<Group>,
}

/// `group_left` or `group_right`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// The side that may have many series a match.
    pub(super) many: Side,
    /// Labels taken from the other side.
    pub(super) include: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BinaryOp {
    Arithmetic(Arithmetic),
    Comparison(Comparison),
    Set(SetOp),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Atan2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetOp {
    And,
    Or,
    Unless,
}

impl BinaryOp {
    /// How tightly it binds; larger is tighter.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Self::Set(SetOp::Or) => 1,
            Self::Set(SetOp::And | SetOp::Unless) => 2,
            Self::Comparison(_) => 3,
            Self::Arithmetic(Arithmetic::Add | Arithmetic::Subtract) => 4,
            Self::Arithmetic(Arithmetic::Power) => POWER_PRECEDENCE,
            Self::Arithmetic(_) => 5,
        }
    }
}

/// `^` binds tightest, and tighter than a sign: `-1^2` is `-(1^2)`.
pub(super) const POWER_PRECEDENCE: u8 = 6;
