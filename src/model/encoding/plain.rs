//! The plain judge.

use super::{forest, proto, read_tail, required, write_tail};
use crate::{
    explain::Expected,
    features::InputLayout,
    model::{ColumnScale, ModelError, Plain, PlainColumn},
};

const PART: &str = "the plain forest";

pub(super) fn write_plain(plain: &Plain) -> proto::Plain {
    let numbers = |of: &dyn Fn(&PlainColumn) -> f64| plain.columns.iter().map(of).collect();
    let end = |expected: Option<Expected>, end: fn(Expected) -> f64| expected.map_or(f64::NAN, end);
    proto::Plain {
        center: numbers(&|column| column.scale.center),
        unit: numbers(&|column| column.scale.unit),
        ordinary: numbers(&|column| column.ordinary.unwrap_or(f64::NAN)),
        expected_low: numbers(&|column| end(column.expected, |expected| expected.low)),
        expected_high: numbers(&|column| end(column.expected, |expected| expected.high)),
        forest: Some(forest::write_forest(&plain.forest)),
        tail: Some(write_tail(&plain.tail)),
    }
}

pub(super) fn read_plain(layout: InputLayout, plain: proto::Plain) -> Result<Plain, ModelError> {
    let lists = [&plain.center, &plain.unit, &plain.ordinary, &plain.expected_low, &plain.expected_high];
    if let Some(list) = lists.iter().find(|list| list.len() != layout.n_features) {
        let problem = format!("{} numbers where the schema needs {}", list.len(), layout.n_features);
        return Err(ModelError::invalid(PART, problem));
    }
    let columns = (0..layout.n_features)
        .map(|feature| read_column(feature, lists.map(|list| list[feature])))
        .collect::<Result<_, _>>()?;
    let forest = forest::read_forest(required(PART, plain.forest)?, layout.n_features)?;
    Ok(Plain::new(columns, forest, read_tail("the tail of the plain forest", plain.tail)?))
}

/// NaN stands for what is not known.
fn read_column(feature: usize, numbers: [f64; 5]) -> Result<PlainColumn, ModelError> {
    let [center, unit, ordinary, low, high] = numbers;
    let wrong = |problem: String| ModelError::invalid(PART, format!("feature {feature} {problem}"));
    if !(center.is_finite() && unit.is_finite() && unit > 0.0) {
        return Err(wrong(format!("has center {center} and unit {unit}")));
    }
    let known = !(low.is_nan() && high.is_nan());
    if known && !(low.is_finite() && high.is_finite() && low <= high) {
        return Err(wrong(format!("expects {low} to {high}")));
    }
    if ordinary.is_infinite() {
        return Err(wrong(format!("is {ordinary} where it is missing")));
    }
    Ok(PlainColumn {
        scale: ColumnScale { center, unit },
        ordinary: (!ordinary.is_nan()).then_some(ordinary),
        expected: known.then_some(Expected { low, high }),
    })
}
