//! Leaves: what can be said of one series at a time, evaluated where the series live.

mod answer;

mod reach;

mod times;

pub use answer::LeafMatrix;
pub(super) use answer::{Answer, RangeSeries};
pub(super) use times::{SubqueryRange, Times};

use super::{
    Budget, EvalError, Grid, Point,
    annotation::{Remark, Remarks, names_counter},
    ast::Moment,
    labels,
    matrix::Matrix,
    range::{Arguments, RangeFunction, Reading, between, floats_between},
};
use crate::{
    series::{HistogramSample, LabelMatcher, METRIC_NAME, MatchOp, Sample, TimestampMs, is_stale_marker},
    window::SeriesView,
};
use std::{borrow::Cow, sync::Arc};

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

// === impl Leaf ===

impl Leaf {
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
        match self.read {
            Read::Newest => self.newest(
                series,
                budget,
                |sample| sample.value,
                |sample| Point::Histogram(Arc::clone(&sample.histogram)),
            ),
            Read::NewestTime => self.newest(
                series,
                budget,
                |sample| sample.timestamp.seconds(),
                |sample| Point::Float(sample.timestamp.seconds()),
            ),
            Read::Range { range_ms, function, arguments } => {
                self.range(series, budget, range_ms, function, arguments)
            }
            Read::Samples { range_ms } => self.samples(series, budget, range_ms),
        }
    }

    /// The stretch of time that holds all samples looked at by a look `range_ms` back.
    fn stretch(&self, range_ms: i64) -> Option<(TimestampMs, TimestampMs)> {
        let (first, last) = self.times.first_and_last_look()?;
        Some((first.plus_ms(range_ms.saturating_neg()), last))
    }

    fn newest<'a>(
        &self,
        series: impl Iterator<Item = SeriesView<'a>>,
        budget: &mut Budget,
        value: impl Fn(Sample) -> f64,
        histogram: impl Fn(&HistogramSample) -> Point,
    ) -> Result<LeafMatrix, EvalError> {
        let steps = self.times.count();
        let mut matrix = Matrix::new(steps);
        let Some((after, until)) = self.stretch(self.lookback_ms) else { return Ok(matrix.into()) };
        let mut scratch = Vec::new();
        let mut cells = Vec::new();
        for view in series {
            if !view.histograms.is_empty() {
                let samples = view.samples.between(after, until, &mut scratch);
                budget.hold(steps)?;
                let looks = self.times.steps().map(|at| self.times.looks_at(at));
                let stretches = looks.map(|look| (look.plus_ms(-self.lookback_ms), look));
                let newest =
                    |stretch| newest_of_either(samples, view.histograms, stretch, &value, &histogram);
                matrix.push(view.labels.clone(), stretches.map(newest));
                continue;
            }
            if after.plus_ms(self.lookback_ms) == until {
                // One look, however many steps: nothing else of the series needs to be unpacked.
                let newest = view.samples.newest_until(until);
                let newest = newest.filter(|s| s.timestamp > after && !is_stale_marker(s.value));
                let Some(newest) = newest else { continue };
                budget.hold(steps)?;
                let cell = Some(Point::Float(value(newest)));
                matrix.push(view.labels.clone(), std::iter::repeat_n(cell, steps));
                continue;
            }
            let samples = view.samples.between(after, until, &mut scratch);
            if samples.is_empty() {
                continue;
            }
            budget.hold(steps)?;
            let mut seen = 0;
            cells.extend(self.times.steps().map(|at| {
                let look = self.times.looks_at(at);
                seen += samples[seen..].iter().take_while(|s| s.timestamp <= look).count();
                let newest = *samples.get(seen.checked_sub(1)?)?;
                let fresh =
                    newest.timestamp > look.plus_ms(-self.lookback_ms) && !is_stale_marker(newest.value);
                fresh.then(|| Point::Float(value(newest)))
            }));
            matrix.push_with(|row| row.append(&mut cells), || view.labels.clone());
        }
        Ok(matrix.into())
    }

    fn range<'a>(
        &self,
        series: impl Iterator<Item = SeriesView<'a>>,
        budget: &mut Budget,
        range_ms: i64,
        function: RangeFunction,
        arguments: Arguments,
    ) -> Result<LeafMatrix, EvalError> {
        let steps = self.times.count();
        let mut matrix = Matrix::new(steps);
        let Some((after, until)) = self.stretch(range_ms) else { return Ok(matrix.into()) };
        let (mut scratch, mut unmarked) = (Vec::new(), Vec::new());
        let (mut cells, mut remarks) = (Vec::new(), Remarks::default());
        for view in series {
            let samples = view.samples.between(after, until, &mut scratch);
            let samples = without_stale_markers(samples, &mut unmarked);
            let histograms = live_histograms(between(view.histograms, after, until));
            let labels = || {
                if function.keeps_name() { view.labels.clone() } else { labels::without_name(view.labels) }
            };
            if samples.is_empty() && histograms.is_empty() {
                continue;
            }
            budget.hold(steps)?;
            let take = |point, looked_at| {
                cells.push(point);
                budget.work(looked_at)
            };
            let times = &self.times;
            function.over_steps_mixed(samples, &histograms, times, range_ms, |_| arguments, take)?;
            if self.annotated {
                let read = Reading { labels: view.labels, samples, histograms: &histograms, times, range_ms };
                function.remark(read, &cells, |_| arguments, 0, &mut remarks);
            }
            matrix.push_with(|row| row.append(&mut cells), labels);
        }
        Ok(LeafMatrix { remarks, ..matrix.sorted().into() })
    }

    fn samples<'a>(
        &self,
        series: impl Iterator<Item = SeriesView<'a>>,
        budget: &mut Budget,
        range_ms: i64,
    ) -> Result<LeafMatrix, EvalError> {
        let mut all = Vec::new();
        let Some((after, until)) = self.stretch(range_ms) else { return Ok(LeafMatrix::from_series(all)) };
        let (mut scratch, mut unmarked) = (Vec::new(), Vec::new());
        for view in series {
            let samples = view.samples.between(after, until, &mut scratch);
            let samples = without_stale_markers(samples, &mut unmarked);
            let histograms = live_histograms(between(view.histograms, after, until)).into_owned();
            if !samples.is_empty() || !histograms.is_empty() {
                let labels = view.labels.clone();
                let series = RangeSeries { labels, samples: samples.to_vec(), histograms };
                budget.hold(series.weight())?;
                all.push(series);
            }
        }
        all.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(LeafMatrix::from_series(all))
    }
}

