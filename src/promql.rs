//! PromQL: parser, type checker and evaluator, for one step or many.
//!
//! ```text
//! text --parse--> Node --check--> Tree --leaves--> LeafRequest::evaluate in each shard
//!                                  |                      |
//!                                  |              LeafMatrix::merge
//!                                  +---- evaluation <-----+      a Matrix: series x steps
//! ```
//!
//! Two views of one thing: a [`Query`] is an expression of any type over a [`Grid`] of steps, a
//! [`Plan`] is one that can be a feature, at a single step. The *leaves* of an expression (a selector
//! with or without a range function) only look at one series at a time, so they run where the series
//! live; what combines series runs once, on the merged answers, all steps at once. A range function of
//! a subquery, or with an argument that changes from step to step, runs there too.
//!
//! Promises: the answers of Prometheus 3.5, judged by a real one in `tests/it/promql_prometheus.rs`;
//! what is not supported is refused with its position by [`Query::parse`] or [`Plan::parse`], never
//! answered differently; the same samples give the same bits however the series are spread over
//! shards, because every sum runs in label order; no input panics or overflows the stack, and a
//! [`Budget`] bounds memory and time.
//!
//! A value is a number or a native histogram; the arithmetic of the latter is in `native`, judged in
//! `tests/it/promql_native.rs`.
//!
//! Not here: `info`.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod annotation;

mod ast;

mod budget;

mod calendar;

mod check;

mod error;

mod eval;

mod grid;

mod labels;

mod leaf;

mod lex;

mod literal;

mod matrix;

mod memo;

mod native;

mod number;

mod op;

mod parse;

mod plan;

mod point;

mod query;

mod range;

mod rows;

mod series;

mod tree;

pub use annotation::Annotations;
pub use budget::Budget;
pub use error::ParseError;
pub use eval::EvalError;
pub use grid::Grid;
pub use leaf::{Leaf, LeafBuilder, LeafMatrix, LeafRequest, LeafRows, MergeMemory};
pub use literal::parse_duration_ms;
pub use memo::Memo;
pub use number::shortest;
pub use plan::{Plan, Value};
pub use point::Point;
pub use query::{PointSeries, Query, QueryValue, ValueType, parse_matchers};
pub use series::{SeriesMemory, SeriesPlan, SeriesValue};

use crate::series::LabelSet;

/// A number for each label set, ascending by labels.
pub type LeafVector = Vec<(LabelSet, f64)>;
