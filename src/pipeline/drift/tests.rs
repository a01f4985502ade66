use super::*;
use crate::{
    calibrate::Thresholds,
    features::{FeatureColumn, FeatureMatrix, FeatureWindows, SchemaSettings},
    model::Past,
    score::iforest::Hyperparams,
    series::LabelSet,
    train::{Reservoir, ReservoirSettings, TrainSettings, fit},
};
use ndarray::Array2;

const STEP_MS: i64 = 600_000;

const STEPS_A_DAY: i64 = 144;

const ENTITIES: usize = 3;

/// A number that looks random but is not, from -0.5 to 0.5.
fn noise(n: i64) -> f64 {
    (n as f64 * 0.618_033_988_749_895).fract() - 0.5
}

/// A fleet of two features, from a Monday on; the second is missing now and then. From the shift on, all is a little higher.
struct Fleet {
    windows: FeatureWindows,
    step: i64,
    shift: i64,
}

impl Fleet {
    fn schema() -> FeatureSchema {
        let column = |name: &str| FeatureColumn { name: name.to_owned(), expression: String::new() };
        let features = vec![column("a"), column("b")];
        let settings =
            SchemaSettings { step_ms: STEP_MS, window_steps: 4, features, ..SchemaSettings::default() };
        FeatureSchema::new(settings).unwrap()
    }

    fn new(shift: i64) -> Self {
        Self { windows: FeatureWindows::new(&Self::schema()), step: 4 * STEPS_A_DAY, shift }
    }

    fn next(&mut self) -> Inputs {
        self.step += 1;
        let lift = if self.step - 4 * STEPS_A_DAY > self.shift { 0.4 } else { 0.0 };
        let values = Array2::from_shape_fn((ENTITIES, 2), |(entity, feature)| {
            let n = self.step * 6 + (entity * 2 + feature) as i64;
            if feature == 1 && n % 7 == 0 { f64::NAN } else { 10.0 * (entity + 1) as f64 + noise(n) + lift }
        });
        let name = |n: usize| LabelSet::from_pairs([("instance", format!("{n}"))]).unwrap();
        let at = TimestampMs(self.step * STEP_MS);
        let entities = (0..ENTITIES).map(name).collect();
        self.windows.push(&FeatureMatrix { at, entities, values, ambiguous: vec![0; 2] }).unwrap()
    }
}

fn model() -> Model {
    let (mut fleet, mut rows) = (Fleet::new(i64::MAX), Reservoir::new(ReservoirSettings::default()));
    for _ in 0..8 * STEPS_A_DAY {
        rows.offer(&fleet.next(), |_| true);
    }
    let settings = TrainSettings {
        hyperparams: Hyperparams { n_trees: 10, subsample_size: 64, ..Hyperparams::default() },
        contamination: 0.0,
        thresholds: Thresholds::default(),
        forget_after: None,
        drifted: None,
        version: "test".to_owned(),
        created_at: TimestampMs(0),
    };
    fit(Fleet::schema(), &rows.rows(), &settings).unwrap()
}

