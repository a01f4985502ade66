//! Limits: values that are anomalies by themselves, however often they occur.

use super::Severity;

/// A side of a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Values above it are beyond.
    Above(f64),
    /// Values below it are beyond.
    Below(f64),
}

/// The limits of a feature and how severe it is to be beyond them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Invariant: one of the two at least; finite; `below < above`.
    above: Option<f64>,
    below: Option<f64>,
    /// Invariant: medium or high.
    severity: Severity,
    /// Whether a bound that the entity is usually beyond does not count.
    unless_usual: bool,
}

/// Why limits cannot be.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum InvalidLimits {
    /// Neither side is given.
    #[error("a limit needs above, below, or both")]
    Missing,
    /// A bound is no number.
    #[error("{0} is no number that a value can be compared with")]
    NotFinite(f64),
    /// Every value would be beyond.
    #[error("no value is both at least {below} and at most {above}")]
    Crossed {
        /// Values below it are beyond.
        below: f64,
        /// Values above it are beyond.
        above: f64,
    },
    /// Too little to be told.
    #[error("{0} is no severity of a limit: it is medium or high")]
    Severity(Severity),
}

// === impl Limits ===

impl Limits {
    /// Values above `above` or below `below` are anomalies of this `severity`; the bounds themselves are none.
    ///
    /// # Errors
    /// Unless a bound is given, bounds are finite and `below < above`, and the severity is medium or high.
    pub fn new(above: Option<f64>, below: Option<f64>, severity: Severity) -> Result<Self, InvalidLimits> {
        if let Some(bound) = above.into_iter().chain(below).find(|bound| !bound.is_finite()) {
            return Err(InvalidLimits::NotFinite(bound));
        }
        match (above, below) {
            (None, None) => return Err(InvalidLimits::Missing),
            (Some(above), Some(below)) if below >= above => {
                return Err(InvalidLimits::Crossed { below, above });
            }
            _ => {}
        }
        if severity < Severity::Medium {
            return Err(InvalidLimits::Severity(severity));
        }
        Ok(Self { above, below, severity, unless_usual: false })
    }

    /// The same for entities alone that are not usually beyond.
    #[must_use]
    pub fn unless_usual(self) -> Self {
        Self { unless_usual: true, ..self }
    }

    /// Whether a bound that the entity is usually beyond does not count.
    #[must_use]
    pub fn is_unless_usual(self) -> bool {
        self.unless_usual
    }

    /// Values above it are beyond.
    #[must_use]
    pub fn above(self) -> Option<f64> {
        self.above
    }

    /// Values below it are beyond.
    #[must_use]
    pub fn below(self) -> Option<f64> {
        self.below
    }

    /// How severe it is to be beyond.
    #[must_use]
    pub fn severity(self) -> Severity {
        self.severity
    }

    /// The bound that `value` is beyond; none for a missing value.
    #[must_use]
    pub fn passed(self, value: f64) -> Option<Bound> {
        let above = self.above.filter(|above| value > *above).map(Bound::Above);
        above.or_else(|| self.below.filter(|below| value < *below).map(Bound::Below))
    }
}

// === impl Bound ===

impl Bound {
    /// Whether what usually lies between `low` and `high` stays within it.
    #[must_use]
    pub fn holds(self, low: f64, high: f64) -> bool {
        match self {
            Self::Above(bound) => high <= bound,
            Self::Below(bound) => low >= bound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_themselves_are_within() {
        let limits = Limits::new(Some(0.95), Some(0.05), Severity::High).unwrap();
        let passed = [0.0, 0.05, 0.5, 0.95, 1.0, f64::NAN].map(|value| limits.passed(value));
        assert_eq!(passed, [Some(Bound::Below(0.05)), None, None, None, Some(Bound::Above(0.95)), None]);
    }

    #[test]
    fn a_bound_holds_what_reaches_up_to_it() {
        let holds = |bound: Bound| [bound.holds(0.2, 0.5), bound.holds(0.1, 0.6), bound.holds(0.5, 0.5)];
        assert_eq!(holds(Bound::Above(0.5)), [true, false, true]);
        assert_eq!(holds(Bound::Below(0.2)), [true, false, true]);
    }

    #[test]
    fn limits_that_say_nothing_or_everything_are_refused() {
        let medium = Severity::Medium;
        assert_eq!(Limits::new(None, None, medium), Err(InvalidLimits::Missing));
        let crossed = InvalidLimits::Crossed { below: 2.0, above: 1.0 };
        assert_eq!(Limits::new(Some(1.0), Some(2.0), medium), Err(crossed));
        assert!(Limits::new(Some(f64::NAN), None, medium).is_err());
        assert_eq!(Limits::new(Some(1.0), None, Severity::Low), Err(InvalidLimits::Severity(Severity::Low)));
    }
}
