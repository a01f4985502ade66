//! The same functions of series that have native histograms in the range, alone or beside floats.
//!
//! What a function does not know how to do with a histogram it does with the floats alone; where floats and
//! histograms have no common meaning there is no value.

use super::{Arguments, RangeFunction, Window, counter};
use crate::{
    promql::{
        EvalError, Point,
        leaf::Times,
        native::{self, Change, HistogramWindow},
    },
    series::{HistogramSample, NativeHistogram, Sample, TimestampMs},
};
use std::sync::Arc;

/// What a function sees of such a series; one of the two at least has samples.
#[derive(Clone, Copy, Debug)]
struct Mixed<'a> {
    floats: Window<'a>,
    histograms: &'a [HistogramSample],
}

/// One of the two newest samples.
#[derive(Clone, Copy)]
enum Newest<'a> {
    Float(Sample),
    Histogram(&'a HistogramSample),
}

impl RangeFunction {
    /// As [`Self::over_steps`], of a series that may have histograms.
    pub(in crate::promql) fn over_steps_mixed(
        self,
        samples: &[Sample],
        histograms: &[HistogramSample],
        times: &Times,
        range_ms: i64,
        arguments: impl Fn(usize) -> Arguments,
        mut each: impl FnMut(Option<Point>, usize) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        if histograms.is_empty() {
            let each = |value: Option<f64>, looked_at| each(value.map(Point::Float), looked_at);
            return self.over_steps(samples, times, range_ms, arguments, each);
        }
        for (step, at) in times.steps().enumerate() {
            let end = times.looks_at(at);
            let start = end.plus_ms(range_ms.saturating_neg());
            let floats = Window { samples: floats_between(samples, start, end), start, end };
            let histograms = between(histograms, start, end);
            let value = if floats.samples.is_empty() && histograms.is_empty() {
                None
            } else {
                self.apply_mixed(Mixed { floats, histograms }, at, arguments(step))?
            };
            each(value, floats.samples.len() + histograms.len())?;
        }
        Ok(())
    }

    fn apply_mixed(
        self,
        mixed: Mixed<'_>,
        at: TimestampMs,
        arguments: Arguments,
    ) -> Result<Option<Point>, EvalError> {
        let Mixed { floats, histograms } = mixed;
        let samples = floats.samples;
        if histograms.is_empty() {
            return Ok(self.apply(floats, at, arguments)?.map(Point::Float));
        }
        let window = HistogramWindow { samples: histograms, start: floats.start, end: floats.end };
        let only_histograms = samples.is_empty();
        Ok(match self {
            Self::Rate | Self::Increase | Self::Delta | Self::SumOverTime | Self::AvgOverTime
                if !only_histograms =>
            {
                None
            }
            Self::Rate => native::rate(window).map(point),
            Self::Increase => native::increase(window).map(point),
            Self::Delta => native::delta(window).map(point),
            Self::SumOverTime => sum(histograms).map(point),
            Self::AvgOverTime => mean(histograms).map(point),
            Self::Irate => mixed.change(Change::Irate),
            Self::Idelta => mixed.change(Change::Idelta),
            Self::Changes => Some(Point::Float(native::changes(samples, histograms))),
            Self::Resets => Some(Point::Float(native::resets(samples, histograms))),
            Self::CountOverTime => Some(Point::Float((samples.len() + histograms.len()) as f64)),
            Self::PresentOverTime => Some(Point::Float(1.0)),
            Self::LastOverTime => mixed.newest().map(|newest| match newest {
                Newest::Float(sample) => Point::Float(sample.value),
                Newest::Histogram(sample) => Point::Histogram(Arc::clone(&sample.histogram)),
            }),
            Self::TsOfLastOverTime => mixed.newest().map(|newest| Point::Float(newest.timestamp().seconds())),
            // An argument out of its bounds is an error even where there is nothing to smooth.
            Self::DoubleExponentialSmoothing => self.apply(floats, at, arguments)?.map(Point::Float),
            _ if only_histograms => None,
            _ => self.apply(floats, at, arguments)?.map(Point::Float),
        })
    }
}

// === impl Mixed ===

impl<'a> Mixed<'a> {
    fn newest(self) -> Option<Newest<'a>> {
        self.newest_before(self.floats.samples.len(), self.histograms.len())
    }

    /// The newest of the first `floats` and the first `histograms`.
    fn newest_before(self, floats: usize, histograms: usize) -> Option<Newest<'a>> {
        let float = self.floats.samples[..floats].last().copied();
        match (float, self.histograms[..histograms].last()) {
            (Some(float), Some(histogram)) if histogram.timestamp < float.timestamp => {
                Some(Newest::Float(float))
            }
            (_, Some(histogram)) => Some(Newest::Histogram(histogram)),
            (float, None) => float.map(Newest::Float),
        }
    }

    /// The change between the last two samples, if they are of one kind.
    fn change(self, change: Change) -> Option<Point> {
        let (mut floats, mut histograms) = (self.floats.samples.len(), self.histograms.len());
        let last = self.newest()?;
        match last {
            Newest::Float(_) => floats -= 1,
            Newest::Histogram(_) => histograms -= 1,
        }
        match (self.newest_before(floats, histograms)?, last) {
            (Newest::Float(before), Newest::Float(last)) => {
                let two = [before, last];
                let value = match change {
                    Change::Irate => counter::irate(&two),
                    Change::Idelta => counter::idelta(&two),
                };
                value.map(Point::Float)
            }
            (Newest::Histogram(before), Newest::Histogram(last)) => {
                native::instant_change(change, before, last).map(point)
            }
            _ => None,
        }
    }
}

impl Newest<'_> {
    fn timestamp(self) -> TimestampMs {
        match self {
            Self::Float(sample) => sample.timestamp,
            Self::Histogram(sample) => sample.timestamp,
        }
    }
}

/// The histograms with `after < timestamp <= until`.
pub(in crate::promql) fn between(
    histograms: &[HistogramSample],
    after: TimestampMs,
    until: TimestampMs,
) -> &[HistogramSample] {
    stretch(histograms, |sample| sample.timestamp, after, until)
}

/// The float samples with `after < timestamp <= until`.
pub(in crate::promql) fn floats_between(
    samples: &[Sample],
    after: TimestampMs,
    until: TimestampMs,
) -> &[Sample] {
    stretch(samples, |sample| sample.timestamp, after, until)
}

fn stretch<T>(
    sorted: &[T],
    time: impl Fn(&T) -> TimestampMs,
    after: TimestampMs,
    until: TimestampMs,
) -> &[T] {
    let end = sorted.partition_point(|sample| time(sample) <= until);
    let start = sorted[..end].partition_point(|sample| time(sample) <= after);
    &sorted[start..end]
}

fn point(histogram: NativeHistogram) -> Point {
    Point::Histogram(Arc::new(histogram))
}

fn sum(histograms: &[HistogramSample]) -> Option<NativeHistogram> {
    let [first, others @ ..] = histograms else { return None };
    let mut sum = NativeHistogram::clone(&first.histogram);
    for sample in others {
        native::add(&mut sum, &sample.histogram).ok()?;
    }
    Some(sum)
}

fn mean(histograms: &[HistogramSample]) -> Option<NativeHistogram> {
    let [first, others @ ..] = histograms else { return None };
    let mut mean = NativeHistogram::clone(&first.histogram);
    for (number, sample) in others.iter().enumerate() {
        native::add_to_mean(&mut mean, &sample.histogram, (number + 2) as f64).ok()?;
    }
    Some(mean)
}
