//! What rules do to verdicts: a detector trained on a calm day, then faults.

use super::*;
use crate::{
    calibrate::{Bound, Persistence, Severity, Thresholds},
    features::{
        Direction, FeatureColumn, FeatureMatrix, FeatureSchema, FeatureWindows, InputLayout, Inputs,
        SchemaSettings, Statistic,
    },
    model::{Model, Past},
    pipeline::{
        Backtest, Breach, DetectorSettings, DetectorStep, OpenMaintenance, TrainingPolicy, TrainingTriggers,
        VectorJudge, Verdict, Violation,
    },
    score::iforest::Hyperparams,
    series::{MatchOp, TimestampMs},
};
use ndarray::{Array2, Axis};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

const STEP_MS: i64 = 60_000;
const WINDOW_STEPS: usize = 10;
const ENTITIES: [&str; 2] = ["db-1", "web-1"];
const FEATURES: [&str; 3] = ["latency_seconds", "load", "usage_pct"];
const LATENCY: usize = 0;
const USAGE: usize = 2;

fn entity(name: &str) -> LabelSet {
    LabelSet::from_pairs([("instance", name)]).unwrap()
}

fn schema() -> FeatureSchema {
    let column = |name: &str| FeatureColumn { name: name.to_owned(), expression: String::new() };
    FeatureSchema::new(SchemaSettings {
        step_ms: STEP_MS,
        window_steps: WINDOW_STEPS,
        features: FEATURES.map(column).to_vec(),
        ..SchemaSettings::default()
    })
    .unwrap()
}

/// A calm step: about 1 ms, a load of 4, 40 %, each with its own noise.
fn calm(step: i64) -> FeatureMatrix {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(step as u64);
    // Nearly normal, with standard deviation 1.
    let mut noise = || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    let values = Array2::from_shape_fn((2, FEATURES.len()), |(_, feature)| {
        let (level, width) = [(0.001, 0.0001), (4.0, 0.2), (40.0, 2.0)][feature];
        level + width * noise()
    });
    FeatureMatrix {
        at: TimestampMs(step * STEP_MS),
        entities: ENTITIES.map(entity).to_vec(),
        values,
        ambiguous: vec![0; FEATURES.len()],
    }
}

fn settings(rules: Rules) -> DetectorSettings {
    DetectorSettings {
        schema: schema(),
        thresholds: Thresholds::default(),
        persistence: Persistence { n: 3, m: 5, ..Persistence::default() }.check().unwrap(),
        forget_after: None,
        rules,
        silence: Duration::from_secs(300),
        grace: Duration::ZERO,
        season: None,
        training: None,
    }
}

const TRAINED_STEPS: i64 = 600;

/// Trained once on ten calm hours.
fn model() -> Arc<Model> {
    static MODEL: OnceLock<Arc<Model>> = OnceLock::new();
    Arc::clone(MODEL.get_or_init(|| {
        let training = TrainingPolicy {
            triggers: TrainingTriggers::default(),
            trial_ms: 0,
            warm_up_ms: (TRAINED_STEPS - 20) * STEP_MS,
            max_rows: 5_000,
            most_rows: usize::MAX,
            retention_ms: i64::MAX / 2,
            hyperparams: Hyperparams { n_trees: 25, ..Hyperparams::default() },
            contamination: 0.0,
        };
        let mut backtest =
            Backtest::new(DetectorSettings { training: Some(training), ..settings(Rules::default()) }, None);
        (0..TRAINED_STEPS).for_each(|step| drop(backtest.step(&calm(step)).unwrap()));
        Arc::clone(backtest.model().unwrap())
    }))
}

/// Runs a detector with these rules over half an hour; from the twentieth step on `fault` changes the vectors.
fn run(rules: Rules, model: Option<Arc<Model>>, fault: impl Fn(&mut FeatureMatrix)) -> Vec<DetectorStep> {
    let late = |n: i64, matrix: &mut FeatureMatrix| {
        if n >= 20 {
            fault(matrix);
        }
    };
    run_all(rules, model, late)
}

/// As [`run`], where `change` is told the number of the step.
fn run_all(
    rules: Rules,
    model: Option<Arc<Model>>,
    change: impl Fn(i64, &mut FeatureMatrix),
) -> Vec<DetectorStep> {
    let mut backtest = Backtest::new(settings(rules), model);
    let step = |n: i64| {
        let mut matrix = calm(TRAINED_STEPS + n);
        change(n, &mut matrix);
        backtest.step(&matrix).unwrap().step
    };
    (0..30).map(step).collect()
}

