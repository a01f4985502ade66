//! What verdicts cost: a whole step from the feature vectors on, and what a row costs beside the forests, the nearest
//! ordinary rows and the recent past.
//!
//! `cargo bench --bench verdict`. Data from a constant seed, built outside the loop; counted in rows.

#![allow(clippy::expect_used, reason = "a bench stops by panicking")]

use divan::{Bencher, counter::ItemsCount};
use emberwatch::{
    calibrate::{Limits, Memory, Persistence, Recent, Severity, Thresholds},
    features::{FeatureColumn, FeatureMatrix, FeatureSchema, FeatureWindows, SchemaSettings, SeasonSettings},
    pipeline::{DetectorSettings, FeatureRules, OpenMaintenance, Rules, VectorJudge},
    score::{iforest::Hyperparams, nearest::Nearest},
    series::{LabelSet, TimestampMs},
    train::{Reservoir, ReservoirSettings, TrainSettings, fit},
};
use ndarray::{Array2, ArrayViewMut1};
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::time::Duration;

const STEP_MS: i64 = 60_000;

fn main() {
    divan::main();
}

const ENTITIES: usize = 1_000;
const FEATURES: usize = 20;

/// Windows, hours, model, recent past, severities and sentences of 1,000 entities with 20 features, as in the sidecar
/// with its defaults. Three features have limits, and one entity in ten has just had an alarm: lines are put through values, and
/// what is back is no news.
#[divan::bench(sample_count = 50)]
fn a_step_of_1000_entities(bencher: Bencher<'_, '_>) {
    let column = |n: usize| FeatureColumn { name: format!("f{n}"), expression: String::new() };
    let settings =
        SchemaSettings { features: (0..FEATURES).map(column).collect(), ..SchemaSettings::default() };
    let schema = FeatureSchema::new(settings).expect("the schema is sound");
    let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
    let (mut windows, mut reservoir) =
        (FeatureWindows::new(&schema), Reservoir::new(ReservoirSettings::default()));
    for step in 0..180 {
        let inputs = windows.push(&matrix(step, &mut random)).expect("steps ascend");
        reservoir.offer(&inputs, |_| true);
    }
    let settings = TrainSettings {
        hyperparams: Hyperparams::default(),
        contamination: 0.0,
        thresholds: Thresholds::default(),
        forget_after: Some(Memory::DEFAULT_FADE),
        drifted: None,
        version: "bench".to_owned(),
        created_at: TimestampMs(0),
    };
    let model = fit(schema.clone(), &reservoir.rows(), &settings).expect("the rows suffice");
    let mut judge = VectorJudge::new(DetectorSettings {
        schema,
        thresholds: Thresholds::default(),
        persistence: Persistence { carry: 4, ..Persistence::default() }.check().expect("few steps"),
        forget_after: Some(Memory::DEFAULT_FADE),
        rules: rules(),
        silence: Duration::from_secs(3_600),
        grace: Duration::ZERO,
        season: Some(SeasonSettings::default()),
        training: None,
    });
    let mut step = 180;
    let mut one = |random: &mut Xoshiro256PlusPlus| {
        let mut matrix = matrix(step, random);
        if (220..235).contains(&step) {
            let up = |mut values: ArrayViewMut1<'_, f64>| values += 20.0;
            matrix.values.rows_mut().into_iter().step_by(10).for_each(up);
        }
        let inputs = judge.take(matrix).expect("steps ascend");
        step += 1;
        judge.judge(&inputs, Some(&model), &OpenMaintenance::default()).verdicts.len()
    };
    for _ in 0..60 {
        one(&mut random);
    }
    bencher.counter(ItemsCount::new(ENTITIES)).bench_local(|| one(&mut random));
}

/// As of a preset with three limits, that nothing reaches.
fn rules() -> Rules {
    let limits = Limits::new(Some(90.0), None, Severity::Medium).expect("a limit").unless_usual();
    let limits_of = |feature: usize| (feature < 3).then_some(limits);
    let feature = |feature| FeatureRules { limits: limits_of(feature), ..FeatureRules::default() };
    Rules::new((0..FEATURES).map(feature).collect(), Vec::new())
}

fn matrix(step: i64, random: &mut Xoshiro256PlusPlus) -> FeatureMatrix {
    FeatureMatrix {
        at: TimestampMs(step * STEP_MS),
        entities: (0..ENTITIES)
            .map(|entity| LabelSet::empty().with("instance", &format!("node-{entity:04}")))
            .collect(),
        values: Array2::from_shape_fn((ENTITIES, FEATURES), |_| random.sample(StandardNormal)),
        ambiguous: vec![0; FEATURES],
    }
}

/// Features; the member has two columns for each.
#[divan::bench(args = [8, 20, 38])]
fn distances_of_1000_rows(bencher: Bencher<'_, '_>, d: usize) {
    let nearest = Nearest::fit(rows(20_000, 2 * d, 1).view(), 42).expect("the rows are finite");
    let rows = rows(1_000, 2 * d, 2);
    let mut distances = vec![0.0; 1_000];
    bencher
        .counter(ItemsCount::new(1_000_usize))
        .bench_local(|| nearest.distances(rows.view(), &mut distances));
}

/// An hour of one entity and member, the drawing of the tail with it.
#[divan::bench]
fn an_hour_of_recent_evidence(bencher: Bencher<'_, '_>) {
    let mut recent = Recent::new(Memory::new(Memory::DEFAULT_FADE, STEP_MS));
    let mut step = 0;
    bencher.counter(ItemsCount::new(60_usize)).bench_local(|| {
        let first = step;
        step += 60;
        (first..step)
            .map(|step| recent.judge((step % 37) as f64 / 10.0, TimestampMs(step * STEP_MS)))
            .sum::<f64>()
    });
}

fn rows(n: usize, columns: usize, seed: u64) -> Array2<f32> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    Array2::from_shape_fn((n, columns), |_| random.sample(StandardNormal))
}
