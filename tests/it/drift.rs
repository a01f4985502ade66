//! Why a detector trains again: growth, schedule, drift, a low F1.

use emberwatch::{
    calibrate::{CheckedPersistence, Memory, Thresholds},
    features::{FeatureColumn, FeatureMatrix, FeatureSchema, SchemaSettings},
    pipeline::{
        Backtest, CronTimes, DetectorSettings, Drifted, Rules, TrainingPolicy, TrainingReason,
        TrainingSchedule, TrainingTriggers,
    },
    score::iforest::Hyperparams,
    series::{LabelSet, TimestampMs},
};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::time::Duration;

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

#[test]
fn explore() {
    let mut backtest = Backtest::new(settings(TrainingTriggers::default()), None);
    let mut fleet = Fleet::new();
    let shift: i64 = std::env::var("SHIFT_DAY").map_or(1000, |d| d.parse().unwrap());
    let days: i64 = std::env::var("DAYS").map_or(17, |d| d.parse().unwrap());
    let size: f64 = std::env::var("SIZE").map_or(8.0, |d| d.parse().unwrap());
    let mut seen = 0;
    for step in 0..days * DAY / STEP {
        let matrix = fleet.next(|at| if at >= (4 + shift) * DAY { size } else { 0.0 });
        let judged = backtest.step(&matrix).unwrap();
        let day = (fleet.at - 4 * DAY) as f64 / DAY as f64;
        if step % 72 == 0 {
            let most = judged.step.verdicts.iter().map(|v| v.anomaly_score.value()).fold(0.0, f64::max);
            println!(
                "{day:.2} {most:.2} {:?}",
                backtest.drift().map(|d| (d.features.clone(), d.score, d.rows))
            );
        }
        for reason in &backtest.training_reasons()[seen..] {
            println!("{day:.2} TRAIN {reason} {reason:?}");
        }
        seen = backtest.training_reasons().len();
    }
    for end in backtest.trials() {
        println!("{:.2} {:?}", (end.at.0 - 4 * DAY) as f64 / DAY as f64, end.outcome);
    }
}
