//! Leaves: what can be said of one series at a time, evaluated where the series live.

mod answer;

mod builder;

mod merge;

mod reach;

mod times;

pub(super) use answer::{Answer, RangeSeries};
pub use answer::{LeafMatrix, LeafRows};
pub use builder::LeafBuilder;
pub use merge::MergeMemory;
pub(super) use times::{SubqueryRange, Times};

use super::{
    Budget, EvalError, Grid,
    annotation::{Remark, Remarks, names_counter},
    ast::Moment,
    range::{Arguments, RangeFunction},
    series::SeriesValue,
};
use crate::{
    series::{LabelMatcher, METRIC_NAME, MatchOp, TimestampMs},
    window::SeriesView,
};
use std::sync::Arc;

/// How far back an instant selector looks for the newest sample (Prometheus' lookback delta).
const LOOKBACK_MS: i64 = 5 * 60_000;

/// A selector, plain or under a range function, at its place in an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    pub(super) matchers: Arc<[LabelMatcher]>,
    pub(super) read: Read,
    pub(super) moment: Moment,
    /// The subqueries around it, the outermost first.
    pub(super) subqueries: Vec<SubqueryRange>,
}

/// What is read of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Read {
    /// The newest sample.
    Newest,
    /// The time of the newest sample, in seconds.
    NewestTime,
    /// A function of the samples in a range.
    Range { range_ms: i64, function: RangeFunction, arguments: Arguments },
    /// All samples in a range: for functions whose arguments are not known here.
    Samples { range_ms: i64 },
    /// The series as a value of its own, which keeps its name.
    Series(SeriesValue),
}

/// What a query wants to know of the series of one selector.
#[derive(Clone, Debug)]
pub struct LeafRequest {
    matchers: Arc<[LabelMatcher]>,
    read: Read,
    times: Times,
    /// How old the newest sample may be.
    lookback_ms: i64,
    /// Whether there shall be remarks.
    annotated: bool,
}

// === impl Read ===

impl Read {
    /// How far before a look samples are read; `lookback_ms` where the newest one is asked for.
    fn range_ms(self, lookback_ms: i64) -> i64 {
        match self {
            Self::Newest | Self::NewestTime | Self::Series(SeriesValue::Gauge) => lookback_ms,
            Self::Range { range_ms, .. }
            | Self::Samples { range_ms }
            | Self::Series(SeriesValue::Rate { range_ms } | SeriesValue::ObservationRate { range_ms }) => {
                range_ms
            }
        }
    }
}

// === impl Leaf ===

impl Leaf {
    /// What is read of each series that satisfies `matchers`, as a value of its own.
    pub(super) fn of_series(matchers: Vec<LabelMatcher>, value: SeriesValue) -> Self {
        let read = Read::Series(value);
        Self { matchers: matchers.into(), read, moment: Moment::default(), subqueries: Vec::new() }
    }

    /// The stretch of samples that its range and those of its subqueries take together; 0 where it reads the newest sample.
    pub(super) fn summed_range_ms(&self) -> i64 {
        self.subqueries.iter().fold(self.read.range_ms(0), |sum, one| sum.saturating_add(one.range_ms))
    }

    /// Which series it reads: all of these must hold.
    #[must_use]
    pub fn matchers(&self) -> &[LabelMatcher] {
        &self.matchers
    }

    /// Remarks on what it says, written `at` that place.
    pub(super) fn remark_on_text(&self, at: usize, remarks: &mut Remarks) {
        let Read::Range { function, arguments, .. } = self.read else { return };
        let names = |m: &&LabelMatcher| m.name() == METRIC_NAME && m.op() == MatchOp::Equal;
        let metric = self.matchers.iter().find(names).map(LabelMatcher::value);
        match (function, metric) {
            (RangeFunction::Rate | RangeFunction::Increase, Some(metric)) if !names_counter(metric) => {
                remarks.add(at, Remark::NameOfNoCounter(metric.to_owned()));
            }
            (RangeFunction::QuantileOverTime, _) => remarks.check_quantile(at, arguments[0]),
            _ => {}
        }
    }

    /// What it asks for when the expression is evaluated over `grid`.
    #[must_use]
    pub fn request(&self, grid: &Grid) -> LeafRequest {
        let times = self.subqueries.iter().fold(Times::of(grid), |times, subquery| times.inside(subquery));
        LeafRequest {
            matchers: Arc::clone(&self.matchers),
            read: self.read,
            times: times.looking(self.moment),
            lookback_ms: LOOKBACK_MS,
            annotated: false,
        }
    }
}

// === impl LeafRequest ===

impl LeafRequest {
    /// Which series it reads: all of these must hold.
    #[must_use]
    pub fn matchers(&self) -> &[LabelMatcher] {
        &self.matchers
    }

    /// The same, but that the newest sample of a series counts for `lookback_ms` where no range says
    /// otherwise: Prometheus' `--query.lookback-delta`.
    #[must_use]
    pub fn with_lookback_ms(self, lookback_ms: i64) -> Self {
        Self { lookback_ms, ..self }
    }

    /// The same, with remarks about what it reads.
    pub(super) fn annotated(self) -> Self {
        Self { annotated: true, ..self }
    }

    /// The answer of one shard, given its series that satisfy [`Self::matchers`].
    ///
    /// # Errors
    /// When the budget is used up, or where Prometheus refuses an argument of a function.
    pub fn evaluate<'a>(
        &self,
        series: impl Iterator<Item = SeriesView<'a>>,
        budget: &mut Budget,
    ) -> Result<LeafMatrix, EvalError> {
        let mut answer = self.begin(LeafRows::default());
        for view in series {
            answer.push(&view, budget)?;
        }
        Ok(answer.finish().sorted())
    }

    /// Begins the answer of one shard, to be given its series one by one. `before` are the rows of its
    /// answer to the same leaf at the step before, or none.
    #[must_use]
    pub fn begin(&self, before: LeafRows) -> LeafBuilder {
        LeafBuilder::new(self, before)
    }

    /// The stretch of time that holds all samples looked at.
    fn stretch(&self) -> Option<(TimestampMs, TimestampMs)> {
        let range_ms = self.read.range_ms(self.lookback_ms);
        let (first, last) = self.times.first_and_last_look()?;
        Some((first.plus_ms(range_ms.saturating_neg()), last))
    }
}
