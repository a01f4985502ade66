//! Why a detector trains again: growth, schedule, drift, a low F1.

use emberwatch::{
    calibrate::{CheckedPersistence, Memory, Thresholds},
    features::{FeatureColumn, FeatureMatrix, FeatureSchema, SchemaSettings},
    model::{Model, Validation, ValidationCounts},
    pipeline::{
        Backtest, CronTimes, DetectorSettings, Drifted, F1Source, Rules, TrainingPolicy, TrainingReason,
        TrainingSchedule, TrainingTriggers,
    },
    score::iforest::Hyperparams,
    series::{LabelSet, TimestampMs},
};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::{sync::Arc, time::Duration};

const STEP: i64 = 300_000;

const HOUR: i64 = 3_600_000;

const DAY: i64 = 24 * HOUR;

const ENTITIES: usize = 5;

fn settings(triggers: TrainingTriggers) -> DetectorSettings {
    let column = |name: &str| FeatureColumn { name: name.to_owned(), expression: String::new() };
    let schema = SchemaSettings {
        step_ms: STEP,
        window_steps: 6,
        features: vec![column("busy"), column("queue"), column("errors")],
        ..SchemaSettings::default()
    };
    let training = TrainingPolicy {
        triggers,
        warm_up_ms: 2 * HOUR,
        trial_ms: HOUR,
        max_rows: 20_000,
        retention_ms: 90 * DAY,
        hyperparams: Hyperparams { n_trees: 25, ..Hyperparams::default() },
        contamination: 0.0,
    };
    DetectorSettings {
        schema: FeatureSchema::new(schema).unwrap(),
        thresholds: Thresholds::default(),
        persistence: CheckedPersistence::default(),
        forget_after: Some(Memory::DEFAULT_FADE),
        rules: Rules::default(),
        silence: Duration::ZERO,
        grace: Duration::ZERO,
        season: None,
        training: Some(training),
    }
}

/// A fleet with the rhythm of a day: busy by day, calm at night, noise that remembers, and weekends with a third of the load. `lift` is added to `queue` at each instant.
struct Fleet {
    rng: Xoshiro256PlusPlus,
    noise: [f64; ENTITIES],
    at: i64,
}

impl Fleet {
    fn new() -> Self {
        // A Monday.
        Self { rng: Xoshiro256PlusPlus::seed_from_u64(9), noise: [0.0; ENTITIES], at: 4 * DAY }
    }

    fn normal(&mut self) -> f64 {
        // Twelve uniform numbers make a nearly normal one.
        (0..12).map(|_| self.rng.random::<f64>()).sum::<f64>() - 6.0
    }

    fn next(&mut self, lift: impl Fn(i64) -> f64) -> FeatureMatrix {
        self.at += STEP;
        let day = self.at as f64 / DAY as f64;
        let weekend = (self.at / DAY + 3) % 7 >= 5;
        let load = (1.0 - (day * std::f64::consts::TAU).cos()) * if weekend { 0.3 } else { 1.0 };
        let mut values = Array2::zeros((ENTITIES, 3));
        for entity in 0..ENTITIES {
            self.noise[entity] = 0.8 * self.noise[entity] + 0.6 * self.normal();
            let size = 1.0 + entity as f64;
            let queue = size * (20.0 + self.normal() + 4.0 * load + lift(self.at));
            let row = [size * (30.0 + 20.0 * load + 3.0 * self.noise[entity]), queue, 0.0];
            values.row_mut(entity).iter_mut().zip(row).for_each(|(into, value)| *into = value);
        }
        let name = |n: usize| LabelSet::from_pairs([("instance", format!("{n}"))]).unwrap();
        FeatureMatrix {
            at: TimestampMs(self.at),
            entities: (0..ENTITIES).map(name).collect(),
            values,
            ambiguous: vec![0; 3],
        }
    }
}

/// What was trained at which day, and why; where `lift` raises `queue`.
fn trainings(backtest: &mut Backtest, days: i64, lift: impl Fn(f64) -> f64) -> Vec<(f64, TrainingReason)> {
    let (mut fleet, mut trainings) = (Fleet::new(), Vec::new());
    let day = |at: i64| (at - 4 * DAY) as f64 / DAY as f64;
    for _ in 0..days * DAY / STEP {
        let matrix = fleet.next(|at| lift(day(at)));
        backtest.step(&matrix).unwrap();
        let begun = backtest.training_reasons().get(trainings.len()).cloned();
        trainings.extend(begun.map(|reason| (day(fleet.at), reason)));
    }
    trainings
}

fn names(trainings: &[(f64, TrainingReason)]) -> Vec<&'static str> {
    trainings.iter().map(|(_, reason)| reason.name()).collect()
}

/// Two weeks and a half with nights and weekends: as much time as the model saw, then the week.
#[test]
fn a_fleet_with_a_rhythm_does_not_drift() {
    let mut backtest = Backtest::new(settings(TrainingTriggers::default()), None);
    let trainings = trainings(&mut backtest, 17, |_| 0.0);
    assert_eq!(names(&trainings), ["first", "grown", "grown", "grown", "grown", "schedule"]);
    let between: Vec<f64> = trainings.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!((between[4] - 7.0).abs() < 1e-9, "a week");
    assert!(between[..4].is_sorted() && between[3] < 4.0, "{between:?}");
    let figures = backtest.drift().unwrap();
    assert!(figures.features.iter().chain([&figures.score]).all(|psi| *psi < 0.1), "{figures:?}");
    assert_eq!(figures.features[2], 0.0, "what never moves has not moved");
}

