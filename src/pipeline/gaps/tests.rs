//! What stands for missing values, and what it does to verdicts.

use super::*;
use crate::{
    calibrate::{Limits, Persistence, Severity, Thresholds},
    features::{FeatureColumn, FeatureSchema, InputLayout, SchemaSettings, Statistic, ValidRange},
    pipeline::{Backtest, DetectorSettings, FeatureRules, Judged, Rules},
};
use ndarray::Array2;
use proptest::prelude::*;
use std::time::Duration;

const MINUTE: i64 = 60_000;
const WINDOW_STEPS: usize = 4;
const GONE: f64 = f64::NAN;

fn settings(rules: Vec<FeatureRules>) -> DetectorSettings {
    let column = |name: &str| FeatureColumn { name: name.to_owned(), expression: String::new() };
    let schema = SchemaSettings {
        step_ms: MINUTE,
        window_steps: WINDOW_STEPS,
        features: ["request_rate", "disk_usage_pct"].map(column).to_vec(),
        ..SchemaSettings::default()
    };
    DetectorSettings {
        schema: FeatureSchema::new(schema).unwrap(),
        thresholds: Thresholds::default(),
        persistence: Persistence::default().check().unwrap(),
        forget_after: None,
        rules: Rules::new(rules, Vec::new()),
        silence: Duration::ZERO,
        grace: Duration::ZERO,
        season: None,
        training: None,
    }
}

/// One entity with two features, minute by minute.
fn run(rules: Vec<FeatureRules>, values: &[[f64; 2]]) -> Vec<Judged> {
    let mut backtest = Backtest::new(settings(rules), None);
    let step = |(minute, values): (usize, &[f64; 2])| {
        let matrix = FeatureMatrix {
            at: TimestampMs(minute as i64 * MINUTE),
            entities: vec![LabelSet::from_pairs([("instance", "a")]).unwrap()],
            values: Array2::from_shape_vec((1, 2), values.to_vec()).unwrap(),
            ambiguous: vec![0, 0],
        };
        backtest.step(&matrix).unwrap()
    };
    values.iter().enumerate().map(step).collect()
}

/// A statistic of the second feature at each step, -1 where it is not known.
fn seen(steps: &[Judged], statistic: Statistic) -> Vec<f64> {
    let column = InputLayout { n_features: 2 }.column(1, statistic);
    let value = |step: &Judged| step.inputs.values[[0, column]];
    steps.iter().map(value).map(|value| if value.is_nan() { -1.0 } else { value }).collect()
}

fn both(on_gap: OnGap) -> Vec<FeatureRules> {
    vec![FeatureRules { on_gap, ..FeatureRules::default() }; 2]
}

/// The window of four steps is what a value is held for.
#[test]
fn a_gap_is_held_for_a_window_or_zero_or_nothing() {
    let mut values = vec![[1.0, 8.0]];
    values.extend([[1.0, GONE]; 6]);
    let of = |on_gap, statistic| seen(&run(both(on_gap), &values), statistic);
    assert_eq!(of(OnGap::Ignore, Statistic::Value), [8.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0]);
    assert_eq!(of(OnGap::Hold, Statistic::Value), [8.0, 8.0, 8.0, 8.0, 8.0, -1.0, -1.0]);
    assert_eq!(of(OnGap::Zero, Statistic::Value), [8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(of(OnGap::Hold, Statistic::Mean), [8.0; 7]);
    assert_eq!(of(OnGap::Zero, Statistic::Mean), [8.0, 4.0, 8.0 / 3.0, 2.0, 0.0, 0.0, 0.0]);
}

#[test]
fn an_entity_that_has_nothing_gets_nothing() {
    for on_gap in [OnGap::Hold, OnGap::Zero] {
        let steps = run(both(on_gap), &[[1.0, 8.0], [GONE, GONE], [1.0, GONE]]);
        let expected = if on_gap == OnGap::Hold { 8.0 } else { 0.0 };
        assert_eq!(seen(&steps, Statistic::Value), [8.0, -1.0, expected]);
    }
}

/// What cannot be true is missing, so the value before it stands for it.
#[test]
fn an_impossible_value_is_a_gap() {
    let valid_range = Some(ValidRange::new(0.0, 100.0).unwrap());
    let rules = vec![FeatureRules { valid_range, on_gap: OnGap::Hold, ..FeatureRules::default() }; 2];
    assert_eq!(seen(&run(rules, &[[1.0, 8.0], [1.0, 4e9]]), Statistic::Value), [8.0, 8.0]);
}

/// The verdict of a limit names the other feature, which is held at 45.2 %.
#[test]
fn a_verdict_says_what_was_filled_in() {
    let limits = Some(Limits::new(Some(10.0), None, Severity::Medium).unwrap());
    let mut rules = both(OnGap::Hold);
    rules[0].limits = limits;
    let steps = run(rules, &[[1.0, 45.2], [20.0, GONE], [20.0, 45.2]]);
    let verdict = &steps[1].step.verdicts[0];
    assert_eq!(verdict.filled, ["disk_usage_pct"]);
    assert!(verdict.missing.is_empty());
    let said = "request_rate 20, above its limit of 10; not scored yet. Filled in: disk_usage_pct 45.2 %.";
    assert_eq!(verdict.explanation, said);
    assert!(steps[2].step.verdicts[0].filled.is_empty());
}

/// After two days at 8 a feature is missing, taken as 0: it did not drop.
#[test]
fn a_zero_that_was_filled_in_is_no_drop() {
    let mut values = vec![[1.0, 8.0]; 2_880];
    values.extend([[1.0, GONE]; 10]);
    assert!(run(both(OnGap::Zero), &values).iter().all(|step| step.step.verdicts.is_empty()));
}

proptest! {
    /// For all courses, a feature is held at what it was last, if that is at most a window ago and the entity has
    /// another one.
    #[test]
    fn what_is_held_is_the_last_value(
        values in prop::collection::vec(
            prop::array::uniform2(prop::option::of(1_u8..100).prop_map(|v| v.map_or(GONE, f64::from))),
            1..60,
        ),
    ) {
        let steps = seen(&run(both(OnGap::Hold), &values), Statistic::Value);
        for (now, seen) in steps.into_iter().enumerate() {
            let last = (now.saturating_sub(WINDOW_STEPS)..=now).rev().map(|then| values[then][1]).find(|v| !v.is_nan());
            let expected = last.filter(|_| values[now].iter().any(|value| !value.is_nan()));
            prop_assert_eq!(seen, expected.unwrap_or(-1.0));
        }
    }
}
