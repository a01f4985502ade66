//! When a detector trains itself, and on what.

mod adaption;

mod triggers;

use crate::{
    calibrate::Thresholds,
    features::{FeatureSchema, Inputs},
    model::{MIN_ENTITY_ROWS, Model},
    score::iforest::Hyperparams,
    series::{LabelSet, TimestampMs},
    train::{self, MIN_ROWS, Reservoir, ReservoirSettings, TrainError, TrainSettings, TrainingRows},
};
use adaption::Adaption;
use std::time::Duration;
use triggers::seen_ms;
pub use triggers::{Drifted, F1Source, TrainingReason, TrainingSchedule, TrainingTriggers};

/// For a drift or a low F1 there must be this part of what the live model saw to learn from, of the distance of two trainings at most.
const NEW_SHARE: i64 = 4;

/// How often the rest between trainings for a low F1 is doubled: to years.
const MAX_DOUBLINGS: u32 = 10;

/// When and on what a detector trains itself.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingPolicy {
    /// Data time that must have been gathered before the first model, in milliseconds. It is no less
    /// than the steps that an entity must have been seen for to be judged: a model trained earlier
    /// would know nobody.
    pub warm_up_ms: i64,
    /// Most rows kept, and shown to forests; each entity may keep what it takes to know it whatever this says.
    pub max_rows: usize,
    /// How long a new model scores beside the one in use before it follows it, in milliseconds, and at most a quarter of what that one
    /// was trained on; 0: it follows at once.
    pub trial_ms: i64,
    /// Data older than this, in milliseconds, is no longer trained on.
    pub retention_ms: i64,
    /// What makes it train again.
    pub triggers: TrainingTriggers,
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
    /// No job before this instant: what was rejected just now would be so again.
    not_before: TimestampMs,
    /// A drift that was seen and not trained for yet.
    adaption: Option<Adaption>,
    f1_rest: F1Rest,
}

/// What was noticed of the live model at a step.
#[derive(Debug, Default)]
pub(super) struct Noticed {
    /// What has drifted for good.
    pub(super) drifted: Option<Drifted>,
    /// How good it is, where that is known.
    pub(super) f1: Option<(f64, F1Source)>,
}

/// How long no model is trained for a low F1: alerts may have nothing to do with what the detector sees.
#[derive(Debug)]
struct F1Rest {
    until: TimestampMs,
    /// Trainings for a low F1 that did not help, one after another.
    in_vain: u32,
}

