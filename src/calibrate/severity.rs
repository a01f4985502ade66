//! Levels of severity and the scores they begin at.

use super::AnomalyScore;

/// How severe; ordered, and exported as its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing to see.
    #[default]
    Normal = 0,
    /// Worth a look when one looks anyway.
    Low,
    /// Worth a ticket.
    Medium,
    /// Worth waking someone.
    High,
}

/// The anomaly scores at which the levels begin.
///
/// Invariant: `0 < low <= medium < high <= 1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    low: f64,
    medium: f64,
    high: f64,
}

/// Why thresholds cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("thresholds low {low}, medium {medium}, high {high}: must be 0 < low <= medium < high <= 1")]
pub struct InvalidThresholds {
    /// Where low begins.
    pub low: f64,
    /// Where medium begins.
    pub medium: f64,
    /// Where high begins.
    pub high: f64,
}

// === impl Severity ===

impl Severity {
    /// The levels above normal, ascending.
    pub const LEVELS: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// Its word in answers, files and labels: `normal`, `low`, `medium` or `high`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The value of the `anomaly_severity` series: 0 to 3.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// [`Severity::name`].
impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

// === impl Thresholds ===

/// 0.35 (one window in 126), 0.4 (one in 251) and 0.8 (one in 63,096: at a step of one minute, once in 44
/// days of an entity's normal operation).
impl Default for Thresholds {
    fn default() -> Self {
        Self { low: 0.35, medium: 0.4, high: 0.8 }
    }
}

impl Thresholds {
    /// Checks the order.
    ///
    /// # Errors
    /// Unless `0 < low <= medium < high <= 1`. `low == medium` means that there is no low level.
    pub fn new(low: f64, medium: f64, high: f64) -> Result<Self, InvalidThresholds> {
        if 0.0 < low && low <= medium && medium < high && high <= 1.0 {
            Ok(Self { low, medium, high })
        } else {
            Err(InvalidThresholds { low, medium, high })
        }
    }

    /// The score at which a level begins; 0 for [`Severity::Normal`].
    #[must_use]
    pub fn of(&self, severity: Severity) -> f64 {
        match severity {
            Severity::Normal => 0.0,
            Severity::Low => self.low,
            Severity::Medium => self.medium,
            Severity::High => self.high,
        }
    }

    /// The level of one score alone, without persistence.
    #[must_use]
    pub fn severity(&self, score: AnomalyScore) -> Severity {
        let reached = |level: &&Severity| score.value() >= self.of(**level);
        Severity::LEVELS.iter().rev().find(reached).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_thresholds_is_checked() {
        assert!(Thresholds::new(0.4, 0.4, 1.0).is_ok());
        for (low, medium, high) in
            [(0.0, 0.4, 0.8), (0.5, 0.4, 0.8), (0.3, 0.8, 0.8), (0.3, 0.4, 1.1), (f64::NAN, 0.4, 0.8)]
        {
            assert!(Thresholds::new(low, medium, high).is_err(), "{low} {medium} {high}");
        }
    }

    /// 10^-1.8 = 0.0158, 10^-2.1 = 0.0079, 10^-2.4 = 0.0040, 10^-4.8 = 0.0000158.
    #[test]
    fn levels_of_single_scores() {
        let level = |p| Thresholds::default().severity(AnomalyScore::from_tail_probability(p)).number();
        assert_eq!(
            [1.0, 0.008, 0.007, 0.0041, 0.0039, 1.6e-5, 1.5e-5, 1e-9].map(level),
            [0, 0, 1, 1, 2, 2, 3, 3]
        );
    }
}
