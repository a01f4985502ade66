//! When a detector trains itself, and on what.

mod kept;

use crate::{
    calibrate::Thresholds,
    features::{FeatureSchema, Inputs},
    model::{MIN_ENTITY_ROWS, Model},
    score::iforest::Hyperparams,
    series::{LabelSet, TimestampMs},
    train::{self, MIN_ROWS, Reservoir, ReservoirSettings, TrainError, TrainSettings, TrainingRows},
};
use std::time::Duration;

/// A detector whose data has grown tenfold knows little more; from here on it trains at this distance.
const LONGEST_DISTANCE_MS: i64 = 7 * 86_400_000;

/// When and on what a detector trains itself.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingPolicy {
    /// Data time that must have been gathered before the first model, in milliseconds. It is no less
    /// than the steps that an entity must have been seen for to be judged: a model trained earlier
    /// would know nobody.
    pub warm_up_ms: i64,
    /// Most rows kept, and shown to forests; each entity may keep what it takes to know it whatever this says.
    pub max_rows: usize,
    /// Most rows kept whatever the entities may keep: as many as there is room for where they are stored.
    pub most_rows: usize,
    /// How long a new model scores beside the one in use before it follows it, in milliseconds, and at most a quarter of what that one
    /// was trained on; 0: it follows at once.
    pub trial_ms: i64,
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
    /// The one before, as long as nothing has become of the last.
    job_before: Option<TimestampMs>,
    /// No job before this instant: what was rejected just now would be so again.
    not_before: TimestampMs,
}

/// A model waiting to be fitted: rows and settings, nothing shared with the running detector.
#[derive(Debug)]
pub struct TrainingJob {
    schema: FeatureSchema,
    rows: TrainingRows,
    /// So many of them are shown to forests and tails.
    most: usize,
    settings: TrainSettings,
}

// === impl Trainer ===

impl Trainer {
    pub(super) fn new(policy: TrainingPolicy) -> Self {
        let settings = ReservoirSettings {
            max_rows: policy.max_rows,
            most_rows: policy.most_rows,
            seed: policy.hyperparams.seed,
            ..ReservoirSettings::default()
        };
        Self {
            policy,
            reservoir: Reservoir::new(settings),
            first: None,
            last_job: None,
            job_before: None,
            not_before: TimestampMs::MIN,
        }
    }

    /// Takes the warm rows of a step but those for which `is_left_out` holds.
    pub(super) fn gather(&mut self, inputs: &Inputs, mut is_left_out: impl FnMut(&LabelSet) -> bool) {
        let offered = self.reservoir.offer(inputs, |row| !is_left_out(&inputs.entities[row]));
        if offered > 0 {
            // What is kept over a restart may be younger than the past that is made up for.
            self.first = Some(self.first.map_or(inputs.at, |first| first.min(inputs.at)));
        }
        let oldest = inputs.at.plus_ms(-self.policy.retention_ms);
        if self.first.is_some_and(|first| first < oldest) {
            self.first = Some(oldest);
            self.reservoir.forget_before(oldest);
        }
    }

    /// Gives up the rows of an entity from `since` on: what came later says that they are no normal operation. Gives how many.
    pub(super) fn take_back(&mut self, entity: &LabelSet, since: TimestampMs) -> usize {
        self.reservoir.take_back(entity, since)
    }

    /// The model of the last job was rejected at step `at` in favour of `live`: the next one is tried when there is half as much more to learn from.
    pub(super) fn was_rejected(&mut self, at: TimestampMs, live: &Model) {
        let training = live.training();
        let seen = training.last.since_ms(training.first).min(LONGEST_DISTANCE_MS);
        self.not_before = at.plus_ms(seen / 2);
    }

    pub(super) fn row_count(&self) -> usize {
        self.reservoir.len()
    }

    /// A job when the gathered rows are worth a model: the first one after the warm-up, the next when
    /// as much time has passed since as the live model saw (a young detector learns quickly, an old one
    /// weekly, for ever: what the retention drops does not count against it), and one as soon as there are rows enough of an entity that the live model does not know.
    pub(super) fn due(
        &mut self,
        at: TimestampMs,
        live: Option<&Model>,
        schema: &FeatureSchema,
        thresholds: Thresholds,
        forget_after: Option<Duration>,
    ) -> Option<TrainingJob> {
        let span = at.since_ms(self.first?);
        let warm_up_ms = self.policy.warm_up_ms.max(schema.step_ms().saturating_mul(MIN_ENTITY_ROWS as i64));
        // A job that failed, or changed nothing, is not tried again at every step.
        let rested = self.last_job.is_none_or(|last| at.since_ms(last) >= warm_up_ms);
        if !rested || at < self.not_before || self.reservoir.len() < MIN_ROWS {
            return None;
        }
        let grown = span >= warm_up_ms
            && live.is_none_or(|model| {
                let training = model.training();
                let seen = training.last.since_ms(training.first);
                at.since_ms(training.last) >= seen.min(LONGEST_DISTANCE_MS)
            });
        if !grown && !live.is_some_and(|live| self.knows_more_than(live)) {
            return None;
        }
        self.job_before = self.last_job.replace(at);
        Some(self.job(at, version("stream", at), schema, thresholds, forget_after))
    }