/// A model waiting to be fitted: rows and settings, nothing shared with the running detector.
#[derive(Debug)]
pub struct TrainingJob {
    reason: TrainingReason,
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
            seed: policy.hyperparams.seed,
            ..ReservoirSettings::default()
        };
        Self {
            policy,
            reservoir: Reservoir::new(settings),
            first: None,
            last_job: None,
            not_before: TimestampMs::MIN,
            adaption: None,
            f1_rest: F1Rest { until: TimestampMs::MIN, in_vain: 0 },
        }
    }

    /// Takes the warm rows of a step that are fit to be trained on.
    pub(super) fn gather(&mut self, inputs: &Inputs, is_fit: impl FnMut(usize) -> bool) {
        let offered = self.reservoir.offer(inputs, is_fit);
        if offered > 0 {
            self.first.get_or_insert(inputs.at);
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
        self.not_before = at.plus_ms(self.worth_ms(live) / 2);
    }

    pub(super) fn row_count(&self) -> usize {
        self.reservoir.len()
    }

    /// A job when the gathered rows are worth a model: the first one after the warm-up, the next when
    /// as much time has passed since as the live model saw (a young detector learns quickly, an old one
    /// by its schedule, for ever: what the retention drops does not count against it), one as soon as there are rows enough of an entity that the
    /// live model does not know, and one where something was `noticed` of it.
    pub(super) fn due(
        &mut self,
        at: TimestampMs,
        live: Option<&Model>,
        schema: &FeatureSchema,
        thresholds: Thresholds,
        forget_after: Option<Duration>,
        noticed: &Noticed,
    ) -> Option<TrainingJob> {
        let warm_up_ms = self.policy.warm_up_ms.max(schema.step_ms().saturating_mul(MIN_ENTITY_ROWS as i64));
        // A job that failed, or changed nothing, is not tried again at every step.
        let rested = self.last_job.is_none_or(|last| at.since_ms(last) >= warm_up_ms);
        if !rested || at < self.not_before || self.reservoir.len() < MIN_ROWS {
            return None;
        }
        let is_warm = at.since_ms(self.first?) >= warm_up_ms;
        let reason = match live {
            None => is_warm.then_some(TrainingReason::First),
            Some(live) => self.reason(at, live, is_warm, schema, noticed),
        }?;
        let adaption = self.adaption.as_ref().map(|adaption| adaption.since);
        let drifted = adaption.or(live.and_then(|live| live.training().drifted));
        let rows = self.reservoir.rows();
        let rows = match drifted {
            Some(drifted) => rows.since(drifted, self.policy.hyperparams.seed),
            None => rows,
        };
        if rows.at.len() < MIN_ROWS {
            return None;
        }
        if let (TrainingReason::LowF1 { .. }, Some(live)) = (&reason, live) {
            self.f1_rest.begin(at, self.worth_ms(live) / 2);
        }
        self.adaption = None;
        self.last_job = Some(at);
        let settings = TrainSettings {
            hyperparams: self.policy.hyperparams,
            contamination: self.policy.contamination,
            thresholds,
            forget_after,
            drifted,
            version: version(at),
            created_at: at,
        };
        Some(TrainingJob { reason, schema: schema.clone(), rows, most: self.policy.max_rows, settings })
    }

    /// Why a model should be trained beside `live`, if it should.
    fn reason(
        &mut self,
        at: TimestampMs,
        live: &Model,
        is_warm: bool,
        schema: &FeatureSchema,
        noticed: &Noticed,
    ) -> Option<TrainingReason> {
        let triggers = &self.policy.triggers;
        if triggers.schedule == TrainingSchedule::Never {
            return None;
        }
        let low_f1 = noticed.f1.filter(|(f1, _)| *f1 < triggers.min_f1);
        if low_f1.is_none() && noticed.f1.is_some() {
            self.f1_rest.in_vain = 0;
        }
        let by_schedule = triggers.schedule.due(at, live, schema.zone()).filter(|_| is_warm);
        if let Some(drifted) = self.adapted(at, live, noticed) {
            return Some(TrainingReason::Drift(drifted));
        }
        if self.adaption.is_some() {
            // What would be trained now would know too few.
            return None;
        }
        if by_schedule.is_some() {
            return by_schedule;
        }
        if self.knows_more_than(live) {
            return Some(TrainingReason::Newcomer);
        }
        // However bad it is, it saw weeks perhaps: a model of half an hour is no better.
        let gathered_ms = self.first.map_or(0, |first| at.since_ms(first));
        let is_worth_it = is_warm && gathered_ms >= self.worth_ms(live) / NEW_SHARE;
        let (f1, against) = low_f1.filter(|_| is_worth_it && at >= self.f1_rest.until)?;
        Some(TrainingReason::LowF1 { f1, against })
    }

    /// The drift that is to be trained for now. Rows that are too old to be trained on after it make room for new ones.
    fn adapted(&mut self, at: TimestampMs, live: &Model, noticed: &Noticed) -> Option<Drifted> {
        let is_time = at.since_ms(live.training().last) >= self.worth_ms(live) / NEW_SHARE;
        if self.adaption.is_none()
            && let Some(drifted) = noticed.drifted.clone().filter(|_| is_time)
        {
            let adaption = Adaption::new(at, drifted);
            self.reservoir.forget_before(adaption.oldest());
            self.first = self.first.map(|first| first.max(adaption.oldest()));
            self.adaption = Some(adaption);
        }
        let adaption = self.adaption.as_ref()?;
        adaption.is_ready(at, &self.reservoir).then(|| adaption.drifted.clone())
    }

    /// What the live model saw, in milliseconds, and the distance of two trainings at most: how much more there must be to learn from is
    /// measured by it.
    fn worth_ms(&self, live: &Model) -> i64 {
        let distance_ms =
            self.policy.triggers.schedule.distance_ms(live.training().last, live.schema().zone());
        seen_ms(live).min(distance_ms)
    }

    /// Whether a model trained now would know an entity that `live` does not.
    fn knows_more_than(&self, live: &Model) -> bool {
        let mut known = self.reservoir.entities().filter(|(_, rows)| *rows >= MIN_ENTITY_ROWS);
        known.any(|(entity, _)| !live.knows(entity))
    }
}

