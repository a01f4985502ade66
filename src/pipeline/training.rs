//! When a detector trains itself, and on what.

use crate::{
    calibrate::Thresholds,
    features::{FeatureSchema, Inputs},
    model::Model,
    score::iforest::Hyperparams,
    series::{LabelSet, TimestampMs},
    train::{self, MIN_ROWS, Reservoir, ReservoirSettings, TrainError, TrainSettings, TrainingRows},
};

/// A detector whose data has grown tenfold knows little more; from here on it trains at this distance.
const LONGEST_DISTANCE_MS: i64 = 7 * 86_400_000;

/// When and on what a detector trains itself.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingPolicy {
    /// Data time that must have been gathered before the first model, in milliseconds.
    pub warm_up_ms: i64,
    /// Most rows kept.
    pub max_rows: usize,
    /// Data older than this, in milliseconds, is no longer trained on.
    pub retention_ms: i64,
    /// Of the forests.
    pub hyperparams: Hyperparams,
    /// Share of the rows taken for anomalous.
    pub contamination: f64,
}

/// The rows one detector gathers, and when they are worth a model.
#[derive(Debug)]
pub(super) struct Trainer {
    policy: TrainingPolicy,
    reservoir: Reservoir,
    first: Option<TimestampMs>,
    /// When the last job was handed out, whatever became of it.
    last_job: Option<TimestampMs>,
}

/// A model waiting to be fitted: rows and settings, nothing shared with the running detector.
#[derive(Debug)]
pub struct TrainingJob {
    schema: FeatureSchema,
    rows: TrainingRows,
    settings: TrainSettings,
}

// === impl Trainer ===

impl Trainer {
    pub(super) fn new(policy: TrainingPolicy) -> Self {
        let settings = ReservoirSettings {
            max_rows: policy.max_rows,
            seed: policy.hyperparams.seed,
            ..ReservoirSettings::default()
        };
        Self { policy, reservoir: Reservoir::new(settings), first: None, last_job: None }
    }

    /// Takes the warm rows of a step but those for which `in_incident` holds.
    pub(super) fn gather(&mut self, inputs: &Inputs, in_incident: impl Fn(&LabelSet) -> bool) {
        let offered = self.reservoir.offer(inputs, |row| !in_incident(&inputs.entities[row]));
        if offered > 0 {
            self.first.get_or_insert(inputs.at);
        }
        let oldest = inputs.at.plus_ms(-self.policy.retention_ms);
        if self.first.is_some_and(|first| first < oldest) {
            self.first = Some(oldest);
            self.reservoir.forget_before(oldest);
        }
    }

    pub(super) fn row_count(&self) -> usize {
        self.reservoir.len()
    }

    /// A job when the gathered rows are worth a model: the first one after the warm-up, the next when
    /// the data spans twice what the live model saw (a young detector learns quickly, an old one
    /// weekly), and one as soon as an entity that no model knows has been there for a warm-up.
    pub(super) fn due(
        &mut self,
        at: TimestampMs,
        live: Option<&Model>,
        longest_unknown_ms: i64,
        schema: &FeatureSchema,
        thresholds: Thresholds,
    ) -> Option<TrainingJob> {
        let span = at.since_ms(self.first?);
        let seen = live.map_or(0, |model| model.training().last.since_ms(model.training().first));
        let wanted = self.policy.warm_up_ms.max(seen.saturating_mul(2).min(seen + LONGEST_DISTANCE_MS));
        let grown = span >= wanted;
        let newcomers = longest_unknown_ms >= self.policy.warm_up_ms;
        // A job that failed, or changed nothing, is not tried again at every step.
        let rested = self.last_job.is_none_or(|last| at.since_ms(last) >= self.policy.warm_up_ms);
        if !(grown || newcomers) || !rested || self.reservoir.len() < MIN_ROWS {
            return None;
        }
        self.last_job = Some(at);
        let settings = TrainSettings {
            hyperparams: self.policy.hyperparams,
            contamination: self.policy.contamination,
            thresholds,
            version: version(at),
            created_at: at,
        };
        Some(TrainingJob { schema: schema.clone(), rows: self.reservoir.rows(), settings })
    }
}

/// The version of a model trained from the stream: the step it was trained at, in UTC.
fn version(at: TimestampMs) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("stream-{}", instant.strftime("%Y%m%dT%H%M%SZ"))
}

// === impl TrainingJob ===

impl TrainingJob {
    /// Which detector it is for.
    #[must_use]
    pub fn detector(&self) -> &str {
        self.schema.detector()
    }

    /// Number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows.at.len()
    }

    /// Fits the model.
    ///
    /// # Errors
    /// When the rows or settings do not make a model.
    pub fn run(self) -> Result<Model, TrainError> {
        train::fit(self.schema, &self.rows, &self.settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_by_time() {
        assert_eq!(version(TimestampMs(1_767_571_200_000)), "stream-20260105T000000Z");
    }
}
