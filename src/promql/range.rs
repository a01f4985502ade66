//! Functions from the samples in a range of time to one value.

mod counter;

mod mixed;

mod over_time;

mod regression;

mod remarks;

use super::{EvalError, leaf::Times};
use crate::series::{Sample, TimestampMs};
pub(super) use counter::rate_between_resets;
pub(super) use mixed::{between, floats_between};
pub(super) use remarks::Reading;

/// A function of a range vector; see Prometheus' functions of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RangeFunction {
    Rate,
    Increase,
    Delta,
    Irate,
    Idelta,
    Changes,
    Resets,
    Deriv,
    /// With the seconds ahead.
    PredictLinear,
    /// With a smoothing and a trend factor, each between 0 and 1.
    DoubleExponentialSmoothing,
    AvgOverTime,
    MinOverTime,
    MaxOverTime,
    SumOverTime,
    CountOverTime,
    LastOverTime,
    PresentOverTime,
    StddevOverTime,
    StdvarOverTime,
    MadOverTime,
    TsOfLastOverTime,
    TsOfMaxOverTime,
    TsOfMinOverTime,
    /// With the quantile.
    QuantileOverTime,
}

/// The scalar arguments of a range function; those it does not take are zero.
pub(super) type Arguments = [f64; 2];

/// What a function sees: samples with `start < timestamp <= end`, no stale markers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'a> {
    /// Never empty.
    pub(super) samples: &'a [Sample],
    pub(super) start: TimestampMs,
    pub(super) end: TimestampMs,
}

impl RangeFunction {
    /// The value at step `at`; `None` where the window is too short for the function.
    pub(super) fn apply(
        self,
        window: Window<'_>,
        at: TimestampMs,
        [first, second]: Arguments,
    ) -> Result<Option<f64>, EvalError> {
        let samples = window.samples;
        Ok(match self {
            Self::Rate => counter::rate(window),
            Self::Increase => counter::increase(window),
            Self::Delta => counter::delta(window),
            Self::Irate => counter::irate(samples),
            Self::Idelta => counter::idelta(samples),
            Self::Changes => Some(counter::changes(samples)),
            Self::Resets => Some(counter::resets(samples)),
            Self::Deriv => regression::deriv(samples),
            Self::PredictLinear => regression::predict_linear(samples, at, first),
            Self::DoubleExponentialSmoothing => {
                regression::double_exponential_smoothing(samples, first, second)?
            }
            Self::AvgOverTime => Some(over_time::avg(samples)),
            Self::MinOverTime => Some(over_time::min(samples)),
            Self::MaxOverTime => Some(over_time::max(samples)),
            Self::SumOverTime => Some(over_time::sum(samples)),
            Self::CountOverTime => Some(samples.len() as f64),
            Self::LastOverTime => samples.last().map(|sample| sample.value),
            Self::PresentOverTime => Some(1.0),
            Self::StddevOverTime => Some(over_time::stdvar(samples).sqrt()),
            Self::StdvarOverTime => Some(over_time::stdvar(samples)),
            Self::MadOverTime => Some(over_time::mad(samples)),
            Self::TsOfLastOverTime => samples.last().map(|sample| sample.timestamp.seconds()),
            Self::TsOfMaxOverTime => over_time::time_of_max(samples),
            Self::TsOfMinOverTime => over_time::time_of_min(samples),
            Self::QuantileOverTime => Some(over_time::quantile(first, samples)),
        })
    }

    /// Only `last_over_time` leaves the meaning of a value, and with it the metric name.
    pub(super) fn keeps_name(self) -> bool {
        self == Self::LastOverTime
    }

    /// Whether the value also depends on the step that asks, not on the window alone.
    fn depends_on_step(self) -> bool {
        self == Self::PredictLinear
    }

    /// The values at all steps, one after the other; `samples` are those of one series without
    /// stale markers, `arguments` are asked with the number of the step.
    pub(super) fn over_steps(
        self,
        samples: &[Sample],
        times: &Times,
        range_ms: i64,
        arguments: impl Fn(usize) -> Arguments,
        mut each: impl FnMut(Option<f64>, usize) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let (mut from, mut to) = (0, 0);
        let mut last: Option<(Window<'_>, Arguments, Option<f64>)> = None;
        for (step, at) in times.steps().enumerate() {
            let end = times.looks_at(at);
            let start = end.plus_ms(range_ms.saturating_neg());
            // Steps ascend, so both ends of the window only move forward.
            from += samples[from..].iter().take_while(|sample| sample.timestamp <= start).count();
            to = to.max(from);
            to += samples[to..].iter().take_while(|sample| sample.timestamp <= end).count();
            let samples = &samples[from..to];
            if samples.is_empty() {
                each(None, 0)?;
                continue;
            }
            let (window, arguments) = (Window { samples, start, end }, arguments(step));
            let known = last
                .filter(|(seen, with, _)| seen.end == end && *with == arguments && !self.depends_on_step());
            let (value, looked_at) = match known {
                Some((_, _, value)) => (value, 0),
                None => (self.apply(window, at, arguments)?, samples.len()),
            };
            last = Some((window, arguments, value));
            each(value, looked_at)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
