use super::*;
use crate::features::{FeatureColumn, SchemaSettings};
use proptest::prelude::*;

const STEP_MS: i64 = 60_000;

fn schema(n_features: usize, window_steps: usize) -> FeatureSchema {
    let features = (0..n_features)
        .map(|index| FeatureColumn { name: format!("f{index}"), expression: String::new() })
        .collect();
    FeatureSchema::new(SchemaSettings { features, window_steps, ..SchemaSettings::default() }).unwrap()
}

fn matrix(step: i64, rows: &[(&str, &[f64])]) -> FeatureMatrix {
    let n_features = rows.first().map_or(0, |(_, values)| values.len());
    let entities =
        rows.iter().map(|(name, _)| LabelSet::from_pairs([("instance", *name)]).unwrap()).collect();
    let flat = rows.iter().flat_map(|(_, values)| values.iter().copied()).collect();
    FeatureMatrix {
        at: TimestampMs(step * STEP_MS),
        entities,
        values: Array2::from_shape_vec((rows.len(), n_features), flat).unwrap(),
        ambiguous: vec![0; n_features],
    }
}

fn statistic(inputs: &Inputs, statistic: Statistic) -> f64 {
    inputs.values[[0, InputLayout { n_features: 1 }.column(0, statistic)]]
}

#[test]
fn the_statistics_of_one_to_four_are_those_worked_out_by_hand() {
    let mut windows = FeatureWindows::new(&schema(1, 4));
    let last = (1..=4).map(|n| windows.push(&matrix(n, &[("a", &[n as f64])])).unwrap()).last().unwrap();
    assert_eq!(statistic(&last, Statistic::Value), 4.0);
    assert_eq!(statistic(&last, Statistic::Mean), 2.5);
    assert_eq!(statistic(&last, Statistic::Max), 4.0);
    assert_eq!(statistic(&last, Statistic::Spread), 1.25_f64.sqrt());
    // One a step, four steps a window.
    assert_eq!(statistic(&last, Statistic::Trend), 4.0);
    // Mean of 2, 3, 4 minus the one step before them.
    assert_eq!(statistic(&last, Statistic::Deviation), 2.0);
    assert_eq!(statistic(&last, Statistic::Short), 3.0);
    // 4 minus the mean of 1, 2, 3.
    assert_eq!(statistic(&last, Statistic::Jump), 2.0);
}

#[test]
fn the_recent_steps_are_the_window_in_order_of_time() {
    let mut windows = FeatureWindows::new(&schema(2, 4));
    for step in [1, 2, 3, 4, 6, 7] {
        windows.push(&matrix(step, &[("a", &[step as f64, -1.0])])).unwrap();
    }
    let known = LabelSet::from_pairs([("instance", "a")]).unwrap();
    let recent = windows.recent(&known, 0);
    assert!(recent[1].is_nan(), "step 5 is missing");
    assert_eq!([recent[0], recent[2], recent[3]], [4.0, 6.0, 7.0]);
    assert_eq!(windows.recent(&known, 1)[3], -1.0);
    assert!(windows.recent(&known, 2).is_empty() && windows.recent(&LabelSet::empty(), 0).is_empty());
}

#[test]
fn a_missing_value_is_left_out_and_a_missing_feature_stays_nan() {
    let mut windows = FeatureWindows::new(&schema(2, 4));
    windows.push(&matrix(1, &[("a", &[1.0, f64::NAN])])).unwrap();
    windows.push(&matrix(2, &[("a", &[f64::INFINITY, f64::NAN])])).unwrap();
    let inputs = windows.push(&matrix(3, &[("a", &[3.0, f64::NAN])])).unwrap();
    assert_eq!(inputs.values[[0, 1]], 2.0, "mean of 1 and 3");
    assert_eq!(inputs.present.row(0).to_vec(), [2, 0]);
    let n = Statistic::ALL.len();
    assert!(inputs.values.row(0).iter().skip(n).take(n).all(|value| value.is_nan()));
}

#[test]
fn an_entity_is_warm_with_half_of_its_window_and_cold_again_after_a_long_silence() {
    let mut windows = FeatureWindows::new(&schema(1, 5));
    let mut warm = |step| windows.push(&matrix(step, &[("a", &[1.0])])).unwrap().warm[0];
    assert_eq!([warm(1), warm(2), warm(3)], [false, false, true]);
    assert!(!warm(1000));
}

