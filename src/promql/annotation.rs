//! What an evaluation has to say beside its result: Prometheus' annotations.
//!
//! Texts, places and conditions are those of Prometheus 3.5 (`util/annotations`, and where `promql` adds to them),
//! judged in `tests/it/promql_prometheus.rs`. Only queries are annotated; what a feature is made of is
//! known beforehand.

use super::{
    ast::{Arithmetic, Comparison},
    native::{Incompatible, Nans},
    op::ElementOp,
};
use std::collections::BTreeMap;

/// Most remarks that one query keeps: each names a metric, and there may be as many as metrics.
const MOST: usize = 1_000;

/// Warnings and infos as texts, each with its place; sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// What is most likely a mistake.
    pub warnings: Vec<String>,
    /// What may be one.
    pub infos: Vec<String>,
}

/// Remarks, each once and with the byte of the expression that it is about: of several such places the last one
/// that was looked at. Bounded.
#[derive(Clone, Debug, Default)]
pub(super) struct Remarks(BTreeMap<Remark, usize>);

/// One remark; the strings are names of metrics where nothing else is said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Remark {
    /// A quantile, as text, that is not between 0 and 1.
    Quantile(String),
    /// A share that is not between -1 and 1, and the one that is taken.
    Ratio(String, i8),
    /// A bucket whose bound cannot be read: the metric, the bound.
    BucketLabel(String, String),
    /// Floats and native histograms of a metric in one range.
    MixedRange(String),
    /// Floats and native histograms in one group.
    MixedGroup,
    ClassicAndNative(String),
    NativeNotCounter(String),
    NativeNotGauge(String),
    /// Histograms of a metric that have no sum.
    Incompatible(Kind, String),
    /// The same of two operands.
    IncompatibleOperands(ElementOp),
    NameOfNoCounter(String),
    NotMonotonic(String),
    /// An operator that has no meaning for its operands: what the left and the right one is.
    Operands(&'static str, ElementOp, &'static str),
    /// Histograms that an aggregation leaves out.
    IgnoredInGroup(&'static str),
    /// Histograms left out in a range that has floats too.
    IgnoredInRange(String),
    /// What observations of NaN do to a result.
    Nans(Nans),
}

/// Why histograms have no sum; [`Incompatible`], in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Schemas,
    Bounds,
}

// === impl Remarks ===

impl Remarks {
    /// Adds a remark about the part of the expression that begins `at`.
    pub(super) fn add(&mut self, at: usize, remark: Remark) {
        if self.0.len() < MOST || self.0.contains_key(&remark) {
            self.0.insert(remark, at);
        }
    }

    /// Warns of a quantile that is none.
    pub(super) fn check_quantile(&mut self, at: usize, q: f64) {
        if !(0.0..=1.0).contains(&q) {
            self.add(at, Remark::Quantile(general(q)));
        }
    }

    /// Takes over what was remarked elsewhere about the part that begins `at`.
    pub(super) fn absorb(&mut self, at: usize, others: &Self) {
        for remark in others.0.keys() {
            self.add(at, remark.clone());
        }
    }

    /// All remarks of several shards on the same part.
    pub(super) fn merge(&mut self, others: &Self) {
        self.absorb(0, others);
    }

    /// As texts, with places in the expression `text`.
    pub(super) fn annotations(&self, text: &str) -> Annotations {
        let mut annotations = Annotations::default();
        for (remark, at) in &self.0 {
            let before = &text.as_bytes()[..(*at).min(text.len())];
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
            let (list, level) = match remark.is_warning() {
                true => (&mut annotations.warnings, "warning"),
                false => (&mut annotations.infos, "info"),
            };
            list.push(format!("PromQL {level}: {} ({line}:{column})", remark.text()));
        }
        annotations.warnings.sort();
        annotations.infos.sort();
        annotations
    }
}

// === impl Remark ===

impl Remark {
    fn is_warning(&self) -> bool {
        !matches!(
            self,
            Self::NameOfNoCounter(_)
                | Self::NotMonotonic(_)
                | Self::Operands(..)
                | Self::IgnoredInGroup(_)
                | Self::IgnoredInRange(_)
                | Self::Nans(_)
        )
    }

