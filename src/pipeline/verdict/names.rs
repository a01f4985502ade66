//! Names of the series that are written back, and how they are known when they come back.

use crate::series::{Labels, METRIC_NAME, SampleBatch};

/// How rare the window is, 0..1.
pub const ANOMALY_SCORE: &str = "anomaly_score";
/// 0 none, 1 low, 2 medium, 3 high.
pub const ANOMALY_SEVERITY: &str = "anomaly_severity";
/// The score from which a detector speaks of an anomaly.
pub const ANOMALY_THRESHOLD: &str = "anomaly_threshold";
/// 1 while nothing is heard of an entity that was scored.
pub const ANOMALY_SILENCE: &str = "anomaly_silence";
/// All of them: what the receiver knows as our own output when it comes back.
pub const OWN: [&str; 4] = [ANOMALY_SCORE, ANOMALY_SEVERITY, ANOMALY_SILENCE, ANOMALY_THRESHOLD];
/// The label that names the detector.
pub const DETECTOR: &str = "detector";
/// Whether canonical label text is that of one of our own series: by the name of the metric alone.
#[must_use]
pub fn is_own(labels: &str) -> bool {
    let name = Labels::of_canonical_text(labels).find(|label| label.name >= METRIC_NAME);
    name.is_some_and(|label| label.name == METRIC_NAME && OWN.contains(&label.value))
}

/// What is in a batch beside our own series: those are no input.
#[must_use]
pub fn without_own(batch: &SampleBatch) -> SampleBatch {
    let mut others = SampleBatch::default();
    for entry in batch.iter().filter(|entry| !is_own(entry.labels)) {
        let samples = entry.samples.iter().copied();
        others.push_with_histograms(entry.hash, entry.labels, samples, entry.histograms.iter().cloned());
    }
    others
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::LabelSet;

    #[test]
    fn own_series_are_told_by_their_metric_name_alone() {
        let is_own = |pairs: &[(&str, &str)]| {
            is_own(LabelSet::from_pairs(pairs.iter().copied()).unwrap().canonical_text())
        };
        assert!(is_own(&[(METRIC_NAME, "anomaly_score"), ("A", "x"), ("instance", "a")]));
        assert!(!is_own(&[(METRIC_NAME, "anomaly_scores")]));
        assert!(!is_own(&[(METRIC_NAME, "up"), ("job", "anomaly_score")]));
        assert!(!is_own(&[("job", "anomaly_score")]));
    }
}