fn verdict<'a>(step: &'a DetectorStep, name: &str) -> &'a Verdict {
    step.verdicts.iter().find(|verdict| verdict.entity == entity(name)).unwrap()
}

fn worst(steps: &[DetectorStep], name: &str) -> Severity {
    steps
        .iter()
        .flat_map(|step| &step.verdicts)
        .filter(|v| v.entity == entity(name))
        .map(|v| v.severity)
        .max()
        .unwrap()
}

/// Rules for one feature alone.
fn only(feature: usize, rules: FeatureRules) -> Vec<FeatureRules> {
    let mut all = vec![FeatureRules::default(); FEATURES.len()];
    all[feature] = rules;
    all
}

fn gate(direction: Direction, min_change: f64) -> FeatureRules {
    FeatureRules { gate: Gate::new(direction, min_change, 0.0).unwrap(), ..FeatureRules::default() }
}

fn latency_of(value: f64) -> impl Fn(&mut FeatureMatrix) {
    move |matrix| matrix.values.column_mut(LATENCY).fill(value)
}

#[test]
fn three_milliseconds_against_one_page_nobody_and_three_hundred_do() {
    let rules = || Rules::new(only(LATENCY, gate(Direction::Both, 0.05)), Vec::new());
    let (without, with) = (
        run(Rules::default(), Some(model()), latency_of(0.003)),
        run(rules(), Some(model()), latency_of(0.003)),
    );
    assert!(worst(&without, "db-1") >= Severity::Medium, "seen where no gate is");
    assert_eq!(worst(&with, "db-1"), Severity::Normal);
    let blamed = with.iter().flat_map(|step| &step.verdicts).flat_map(|verdict| &verdict.contributions);
    assert_eq!(blamed.filter(|one| one.feature == "latency_seconds").count(), 0);
    assert!(verdict(&with[29], "db-1").missing.is_empty(), "it is there, it only does not count");

    let slow = run(rules(), Some(model()), latency_of(0.3));
    assert!(worst(&slow, "db-1") >= Severity::Medium);
    assert_eq!(verdict(&slow[29], "db-1").contributions[0].feature, "latency_seconds");
}

#[test]
fn only_the_side_that_was_asked_for_counts() {
    let high = |direction| {
        let rules = Rules::new(only(USAGE, gate(direction, 0.0)), Vec::new());
        worst(&run(rules, Some(model()), |matrix| matrix.values.column_mut(USAGE).fill(90.0)), "web-1")
    };
    assert!(high(Direction::Above) >= Severity::Medium && high(Direction::Both) >= Severity::Medium);
    assert_eq!(high(Direction::Below), Severity::Normal);
}

/// The first override that fits holds, and it holds alone.
#[test]
fn an_override_holds_for_its_entities_alone() {
    let of = |pattern: &str, rules| Override {
        matchers: vec![LabelMatcher::new("instance", MatchOp::Regex, pattern).unwrap()],
        features: only(LATENCY, rules),
    };
    let rules = Rules::new(
        vec![FeatureRules::default(); 3],
        vec![of("db.*", gate(Direction::Both, 0.05)), of(".*", FeatureRules::default())],
    );
    let steps = run(rules, Some(model()), latency_of(0.003));
    assert_eq!(worst(&steps, "db-1"), Severity::Normal);
    assert!(worst(&steps, "web-1") >= Severity::Medium);
}

/// By its name a latency is one of performance. An override says another type for its entities alone, and so it is of a
/// limit too, which needs no model.
#[test]
fn a_type_that_is_said_takes_the_place_of_the_guess() {
    let typed = |kind| FeatureRules {
        anomaly_type: kind,
        limits: Some(Limits::new(Some(0.2), None, Severity::Medium).unwrap()),
        ..FeatureRules::default()
    };
    let databases = Override {
        matchers: vec![LabelMatcher::new("instance", MatchOp::Regex, "db.*").unwrap()],
        features: only(LATENCY, typed(Some(AnomalyType::Traffic))),
    };
    let types = |default: Option<AnomalyType>, model| {
        let rules = Rules::new(only(LATENCY, typed(default)), vec![databases.clone()]);
        let steps = run(rules, model, latency_of(0.3));
        ENTITIES.map(|name| verdict(&steps[29], name).anomaly_type.unwrap())
    };
    for model in [Some(model()), None] {
        assert_eq!(types(None, model.clone()), [AnomalyType::Traffic, AnomalyType::Performance]);
        assert_eq!(types(Some(AnomalyType::System), model), [AnomalyType::Traffic, AnomalyType::System]);
    }
}

