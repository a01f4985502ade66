//! The score that users see.

/// Factors of ten between a score of 0 and a score of 1: 1 is "one in a million".
const DECADES: f64 = 6.0;

/// How rare a window is, on a scale from 0 to 1: 0.5 is one in 1,000 windows of normal operation, 1 is
/// one in a million or rarer.
///
/// Invariant: within 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct AnomalyScore(f64);

// === impl AnomalyScore ===

impl AnomalyScore {
    /// The score of a window that has this probability under normal operation: `min(1, -log10(p) / 6)`.
    /// What is no probability scores as its nearest: NaN and anything above 1 as 0, below 0 as 1.
    #[must_use]
    pub fn from_tail_probability(p: f64) -> Self {
        let p = if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) };
        // Adding zero turns the -0.0 of p = 1 into 0.0, so that it prints as "0".
        Self((-p.log10() / DECADES).clamp(0.0, 1.0) + 0.0)
    }

    /// The probability that it stands for; of 1, which stands for all that is rarer as well, the largest.
    #[must_use]
    pub fn tail_probability(self) -> f64 {
        10.0_f64.powf(-DECADES * self.0)
    }

    /// The score, or `least` where that is more: of what is no less an anomaly than a score of `least`. NaN is no
    /// number to be raised to; what is beyond the scale is its end.
    #[must_use]
    pub fn at_least(self, least: f64) -> Self {
        // `max` passes over NaN.
        Self(self.0.max(least).min(1.0))
    }

    /// The number, within 0..=1.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sixth_is_a_factor_of_ten() {
        for (p, score) in [(1.0, 0.0), (0.01, 2.0 / 6.0), (1e-3, 0.5), (1e-6, 1.0), (1e-9, 1.0), (0.0, 1.0)] {
            let of_p = AnomalyScore::from_tail_probability(p);
            assert!((of_p.value() - score).abs() < 1e-12, "{p}");
            assert!((of_p.tail_probability() / p.max(1e-6) - 1.0).abs() < 1e-12, "{p}");
        }
        assert!(AnomalyScore::from_tail_probability(1.0).value().is_sign_positive());
    }

    #[test]
    fn what_is_no_probability_never_alarms_by_accident() {
        assert_eq!(AnomalyScore::from_tail_probability(f64::NAN).value(), 0.0);
        assert_eq!(AnomalyScore::from_tail_probability(2.0).value(), 0.0);
        assert_eq!(AnomalyScore::from_tail_probability(-1.0).value(), 1.0);
    }
}