/// On the twentieth day the queues become longer for good, by four times their noise.
#[test]
fn a_level_that_shifts_for_good_is_learned_within_a_day() {
    let mut backtest = Backtest::new(settings(TrainingTriggers::default()), None);
    let shift = |day: f64| if day >= 20.0 { 8.0 } else { 0.0 };
    let trainings = trainings(&mut backtest, 31, shift);
    let at = names(&trainings).iter().position(|name| *name == "drift").unwrap();
    let (day, TrainingReason::Drift(Drifted { feature, psi, since })) = &trainings[at] else {
        panic!("no drift")
    };
    assert!((20.0..21.0).contains(day), "trained on day {day}");
    assert!(feature.as_deref() == Some("queue") && *psi >= 0.25, "{feature:?} {psi}");
    let shifted = TimestampMs((4 + 20) * DAY);
    assert!(*since >= shifted && since.since_ms(shifted) < 12 * HOUR, "{since} is not when it began");
    // It passed the gate, knows since when it holds, and is followed by others as a young one is.
    assert!(backtest.trials().iter().all(|end| end.outcome.is_ok()), "{:?}", backtest.trials());
    assert_eq!(backtest.model().unwrap().training().drifted, Some(*since));
    let first = backtest.model().unwrap().training().first.since_ms(*since);
    assert!((0..2 * HOUR).contains(&first), "what was before is forgotten after a week");
    assert!(names(&trainings[at + 1..]).iter().all(|name| *name == "grown"), "{trainings:?}");
    let figures = backtest.drift().unwrap();
    assert!(figures.features.iter().all(|psi| *psi < 0.1), "{figures:?}");
}

/// Long enough after a training that one for the drift would have been due.
#[test]
fn drift_is_only_measured_where_the_threshold_is_zero() {
    let shift = |day: f64| if day >= 16.0 { 8.0 } else { 0.0 };
    for (drift_threshold, expected) in [(0.25, 1), (0.0, 0)] {
        let triggers = TrainingTriggers { drift_threshold, ..TrainingTriggers::default() };
        let mut backtest = Backtest::new(settings(triggers), None);
        let mut trainings = names(&trainings(&mut backtest, 17, shift));
        trainings.retain(|name| *name == "drift");
        assert_eq!(trainings.len(), expected, "threshold {drift_threshold}");
        assert!(expected > 0 || backtest.drift().unwrap().features[1] > 1.0, "it is measured");
    }
}

/// Mondays and Thursdays at four in the morning of Berlin, once the model has seen as much as lies between: three days.
#[test]
fn a_crontab_holds_once_a_detector_is_as_old_as_its_distance() {
    let schedule = TrainingSchedule::At(CronTimes::new("0 4 * * 1,4").unwrap());
    let mut settings = settings(TrainingTriggers { schedule, ..TrainingTriggers::default() });
    let schema = SchemaSettings {
        step_ms: STEP,
        window_steps: 6,
        features: settings.schema.features().to_vec(),
        time_zone: Some("Europe/Berlin".to_owned()),
        ..SchemaSettings::default()
    };
    settings.schema = FeatureSchema::new(schema).unwrap();
    let trainings = trainings(&mut Backtest::new(settings, None), 16, |_| 0.0);
    assert!(trainings.iter().all(|(_, reason)| reason.name() != "drift"), "{trainings:?}");
    let scheduled = trainings.iter().filter(|(_, reason)| *reason == TrainingReason::Schedule);
    let scheduled: Vec<f64> = scheduled.map(|(day, _)| (day * 24.0).round()).collect();
    // Day 0 is a Monday of 1970 and Berlin an hour ahead: 03:00.
    let expected: Vec<f64> = [7, 10, 14].map(|day| f64::from(day * 24 + 3)).into();
    assert_eq!(scheduled, expected);
}

#[test]
fn never_is_never_after_the_first_model() {
    let triggers = TrainingTriggers { schedule: TrainingSchedule::Never, ..TrainingTriggers::default() };
    let trainings = trainings(&mut Backtest::new(settings(triggers), None), 3, |day| day);
    assert_eq!(names(&trainings), ["first"]);
}

/// One that found 3 of 10 labelled rows and called 3 others anomalies has an F1 of 6 / 16. It saw less than two days, of which a quarter is less than
/// the ten hours and 40 minutes after which an entity was seen often enough.
#[test]
fn a_model_whose_validation_was_bad_is_followed_as_soon_as_there_are_rows() {
    let triggers =
        TrainingTriggers { schedule: TrainingSchedule::Every(30 * DAY), ..TrainingTriggers::default() };
    let mut young = Backtest::new(settings(triggers.clone()), None);
    trainings(&mut young, 2, |_| 0.0);
    let model = young.model().unwrap();
    let (first, last) = (model.training().first, model.training().last);
    let validated = |true_positives, false_positives, incidents| {
        let counts = ValidationCounts {
            rows: 1000,
            true_positives,
            false_positives,
            false_negatives: 10 - true_positives,
            incidents,
            ..ValidationCounts::default()
        };
        Arc::new(Model::clone(model).with_validation(Validation { first, last, counts }))
    };
    let second = |model: Arc<Model>| {
        let mut backtest = Backtest::new(settings(triggers.clone()), Some(model));
        trainings(&mut backtest, 1, |_| 0.0)
    };
    let begun = second(validated(3, 3, 2));
    let reason = TrainingReason::LowF1 { f1: 0.375, against: F1Source::Validation };
    assert_eq!(begun[0].1, reason);
    assert!(
        begun[0].0 < 0.5,
        "when an entity was seen often enough, ten hours and 40 minutes: day {}",
        begun[0].0
    );
    assert!(second(validated(9, 1, 2)).iter().all(|(_, reason)| reason.name() != "f1"));
    assert!(
        second(validated(3, 3, 0)).iter().all(|(_, reason)| reason.name() != "f1"),
        "nothing was to be found"
    );
}
