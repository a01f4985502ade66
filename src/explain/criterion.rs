//! By which criteria a window is anomalous, and what kind of trouble it is: the words.

use std::fmt;

/// What is unusual about a feature. Several can hold at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Criterion {
    /// Its value is more than three units of ordinary variation from its center.
    StatisticalOutlier,
    /// Level, spread or trend of its window is beyond what is ordinary for them.
    BehaviourChange,
    /// Its value is beyond a limit that somebody has set.
    ThresholdViolation,
    /// Its value is ordinary in itself, and not at this hour of the week.
    SeasonalAnomaly,
    /// It is exactly zero, and hardly ever was before.
    DroppedToZero,
    /// What it is about starts again and again.
    CrashLoop,
    /// Its value keeps moving evenly towards a limit that somebody has set.
    Forecast,
    /// What is unusual is what the window still holds: its value is back where it was before the alarm.
    Aftermath,
}

/// What kind of trouble an anomaly is, by the features behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnomalyType {
    /// Something is used up: processor, memory, disk, file descriptors.
    Resource,
    /// Something is slow or fails: latency, errors.
    Performance,
    /// More or less comes in or goes out: requests, connections, packets.
    Traffic,
    /// Anything else.
    System,
}

// === impl Criterion ===

impl Criterion {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::StatisticalOutlier,
        Self::BehaviourChange,
        Self::ThresholdViolation,
        Self::SeasonalAnomaly,
        Self::DroppedToZero,
        Self::CrashLoop,
        Self::Forecast,
        Self::Aftermath,
    ];

    /// Its name in answers, files and labels; never changed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StatisticalOutlier => "statistical_outlier",
            Self::BehaviourChange => "behaviour_change",
            Self::ThresholdViolation => "threshold_violation",
            Self::SeasonalAnomaly => "seasonal_anomaly",
            Self::DroppedToZero => "dropped_to_zero",
            Self::CrashLoop => "crash_loop",
            Self::Forecast => "forecast",
            Self::Aftermath => "aftermath",
        }
    }
}

/// [`Criterion::name`].
impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

// === impl AnomalyType ===

impl AnomalyType {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Resource, Self::Performance, Self::Traffic, Self::System];

    /// Its name in answers, files and labels; never changed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Performance => "performance",
            Self::Traffic => "traffic",
            Self::System => "system",
        }
    }
}

/// [`AnomalyType::name`].
impl fmt::Display for AnomalyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_they_are() {
        let criteria = Criterion::ALL.map(|criterion| criterion.to_string());
        let known = [
            "statistical_outlier",
            "behaviour_change",
            "threshold_violation",
            "seasonal_anomaly",
            "dropped_to_zero",
            "crash_loop",
            "forecast",
            "aftermath",
        ];
        assert_eq!(criteria, known);
        let types = AnomalyType::ALL.map(|kind| kind.to_string());
        assert_eq!(types, ["resource", "performance", "traffic", "system"]);
        assert!(Criterion::ALL.is_sorted() && AnomalyType::ALL.is_sorted());
    }
}
