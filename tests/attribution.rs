//! Whether the culprit is seen, and named: rows of a simulated machine in which one feature, or two that belong
//! together, are pushed 12 standard deviations out for one step.
//!
//! Everything goes the way of `emberwatch train` and `emberwatch score`: values through windows into a model.

#![allow(clippy::unwrap_used, reason = "a test stops by panicking")]

use emberwatch::{
    calibrate::{Memory, Thresholds},
    features::{FeatureColumn, FeatureMatrix, FeatureSchema, FeatureWindows, Inputs, SchemaSettings},
    model::{Model, Past, Scored},
    score::iforest::Hyperparams,
    series::{LabelSet, TimestampMs},
    train::{Reservoir, ReservoirSettings, TrainSettings, fit},
};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;

const TRAIN_ROWS: usize = 6_000;
const CASES: usize = 1_000;
/// Ordinary steps for each case.
const SPACING: usize = 3;
const PUSH: f64 = 12.0;

/// One machine: features that follow the hour and one of three slow loads, each with noise of its own, every
/// fourth with noise that has a long tail.
struct Machine {
    d: usize,
    step: usize,
    loads: [f64; 3],
    random: Xoshiro256PlusPlus,
}

impl Machine {
    fn new(d: usize) -> Self {
        Self { d, step: 0, loads: [0.0; 3], random: Xoshiro256PlusPlus::seed_from_u64(7) }
    }

    fn normal(&mut self) -> f64 {
        self.random.sample(StandardNormal)
    }

    /// The values of the next step. Features 2 k and 2 k + 1 share a load.
    fn next(&mut self) -> Vec<f64> {
        for load in 0..self.loads.len() {
            self.loads[load] = 0.9 * self.loads[load] + 0.19_f64.sqrt() * self.normal();
        }
        let hour = (self.step as f64 / 1_440.0 * std::f64::consts::TAU).sin();
        self.step += 1;
        let d = self.d;
        let value = |feature: usize| {
            let noise = self.normal();
            let noise = if feature % 4 == 3 { noise.exp() - 1.6 } else { noise };
            10.0 * feature as f64 + hour + self.loads[feature / 2 % 3] + 0.6 * noise
        };
        (0..d).map(value).collect()
    }
}

/// A model of a machine, the machine, its windows, and the standard deviation of each feature.
struct Scene {
    machine: Machine,
    windows: FeatureWindows,
    model: Model,
    deviations: Vec<f64>,
}

impl Scene {
    fn new(d: usize) -> Self {
        let column =
            |feature: usize| FeatureColumn { name: format!("f{feature}"), expression: String::new() };
        let settings = SchemaSettings { features: (0..d).map(column).collect(), ..SchemaSettings::default() };
        let schema = FeatureSchema::new(settings).unwrap();
        let (mut machine, mut windows) = (Machine::new(d), FeatureWindows::new(&schema));
        let mut reservoir = Reservoir::new(ReservoirSettings::default());
        let mut values = Array2::zeros((TRAIN_ROWS, d));
        for step in 0..TRAIN_ROWS {
            let row = machine.next();
            values.row_mut(step).iter_mut().zip(&row).for_each(|(into, value)| *into = *value);
            reservoir.offer(&push(&mut windows, step, row), |_| true);
        }
        let settings = TrainSettings {
            hyperparams: Hyperparams::default(),
            contamination: 0.0,
            thresholds: Thresholds::default(),
            forget_after: Some(Memory::DEFAULT_FADE),
            drifted: None,
            version: "test".to_owned(),
            created_at: TimestampMs(0),
        };
        let model = fit(schema, &reservoir.rows(), &settings).unwrap();
        let deviations = (0..d).map(|feature| values.column(feature).std(0.0)).collect();
        Self { machine, windows, model, deviations }
    }

    fn score(&self, inputs: &Inputs) -> Scored {
        self.model.score(inputs, &mut Past::none()).remove(0)
    }
}

