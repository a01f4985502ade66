//! What there is to say about a range function of one series.

use super::{Arguments, RangeFunction, between, floats_between};
use crate::{
    promql::{
        Point,
        annotation::{Remark, Remarks, names_counter},
        leaf::Times,
        matrix::Cell,
        native,
    },
    series::{HistogramSample, LabelSet, METRIC_NAME, ResetHint, Sample},
};

/// What was read of a series.
#[derive(Clone, Copy)]
pub(in crate::promql) struct Reading<'a> {
    /// All its labels.
    pub(in crate::promql) labels: &'a LabelSet,
    pub(in crate::promql) samples: &'a [Sample],
    pub(in crate::promql) histograms: &'a [HistogramSample],
    pub(in crate::promql) times: &'a Times,
    pub(in crate::promql) range_ms: i64,
}

impl RangeFunction {
    /// Remarks on the function, written `at` that place, of one series that gave `cells`.
    pub(in crate::promql) fn remark(
        self,
        read: Reading<'_>,
        cells: &[Cell],
        arguments: impl Fn(usize) -> Arguments,
        at: usize,
        remarks: &mut Remarks,
    ) {
        let metric = || read.labels.get(METRIC_NAME).unwrap_or("");
        let is_float = |cell: &Cell| matches!(cell, Some(Point::Float(_)));
        match self {
            Self::Rate | Self::Increase
                if !metric().is_empty() && !names_counter(metric()) && cells.iter().any(is_float) =>
            {
                remarks.add(at, Remark::NameOfNoCounter(metric().to_owned()));
            }
            Self::QuantileOverTime => {
                for (step, _) in cells.iter().enumerate().filter(|(_, cell)| is_float(cell)) {
                    remarks.check_quantile(at, arguments(step)[0]);
                }
            }
            _ => {}
        }
        if read.histograms.is_empty() {
            return;
        }
        for step in read.times.steps() {
            let end = read.times.looks_at(step);
            let start = end.plus_ms(read.range_ms.saturating_neg());
            let floats = floats_between(read.samples, start, end);
            let histograms = between(read.histograms, start, end);
            if !histograms.is_empty() {
                self.remark_on_histograms(floats, histograms, metric(), &mut |remark| {
                    remarks.add(at, remark)
                });
            }
        }
    }

    /// Of a window that has histograms.
    fn remark_on_histograms(
        self,
        floats: &[Sample],
        histograms: &[HistogramSample],
        metric: &str,
        add: &mut impl FnMut(Remark),
    ) {
        match self {
            Self::Rate | Self::Increase | Self::Delta | Self::SumOverTime | Self::AvgOverTime
                if !floats.is_empty() =>
            {
                add(Remark::MixedRange(metric.to_owned()));
            }
            Self::Rate | Self::Increase if histograms.len() > 1 => {
                remark_on_counter(histograms, metric, add);
            }
            Self::Delta => {
                if let [first, .., last] = histograms {
                    remark_on_gauge(first, last, metric, add);
                }
            }
            Self::Irate | Self::Idelta => self.remark_on_last_two(floats, histograms, metric, add),
            Self::SumOverTime | Self::AvgOverTime => {
                if let Some((first, rest)) = histograms.split_first() {
                    let fits = |sample: &HistogramSample| {
                        native::check_compatible(&first.histogram, &sample.histogram)
                    };
                    if let Some(why) = rest.iter().find_map(|sample| fits(sample).err()) {
                        add(Remark::incompatible(why, metric));
                    }
                }
            }
            Self::Deriv
            | Self::PredictLinear
            | Self::DoubleExponentialSmoothing
            | Self::MinOverTime
            | Self::MaxOverTime
            | Self::StddevOverTime
            | Self::StdvarOverTime
            | Self::MadOverTime
            | Self::TsOfMaxOverTime
            | Self::TsOfMinOverTime
            | Self::QuantileOverTime
                if !floats.is_empty() =>
            {
                add(Remark::IgnoredInRange(metric.to_owned()));
            }
            _ => {}
        }
    }

    fn remark_on_last_two(
        self,
        floats: &[Sample],
        histograms: &[HistogramSample],
        metric: &str,
        add: &mut impl FnMut(Remark),
    ) {
        let newest_float = |behind: usize| Some(floats.iter().rev().nth(behind)?.timestamp);
        let newest_histogram = |behind: usize| Some(histograms.iter().rev().nth(behind)?.timestamp);
        // How many of the last two are floats.
        let last_is_float = newest_float(0) > newest_histogram(0);
        let before_is_float = match last_is_float {
            true => newest_float(1) > newest_histogram(0),
            false => newest_float(0) > newest_histogram(1),
        };
        match (before_is_float, last_is_float, histograms) {
            (false, false, [.., before, last]) => {
                let is_idelta = self == Self::Idelta;
                if is_idelta && !(is_gauge(before) && is_gauge(last)) {
                    add(Remark::NativeNotGauge(metric.to_owned()));
                } else if !is_idelta && (is_gauge(before) || is_gauge(last)) {
                    add(Remark::NativeNotCounter(metric.to_owned()));
                }
                if (is_idelta || !native::is_reset(&last.histogram, &before.histogram))
                    && let Err(why) = native::check_compatible(&last.histogram, &before.histogram)
                {
                    add(Remark::incompatible(why, metric));
                }
            }
            (true, false, _) | (false, true, _) => add(Remark::MixedRange(metric.to_owned())),
            _ => {}
        }
    }
}

/// Of the histograms that a counter's increase is worked out of; where they have no difference, that alone.
fn remark_on_counter(histograms: &[HistogramSample], metric: &str, add: &mut impl FnMut(Remark)) {
    let [first, second, ..] = histograms else { return };
    // What was before a reset behind the first one is of no interest.
    let from = usize::from(native::is_reset(&second.histogram, &first.histogram));
    let compared = &histograms[from..];
    let kind = |sample: &HistogramSample| sample.histogram.has_custom_buckets();
    let kinds_differ = compared.iter().any(|sample| kind(sample) != kind(&compared[0]));
    let fault = match kinds_differ {
        true => Some(native::Incompatible::Kinds),
        false => compared
            .windows(2)
            .find_map(|pair| native::check_compatible(&pair[0].histogram, &pair[1].histogram).err()),
    };
    match fault {
        Some(why) => add(Remark::incompatible(why, metric)),
        None if histograms.iter().any(is_gauge) => add(Remark::NativeNotCounter(metric.to_owned())),
        None => {}
    }
}

/// Of two histograms whose difference is taken.
fn remark_on_gauge(
    first: &HistogramSample,
    last: &HistogramSample,
    metric: &str,
    add: &mut impl FnMut(Remark),
) {
    if let Err(why) = native::check_compatible(&last.histogram, &first.histogram) {
        add(Remark::incompatible(why, metric));
    } else if !is_gauge(first) || !is_gauge(last) {
        add(Remark::NativeNotGauge(metric.to_owned()));
    }
}

fn is_gauge(sample: &HistogramSample) -> bool {
    sample.histogram.reset_hint == ResetHint::Gauge
}
