//! Answers queries over the windows: ask every shard, merge, evaluate.
//!
//! ```text
//! Query --needs--> reads, a piece at a time --> shard tasks
//!                                                  | leaf matrices
//!        a thread of its own: evaluate, render <---+
//! ```
//!
//! It promises:
//! - at most [`Limits::max_concurrency`] queries at once; the others wait for their turn, and none takes
//!   longer than [`Limits::timeout`], its wait included;
//! - a query holds at most [`Limits::max_samples`] points in each of its two phases, reading and
//!   evaluation, else it fails;
//! - taking samples in goes before reading (see [`crate::shards::Mailbox`]), and evaluation never
//!   runs on the tasks of shards or connections;
//! - when the caller drops the future, the query ends: no more reads are sent, and the evaluation stops
//!   at its next look at the clock.
//!
//! What a query sees: each series at one moment, the series one after the other. There is no
//! snapshot over all of them: a sample that arrives while the query runs may or may not be seen.

mod gather;

mod place;

mod reading;

use crate::{
    promql::{Annotations, Budget, EvalError, Grid, LeafMatrix, LeafRequest, Query, QueryValue},
    series::LabelSet,
    shards::{Finding, Question, SeriesQuestion, Shards},
    telemetry::Metrics,
};
use gather::{Deadline, gather};
use place::Places;
pub use reading::{Reading, SelectedSeries, Selection};
use std::time::Duration;

/// What queries may cost. The defaults are Prometheus' own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Queries at once: `--query.max-concurrency`.
    pub max_concurrency: usize,
    /// Points that one query may hold: `--query.max-samples`.
    pub max_samples: usize,
    /// Longest time for one query: `--query.timeout`.
    pub timeout: Duration,
    /// How old the newest sample of a series may be to count: `--query.lookback-delta`.
    pub lookback: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_concurrency: 20,
            max_samples: 50_000_000,
            timeout: Duration::from_secs(120),
            lookback: Duration::from_secs(300),
        }
    }
}

/// Why there is no answer. The texts are Prometheus' own where it has the case.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The time was over.
    #[error("query timed out in {0}")]
    TimedOut(&'static str),
    /// It would hold more points than allowed.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    /// The data does not allow it.
    #[error(transparent)]
    Failed(EvalError),
    /// The work broke off, which is a bug.
    #[error("unexpected error: {0}")]
    Broken(tokio::task::JoinError),
    /// A shard gave no answer: it has ended with the process, or a bug broke its work off.
    #[error("unexpected error: a shard gave no answer")]
    NoAnswer,
}

/// A query to answer.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked.
    pub query: Query,
    /// At which times; a range takes a vector or a scalar.
    pub grid: Grid,
    /// How long it may take; the limit holds as well.
    pub timeout: Duration,
    /// How old the newest sample of a series may be to count.
    pub lookback: Duration,
}

/// Answers queries; one a process.
#[derive(Debug)]
pub struct Engine {
    shards: Vec<Shards>,
    limits: Limits,
    places: Places,
}

// === impl Engine ===

impl Engine {
    /// An engine over the series of all `shards`; no series may be in two of them.
    #[must_use]
    pub fn new(shards: Vec<Shards>, limits: Limits, metrics: &Metrics) -> Self {
        Self { shards, limits, places: Places::new(limits.max_concurrency, metrics) }
    }

    /// What it was set to.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Evaluates a query. `render` makes the answer of the value and of what there is to say beside it, on the
    /// thread of the evaluation.
    ///
    /// # Errors
    /// When it takes too long or too much, or the data does not allow it.
    pub async fn evaluate<T: Send + 'static>(
        &self,
        Request { query, grid, timeout, lookback }: Request,
        render: impl FnOnce(QueryValue, Annotations) -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        let deadline = Deadline::after(timeout.min(self.limits.timeout));
        let place = self.places.take(&deadline).await?;
        let lookback_ms = i64::try_from(lookback.as_millis()).unwrap_or(i64::MAX);
        let question = |request: LeafRequest| Question::Leaf(request.with_lookback_ms(lookback_ms));
        let questions = query.needs(&grid).into_iter().map(question).collect();
        let findings = gather(&self.shards, questions, &deadline, self.limits.max_samples).await?;
        let mut budget = Budget::new(self.limits.max_samples, deadline.expired());
        let evaluate = move || {
            let answers = findings.into_iter().map(|parts| LeafMatrix::merge(leaves(parts))).collect();
            let evaluated = query.evaluate_annotated(&grid, answers, &mut budget);
            let (value, annotations) = evaluated.map_err(QueryError::from)?;
            drop(place);
            Ok(render(value, annotations))
        };
        tokio::task::spawn_blocking(evaluate).await.unwrap_or_else(|error| Err(QueryError::Broken(error)))
    }

    /// The label sets that answer `question`, sorted, each once. `render` makes the answer of them, on
    /// a thread of its own.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn series<T: Send + 'static>(
        &self,
        question: SeriesQuestion,
        render: impl FnOnce(Vec<LabelSet>) -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        let deadline = Deadline::after(self.limits.timeout);
        let place = self.places.take(&deadline).await?;
        let questions = vec![Question::Series(question)];
        let findings = gather(&self.shards, questions, &deadline, self.limits.max_samples).await?;
        let list = move || {
            let mut labels = label_sets(findings);
            labels.sort_unstable();
            labels.dedup();
            drop(place);
            render(labels)
        };
        tokio::task::spawn_blocking(list).await.map_err(QueryError::Broken)
    }
}

fn leaves(findings: Vec<Finding>) -> Vec<LeafMatrix> {
    let leaf = |finding| match finding {
        Finding::Leaf(matrix) => Some(matrix),
        Finding::Series(_) | Finding::Samples(_) => None,
    };
    findings.into_iter().filter_map(leaf).collect()
}

fn label_sets(findings: Vec<Vec<Finding>>) -> Vec<LabelSet> {
    let labels = |finding| match finding {
        Finding::Series(labels) => labels,
        Finding::Leaf(_) | Finding::Samples(_) => Vec::new(),
    };
    findings.into_iter().flatten().flat_map(labels).collect()
}

// === impl QueryError ===

impl From<EvalError> for QueryError {
    fn from(error: EvalError) -> Self {
        match error {
            EvalError::Expired => Self::TimedOut("expression evaluation"),
            EvalError::TooManyPoints { .. } => Self::TooManySamples,
            error => Self::Failed(error),
        }
    }
}

#[cfg(test)]
mod tests;
