//! Leaves: what can be said of one series at a time, evaluated where the series live.

mod counter;

mod over_time;

mod regression;

use super::{LeafVector, labels};
use crate::{
    series::{LabelMatcher, Sample, TimestampMs, is_stale_marker},
    window::SeriesView,
};

/// How far back an instant selector looks for the newest sample (Prometheus' lookback delta).
const LOOKBACK_MS: i64 = 5 * 60_000;

/// A selector, plain or under a range function.
///
/// Leaves are what a shard evaluates; register [`Self::matchers`] as a selector of the store, then
/// give its series to [`Self::evaluate`] at each step.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    pub(super) matchers: Vec<LabelMatcher>,
    /// Positive looks back.
    pub(super) offset_ms: i64,
    pub(super) read: Read,
}

/// What is read of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Read {
    /// The newest sample.
    Newest,
    /// A function of the samples in a range.
    Range { range_ms: i64, function: RangeFunction },
}

/// A function from the samples of a range to one value; see Prometheus' functions of that name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RangeFunction {
    Rate,
    Increase,
    Delta,
    Irate,
    Idelta,
    Changes,
    Resets,
    Deriv,
    /// With how many seconds ahead.
    PredictLinear(f64),
    AvgOverTime,
    MinOverTime,
    MaxOverTime,
    SumOverTime,
    CountOverTime,
    LastOverTime,
    PresentOverTime,
    StddevOverTime,
    StdvarOverTime,
    QuantileOverTime(f64),
}

/// The range a function sees: samples with `start < timestamp <= end`, no stale markers.
#[derive(Clone, Copy, Debug)]
struct Range<'a> {
    /// Never empty.
    samples: &'a [Sample],
    start: TimestampMs,
    end: TimestampMs,
}

impl Leaf {
    /// Which series it reads: all of these must hold.
    #[must_use]
    pub fn matchers(&self) -> &[LabelMatcher] {
        &self.matchers
    }

    /// How far before the step its oldest sample can lie.
    #[must_use]
    pub fn lookback_ms(&self) -> i64 {
        let range_ms = match self.read {
            Read::Newest => LOOKBACK_MS,
            Read::Range { range_ms, .. } => range_ms,
        };
        range_ms.saturating_add(self.offset_ms).max(0)
    }

    /// How far after the step its newest sample can lie: above 0 only with a negative offset.
    #[must_use]
    pub fn lookahead_ms(&self) -> i64 {
        self.offset_ms.saturating_neg().max(0)
    }

    /// The value of each of `series` that has one at step `at`, ascending by labels.
    ///
    /// `series` must be those that satisfy [`Self::matchers`]. Two series that only differ in their
    /// metric name give equal labels under most functions; both are returned, and
    /// [`super::Plan::evaluate`] reports it.
    pub fn evaluate<'a>(&self, series: impl Iterator<Item = SeriesView<'a>>, at: TimestampMs) -> LeafVector {
        let end = at.plus_ms(self.offset_ms.saturating_neg());
        let mut vector = LeafVector::new();
        match self.read {
            Read::Newest => {
                let start = end.plus_ms(-LOOKBACK_MS);
                for view in series {
                    if let Some(newest) = view.samples.newest_until(end)
                        && newest.timestamp > start
                        && !is_stale_marker(newest.value)
                    {
                        vector.push((view.labels.clone(), newest.value));
                    }
                }
            }
            Read::Range { range_ms, function } => {
                let start = end.plus_ms(range_ms.saturating_neg());
                let (mut scratch, mut unmarked) = (Vec::new(), Vec::new());
                for view in series {
                    let samples = view.samples.between(start, end, &mut scratch);
                    let samples = without_stale_markers(samples, &mut unmarked);
                    let range = Range { samples, start, end };
                    if !samples.is_empty()
                        && let Some(value) = function.apply(range, at)
                    {
                        let keeps_name = matches!(function, RangeFunction::LastOverTime);
                        let labels =
                            if keeps_name { view.labels.clone() } else { labels::without_name(view.labels) };
                        vector.push((labels, value));
                    }
                }
            }
        }
        labels::sort(&mut vector);
        vector
    }
}

impl RangeFunction {
    /// `None` where the range is too short for the function.
    fn apply(self, range: Range<'_>, at: TimestampMs) -> Option<f64> {
        let samples = range.samples;
        match self {
            Self::Rate => counter::rate(range),
            Self::Increase => counter::increase(range),
            Self::Delta => counter::delta(range),
            Self::Irate => counter::irate(samples),
            Self::Idelta => counter::idelta(samples),
            Self::Changes => Some(counter::changes(samples)),
            Self::Resets => Some(counter::resets(samples)),
            Self::Deriv => regression::deriv(samples),
            Self::PredictLinear(ahead) => regression::predict_linear(samples, at, ahead),
            Self::AvgOverTime => Some(over_time::avg(samples)),
            Self::MinOverTime => Some(over_time::min(samples)),
            Self::MaxOverTime => Some(over_time::max(samples)),
            Self::SumOverTime => Some(over_time::sum(samples)),
            Self::CountOverTime => Some(samples.len() as f64),
            Self::LastOverTime => samples.last().map(|sample| sample.value),
            Self::PresentOverTime => Some(1.0),
            Self::StddevOverTime => Some(over_time::stdvar(samples).sqrt()),
            Self::StdvarOverTime => Some(over_time::stdvar(samples)),
            Self::QuantileOverTime(q) => Some(over_time::quantile(q, samples)),
        }
    }
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

#[cfg(test)]
mod tests;