#[test]
fn what_cannot_be_true_is_missing_counted_and_named() {
    let range =
        FeatureRules { valid_range: Some(ValidRange::new(0.0, 100.0).unwrap()), ..FeatureRules::default() };
    let rules = Rules::new(only(USAGE, range), Vec::new());
    let broken = |value: f64| move |matrix: &mut FeatureMatrix| matrix.values[[0, USAGE]] = value;
    let (dropped, missing) =
        (run(rules, Some(model()), broken(4e9)), run(Rules::default(), Some(model()), broken(f64::NAN)));
    for (dropped, missing) in dropped.iter().zip(&missing) {
        assert_eq!(dropped.verdicts, missing.verdicts);
    }
    assert_eq!(verdict(&dropped[29], "db-1").missing, ["usage_pct"]);
    assert_eq!(dropped[19].invalid_values, []);
    assert_eq!(dropped[29].invalid_values, [("usage_pct".to_owned(), 1)]);
}

#[test]
fn rules_that_ask_for_nothing_are_none() {
    assert_eq!(Rules::new(vec![FeatureRules::default(); 3], Vec::new()), Rules::default());
}

fn limited(above: f64, severity: Severity) -> Rules {
    let limits = Some(Limits::new(Some(above), None, severity).unwrap());
    Rules::new(only(USAGE, FeatureRules { limits, ..FeatureRules::default() }), Vec::new())
}

/// 41 % is an ordinary usage. From the twentieth step on it is; three of five steps make the severity.
#[test]
fn a_limit_is_passed_whatever_the_model_says() {
    let change =
        |n: i64, matrix: &mut FeatureMatrix| matrix.values[[0, USAGE]] = if n < 20 { 40.0 } else { 41.0 };
    let without = run_all(Rules::default(), Some(model()), change);
    assert_eq!(worst(&without, "db-1"), Severity::Normal);
    for (severity, least) in [(Severity::Medium, 0.4), (Severity::High, 0.8)] {
        let steps = run_all(limited(40.5, severity), Some(model()), change);
        for (n, step) in steps.iter().enumerate().skip(20) {
            let (with, plain) = (verdict(step, "db-1"), verdict(&without[n], "db-1"));
            let expected = if n < 22 { Severity::Normal } else { severity };
            assert_eq!((with.severity, with.anomaly_score.value()), (expected, least), "{n}");
            let violation = Violation {
                feature: "usage_pct".to_owned(),
                seen: 41.0,
                breach: Breach::Limit(Bound::Above(40.5)),
            };
            assert_eq!(with.violations, [violation]);
            assert!(
                with.explanation.starts_with("usage_pct 41 %, above its limit of 40.5 %"),
                "{}",
                with.explanation
            );
            assert_eq!((with.tail_probability, with.raw_score), (plain.tail_probability, plain.raw_score));
        }
    }
}

fn unless_usual(above: f64) -> Rules {
    let limits = Some(Limits::new(Some(above), None, Severity::Medium).unwrap().unless_usual());
    Rules::new(only(USAGE, FeatureRules { limits, ..FeatureRules::default() }), Vec::new())
}

/// A usage of 40 % with a deviation of 2 is within 36 to 44 at 95 of 100 steps: 42 % is usual, 46 % is not.
#[test]
fn a_limit_that_is_usually_passed_says_nothing() {
    let usage = |percent: f64| move |matrix: &mut FeatureMatrix| matrix.values[[0, USAGE]] = percent;
    let violations = |rules: Rules, model, percent| {
        let steps = run(rules, model, usage(percent));
        steps[29].verdicts.iter().map(|verdict| verdict.violations.len()).sum::<usize>()
    };
    assert_eq!(violations(unless_usual(42.0), Some(model()), 43.0), 0);
    assert_eq!(violations(limited(42.0, Severity::Medium), Some(model()), 43.0), 1);
    assert_eq!(violations(unless_usual(46.0), Some(model()), 47.0), 1);
    // Without a model nothing is known of what is usual.
    assert_eq!(violations(unless_usual(46.0), None, 47.0), 0);
}

