//! Functions of each value by itself.

use super::{Elements, EvalError, Evaluation, finished};
use crate::{
    promql::{labels, number, plan::Elementwise},
    series::LabelSet,
};

/// `function` of each element; the metric name goes.
pub(super) fn apply(
    evaluation: &Evaluation<'_>,
    function: &Elementwise,
    of: &[(LabelSet, f64)],
) -> Result<Elements, EvalError> {
    match function {
        Elementwise::Minus => map(of, |x| -x),
        Elementwise::Abs => map(of, f64::abs),
        Elementwise::Ceil => map(of, f64::ceil),
        Elementwise::Floor => map(of, f64::floor),
        Elementwise::Exp => map(of, f64::exp),
        Elementwise::Sqrt => map(of, f64::sqrt),
        Elementwise::Ln => map(of, f64::ln),
        Elementwise::Log2 => map(of, f64::log2),
        Elementwise::Log10 => map(of, f64::log10),
        // Not `signum`, which makes 1 of 0.
        Elementwise::Sgn => map(of, |x| {
            if x < 0.0 {
                -1.0
            } else if x > 0.0 {
                1.0
            } else {
                x
            }
        }),
        Elementwise::Round { to_nearest } => {
            // By the inverse, as Prometheus does: 0.1 is not exact, 10 is.
            let inverse = 1.0 / evaluation.scalar(to_nearest)?;
            map(of, |x| (x * inverse + 0.5).floor() / inverse)
        }
        Elementwise::Clamp { min, max } => {
            let (min, max) = (evaluation.scalar(min)?, evaluation.scalar(max)?);
            if max < min {
                return Ok(Elements::new());
            }
            map(of, |x| number::max(min, number::min(max, x)))
        }
    }
}

fn map(of: &[(LabelSet, f64)], function: impl Fn(f64) -> f64) -> Result<Elements, EvalError> {
    finished(of.iter().map(|(labels, value)| (labels::without_name(labels), function(*value))).collect())
}