#[test]
fn entities_that_vanish_are_dropped() {
    let mut windows = FeatureWindows::new(&schema(1, 4));
    windows.push(&matrix(1, &[("a", &[1.0]), ("b", &[1.0])])).unwrap();
    let held = [5, 6].map(|step| {
        windows.push(&matrix(step, &[("b", &[1.0])])).unwrap();
        windows.forget_silent();
        windows.entity_count()
    });
    assert_eq!(held, [2, 1], "four steps without a row, then five");
}

#[test]
fn a_step_backwards_is_refused() {
    let mut windows = FeatureWindows::new(&schema(1, 4));
    windows.push(&matrix(2, &[("a", &[1.0])])).unwrap();
    let refused = windows.push(&matrix(1, &[("a", &[1.0])])).unwrap_err();
    assert_eq!(refused.last, TimestampMs(2 * STEP_MS));
}

/// Steps with gaps between them and missing values among them.
fn history() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let value = prop_oneof![4 => -1e6..1e6, 1 => Just(f64::NAN)];
    prop::collection::vec((1_i64..4, value), 1..60).prop_map(|gaps| {
        let mut step = 0;
        gaps.into_iter()
            .map(|(gap, value)| {
                step += gap;
                (step, value)
            })
            .collect()
    })
}

/// The statistics of the definition, from a plain list of the last steps.
fn naive(history: &[(i64, f64)], window_steps: i64) -> Vec<f64> {
    let newest = history.last().unwrap().0;
    let within = |from: i64, to: i64| -> Vec<(f64, f64)> {
        let inside = history.iter().filter(|(step, value)| *step > from && *step <= to && !value.is_nan());
        inside.map(|(step, value)| ((step - from) as f64, *value)).collect()
    };
    let mean = |points: &[(f64, f64)]| points.iter().map(|p| p.1).sum::<f64>() / points.len() as f64;
    let window = within(newest - window_steps, newest);
    let short = within(newest - 3, newest);
    let baseline = within(newest - 3 - window_steps, newest - 3);
    let n = window.len() as f64;
    let (sx, sy): (f64, f64) = (window.iter().map(|p| p.0).sum(), window.iter().map(|p| p.1).sum());
    let sxx: f64 = window.iter().map(|p| p.0 * p.0).sum();
    let sxy: f64 = window.iter().map(|p| p.0 * p.1).sum();
    let slope = (n * sxy - sx * sy) / (n * sxx - sx * sx);
    let m = mean(&window);
    let variance = window.iter().map(|p| (p.1 - m) * (p.1 - m)).sum::<f64>() / n;
    let few = window.len() < 2;
    vec![
        history.last().unwrap().1,
        m,
        window.iter().map(|p| p.1).fold(f64::NAN, f64::max),
        if few { f64::NAN } else { variance.sqrt() },
        if few { f64::NAN } else { slope * window_steps as f64 },
        mean(&short) - mean(&baseline),
        mean(&short),
        history.last().unwrap().1 - mean(&within(newest - 1 - window_steps, newest - 1)),
    ]
}

proptest! {
    /// For all histories and windows, the rolling statistics are those of the definition.
    #[test]
    fn rolling_is_naive(history in history(), window_steps in 3_usize..12) {
        let mut windows = FeatureWindows::new(&schema(1, window_steps));
        for (index, (step, value)) in history.iter().enumerate() {
            let inputs = windows.push(&matrix(*step, &[("a", &[*value])])).unwrap();
            let expected = naive(&history[..=index], window_steps as i64);
            for (statistic, expected) in Statistic::ALL.into_iter().zip(expected) {
                let got = super::tests::statistic(&inputs, statistic);
                let close = (got - expected).abs() <= 1e-6 * (1.0 + expected.abs());
                prop_assert!(close || (got.is_nan() && expected.is_nan()), "{statistic:?}: {got} {expected}");
            }
        }
    }

    /// For all histories, inputs are the same to the last bit whether a process saw all of it or
    /// only the last `window_steps + 3` steps.
    #[test]
    fn a_restart_beyond_the_window_changes_no_bit(history in history(), window_steps in 3_usize..12) {
        let newest = history.last().unwrap().0;
        let tail = history.iter().filter(|(step, _)| *step > newest - (window_steps + SHORT_STEPS) as i64);
        let run = |steps: Vec<(i64, f64)>| {
            let mut windows = FeatureWindows::new(&schema(1, window_steps));
            steps.iter().map(|(s, v)| windows.push(&matrix(*s, &[("a", &[*v])])).unwrap()).last().unwrap()
        };
        let (whole, short) = (run(history.clone()), run(tail.copied().collect()));
        let bits = |inputs: &Inputs| inputs.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&whole), bits(&short));
        prop_assert_eq!(whole.warm, short.warm);
    }
}
