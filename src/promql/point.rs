//! One value of a series at one time.

use crate::series::NativeHistogram;
use std::sync::Arc;

/// A number or a native histogram.
#[derive(Clone, Debug, PartialEq)]
pub enum Point {
    /// A number.
    Float(f64),
    /// A native histogram; copies share it.
    Histogram(Arc<NativeHistogram>),
}

// === impl Point ===

impl Point {
    /// The number; `None` for a histogram.
    #[must_use]
    pub fn float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Histogram(_) => None,
        }
    }
}
