//! Feature windows and model scoring, per step.

use divan::{Bencher, black_box};
use emberwatch::{
    features::{
        Calendar, FeatureColumn, FeatureMatrix, FeatureSchema, FeatureWindows, SchemaSettings,
        SeasonalBaselines,
    },
    series::{LabelSet, TimestampMs},
};
use ndarray::Array2;

fn main() {
    divan::main();
}

const FEATURES: usize = 10;

fn schema(window_steps: usize) -> FeatureSchema {
    let column = |n| FeatureColumn { name: format!("f{n}"), expression: String::new() };
    let features = (0..FEATURES).map(column).collect();
    FeatureSchema::new(SchemaSettings { features, window_steps, ..SchemaSettings::default() })
        .unwrap_or_else(|error| panic!("{error}"))
}

fn matrix(step: i64, n_entities: usize) -> FeatureMatrix {
    let name = |n| LabelSet::from_pairs([("instance", format!("{n:06}"))]).unwrap_or_default();
    FeatureMatrix {
        at: TimestampMs(step * 60_000),
        entities: (0..n_entities).map(name).collect(),
        values: Array2::from_shape_fn((n_entities, FEATURES), |(row, f)| (row * 31 + f * 7) as f64 % 13.0),
        ambiguous: vec![0; FEATURES],
    }
}

/// One step of 1000 entities with 10 features through full windows.
#[divan::bench(args = [30, 120, 1440])]
fn push_1000_entities(bencher: Bencher<'_, '_>, window_steps: usize) {
    let mut windows = FeatureWindows::new(&schema(window_steps));
    let mut next = matrix(0, 1000);
    bencher.counter(divan::counter::ItemsCount::new(1000_usize)).bench_local(|| {
        next.at = next.at.plus_ms(60_000);
        black_box(windows.push(&next).is_ok())
    });
}

/// What is usual for 1000 entities with 20 features at one step, after six days.
#[divan::bench]
fn usual_of_1000_entities(bencher: Bencher<'_, '_>) {
    let entities = matrix(0, 1000).entities;
    let values = Array2::from_shape_fn((1000, 20), |(row, f)| (row * 31 + f * 7) as f64 % 13.0);
    let mut baselines = SeasonalBaselines::new(Calendar::default(), 20, 3_600_000);
    let mut at = TimestampMs(0);
    for _ in 0..6 * 24 {
        at = at.plus_ms(3_600_000);
        baselines.push(at, &entities, values.view());
    }
    // Between the quarters, where the neighbour hour does not count: what an hour has most of.
    at = at.plus_ms(1_200_000);
    bencher.counter(divan::counter::ItemsCount::new(1000_usize)).bench_local(|| {
        at = at.plus_ms(1);
        black_box(baselines.push(at, &entities, values.view()))
    });
}