/// The version of a model trained from the stream: the step it was trained at, in UTC.
fn version(at: TimestampMs) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("stream-{}", instant.strftime("%Y%m%dT%H%M%SZ"))
}

// === impl F1Rest ===

impl F1Rest {
    /// A model is trained for a low F1 at step `at`: the next for the same reason after a while, and after twice as long each time that it did not help.
    fn begin(&mut self, at: TimestampMs, while_ms: i64) {
        self.until = at.plus_ms(while_ms.saturating_mul(1 << self.in_vain.min(MAX_DOUBLINGS)));
        self.in_vain = self.in_vain.saturating_add(1);
    }
}

// === impl TrainingJob ===

impl TrainingJob {
    /// Why it is there.
    #[must_use]
    pub fn reason(&self) -> &TrainingReason {
        &self.reason
    }

    /// Which detector it is for.
    #[must_use]
    pub fn detector(&self) -> &str {
        self.schema.detector()
    }

    /// The step that asked for it.
    #[must_use]
    pub fn asked_at(&self) -> TimestampMs {
        self.settings.created_at
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
                trial_ms: 0,
                triggers: TrainingTriggers::default(),
                retention_ms: i64::MAX / 2,
                hyperparams: Hyperparams { n_trees: 10, ..Hyperparams::default() },
                contamination: 0.0,
            };
            Self { windows: FeatureWindows::new(&schema), schema, trainer: Trainer::new(policy), step: 0 }
        }

        /// The next step of `n` entities.
        fn due(&mut self, n: usize, live: Option<&Model>) -> Option<TrainingJob> {
            self.due_with(n, live, &Noticed::default())
        }

        fn due_with(&mut self, n: usize, live: Option<&Model>, noticed: &Noticed) -> Option<TrainingJob> {
            self.step += 1;
            let (at, step) = (TimestampMs(self.step * 60_000), self.step);
            let values = Array2::from_shape_fn((n, 1), |(n, _)| ((step * 7 + n as i64) % 11) as f64);
            let matrix = FeatureMatrix { at, entities: entities(n), values, ambiguous: vec![0] };
            self.trainer.gather(&self.windows.push(&matrix).unwrap(), |_| true);
            self.trainer.due(at, live, &self.schema, Thresholds::default(), None, noticed)
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

    /// Alerts that have nothing to do with what the detector sees: half of what the live model saw passes until the next try, then twice as long each time.
    #[test]
    fn trainings_for_a_low_f1_become_rare() {
        let mut watched = Watched::new(1000);
        let first = watched.model(5, None);
        let live = watched.model(5, Some(&first));
        // Nothing else is to be due meanwhile.
        watched.trainer.policy.triggers.schedule = TrainingSchedule::Every(400 * 60_000);
        let mut live = live;
        live.training.first = live.training.last.plus_ms(-i64::MAX / 4);
        let low = Noticed { f1: Some((0.3, F1Source::Alerts)), ..Noticed::default() };
        let mut tried = Vec::new();
        for _ in 0..3000 {
            if let Some(job) = watched.due_with(5, Some(&live), &low) {
                assert_eq!(*job.reason(), TrainingReason::LowF1 { f1: 0.3, against: F1Source::Alerts });
                tried.push(watched.step);
            }
            // So that it is never too old.
            live.training.last = TimestampMs(watched.step * 60_000);
        }
        let waits: Vec<i64> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(waits, [200, 400, 800], "steps of a minute, 400 minutes a schedule");
        let good = Noticed { f1: Some((0.9, F1Source::Alerts)), ..Noticed::default() };
        assert!(watched.due_with(5, Some(&live), &good).is_none());
        assert_eq!(watched.trainer.f1_rest.in_vain, 0, "it has helped");
    }

    #[test]
    fn versions_sort_by_time() {
        assert_eq!(version(TimestampMs(1_767_571_200_000)), "stream-20260105T000000Z");
    }
}
