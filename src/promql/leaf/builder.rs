//! The answer to a leaf request, series by series.

use super::{
    LeafMatrix, LeafRequest, LeafRows, Read, Times,
    answer::{Answer, RangeSeries},
};
use crate::{
    promql::{
        Budget, EvalError, Point,
        annotation::Remarks,
        labels,
        matrix::{Cell, Matrix},
        range::{Arguments, RangeFunction, Reading, between, floats_between, rate_between_resets},
        rows::Follower,
        series::SeriesValue,
    },
    series::{HistogramSample, Sample, TimestampMs, is_stale_marker},
    window::SeriesView,
};
use std::{borrow::Cow, sync::Arc};

/// An answer under construction: see [`LeafRequest::begin`].
#[derive(Debug)]
pub struct LeafBuilder {
    request: LeafRequest,
    /// What it looks at; nothing where it has no steps.
    stretch: Option<(TimestampMs, TimestampMs)>,
    rows: Follower,
    cells: Vec<Cell>,
    /// Of [`Read::Samples`], in place of rows and cells.
    series: Vec<RangeSeries>,
    scratch: Vec<Sample>,
    unmarked: Vec<Sample>,
    /// About the leaf, at no place.
    remarks: Remarks,
}

/// What an instant selector gives of a sample.
#[derive(Clone, Copy)]
enum Newest {
    Value,
    Time,
}

// === impl LeafBuilder ===

impl LeafBuilder {
    pub(super) fn new(request: &LeafRequest, LeafRows(before): LeafRows) -> Self {
        Self {
            stretch: request.stretch(),
            request: request.clone(),
            rows: Follower::new(before),
            cells: Vec::new(),
            series: Vec::new(),
            scratch: Vec::new(),
            unmarked: Vec::new(),
            remarks: Remarks::default(),
        }
    }

    /// The samples with `after < timestamp <= until` are looked at; `None` where the newest one is all
    /// that is asked for, or nothing.
    #[must_use]
    pub fn reads(&self) -> Option<(TimestampMs, TimestampMs)> {
        let newest_alone =
            matches!(self.request.read, Read::Newest | Read::NewestTime | Read::Series(SeriesValue::Gauge));
        self.stretch.filter(|_| !newest_alone)
    }

    /// Takes in what the next series has to say.
    ///
    /// # Errors
    /// When the budget is used up, or where Prometheus refuses an argument of a function. The answer is
    /// of no use then.
    pub fn push(&mut self, view: &SeriesView<'_>, budget: &mut Budget) -> Result<(), EvalError> {
        let Some(stretch) = self.stretch else { return Ok(()) };
        match self.request.read {
            Read::Newest => self.newest(view, budget, stretch, Newest::Value),
            Read::NewestTime => self.newest(view, budget, stretch, Newest::Time),
            Read::Range { range_ms, function, arguments } => {
                self.range(view, budget, stretch, range_ms, function, arguments)
            }
            Read::Samples { .. } => self.samples(view, budget, stretch),
            Read::Series(value) => self.one_series(view, budget, stretch, value),
        }
    }

    /// The answer, in the order in which the series came.
    #[must_use]
    pub fn finish(self) -> LeafMatrix {
        let answer = match self.request.read {
            Read::Samples { .. } => Answer::Samples(self.series),
            _ => Answer::Steps(Matrix::of_rows(self.request.times.count(), self.rows.finish(), self.cells)),
        };
        LeafMatrix { answer, remarks: self.remarks }
    }

    fn newest(
        &mut self,
        view: &SeriesView<'_>,
        budget: &mut Budget,
        (after, until): (TimestampMs, TimestampMs),
        what: Newest,
    ) -> Result<(), EvalError> {
        let LeafRequest { times, lookback_ms, .. } = &self.request;
        let (steps, lookback_ms) = (times.count(), *lookback_ms);
        let start = self.cells.len();
        if !view.histograms.is_empty() {
            let samples = view.samples.between(after, until, &mut self.scratch);
            budget.hold(steps)?;
            let looks = times.steps().map(|at| times.looks_at(at));
            let stretches = looks.map(|look| (look.plus_ms(-lookback_ms), look));
            self.cells
                .extend(stretches.map(|stretch| newest_of_either(samples, view.histograms, stretch, what)));
        } else if after.plus_ms(lookback_ms) == until {
            // One look, however many steps: nothing else of the series needs to be unpacked.
            let newest = view.samples.newest_until(until);
            let newest = newest.filter(|s| s.timestamp > after && !is_stale_marker(s.value));
            let Some(newest) = newest else { return Ok(()) };
            budget.hold(steps)?;
            self.cells.extend(std::iter::repeat_n(Some(what.of_float(newest)), steps));
        } else {
            let samples = view.samples.between(after, until, &mut self.scratch);
            if samples.is_empty() {
                return Ok(());
            }
            budget.hold(steps)?;
            let mut seen = 0;
            self.cells.extend(times.steps().map(|at| {
                let look = times.looks_at(at);
                seen += samples[seen..].iter().take_while(|s| s.timestamp <= look).count();
                let newest = *samples.get(seen.checked_sub(1)?)?;
                let fresh = newest.timestamp > look.plus_ms(-lookback_ms) && !is_stale_marker(newest.value);
                fresh.then(|| what.of_float(newest))
            }));
        }
        self.end_row(start, view, true);
        Ok(())
    }

