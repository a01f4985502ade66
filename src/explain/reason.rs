//! By which criteria one feature is unusual, with the numbers that show it.

use super::{
    Criterion, Expected,
    change::{self, Change, Recent},
};
use crate::{features::SHORT_STEPS, series::TimestampMs};

/// So many units of ordinary variation from ordinary are extraordinary.
pub const BEYOND: f64 = 3.0;

/// Ordinary level and variation of a statistic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Its median.
    pub center: f64,
    /// Its ordinary variation, above 0. In normal data the standard deviation; at least what puts the outermost 1 % of the training
    /// where a normal distribution has them.
    pub unit: f64,
}

/// What is ordinary for one feature of one entity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureScales {
    /// Of its value.
    pub value: Scale,
    /// Of the mean of its window.
    pub level: Scale,
    /// Of the standard deviation of its window.
    pub spread: Scale,
    /// Of the mean of its last three steps against the window before them.
    pub deviation: Scale,
    /// The range of all but 5 % of its values.
    pub range: Expected,
    /// Whether its value never varied.
    pub constant: bool,
}

/// Why a feature is unusual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// Its value is out of its ordinary variation, or was within the last three steps.
    Outlier {
        /// That value.
        value: f64,
        /// Its step.
        at: TimestampMs,
        /// How many units above its center, below it where negative; infinite where the value never varied before.
        sigmas: f64,
    },
    /// Its window behaves in another way.
    Change(Change),
}

// === impl Scale ===

impl Scale {
    /// How many units `x` is above the center.
    #[must_use]
    pub fn distance(self, x: f64) -> f64 {
        (x - self.center) / self.unit
    }
}

// === impl Reason ===

impl Reason {
    /// All reasons for which a feature with these last steps is unusual.
    #[must_use]
    pub fn find(recent: &Recent<'_>, usual: &FeatureScales) -> Vec<Self> {
        let outlier = outlier(recent, usual);
        let change = change::change(recent, usual);
        // A leap within the usual range is news, one out of it is the outlier itself.
        let change = change.or_else(|| if outlier.is_none() { change::jump(recent, usual) } else { None });
        outlier.into_iter().chain(change.map(Self::Change)).collect()
    }

    /// The criterion that it meets.
    #[must_use]
    pub fn criterion(&self) -> Criterion {
        match self {
            Self::Outlier { .. } => Criterion::StatisticalOutlier,
            Self::Change(_) => Criterion::BehaviourChange,
        }
    }
}

/// The last value, or else the farther one of the two before it: the members of a model look at the last three.
fn outlier(recent: &Recent<'_>, usual: &FeatureScales) -> Option<Reason> {
    let newest_first = recent.values.iter().rev().take(SHORT_STEPS).zip(0_i64..);
    let mut outliers = newest_first.filter_map(|(value, ago)| {
        let sigmas = sigmas(*value, usual);
        let at = recent.at.plus_ms(recent.step_ms.saturating_mul(-ago));
        (sigmas.abs() > BEYOND).then_some((sigmas, *value, at))
    });
    let first = outliers.next()?;
    let farther = |a: (f64, f64, TimestampMs), b: (f64, f64, TimestampMs)| {
        if a.2 == recent.at || a.0.abs() >= b.0.abs() { a } else { b }
    };
    let (sigmas, value, at) = outliers.fold(first, farther);
    Some(Reason::Outlier { value, at, sigmas })
}

/// How far a value is out; NaN for none.
fn sigmas(value: f64, usual: &FeatureScales) -> f64 {
    if !usual.constant {
        return usual.value.distance(value);
    }
    // The unit of what never varied means nothing. A thousandth of it is rounding.
    let away = value - usual.value.center;
    if away.abs() <= 0.001 * usual.value.center.abs() { 0.0 } else { away.signum() * f64::INFINITY }
}

#[cfg(test)]
mod tests;