/// Ten steps of the first machine are beyond: what shall never be usual is not trained on, what may become usual is.
#[test]
fn what_may_become_usual_is_learned() {
    let rows = |rules: Rules| {
        let training = TrainingPolicy {
            triggers: TrainingTriggers::default(),
            trial_ms: 0,
            warm_up_ms: i64::MAX / 2,
            max_rows: 1_000,
            most_rows: usize::MAX,
            retention_ms: i64::MAX / 2,
            hyperparams: Hyperparams::default(),
            contamination: 0.0,
        };
        let settings = DetectorSettings { training: Some(training), ..settings(rules) };
        let mut judge = VectorJudge::new(settings);
        for n in 0..30 {
            let mut matrix = calm(TRAINED_STEPS + n);
            matrix.values[[0, USAGE]] = if n < 20 { 40.0 } else { 47.0 };
            let inputs = judge.take(matrix).unwrap();
            judge.judge(&inputs, Some(&model()), &OpenMaintenance::default());
        }
        judge.training_row_count()
    };
    assert_eq!(rows(unless_usual(46.0)), rows(Rules::default()));
    assert!(rows(limited(46.0, Severity::Medium)) <= rows(Rules::default()) - 10);
}

#[test]
fn in_warm_up_a_limit_alone_is_judged() {
    // Steps 20 to 29 alternate: above, below, above ... Four of the first seven are above.
    let flapping = |n: i64, matrix: &mut FeatureMatrix| {
        matrix.values[[0, USAGE]] = if n >= 20 && n % 2 == 0 && n < 27 { 97.0 } else { 40.0 };
    };
    let steps = run_all(limited(95.0, Severity::High), None, flapping);
    let seen: Vec<(usize, usize, u8)> = steps
        .iter()
        .skip(19)
        .map(|step| {
            let severity = step.verdicts.iter().map(|verdict| verdict.severity.number()).max();
            (step.verdicts.len(), step.gone.len(), severity.unwrap_or_default())
        })
        .collect();
    // The third of five steps is step 24; the last violation is step 26, which five steps remember. High lasts
    // as long as three of the last five steps were above or one of the last three was.
    let expected = [
        (0, 0, 0),
        (1, 0, 0),
        (1, 0, 0),
        (1, 0, 0),
        (1, 0, 0),
        (1, 0, 3),
        (1, 0, 3),
        (1, 0, 3),
        (1, 0, 3),
        (1, 0, 3),
        (1, 0, 0),
    ];
    assert_eq!(seen, expected);
    assert_eq!(
        verdict(&steps[24], "db-1").explanation,
        "usage_pct 97 %, above its limit of 95 %; not scored yet"
    );
    assert_eq!(verdict(&steps[25], "db-1").anomaly_score.value(), 0.0, "nothing is known of this step");
    assert!(steps.iter().all(|step| step.warming_up == 2), "nobody is scored");
}

#[test]
fn the_series_of_a_limit_in_warm_up_end_when_it_is_forgotten() {
    let once = |n: i64, matrix: &mut FeatureMatrix| {
        matrix.values[[0, USAGE]] = if n == 20 { 97.0 } else { 40.0 };
    };
    let steps = run_all(limited(95.0, Severity::Medium), None, once);
    let verdicts: Vec<usize> = steps.iter().skip(19).map(|step| step.verdicts.len()).collect();
    assert_eq!(verdicts, [0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]);
    assert_eq!(steps[25].gone, [entity("db-1")]);
    assert!(
        steps.iter().all(|step| step.verdicts.iter().all(|verdict| verdict.severity == Severity::Normal))
    );
}

