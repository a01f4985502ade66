//! PromQL for feature expressions: parser, planner and evaluator.
//!
//! ```text
//! text --parse--> Expr --Plan::new--> Plan --leaves()--> Leaf::evaluate in each shard
//!                                      |                      |
//!                                      |                    merge
//!                                      +---- evaluate <-------+      one vector (or scalar) at T
//! ```
//!
//! An expression is an instant query at step T. Its *leaves* (a selector with or without a range
//! function) only look at one series at a time, so they run where the series live; what combines
//! series runs once, on the merged results.
//!
//! Promises: the answers of Prometheus 3 for the supported subset, judged by a real one in
//! `tests/it/promql_prometheus.rs`; what is outside the subset is refused with its position by
//! [`parse()`] or [`Plan::new`], never answered differently; the same samples give the same bits
//! however the series are spread over shards, because every sum runs in label order; no input
//! panics or overflows the stack.
//!
//! Not supported: subqueries, `@`, native histograms (kept as their count and sum by `wire`),
//! label functions, sorting, `topk` and its kin, calendar functions, `absent`. Annotations
//! (warnings) of Prometheus are not produced.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

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

mod number;

mod op;

mod parse;

mod plan;

mod point;

mod query;

mod range;

mod tree;

pub use budget::Budget;
pub use error::ParseError;
pub use eval::EvalError;
pub use grid::Grid;
pub use leaf::{Leaf, LeafMatrix, LeafRequest};
pub use literal::parse_duration_ms;
pub use plan::{Plan, Value};
pub use point::Point;
pub use query::{PointSeries, Query, QueryValue, ValueType, parse_matchers};

use crate::series::LabelSet;

/// A number for each label set, ascending by labels.
pub type LeafVector = Vec<(LabelSet, f64)>;
