//! What one evaluation says.

use super::{alerts::AlertStep, incident::IncidentId, maintenance::InMaintenance, starts::Start};
use crate::{
    calibrate::{AnomalyScore, Bound, Peak, Severity},
    explain::{AnomalyType, Criterion},
    features::Usual,
    series::{LabelSet, STALE_NAN, TimestampMs},
};

pub mod names;

/// The share one feature has in an anomaly.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureContribution {
    /// Feature name.
    pub feature: String,
    /// 0..1 over all features of the verdict.
    pub share: f64,
}

/// A feature whose value is an anomaly by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// Feature name.
    pub feature: String,
    /// Its value at the step.
    pub seen: f64,
    /// Why.
    pub breach: Breach,
}

/// Why a value is an anomaly by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Breach {
    /// It is beyond a limit that somebody set.
    Limit(Bound),
    /// It is exactly zero, and at fewer than one of 1,000 steps it was.
    DroppedToZero {
        /// How long the feature had been seen, in milliseconds.
        known_ms: i64,
        /// Whether it was zero at any step of that.
        ever: bool,
    },
    /// It keeps rising, or falling, evenly towards a limit that somebody set.
    Forecast {
        /// The limit.
        bound: Bound,
        /// When it is reached at this pace, in milliseconds.
        after_ms: i64,
    },
}

/// What the hour of the day had to say about a verdict.
#[derive(Clone, Debug, PartialEq)]
pub enum Seasonal {
    /// The score says how rare this is: a value that is ordinary in itself, and not at this hour of such a day.
    Unusual {
        /// The feature that is furthest from it.
        feature: String,
        /// What is usual for it at this hour.
        usual: Usual,
        /// Whether it is something that should have come in the hour before, and did not.
        missed: bool,
    },
    /// The model finds it strange, and so it did at this hour on most days: no news, and scored as such.
    Habit {
        /// On so many days ...
        days: u32,
        /// ... of those known.
        of: u32,
    },
}

/// All that one evaluation says of one entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Labels of the entity.
    pub entity: LabelSet,
    /// The step.
    pub at: TimestampMs,
    /// Calibrated score; at least where the severity of a violation begins, when there is one.
    pub anomaly_score: AnomalyScore,
    /// Share of normal windows that look at least this odd; 1 for an entity that no model scores yet.
    pub tail_probability: f64,
    /// Before calibration and not held against the recent past, see [`crate::model::Scored::raw_score`].
    pub raw_score: f64,
    /// After persistence and hysteresis.
    pub severity: Severity,
    /// When the present episode began.
    pub since: Option<TimestampMs>,
    /// The strangest step of that episode.
    pub peak: Option<Peak>,
    /// The incident that it belongs to, where it is anomalous and not in maintenance.
    pub incident: Option<IncidentId>,
    /// What drove the score, largest first; empty when nothing stands out.
    pub contributions: Vec<FeatureContribution>,
    /// Values of this step that are anomalies by themselves.
    pub violations: Vec<Violation>,
    /// What the hour had to say, where it changed the score.
    pub seasonal: Option<Seasonal>,
    /// The last start of the entity, if that was within the hour.
    pub start: Option<Start>,
    /// The names of the alerts that fire on the entity.
    pub alerts: Vec<String>,
    /// The planned work that goes on.
    pub maintenance: Option<InMaintenance>,
    /// Features without a value at this step.
    pub missing: Vec<String>,
    /// Features without a value at this step for which another one stands, as the rules ask for it.
    pub filled: Vec<String>,
    /// What is unusual about the features that drove it, each once; empty where none is unusual by itself, and for a
    /// verdict below every threshold.
    pub criteria: Vec<Criterion>,
    /// What kind of trouble it is; none for a verdict below every threshold, or when nothing drove it.
    pub anomaly_type: Option<AnomalyType>,
    /// In plain words; empty for a verdict below every threshold.
    pub explanation: String,
}

/// The outcome of one detector at one step.
#[derive(Clone, Debug, Default)]
pub struct DetectorStep {
    /// Version of the model that judged; empty where there was none.
    pub model_version: String,
    /// Verdicts, by ascending entity labels.
    pub verdicts: Vec<Verdict>,
    /// Entities that were scored before and are not there any more.
    pub gone: Vec<LabelSet>,
    /// Entities that were scored before and of which nothing is heard any more.
    pub silent: Vec<LabelSet>,
    /// Entities that were silent at the last step and are not said to be so any more.
    pub silence_ended: Vec<LabelSet>,
    /// Entities whose windows are not filled enough, or that no model knows yet.
    pub warming_up: usize,
    /// Entities whose grace period after a start lasts.
    pub in_grace: usize,
    /// Entities on which planned work goes on.
    pub in_maintenance: usize,
    /// What was made of the alerts, where they are read.
    pub alerts: Option<AlertStep>,
    /// Features with values outside their valid range, and how many entities had one; they were taken as missing.
    pub invalid_values: Vec<(String, usize)>,
    /// Series that were selected and not judged: there are more of them than a detector may judge.
    pub left_out: usize,
    /// Features whose expression failed at this step, with the reason.
    pub failed_features: Vec<(String, String)>,
}

impl Breach {
    /// The criterion that it is.
    #[must_use]
    pub fn criterion(self) -> Criterion {
        match self {
            Self::Limit(_) => Criterion::ThresholdViolation,
            Self::DroppedToZero { .. } => Criterion::DroppedToZero,
            Self::Forecast { .. } => Criterion::Forecast,
        }
    }
}

impl DetectorStep {
    /// The series to write back for this step: score and severity of every verdict, a stale marker
    /// for every entity that went, the silent entities, and the detector's threshold.
    #[must_use]
    pub fn series(&self, detector: &str, threshold: f64) -> Vec<(LabelSet, f64)> {
        let mut series = Vec::with_capacity(self.verdicts.len() * 2 + self.gone.len() * 2 + 1);
        for verdict in &self.verdicts {
            let severity = f64::from(verdict.severity.number());
            series.push((
                named(names::ANOMALY_SCORE, detector, &verdict.entity),
                verdict.anomaly_score.value(),
            ));
            series.push((named(names::ANOMALY_SEVERITY, detector, &verdict.entity), severity));
        }
        for entity in &self.gone {
            series.push((named(names::ANOMALY_SCORE, detector, entity), STALE_NAN));
            series.push((named(names::ANOMALY_SEVERITY, detector, entity), STALE_NAN));
        }
        let silent = self.silent.iter().map(|entity| (entity, 1.0));
        let ended = self.silence_ended.iter().map(|entity| (entity, STALE_NAN));
        for (entity, value) in silent.chain(ended) {
            series.push((named(names::ANOMALY_SILENCE, detector, entity), value));
        }
        if !self.verdicts.is_empty() {
            series.push((Self::threshold_labels(detector), threshold));
        }
        series.sort_by(|a, b| a.0.cmp(&b.0));
        series
    }

    /// The series that holds a detector's threshold.
    #[must_use]
    pub fn threshold_labels(detector: &str) -> LabelSet {
        named(names::ANOMALY_THRESHOLD, detector, &LabelSet::empty())
    }
}

fn named(name: &str, detector: &str, entity: &LabelSet) -> LabelSet {
    entity.with(crate::series::METRIC_NAME, name).with(names::DETECTOR, detector)
}