fn push(windows: &mut FeatureWindows, step: usize, row: Vec<f64>) -> Inputs {
    let matrix = FeatureMatrix {
        at: TimestampMs(step as i64 * 60_000),
        entities: vec![LabelSet::default()],
        ambiguous: vec![0; row.len()],
        values: Array2::from_shape_vec((1, row.len()), row).unwrap(),
    };
    windows.push(&matrix).unwrap()
}

/// What came of a thousand cases.
struct Outcome {
    /// Cases in which the one culprit is named first.
    named_first: usize,
    /// Cases in which both of two culprits are among the first three.
    both_named: usize,
    /// Of the ordinary rows, the share that is less strange than the median row with one culprit, in percent.
    percentile: f64,
}

fn outcome(d: usize) -> Outcome {
    let mut scene = Scene::new(d);
    let (mut ordinary, mut single) = (Vec::new(), Vec::new());
    let (mut named_first, mut both_named) = (0, 0);
    for step in 0..CASES * SPACING {
        let (at, row) = (TRAIN_ROWS + step, scene.machine.next());
        if step % SPACING == 0 {
            let case = step / SPACING;
            let (culprit, other) = (case % d, (case % d) ^ 1);
            let push_by = if (case / d).is_multiple_of(2) { PUSH } else { -PUSH };
            let mut faulty = row.clone();
            faulty[culprit] += push_by * scene.deviations[culprit];
            let scored = scene.score(&push(&mut scene.windows.clone(), at, faulty.clone()));
            named_first += usize::from(scored.contributions.first().is_some_and(|c| c.feature == culprit));
            single.push(scored.tail_probability);
            faulty[other] += push_by * scene.deviations[other];
            let scored = scene.score(&push(&mut scene.windows.clone(), at, faulty));
            let named: Vec<usize> = scored.contributions.iter().take(3).map(|c| c.feature).collect();
            both_named += usize::from(named.contains(&culprit) && named.contains(&other));
        }
        let inputs = push(&mut scene.windows, at, row);
        ordinary.push(scene.score(&inputs).tail_probability);
    }
    single.sort_by(f64::total_cmp);
    let below = ordinary.iter().filter(|p| **p > single[CASES / 2]).count();
    Outcome { named_first, both_named, percentile: 100.0 * below as f64 / ordinary.len() as f64 }
}

/// With `d` features, the culprit is seen, and named first in at least 990 of a thousand cases; of two that
/// belong together both are among the first three in at least 950.
fn culprits_are_seen_and_named(d: usize) {
    let Outcome { named_first, both_named, percentile } = outcome(d);
    assert!(named_first >= 990, "named first in {named_first} of {CASES} cases");
    assert!(both_named >= 950, "both named in {both_named} of {CASES} cases");
    assert!(percentile >= 99.0, "the median row is stranger than {percentile} % of ordinary rows");
}

#[test]
fn culprits_among_8_features_are_seen_and_named() {
    culprits_are_seen_and_named(8);
}

#[test]
fn culprits_among_16_features_are_seen_and_named() {
    culprits_are_seen_and_named(16);
}

#[test]
fn culprits_among_38_features_are_seen_and_named() {
    culprits_are_seen_and_named(38);
}

/// The importance of all features sums to 1, and level and spread of the two features whose noise has a long tail
/// matter most.
#[test]
fn features_with_long_tails_matter_most() {
    let importance = Scene::new(8).model.importance();
    assert!((importance.iter().map(|c| c.share).sum::<f64>() - 1.0).abs() < 1e-12);
    let mut features: Vec<usize> = importance.iter().map(|c| c.feature).collect();
    features[..2].sort_unstable();
    assert_eq!(features[..2], [3, 7]);
    features.sort_unstable();
    assert_eq!(features, [0, 1, 2, 3, 4, 5, 6, 7]);
}
