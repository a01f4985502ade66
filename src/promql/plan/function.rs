//! Every function of PromQL: what it is here, or why it is not.

use super::Elementwise;
use crate::promql::leaf::RangeFunction;

/// What a function name stands for.
#[derive(Clone, Debug)]
pub(super) enum Function {
    /// Of one range vector.
    Range(RangeFunction),
    /// Of a constant and a range vector.
    QuantileOverTime,
    /// Of a range vector and a constant.
    PredictLinear,
    /// Of one instant vector.
    Elementwise(Elementwise),
    /// Of an instant vector and one or two scalars.
    Clamp,
    ClampMin,
    ClampMax,
    Round,
    /// Of a scalar and an instant vector.
    HistogramQuantile,
    /// Of an instant vector, to a scalar.
    Scalar,
    /// Of a scalar, to a vector.
    Vector,
    Time,
    Pi,
    /// A function of Prometheus that is not supported, and what to write instead.
    Unsupported(Option<&'static str>),
}

impl Function {
    /// How many arguments it takes, in words.
    pub(super) fn arguments(&self) -> &'static str {
        match self {
            Self::Time | Self::Pi => "no arguments",
            Self::Range(_) | Self::Elementwise(_) | Self::Scalar | Self::Vector => "1 argument",
            Self::Round => "1 or 2 arguments",
            Self::Clamp => "3 arguments",
            Self::QuantileOverTime
            | Self::PredictLinear
            | Self::ClampMin
            | Self::ClampMax
            | Self::HistogramQuantile => "2 arguments",
            Self::Unsupported(_) => "other arguments",
        }
    }
}

/// The function of that name; names distinguish case.
pub(super) fn lookup(name: &str) -> Option<Function> {
    range_function(name)
        .map(Function::Range)
        .or_else(|| elementwise(name).map(Function::Elementwise))
        .or_else(|| other(name))
        .or_else(|| unsupported(name).map(Function::Unsupported))
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
        _ => return None,
    })
}

fn elementwise(name: &str) -> Option<Elementwise> {
    Some(match name {
        "abs" => Elementwise::Abs,
        "ceil" => Elementwise::Ceil,
        "floor" => Elementwise::Floor,
        "exp" => Elementwise::Exp,
        "sqrt" => Elementwise::Sqrt,
        "ln" => Elementwise::Ln,
        "log2" => Elementwise::Log2,
        "log10" => Elementwise::Log10,
        "sgn" => Elementwise::Sgn,
        _ => return None,
    })
}

fn other(name: &str) -> Option<Function> {
    Some(match name {
        "quantile_over_time" => Function::QuantileOverTime,
        "predict_linear" => Function::PredictLinear,
        "clamp" => Function::Clamp,
        "clamp_min" => Function::ClampMin,
        "clamp_max" => Function::ClampMax,
        "round" => Function::Round,
        "histogram_quantile" => Function::HistogramQuantile,
        "scalar" => Function::Scalar,
        "vector" => Function::Vector,
        "time" => Function::Time,
        "pi" => Function::Pi,
        _ => return None,
    })
}

/// What to write instead of a function of Prometheus that is not supported.
fn unsupported(name: &str) -> Option<Option<&'static str>> {
    Some(match name {
        "absent" | "absent_over_time" => {
            Some("a missing feature is noticed by itself; for a number, use count(..) or vector(0)")
        }
        "label_replace" | "label_join" => {
            Some("relabel with write_relabel_configs in Prometheus, or match with on(..) group_left(..)")
        }
        "sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc" => {
            Some("leave it out: features are joined by label, their order has no meaning")
        }
        "minute" | "hour" | "day_of_week" | "day_of_month" | "day_of_year" | "days_in_month" | "month"
        | "year" => Some("leave it out: hour of day and day of week are inputs of every detector"),
        "histogram_count" | "histogram_sum" | "histogram_avg" => Some(
            "native histograms are kept as their count and sum: use the series <name>_count and <name>_sum",
        ),
        "histogram_fraction" | "histogram_stddev" | "histogram_stdvar" => None,
        "timestamp" => Some("use time() for the time of the step"),
        "double_exponential_smoothing" => Some("use avg_over_time(..) or deriv(..)"),
        "mad_over_time" => Some("use stddev_over_time(..) or quantile_over_time(..)"),
        "ts_of_last_over_time" | "ts_of_max_over_time" | "ts_of_min_over_time" | "info" => None,
        "acos" | "acosh" | "asin" | "asinh" | "atan" | "atanh" | "cos" | "cosh" | "deg" | "rad" | "sin"
        | "sinh" | "tan" | "tanh" => None,
        _ => return None,
    })
}
