//! How good a model was found to be before it came into use.

use super::{Model, TrainingSummary};
use crate::series::TimestampMs;

/// What was counted when rows behind those of the training were judged and held against labels.
///
/// The rows of a *validation* lie behind all rows of the training that it is about. The model that carries it may have been trained on
/// them afterwards: then it is about one with the same settings that had not seen them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validation {
    /// First step among the rows.
    pub first: TimestampMs,
    /// Last step among the rows.
    pub last: TimestampMs,
    /// What was counted.
    pub counts: ValidationCounts,
}

/// The counts of a validation. Alarms are those that the detector raised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValidationCounts {
    /// Rows, of all entities.
    pub rows: u64,
    /// Alarms on labelled rows.
    pub true_positives: u64,
    /// Alarms on other rows.
    pub false_positives: u64,
    /// Labelled rows without alarm.
    pub false_negatives: u64,
    /// Incidents.
    pub incidents: u64,
    /// Incidents with an alarm inside.
    pub detected: u64,
    /// False alarms, charged by the hour.
    pub false_alarms: u64,
}

// === impl Model ===

impl Model {
    /// The same model with what was found of its kind.
    #[must_use]
    pub fn with_validation(self, validation: Validation) -> Self {
        let training = TrainingSummary { validation: Some(validation), ..self.training };
        Self { training, ..self }
    }
}

// === impl Validation ===

impl Validation {
    /// What cannot have been counted, if anything.
    pub(super) fn contradiction(&self) -> Option<String> {
        let ValidationCounts {
            rows,
            true_positives,
            false_positives,
            false_negatives,
            incidents,
            detected,
            ..
        } = self.counts;
        let named = [true_positives, false_positives, false_negatives];
        let sum = named.into_iter().try_fold(0_u64, u64::checked_add);
        if sum.is_none_or(|sum| sum > rows) {
            return Some(format!("{named:?} of {rows} validated rows"));
        }
        if detected > incidents {
            return Some(format!("{detected} of {incidents} incidents detected"));
        }
        (self.first > self.last).then(|| format!("validated from {} to {}", self.first, self.last))
    }
}

// === impl ValidationCounts ===

impl ValidationCounts {
    /// Share of the alarms that are labelled. Like all shares here 0 of nothing.
    #[must_use]
    pub fn precision(&self) -> f64 {
        share(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Share of the labelled rows that are alarms.
    #[must_use]
    pub fn recall(&self) -> f64 {
        share(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// Harmonic mean of precision and recall.
    #[must_use]
    pub fn f1_score(&self) -> f64 {
        share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)
    }

    /// Share of the rows without label that are alarms.
    #[must_use]
    pub fn false_positive_rate(&self) -> f64 {
        share(self.false_positives, self.rows - self.true_positives - self.false_negatives)
    }

    /// Harmonic mean of the share of the incidents that were detected and of detected / (detected + false alarms): what the person on
    /// call feels.
    #[must_use]
    pub fn event_f1_score(&self) -> f64 {
        share(
            2 * self.detected,
            self.detected.saturating_add(self.false_alarms).saturating_add(self.incidents),
        )
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: ValidationCounts = ValidationCounts {
        rows: 100,
        true_positives: 6,
        false_positives: 2,
        false_negatives: 4,
        incidents: 3,
        detected: 2,
        false_alarms: 1,
    };

    #[test]
    fn figures_follow_from_the_counts() {
        assert_eq!(
            (COUNTS.precision(), COUNTS.recall(), COUNTS.false_positive_rate()),
            (0.75, 0.6, 2.0 / 90.0)
        );
        // 2 * 0.75 * 0.6 / 1.35, and precision and recall of incidents are both two thirds.
        assert!((COUNTS.f1_score() - 2.0 / 3.0).abs() < 1e-12);
        assert!((COUNTS.event_f1_score() - 2.0 / 3.0).abs() < 1e-12);
        let none = ValidationCounts::default();
        assert_eq!((none.f1_score(), none.false_positive_rate(), none.event_f1_score()), (0.0, 0.0, 0.0));
    }

    #[test]
    fn what_cannot_have_been_counted_is_said() {
        let of = |counts| Validation { first: TimestampMs(1), last: TimestampMs(2), counts }.contradiction();
        assert_eq!(of(COUNTS), None);
        for wrong in [
            ValidationCounts { rows: 11, ..COUNTS },
            ValidationCounts { true_positives: u64::MAX, ..COUNTS },
            ValidationCounts { detected: 4, ..COUNTS },
        ] {
            assert!(of(wrong).is_some(), "{wrong:?}");
        }
        let backwards = Validation { first: TimestampMs(2), last: TimestampMs(1), counts: COUNTS };
        assert!(backwards.contradiction().is_some());
    }
}
