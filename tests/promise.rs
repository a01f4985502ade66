//! The promise of a score: 0.33 is one window of normal operation in a hundred, 0.5 one in a thousand.
//!
//! Made machines without any fault, half their time for training, the other half judged as the sidecar does, recent past
//! and all; for one feature, whose members say the same, and for many. Never twice as many as promised. On machines that do
//! not drift it may be a fifth of that: evidence must be rare in the training and of late, and the smaller counts.

#![allow(clippy::unwrap_used, reason = "a test stops by panicking")]

use emberwatch::{
    calibrate::{CheckedPersistence, Memory, Thresholds},
    features::{FeatureColumn, FeatureMatrix, FeatureSchema, FeatureWindows, SchemaSettings},
    model::Model,
    pipeline::{Backtest, DetectorSettings, Rules},
    score::iforest::Hyperparams,
    series::{LabelSet, TimestampMs},
    train::{Reservoir, ReservoirSettings, TrainSettings, fit},
};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::{sync::Arc, time::Duration};

const MACHINES: usize = 16;
const TRAIN_STEPS: usize = 2_500;
const TEST_STEPS: usize = 5_000;
const STEP_MS: i64 = 60_000;

/// Machines that follow the hour and a slow load each, with noise of their own; every fourth feature has a long tail.
struct Fleet {
    d: usize,
    step: usize,
    loads: [f64; MACHINES],
    random: Xoshiro256PlusPlus,
}

impl Fleet {
    fn new(d: usize) -> Self {
        Self { d, step: 0, loads: [0.0; MACHINES], random: Xoshiro256PlusPlus::seed_from_u64(11) }
    }

    fn next(&mut self) -> FeatureMatrix {
        let hour = (self.step as f64 / 1_440.0 * std::f64::consts::TAU).sin();
        let mut values = Array2::zeros((MACHINES, self.d));
        for (machine, mut row) in values.rows_mut().into_iter().enumerate() {
            let push: f64 = self.random.sample(StandardNormal);
            self.loads[machine] = 0.9 * self.loads[machine] + 0.19_f64.sqrt() * push;
            for (feature, value) in row.iter_mut().enumerate() {
                let noise: f64 = self.random.sample(StandardNormal);
                let noise = if feature % 4 == 3 { noise.exp() } else { noise };
                *value = 10.0 + hour + self.loads[machine] * f64::from(u8::from(feature % 2 == 0)) + noise;
            }
        }
        let at = TimestampMs(STEP_MS * self.step as i64);
        self.step += 1;
        let entity = |machine: usize| LabelSet::empty().with("instance", &format!("m{machine:02}"));
        FeatureMatrix {
            at,
            entities: (0..MACHINES).map(entity).collect(),
            values,
            ambiguous: vec![0; self.d],
        }
    }
}

fn train(fleet: &mut Fleet, schema: &FeatureSchema) -> Model {
    let (mut windows, mut reservoir) =
        (FeatureWindows::new(schema), Reservoir::new(ReservoirSettings::default()));
    for _ in 0..TRAIN_STEPS {
        reservoir.offer(&windows.push(&fleet.next()).unwrap(), |_| true);
    }
    let settings = TrainSettings {
        hyperparams: Hyperparams::default(),
        contamination: 0.0,
        thresholds: Thresholds::default(),
        forget_after: Some(Memory::DEFAULT_FADE),
        drifted: None,
        version: "promise".to_owned(),
        created_at: TimestampMs(STEP_MS * fleet.step as i64),
    };
    fit(schema.clone(), &reservoir.rows(), &settings).unwrap()
}

/// The share of normal windows at each of the scores, of those the score calls so rare.
fn kept(d: usize, scores: [f64; 2]) -> [f64; 2] {
    let column = |feature: usize| FeatureColumn { name: format!("f{feature}"), expression: String::new() };
    let settings = SchemaSettings { features: (0..d).map(column).collect(), ..SchemaSettings::default() };
    let schema = FeatureSchema::new(settings).unwrap();
    let mut fleet = Fleet::new(d);
    let model = train(&mut fleet, &schema);
    let settings = DetectorSettings {
        schema,
        thresholds: Thresholds::default(),
        persistence: CheckedPersistence::default(),
        forget_after: Some(Memory::DEFAULT_FADE),
        training: None,
        rules: Rules::default(),
        silence: Duration::ZERO,
        grace: Duration::ZERO,
        season: None,
    };
    let mut backtest = Backtest::new(settings, Some(Arc::new(model)));
    let (mut windows, mut above) = (0_u32, [0_u32; 2]);
    for _ in 0..TEST_STEPS {
        for verdict in backtest.step(&fleet.next()).unwrap().step.verdicts {
            windows += 1;
            for (above, score) in above.iter_mut().zip(scores) {
                *above += u32::from(verdict.anomaly_score.value() >= score);
            }
        }
    }
    std::array::from_fn(|i| f64::from(above[i]) / f64::from(windows) / 10.0_f64.powf(-6.0 * scores[i]))
}

#[test]
fn a_score_means_what_it_says_on_normal_operation() {
    for d in [1, 4, 12] {
        let kept = kept(d, [1.0 / 3.0, 0.5]);
        for (kept, promise) in kept.iter().zip(["one in 100", "one in 1,000"]) {
            assert!((0.15..=2.0).contains(kept), "{d} features: {kept} times what is called {promise}");
        }
    }
}
