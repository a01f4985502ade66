//! Every function of PromQL, by name.

use crate::promql::{calendar, range::RangeFunction, tree::Plain};

/// What a function name stands for, and so what arguments it takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Function {
    /// Of one range vector.
    Range(RangeFunction),
    /// Of a scalar and a range vector.
    QuantileOverTime,
    /// Of a range vector and a scalar.
    PredictLinear,
    /// Of a range vector and two scalars.
    DoubleExponentialSmoothing,
    /// Of a range vector.
    AbsentOverTime,
    /// Of one instant vector.
    Plain(Plain),
    /// Of an instant vector, or of the step where there is none.
    Calendar(Plain),
    Absent,
    Timestamp,
    Sort,
    Scalar,
    /// Of an instant vector and one or two scalars.
    Clamp,
    ClampMin,
    ClampMax,
    Round,
    /// Of a scalar and an instant vector.
    HistogramQuantile,
    /// Of two scalars and an instant vector.
    HistogramFraction,
    /// Of an instant vector and strings.
    LabelReplace,
    LabelJoin,
    SortByLabel,
    /// Of a scalar, to a vector.
    Vector,
    Time,
    Pi,
    /// A function of Prometheus that is not there, and why.
    Unsupported(&'static str),
}

impl Function {
    /// How many arguments it takes, in words.
    pub(super) fn arguments(self) -> &'static str {
        match self {
            Self::Time | Self::Pi => "no arguments",
            Self::Calendar(_) => "0 or 1 arguments",
            Self::Range(_)
            | Self::AbsentOverTime
            | Self::Plain(_)
            | Self::Absent
            | Self::Timestamp
            | Self::Sort
            | Self::Scalar
            | Self::Vector => "1 argument",
            Self::Round => "1 or 2 arguments",
            Self::QuantileOverTime
            | Self::PredictLinear
            | Self::ClampMin
            | Self::ClampMax
            | Self::HistogramQuantile => "2 arguments",
            Self::DoubleExponentialSmoothing | Self::Clamp | Self::HistogramFraction => "3 arguments",
            Self::LabelReplace => "5 arguments",
            Self::LabelJoin => "3 or more arguments",
            Self::SortByLabel => "1 or more arguments",
            Self::Unsupported(_) => "other arguments",
        }
    }
}

/// The function of that name; names distinguish case.
pub(super) fn lookup(name: &str) -> Option<Function> {
    range_function(name)
        .map(Function::Range)
        .or_else(|| plain(name).map(Function::Plain))
        .or_else(|| calendar(name).map(Function::Calendar))
        .or_else(|| other(name))
}

fn range_function(name: &str) -> Option<RangeFunction> {
    Some(match name {
        "rate" => RangeFunction::Rate,
        "increase" => RangeFunction::Increase,
        "delta" => RangeFunction::Delta,
        "irate" => RangeFunction::Irate,
        "idelta" => RangeFunction::Idelta,
        "changes" => RangeFunction::Changes,
        "resets" => RangeFunction::Resets,
        "deriv" => RangeFunction::Deriv,
        "avg_over_time" => RangeFunction::AvgOverTime,
        "min_over_time" => RangeFunction::MinOverTime,
        "max_over_time" => RangeFunction::MaxOverTime,
        "sum_over_time" => RangeFunction::SumOverTime,
        "count_over_time" => RangeFunction::CountOverTime,
        "last_over_time" => RangeFunction::LastOverTime,
        "present_over_time" => RangeFunction::PresentOverTime,
        "stddev_over_time" => RangeFunction::StddevOverTime,
        "stdvar_over_time" => RangeFunction::StdvarOverTime,
        "mad_over_time" => RangeFunction::MadOverTime,
        "ts_of_last_over_time" => RangeFunction::TsOfLastOverTime,
        "ts_of_max_over_time" => RangeFunction::TsOfMaxOverTime,
        "ts_of_min_over_time" => RangeFunction::TsOfMinOverTime,
        _ => return None,
    })
}

fn plain(name: &str) -> Option<Plain> {
    use std::f64::consts::PI;
    Some(match name {
        "abs" => f64::abs,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        "exp" => f64::exp,
        "sqrt" => f64::sqrt,
        "ln" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        // Not `signum`, which makes 1 of 0.
        "sgn" => |x| {
            if x < 0.0 {
                -1.0
            } else if x > 0.0 {
                1.0
            } else {
                x
            }
        },
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "asin" => f64::asin,
        "acos" => f64::acos,
        "atan" => f64::atan,
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "tanh" => f64::tanh,
        "asinh" => f64::asinh,
        "acosh" => f64::acosh,
        "atanh" => f64::atanh,
        "deg" => |x| x * 180.0 / PI,
        "rad" => |x| x * PI / 180.0,
        _ => return None,
    })
}

fn calendar(name: &str) -> Option<Plain> {
    Some(match name {
        "minute" => calendar::minute,
        "hour" => calendar::hour,
        "day_of_week" => calendar::day_of_week,
        "day_of_month" => calendar::day_of_month,
        "day_of_year" => calendar::day_of_year,
        "days_in_month" => calendar::days_in_month,
        "month" => calendar::month,
        "year" => calendar::year,
        _ => return None,
    })
}

fn other(name: &str) -> Option<Function> {
    Some(match name {
        "quantile_over_time" => Function::QuantileOverTime,
        "predict_linear" => Function::PredictLinear,
        "double_exponential_smoothing" => Function::DoubleExponentialSmoothing,
        "absent" => Function::Absent,
        "absent_over_time" => Function::AbsentOverTime,
        "timestamp" => Function::Timestamp,
        "sort" | "sort_desc" => Function::Sort,
        "sort_by_label" | "sort_by_label_desc" => Function::SortByLabel,
        "label_replace" => Function::LabelReplace,
        "label_join" => Function::LabelJoin,
        "clamp" => Function::Clamp,
        "clamp_min" => Function::ClampMin,
        "clamp_max" => Function::ClampMax,
        "round" => Function::Round,
        "histogram_quantile" => Function::HistogramQuantile,
        "histogram_fraction" => Function::HistogramFraction,
        "scalar" => Function::Scalar,
        "vector" => Function::Vector,
        "time" => Function::Time,
        "pi" => Function::Pi,
        "info" => Function::Unsupported(
            "an experiment of Prometheus: write x * on (..) group_left (..) target_info",
        ),
        "histogram_count" | "histogram_sum" | "histogram_avg" | "histogram_stddev" | "histogram_stdvar" => {
            Function::Unsupported(
                "native histograms are kept as their count and sum: use the series <name>_count and <name>_sum",
            )
        }
        _ => return None,
    })
}
