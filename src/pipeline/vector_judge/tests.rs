//! What holds for verdicts over weeks.

use crate::{
    calibrate::{AlarmRate, Budget, CheckedPersistence, Memory, Severity, Thresholds},
    features::{FeatureColumn, FeatureMatrix, FeatureSchema, SchemaSettings, SeasonSettings},
    pipeline::{
        Backtest, DetectorSettings, FeatureRules, OnGap, Rules, TrainingPolicy, TrainingTriggers, VectorJudge,
    },
    score::iforest::Hyperparams,
    series::{LabelSet, TimestampMs},
};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::{collections::BTreeMap, time::Duration};

const STEP: Duration = Duration::from_secs(900);
const STEPS_A_WEEK: i64 = 672;
const N_ENTITIES: usize = 40;
const N_FEATURES: usize = 3;

/// Machines whose features wander about a level, each step half of what they were before (an autoregressive
/// process), and nothing ever happens.
struct Fleet {
    rng: Xoshiro256PlusPlus,
    state: Array2<f64>,
    step: i64,
}

impl Fleet {
    fn new() -> Self {
        let state = Array2::zeros((N_ENTITIES, N_FEATURES));
        Self { rng: Xoshiro256PlusPlus::seed_from_u64(11), state, step: 0 }
    }

    fn next(&mut self) -> FeatureMatrix {
        self.step += 1;
        for value in &mut self.state {
            // Nearly normal, with standard deviation 1.
            let noise = (0..12).map(|_| self.rng.random::<f64>()).sum::<f64>() - 6.0;
            *value = *value / 2.0 + noise;
        }
        let entity = |n: usize| LabelSet::from_pairs([("instance", format!("{n:02}"))]).unwrap();
        FeatureMatrix {
            at: TimestampMs(self.step * STEP.as_millis() as i64),
            entities: (0..N_ENTITIES).map(entity).collect(),
            values: &self.state + 20.0,
            ambiguous: vec![0; N_FEATURES],
        }
    }
}

fn schema() -> FeatureSchema {
    let column = |n: usize| FeatureColumn { name: format!("f{n}"), expression: String::new() };
    FeatureSchema::new(SchemaSettings {
        step_ms: STEP.as_millis() as i64,
        window_steps: 8,
        features: (0..N_FEATURES).map(column).collect(),
        ..SchemaSettings::default()
    })
    .unwrap()
}

fn settings() -> DetectorSettings {
    DetectorSettings {
        schema: schema(),
        thresholds: Thresholds::default(),
        persistence: CheckedPersistence::default(),
        forget_after: Some(Memory::DEFAULT_FADE),
        rules: Rules::default(),
        silence: Duration::ZERO,
        grace: Duration::ZERO,
        season: None,
        training: None,
    }
}

/// The windows are 3 features x 11 steps x 8 bytes. Hours take 884 bytes for each feature and for the strangeness, and
/// 336 hours of 4 bytes; a recent past 120 numbers of 4 bytes for each of four members; held values 24 bytes a feature,
/// two places where it belongs 48.
#[test]
fn an_entity_takes_the_bytes_of_all_that_is_kept_of_it() {
    let bytes = |settings: &DetectorSettings| VectorJudge::bytes_an_entity(settings);
    let little = DetectorSettings { forget_after: None, ..settings() };
    let hours = DetectorSettings { season: Some(SeasonSettings::default()), ..little.clone() };
    let hold = FeatureRules { on_gap: OnGap::Hold, ..FeatureRules::default() };
    let held = DetectorSettings { rules: Rules::new(vec![hold; N_FEATURES], Vec::new()), ..little.clone() };
    // What is said besides, once an entity: times, lengths, maps.
    let fixed =
        |more: usize, least: usize, once: usize| assert!((least..least + once).contains(&more), "{more}");
    fixed(bytes(&little), 3 * 11 * 8 + 3 * 128 + 3 * 48, 700);
    fixed(bytes(&hours) - bytes(&little), 4 * 884 + 336 * 4, 1_000);
    fixed(bytes(&settings()) - bytes(&little), 4 * 480, 600);
    fixed(bytes(&held) - bytes(&little), 3 * 24, 50);
    // Sixty starts are the most of an hour.
    let graced = DetectorSettings { grace: Duration::from_secs(300), ..little.clone() };
    fixed(bytes(&graced) - bytes(&little), 60 * 8, 300);
}

/// Forty machines for five weeks, with models that the detector trained itself and the recent past as it ships.
#[test]
fn the_false_alarms_of_two_hundred_weeks_stay_within_the_budget() {
    let rate = |days: u64| Some(AlarmRate { alarms: 1.0, period: Duration::from_secs(days * 86_400) });
    let persistence = CheckedPersistence::default();
    let thresholds = Budget { medium: rate(1), high: rate(7) }
        .thresholds(Thresholds::new(0.01, 0.02, 0.03).unwrap(), persistence, STEP)
        .unwrap();
    let training = TrainingPolicy {
        triggers: TrainingTriggers::default(),
        trial_ms: 0,
        warm_up_ms: 2 * STEPS_A_WEEK * STEP.as_millis() as i64,
        max_rows: 10_000,
        most_rows: usize::MAX,
        retention_ms: i64::MAX / 2,
        hyperparams: Hyperparams { n_trees: 25, ..Hyperparams::default() },
        contamination: 0.0,
    };
    let settings = DetectorSettings { thresholds, training: Some(training), ..settings() };
    let (mut fleet, mut backtest) = (Fleet::new(), Backtest::new(settings, None));
    while backtest.model().is_none() {
        backtest.step(&fleet.next()).unwrap();
    }
    let mut before: BTreeMap<LabelSet, Severity> = BTreeMap::new();
    let mut alarms = [0; 2];
    for _ in 0..5 * STEPS_A_WEEK {
        for verdict in backtest.step(&fleet.next()).unwrap().step.verdicts {
            let was = before.insert(verdict.entity, verdict.severity).unwrap_or_default();
            for (alarms, level) in alarms.iter_mut().zip([Severity::Medium, Severity::High]) {
                *alarms += usize::from(was < level && verdict.severity >= level);
            }
        }
    }
    assert!(alarms[0] <= 1400 && alarms[1] <= 200, "{alarms:?} medium and high alarms");
    assert!(alarms[0] > 0, "thresholds that nothing reaches would prove nothing");
}
