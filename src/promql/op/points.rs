//! Operators on points that may be native histograms.

use super::ElementOp;
use crate::{
    promql::{
        Point,
        annotation::Remark,
        ast::{Arithmetic, Comparison},
        native,
        number::truth,
    },
    series::NativeHistogram,
};
use std::sync::Arc;

impl ElementOp {
    /// As [`Self::apply`]; `None` also for what has no meaning: the sum of a number and a histogram.
    pub(in crate::promql) fn apply_to(self, left: &Point, right: &Point) -> Option<Point> {
        match (left, right) {
            (Point::Float(left), Point::Float(right)) => self.apply(*left, *right).map(Point::Float),
            (Point::Histogram(left), Point::Float(right)) => self.with_number(left, *right),
            (Point::Float(left), Point::Histogram(right)) => match self {
                Self::Arithmetic(Arithmetic::Multiply) => self.with_number(right, *left),
                _ => None,
            },
            (Point::Histogram(left), Point::Histogram(right)) => self.of_histograms(left, right),
        }
    }

    /// Why [`Self::apply_to`] has no result, where that is not the answer of a comparison.
    pub(in crate::promql) fn objection(self, left: &Point, right: &Point) -> Option<Remark> {
        let kind = |point: &Point| if point.float().is_some() { "float" } else { "histogram" };
        let has_meaning = match (left, right) {
            (Point::Float(_), Point::Float(_)) => true,
            (Point::Histogram(_), Point::Float(_)) => {
                matches!(self, Self::Arithmetic(Arithmetic::Multiply | Arithmetic::Divide))
            }
            (Point::Float(_), Point::Histogram(_)) => {
                matches!(self, Self::Arithmetic(Arithmetic::Multiply))
            }
            (Point::Histogram(_), Point::Histogram(_)) => match self {
                Self::Arithmetic(Arithmetic::Add | Arithmetic::Subtract) => {
                    return Some(Remark::IncompatibleOperands(self));
                }
                Self::Arithmetic(_) => false,
                Self::Filter(op) | Self::Truth(op) => {
                    matches!(op, Comparison::Equal | Comparison::NotEqual)
                }
            },
        };
        (!has_meaning).then(|| Remark::Operands(kind(left), self, kind(right)))
    }

    fn with_number(self, histogram: &NativeHistogram, number: f64) -> Option<Point> {
        let change = match self {
            Self::Arithmetic(Arithmetic::Multiply) => native::scale,
            Self::Arithmetic(Arithmetic::Divide) => native::divide,
            _ => return None,
        };
        let mut result = histogram.clone();
        change(&mut result, number);
        Some(compacted(result))
    }

    fn of_histograms(self, left: &Arc<NativeHistogram>, right: &NativeHistogram) -> Option<Point> {
        let combine = match self {
            Self::Arithmetic(Arithmetic::Add) => native::add,
            Self::Arithmetic(Arithmetic::Subtract) => native::subtract,
            Self::Arithmetic(_) => return None,
            Self::Filter(op) => {
                return holds(op, left, right)?.then(|| Point::Histogram(Arc::clone(left)));
            }
            Self::Truth(op) => return holds(op, left, right).map(|holds| Point::Float(truth(holds))),
        };
        let mut result = NativeHistogram::clone(left);
        combine(&mut result, right).ok()?;
        Some(compacted(result))
    }
}

/// Histograms are equal or not; none is greater than another.
fn holds(op: Comparison, left: &NativeHistogram, right: &NativeHistogram) -> Option<bool> {
    match op {
        Comparison::Equal => Some(left.same_data(right)),
        Comparison::NotEqual => Some(!left.same_data(right)),
        _ => None,
    }
}

fn compacted(mut histogram: NativeHistogram) -> Point {
    native::compact(&mut histogram);
    Point::Histogram(Arc::new(histogram))
}