/// The first machine is not seen at steps 20 to 22, and nobody is at step 25 to 26, after which it stays away.
#[test]
fn a_machine_that_falls_silent_is_missed_until_it_is_back() {
    let change = |n: i64, matrix: &mut FeatureMatrix| {
        let rows: &[usize] = match n {
            20..=22 | 27.. => &[1],
            25 | 26 => &[],
            _ => &[0, 1],
        };
        matrix.entities = rows.iter().map(|row| matrix.entities[*row].clone()).collect();
        matrix.values = matrix.values.select(Axis(0), rows);
    };
    let steps = run_all(Rules::default(), Some(model()), change);
    let silent: Vec<usize> = (0..30).filter(|n| steps[*n].silent.contains(&entity("db-1"))).collect();
    assert_eq!(silent, [20, 21, 22, 27, 28, 29]);
    assert!(steps.iter().all(|step| !step.silent.contains(&entity("web-1"))), "it was the sender");
    assert_eq!(steps[23].silence_ended, [entity("db-1")]);
    assert_eq!(steps[20].gone, [entity("db-1")]);

    let series = steps[20].series("node", 0.35);
    let named = |name: &str| {
        series
            .iter()
            .find(|(labels, _)| {
                labels.get("__name__") == Some(name) && labels.get("instance") == Some("db-1")
            })
            .map(|(_, value)| *value)
    };
    assert_eq!(named("anomaly_silence"), Some(1.0));
    assert!(named("anomaly_score").is_some_and(crate::series::is_stale_marker));
}

/// The inputs of one step after calm ones, with the given changes of the first entity.
fn inputs(changes: [f64; 3]) -> Inputs {
    let mut windows = FeatureWindows::new(&schema());
    (0..20).for_each(|step| drop(windows.push(&calm(step)).unwrap()));
    let mut matrix = calm(20);
    matrix.values.row_mut(0).iter_mut().zip(changes).for_each(|(value, change)| *value += change);
    windows.push(&matrix).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// For all changes and gates, what does not pass its gate might as well be ordinary: by a second, plain reading of
    /// what a gate means, the scores agree to the last bit, and nothing is blamed of which nothing passes.
    #[test]
    fn what_does_not_pass_a_gate_might_as_well_be_ordinary(
        changes in (-0.01..0.01_f64, -3.0..3.0_f64, -30.0..30.0_f64),
        least in prop::array::uniform3(0.0..10.0_f64),
        direction in prop::sample::select(Direction::ALL.to_vec()),
    ) {
        let (model, layout) = (model(), InputLayout { n_features: 3 });
        let inputs = inputs([changes.0, changes.1, changes.2]);
        let gates = least.map(|least| Gate::new(direction, least, 0.0).unwrap());
        let mut ordinary = inputs.clone();
        let mut passing = Vec::new();
        for (row, entity) in inputs.entities.iter().enumerate() {
            for (feature, least) in least.into_iter().enumerate() {
                let range = |statistic| model.ordinary_range(entity, feature, statistic).unwrap();
                let place = |statistic| [row, layout.column(feature, statistic)];
                let change = |statistic| inputs.values[place(statistic)] - range(statistic).level;
                let on_side = |change: f64| match direction {
                    Direction::Both => true,
                    Direction::Above => change > 0.0,
                    Direction::Below => change < 0.0,
                };
                // Of the largest value and the trend nothing is known.
                let known = |statistic: &Statistic| !matches!(statistic, Statistic::Max | Statistic::Trend);
                for statistic in Statistic::ALL.into_iter().filter(known) {
                    let large = change(statistic).abs() >= least;
                    let directed = statistic == Statistic::Spread || on_side(change(statistic));
                    if large && directed && on_side(change(Statistic::Value)) {
                        passing.push((row, feature));
                    } else if change(statistic) > range(statistic).reach {
                        ordinary.values[place(statistic)] = range(statistic).level + range(statistic).reach;
                    } else if change(statistic) < -range(statistic).reach {
                        ordinary.values[place(statistic)] = range(statistic).level - range(statistic).reach;
                    }
                }
            }
        }
        let gated = model.score_gated(&inputs, &mut Past::none(), |_| true, |_| &gates);
        let expected = model.score(&ordinary, &mut Past::none());
        for (gated, expected) in gated.iter().zip(&expected) {
            prop_assert_eq!(gated.tail_probability.to_bits(), expected.tail_probability.to_bits());
            prop_assert!(gated.contributions.iter().all(|one| passing.contains(&(gated.row, one.feature))));
            let total: f64 = gated.contributions.iter().map(|one| one.share).sum();
            prop_assert!(gated.contributions.is_empty() || (total - 1.0).abs() < 1e-9);
        }
    }
}
