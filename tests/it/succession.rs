//! How one model follows another: when, and whether it may.

use emberwatch::{
    calibrate::{CheckedPersistence, Severity, Thresholds},
    features::{FeatureColumn, FeatureMatrix, FeatureSchema, SchemaSettings},
    pipeline::{Backtest, DetectorSettings, Rejection, Rules, TrainingPolicy, TrainingTriggers},
    score::iforest::Hyperparams,
    series::{LabelSet, TimestampMs},
};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::time::Duration;

const MINUTE: i64 = 60_000;

const ENTITIES: usize = 5;

/// The first model is due then.
const WARM_UP: i64 = 130;

fn settings(trial_ms: i64) -> DetectorSettings {
    let column = |name: &str| FeatureColumn { name: name.to_owned(), expression: String::new() };
    let schema = SchemaSettings {
        step_ms: MINUTE,
        window_steps: 6,
        features: vec![column("a"), column("b")],
        ..SchemaSettings::default()
    };
    let training = TrainingPolicy {
        triggers: TrainingTriggers::default(),
        warm_up_ms: WARM_UP * MINUTE,
        trial_ms,
        max_rows: 2_000,
        most_rows: usize::MAX,
        // So that a model knows the last hours only.
        retention_ms: 131 * MINUTE,
        hyperparams: Hyperparams { n_trees: 25, ..Hyperparams::default() },
        contamination: 0.05,
    };
    DetectorSettings {
        schema: FeatureSchema::new(schema).unwrap(),
        thresholds: Thresholds::default(),
        persistence: CheckedPersistence::default(),
        forget_after: None,
        rules: Rules::default(),
        silence: Duration::ZERO,
        grace: Duration::ZERO,
        season: None,
        training: Some(training),
    }
}

/// A fleet whose noise has the size that `noise` says of each minute; gives for each minute the version of the model in use at its end.
fn live(backtest: &mut Backtest, minutes: i64, noise: impl Fn(i64) -> f64) -> Vec<Option<String>> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let entities: Vec<LabelSet> =
        (0..ENTITIES).map(|n| LabelSet::from_pairs([("instance", format!("{n}"))]).unwrap()).collect();
    let step = |minute: i64| {
        let values = Array2::from_shape_fn((ENTITIES, 2), |(entity, feature)| {
            // Twelve uniform numbers make a nearly normal one.
            let normal: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
            10.0 * (entity + feature) as f64 + noise(minute) * normal
        });
        let at = TimestampMs(minute * MINUTE);
        let matrix = FeatureMatrix { at, entities: entities.clone(), values, ambiguous: vec![0; 2] };
        let judged = backtest.step(&matrix).unwrap();
        let version = backtest.model().map(|model| model.version().to_owned());
        assert!(judged.step.model_version.is_empty() == version.is_none());
        version
    };
    (0..minutes).map(step).collect()
}

/// A model is in use from the minute after its training on if there is none, else after its trial, which is as long as configured and
/// no longer than a quarter of what its predecessor learned from: of 130 minutes.
#[test]
fn a_model_follows_after_its_trial() {
    for (trial, expected) in [(0, 0), (20, 20), (10_000, 33)] {
        let mut backtest = Backtest::new(settings(trial * MINUTE), None);
        let versions = live(&mut backtest, 500, |_| 1.0);
        let first = versions.iter().position(Option::is_some).unwrap() as i64;
        let trained = backtest.trainings()[0].as_ref().unwrap().created_at();
        assert_eq!(first * MINUTE, trained.0 + MINUTE);
        let second =
            versions.iter().position(|version| *version != versions[first as usize] && version.is_some());
        let trained = backtest.trainings()[1].as_ref().unwrap().created_at();
        let waited = second.unwrap() as i64 - 1 - trained.0 / MINUTE;
        assert!(
            (expected - 2..=expected).contains(&waited),
            "{waited} minutes of trial, {expected} expected"
        );
        assert!(backtest.trials().iter().all(|end| end.outcome.is_ok()), "{:?}", backtest.trials());
    }
}

/// A model that knows a few unusually calm hours alone calls everything else high: it is rejected, the old one stays, and a later one, trained on
/// usual hours again, follows.
#[test]
fn a_worse_model_is_rejected_and_a_better_one_follows() {
    let mut backtest = Backtest::new(settings(30 * MINUTE), None);
    let calm = |minute: i64| if (WARM_UP + 3..WARM_UP + 135).contains(&minute) { 0.02 } else { 1.0 };
    let versions = live(&mut backtest, 700, calm);
    let trials = backtest.trials();
    let [rejected, followed, ..] = trials else { panic!("{} trials", trials.len()) };
    let Err(Rejection::TooLoud { severity, candidate, live }) = rejected.outcome else {
        panic!("{:?}", rejected.outcome)
    };
    assert!(severity >= Severity::Medium && candidate > 0.5 && live < 0.1, "{:?}", rejected.outcome);
    assert!(rejected.candidate.rows >= 25 * ENTITIES as u64, "{rejected:?}");
    let in_use_at = |at: TimestampMs| versions[(at.0 / MINUTE) as usize].as_deref();
    assert_eq!(in_use_at(rejected.at), in_use_at(TimestampMs((WARM_UP + 10) * MINUTE)), "the old one stays");

    assert_eq!(followed.outcome, Ok(()));
    assert!(followed.at.since_ms(rejected.at) > 60 * MINUTE, "not tried again at once");
    assert_eq!(in_use_at(followed.at), Some(followed.model.version()));
    assert_ne!(in_use_at(followed.at.plus_ms(-MINUTE)), Some(followed.model.version()));
}