    /// In Prometheus' words. Its `%q` is nearly Rust's `{:?}`: both keep what can be printed.
    fn text(&self) -> String {
        match self {
            Self::Quantile(q) => format!("quantile value should be between 0 and 1, got {q}"),
            Self::Ratio(ratio, taken) => {
                format!("ratio value should be between -1 and 1, got {ratio}, capping to {taken}")
            }
            Self::BucketLabel(metric, bound) => format!(
                "bucket label \"le\" is missing or has a malformed value of {bound:?} for metric name {metric:?}"
            ),
            Self::MixedRange(metric) => {
                format!("encountered a mix of histograms and floats for metric name {metric:?}")
            }
            Self::MixedGroup => "encountered a mix of histograms and floats for aggregation".to_owned(),
            Self::ClassicAndNative(metric) => {
                format!("vector contains a mix of classic and native histograms for metric name {metric:?}")
            }
            Self::NativeNotCounter(metric) => {
                format!("this native histogram metric is not a counter: {metric:?}")
            }
            Self::NativeNotGauge(metric) => {
                format!("this native histogram metric is not a gauge: {metric:?}")
            }
            Self::Incompatible(Kind::Schemas, metric) => format!(
                "vector contains a mix of histograms with exponential and custom buckets schemas for metric \
                 name {metric:?}"
            ),
            Self::Incompatible(Kind::Bounds, metric) => format!(
                "vector contains histograms with incompatible custom buckets for metric name {metric:?}"
            ),
            Self::IncompatibleOperands(op) => {
                format!("incompatible bucket layout encountered for binary operator {}", op.symbol())
            }
            Self::NameOfNoCounter(metric) => format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {metric:?}"
            ),
            Self::NotMonotonic(metric) => format!(
                "input to histogram_quantile needed to be fixed for monotonicity (see \
                 https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile) for \
                 metric name {metric:?}"
            ),
            Self::Operands(left, op, right) => {
                let op = op.symbol();
                format!(
                    "incompatible sample types encountered for binary operator {op:?}: {left} {op} {right}"
                )
            }
            Self::IgnoredInGroup(aggregation) => format!("ignored histogram in {aggregation} aggregation"),
            // The name is gone by then.
            Self::Nans(Nans::Result) => {
                "input to histogram_quantile has NaN observations, result is NaN for \
                                         metric name \"\""
                    .to_owned()
            }
            Self::Nans(Nans::Skewed) => "input to histogram_quantile has NaN observations, result is skewed \
                                         higher for metric name \"\""
                .to_owned(),
            Self::Nans(Nans::Excluded) => {
                "input to histogram_fraction has NaN observations, which are excluded \
                                           from all fractions for metric name \"\""
                    .to_owned()
            }
            Self::IgnoredInRange(metric) => format!(
                "ignored histograms in a range containing both floats and histograms for metric name {metric:?}"
            ),
        }
    }

    /// Of histograms of `metric` that have no sum.
    pub(super) fn incompatible(why: Incompatible, metric: &str) -> Self {
        let kind = match why {
            Incompatible::Kinds => Kind::Schemas,
            Incompatible::Bounds => Kind::Bounds,
        };
        Self::Incompatible(kind, metric.to_owned())
    }
}

/// Whether the name says that a metric is a counter.
pub(super) fn names_counter(metric: &str) -> bool {
    ["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| metric.ends_with(suffix))
}

impl ElementOp {
    /// The operator as it is written.
    fn symbol(self) -> &'static str {
        match self {
            Self::Arithmetic(op) => match op {
                Arithmetic::Add => "+",
                Arithmetic::Subtract => "-",
                Arithmetic::Multiply => "*",
                Arithmetic::Divide => "/",
                Arithmetic::Modulo => "%",
                Arithmetic::Power => "^",
                Arithmetic::Atan2 => "atan2",
            },
            Self::Filter(op) | Self::Truth(op) => match op {
                Comparison::Equal => "==",
                Comparison::NotEqual => "!=",
                Comparison::Greater => ">",
                Comparison::GreaterOrEqual => ">=",
                Comparison::Less => "<",
                Comparison::LessOrEqual => "<=",
            },
        }
    }
}

/// A number as Go's `%g` writes it: the shortest digits, with an exponent below -4 and from 6 on.
pub(super) fn general(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(-4..6) | Err(_) => value.to_string(),
        Ok(exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_lines_and_columns_in_bytes() {
        let mut remarks = Remarks::default();
        remarks.check_quantile(0, 0.5);
        remarks.check_quantile(0, f64::NAN);
        remarks.check_quantile(9, f64::NAN);
        remarks.add(2, Remark::IgnoredInGroup("max"));
        let annotations = remarks.annotations("äb\nc(\n  2)");
        assert_eq!(annotations.infos, ["PromQL info: ignored histogram in max aggregation (1:3)"]);
        let warning = "PromQL warning: quantile value should be between 0 and 1, got NaN (3:3)";
        assert_eq!(annotations.warnings, [warning]);
    }

    #[test]
    fn a_set_of_remarks_is_bounded() {
        let mut remarks = Remarks::default();
        for n in 0..2 * MOST {
            remarks.add(0, Remark::MixedRange(n.to_string()));
        }
        assert_eq!(remarks.annotations("").warnings.len(), MOST);
    }
}