/// The newest sample of either kind with `after < timestamp <= until`.
fn newest_of_either(
    samples: &[Sample],
    histograms: &[HistogramSample],
    (after, until): (TimestampMs, TimestampMs),
    value: impl Fn(Sample) -> f64,
    histogram: impl Fn(&HistogramSample) -> Point,
) -> Option<Point> {
    let float = floats_between(samples, after, until).last();
    let newest = between(histograms, after, until).last();
    let float = float.filter(|float| newest.is_none_or(|newest| float.timestamp > newest.timestamp));
    match (float, newest) {
        (Some(float), _) => (!is_stale_marker(float.value)).then(|| Point::Float(value(*float))),
        (None, newest) => newest.filter(|newest| !newest.histogram.is_stale_marker()).map(histogram),
    }
}

/// The histograms but the stale markers.
fn live_histograms(histograms: &[HistogramSample]) -> Cow<'_, [HistogramSample]> {
    let live = |sample: &&HistogramSample| !sample.histogram.is_stale_marker();
    if histograms.iter().all(|sample| live(&sample)) {
        return Cow::Borrowed(histograms);
    }
    Cow::Owned(histograms.iter().filter(live).cloned().collect())
}

/// The samples but the stale markers; `unmarked` is only filled where there are some.
fn without_stale_markers<'a>(samples: &'a [Sample], unmarked: &'a mut Vec<Sample>) -> &'a [Sample] {
    if !samples.iter().any(|sample| is_stale_marker(sample.value)) {
        return samples;
    }
    unmarked.clear();
    unmarked.extend(samples.iter().filter(|sample| !is_stale_marker(sample.value)));
    unmarked
}