/// At the end of each hour of five days, of which a part is missing, the indices are those of all rows of the 24 hours before it that were fit.
#[test]
fn the_last_day_is_what_is_compared() {
    let model = model();
    let reference = model.reference().unwrap();
    let (mut fleet, mut watch) = (Fleet::new(2 * STEPS_A_DAY), DriftWatch::new(0.25));
    // Time, and the bin of each column, of every row.
    let mut all: Vec<(TimestampMs, Vec<usize>)> = Vec::new();
    let (mut compared, mut said_nothing) = (0, 0);
    watch.count(&fleet.next(), &model, &[true; ENTITIES]);
    for step in 0..5 * STEPS_A_DAY {
        let inputs = fleet.next();
        if (500..540).contains(&step) {
            continue;
        }
        let scored = model.score(&inputs, &mut Past::none());
        let fit: Vec<bool> = (0..ENTITIES as i64).map(|row| (step + row) % 5 > 0).collect();
        watch.note(&scored);
        watch.count(&inputs, &model, &fit);
        let hour = inputs.at.align_down(HOUR_MS);
        if inputs.at == hour {
            let day = all.iter().filter(|(at, _)| *at >= hour.plus_ms(-24 * HOUR_MS) && *at < hour);
            let day: Vec<_> = day.collect();
            let hours =
                day.iter().map(|(at, _)| at.align_down(HOUR_MS)).collect::<std::collections::BTreeSet<_>>();
            if hours.len() < 20 {
                assert_eq!(watch.figures(), None, "step {step}");
                said_nothing += 1;
            } else {
                let figures = watch.figures().unwrap();
                assert_eq!((figures.rows, figures.until), (day.len() as u64, hour), "step {step}");
                let mut parts = [0; WEEK_PARTS];
                day.iter().for_each(|(at, _)| {
                    parts[reference.known_part(model.schema().zone(), *at).unwrap()] += 1
                });
                for (column, said) in figures.features.iter().chain([&figures.score]).enumerate() {
                    let share = |bin| {
                        day.iter().filter(|(_, bins)| bins[column] == bin).count() as f64 / day.len() as f64
                    };
                    let psi = |expected: [f64; N_BINS]| {
                        population_stability_index(
                            expected.into_iter().enumerate().map(|(bin, expected)| (expected, share(bin))),
                        )
                    };
                    let expected = psi(reference.whole(column)).min(psi(reference.expected(column, &parts)));
                    assert!(
                        (said - expected).abs() < 1e-12,
                        "step {step}, column {column}: {said} {expected}"
                    );
                }
                compared += 1;
            }
        }
        for scored in scored.iter().filter(|scored| fit[scored.row]) {
            let columns = inputs.values.row(scored.row).to_vec();
            let bins = model.value_bins(reference, &scored.entity, &columns);
            all.push((inputs.at, bins.chain([reference.bin(2, scored.evidence)]).collect()));
        }
    }
    assert!(compared > 60 && said_nothing > 10, "{compared} {said_nothing}");
}

/// A shift of 0.4 at noise from -0.5 to 0.5 moves most rows into the upper deciles. It counts once it was seen for half a day, from where it was seen first.
#[test]
fn a_shift_that_stays_is_a_drift() {
    let model = model();
    let (mut fleet, mut watch) = (Fleet::new(2 * STEPS_A_DAY), DriftWatch::new(0.25));
    let mut found = None;
    for step in 0..4 * STEPS_A_DAY {
        let inputs = fleet.next();
        watch.note(&model.score(&inputs, &mut Past::none()));
        watch.count(&inputs, &model, &[true; ENTITIES]);
        if let Some(drifted) = watch.drifted(model.schema()) {
            found = Some((step, drifted));
            break;
        }
    }
    let (step, Drifted { feature, psi, since }) = found.unwrap();
    assert!(["a", "b"].map(Some).contains(&feature.as_deref()) && psi >= 0.25, "{feature:?} {psi}");
    let shift = TimestampMs((4 + 2) * STEPS_A_DAY * STEP_MS);
    assert!(
        (HOUR_MS..12 * HOUR_MS).contains(&since.since_ms(shift)),
        "seen {} ms after",
        since.since_ms(shift)
    );
    let passed = TimestampMs((4 * STEPS_A_DAY + step + 1) * STEP_MS).since_ms(since);
    assert_eq!(passed, HELD_MS, "half a day later");
    // Where it is only measured, nothing follows.
    watch.threshold = 0.0;
    assert_eq!(watch.drifted(model.schema()), None);
    assert!(watch.figures().is_some());
}

/// What was counted for another model says nothing of this one, and a model without a reference is held against nothing.
#[test]
fn a_new_model_is_a_new_beginning() {
    let mut model = model();
    let (mut fleet, mut watch) = (Fleet::new(i64::MAX), DriftWatch::new(0.25));
    let mut steps = |watch: &mut DriftWatch, model: &Model, steps: i64| {
        for _ in 0..steps {
            let inputs = fleet.next();
            watch.note(&model.score(&inputs, &mut Past::none()));
            watch.count(&inputs, model, &[true; ENTITIES]);
        }
    };
    steps(&mut watch, &model, 2 * STEPS_A_DAY);
    assert!(watch.figures().is_some_and(|figures| figures.features.iter().all(|psi| *psi < 0.1)));
    model.created_at = TimestampMs(1);
    steps(&mut watch, &model, STEPS_A_DAY / 2);
    assert_eq!(watch.figures(), None);
    (model.reference, model.created_at) = (None, TimestampMs(2));
    steps(&mut watch, &model, 2 * STEPS_A_DAY);
    assert_eq!((watch.figures(), watch.hours.len()), (None, 0));
}