    /// A job on all that is gathered by step `at`.
    pub(super) fn job(
        &self,
        at: TimestampMs,
        version: String,
        schema: &FeatureSchema,
        thresholds: Thresholds,
        forget_after: Option<Duration>,
    ) -> TrainingJob {
        let settings = TrainSettings {
            hyperparams: self.policy.hyperparams,
            contamination: self.policy.contamination,
            thresholds,
            forget_after,
            version,
            created_at: at,
        };
        let (rows, most) = (self.reservoir.rows(), self.policy.max_rows);
        TrainingJob { schema: schema.clone(), rows, most, settings }
    }

    /// Takes the rows that another one has gathered, where it has none of its own.
    pub(super) fn join(&mut self, other: Self) {
        self.first = self.first.into_iter().chain(other.first).min();
        self.reservoir.join(other.reservoir);
    }

    /// Whether a model trained now would know an entity that `live` does not.
    fn knows_more_than(&self, live: &Model) -> bool {
        let mut known = self.reservoir.entities().filter(|(_, rows)| *rows >= MIN_ENTITY_ROWS);
        known.any(|(entity, _)| !live.knows(entity))
    }
}

/// The version of a model: where its rows came from, and the step it was trained at, in UTC.
pub(super) fn version(source: &str, at: TimestampMs) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{source}-{}", instant.strftime("%Y%m%dT%H%M%SZ"))
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
        train::fit_on_some(self.schema, &self.rows, &self.settings, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{FeatureColumn, FeatureMatrix, FeatureWindows, SchemaSettings};
    use ndarray::Array2;

    /// A made-up fleet and the trainer that watches it.
    struct Watched {
        schema: FeatureSchema,
        windows: FeatureWindows,
        trainer: Trainer,
        step: i64,
    }

    impl Watched {
        fn new(max_rows: usize) -> Self {
            let settings = SchemaSettings {
                step_ms: 60_000,
                window_steps: 2,
                features: vec![FeatureColumn { name: "f".to_owned(), expression: "f".to_owned() }],
                ..SchemaSettings::default()
            };
            let schema = FeatureSchema::new(settings).unwrap();
            let policy = TrainingPolicy {
                warm_up_ms: 30 * 60_000,
                max_rows,
                most_rows: usize::MAX,
                trial_ms: 0,
                retention_ms: i64::MAX / 2,
                hyperparams: Hyperparams { n_trees: 10, ..Hyperparams::default() },
                contamination: 0.0,
            };
            Self { windows: FeatureWindows::new(&schema), schema, trainer: Trainer::new(policy), step: 0 }
        }

        /// The next step of `n` entities.
        fn due(&mut self, n: usize, live: Option<&Model>) -> Option<TrainingJob> {
            self.step += 1;
            let (at, step) = (TimestampMs(self.step * 60_000), self.step);
            let values = Array2::from_shape_fn((n, 1), |(n, _)| ((step * 7 + n as i64) % 11) as f64);
            let matrix = FeatureMatrix { at, entities: entities(n), values, ambiguous: vec![0] };
            self.trainer.gather(&self.windows.push(&matrix).unwrap(), |_| false);
            self.trainer.due(at, live, &self.schema, Thresholds::default(), None)
        }

        /// The next model that comes due, with `n` entities.
        fn model(&mut self, n: usize, live: Option<&Model>) -> Model {
            (0..400).find_map(|_| self.due(n, live)).unwrap().run().unwrap()
        }
    }

    fn entities(n: usize) -> Vec<LabelSet> {
        (0..n).map(|n| LabelSet::from_pairs([("instance", format!("{n:03}"))]).unwrap()).collect()
    }

    /// With many entities the rows are soon enough for a forest, but not for what is ordinary for each.
    #[test]
    fn a_first_model_waits_until_it_can_know_the_entities() {
        let model = Watched::new(50_000).model(20, None);
        assert!(entities(20).iter().all(|entity| model.knows(entity)));
    }

    /// An equal share of the rows would be too few to know anyone.
    #[test]
    fn a_first_model_knows_everyone_in_a_large_fleet() {
        let model = Watched::new(1000).model(100, None);
        assert!(entities(100).iter().all(|entity| model.knows(entity)));
    }

    /// Also when those who were there before fill the reservoir.
    #[test]
    fn a_newcomer_is_known_once_there_are_rows_enough_of_it() {
        let mut watched = Watched::new(1000);
        let first = watched.model(5, None);
        let live = watched.model(5, Some(&first));
        assert!((0..20).all(|_| watched.due(5, Some(&live)).is_none()));
        let steps = (1..200).find(|_| watched.due(6, Some(&live)).is_some());
        // A window of two steps is warm with the first.
        assert_eq!(steps, Some(MIN_ENTITY_ROWS));
        let second = watched.trainer.reservoir.rows();
        assert_eq!(second.entities, entities(6));
    }

    /// A detector as old as its retention goes on learning: its data spans no more than before, but is newer.
    #[test]
    fn a_detector_that_outgrew_its_retention_still_learns() {
        let mut watched = Watched::new(1000);
        watched.trainer.policy.retention_ms = 200 * 60_000;
        let mut live = watched.model(5, None);
        for _ in 0..6 {
            let trained_at = live.created_at();
            live = watched.model(5, Some(&live));
            let passed = live.created_at().since_ms(trained_at) / 60_000;
            assert!((30..=200).contains(&passed), "{passed} minutes after the one before");
        }
        let training = live.training();
        assert!(training.last.since_ms(training.first) > 190 * 60_000);
    }

    #[test]
    fn versions_sort_by_time() {
        assert_eq!(version("stream", TimestampMs(1_767_571_200_000)), "stream-20260105T000000Z");
    }
}