    fn one_series(
        &mut self,
        view: &SeriesView<'_>,
        budget: &mut Budget,
        stretch: (TimestampMs, TimestampMs),
        value: SeriesValue,
    ) -> Result<(), EvalError> {
        let (after, until) = stretch;
        match value {
            SeriesValue::Gauge => {
                let floats = SeriesView { histograms: &[], ..*view };
                self.newest(&floats, budget, stretch, Newest::Value)
            }
            SeriesValue::Rate { range_ms } => {
                let samples = view.samples.between(after, until, &mut self.scratch);
                let samples = without_stale_markers(samples, &mut self.unmarked);
                rates(&mut self.cells, &self.request.times, range_ms, samples, budget)?;
                self.end_series(view);
                Ok(())
            }
            SeriesValue::ObservationRate { .. } if view.histograms.is_empty() => Ok(()),
            SeriesValue::ObservationRate { range_ms } => {
                let histograms = live_histograms(between(view.histograms, after, until));
                let count = |sample: &HistogramSample| Sample {
                    timestamp: sample.timestamp,
                    value: sample.histogram.count,
                };
                let counts: Vec<Sample> = histograms.iter().map(count).collect();
                rates(&mut self.cells, &self.request.times, range_ms, &counts, budget)?;
                self.end_series(view);
                Ok(())
            }
        }
    }

    /// Ends a row of a cell for each step, which keeps its labels.
    fn end_series(&mut self, view: &SeriesView<'_>) {
        let start = self.cells.len() - self.request.times.count();
        self.end_row(start, view, true);
    }

    fn range(
        &mut self,
        view: &SeriesView<'_>,
        budget: &mut Budget,
        (after, until): (TimestampMs, TimestampMs),
        range_ms: i64,
        function: RangeFunction,
        arguments: Arguments,
    ) -> Result<(), EvalError> {
        let samples = view.samples.between(after, until, &mut self.scratch);
        let samples = without_stale_markers(samples, &mut self.unmarked);
        let histograms = live_histograms(between(view.histograms, after, until));
        if samples.is_empty() && histograms.is_empty() {
            return Ok(());
        }
        let times = &self.request.times;
        budget.hold(times.count())?;
        let start = self.cells.len();
        let take = |point, looked_at| {
            self.cells.push(point);
            budget.work(looked_at)
        };
        function.over_steps_mixed(samples, &histograms, times, range_ms, |_| arguments, take)?;
        if self.request.annotated {
            let read = Reading { labels: view.labels, samples, histograms: &histograms, times, range_ms };
            function.remark(read, &self.cells[start..], |_| arguments, 0, &mut self.remarks);
        }
        self.end_row(start, view, function.keeps_name());
        Ok(())
    }

    /// Ends the row whose cells begin at `start`; one without a point is none.
    fn end_row(&mut self, start: usize, view: &SeriesView<'_>, keeps_name: bool) {
        if self.cells[start..].iter().all(Option::is_none) {
            self.cells.truncate(start);
        } else if keeps_name {
            self.rows.push(view.labels, Clone::clone);
        } else {
            self.rows.push(view.labels, labels::without_name);
        }
    }

    fn samples(
        &mut self,
        view: &SeriesView<'_>,
        budget: &mut Budget,
        (after, until): (TimestampMs, TimestampMs),
    ) -> Result<(), EvalError> {
        let samples = view.samples.between(after, until, &mut self.scratch);
        let samples = without_stale_markers(samples, &mut self.unmarked);
        let histograms = live_histograms(between(view.histograms, after, until)).into_owned();
        if !samples.is_empty() || !histograms.is_empty() {
            let labels = view.labels.clone();
            let series = RangeSeries { labels, samples: samples.to_vec(), histograms };
            budget.hold(series.weight())?;
            self.series.push(series);
        }
        Ok(())
    }
}

// === impl Newest ===

impl Newest {
    fn of_float(self, sample: Sample) -> Point {
        Point::Float(match self {
            Self::Value => sample.value,
            Self::Time => sample.timestamp.seconds(),
        })
    }

    fn of_histogram(self, sample: &HistogramSample) -> Point {
        match self {
            Self::Value => Point::Histogram(Arc::clone(&sample.histogram)),
            Self::Time => Point::Float(sample.timestamp.seconds()),
        }
    }
}

/// The newest sample of either kind with `after < timestamp <= until`.
fn newest_of_either(
    samples: &[Sample],
    histograms: &[HistogramSample],
    (after, until): (TimestampMs, TimestampMs),
    what: Newest,
) -> Option<Point> {
    let float = floats_between(samples, after, until).last();
    let newest = between(histograms, after, until).last();
    let float = float.filter(|float| newest.is_none_or(|newest| float.timestamp > newest.timestamp));
    match (float, newest) {
        (Some(float), _) => (!is_stale_marker(float.value)).then(|| what.of_float(*float)),
        (None, newest) => newest
            .filter(|newest| !newest.histogram.is_stale_marker())
            .map(|newest| what.of_histogram(newest)),
    }
}

/// A cell for each step: the rate of a counter with these samples.
fn rates(
    cells: &mut Vec<Cell>,
    times: &Times,
    range_ms: i64,
    samples: &[Sample],
    budget: &mut Budget,
) -> Result<(), EvalError> {
    budget.hold(times.count())?;
    for at in times.steps() {
        let look = times.looks_at(at);
        let within = floats_between(samples, look.plus_ms(range_ms.saturating_neg()), look);
        budget.work(within.len())?;
        cells.push(rate_between_resets(within).map(Point::Float));
    }
    Ok(())
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
