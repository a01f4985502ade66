//! Drops to zero: as they are counted, and as verdicts.

use super::*;
use crate::{
    calibrate::{Persistence, Severity, Thresholds},
    explain::Criterion,
    features::{Direction, FeatureColumn, FeatureSchema, Gate, SchemaSettings, ValidRange},
    pipeline::{
        Backtest, Breach, DetectorSettings, DetectorStep, FeatureRules, OnZero, Rules, TrainingPolicy,
        TrainingTriggers, Verdict, Violation,
    },
    score::iforest::Hyperparams,
};
use ndarray::{Array2, array};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const MINUTE: i64 = 60_000;
const DAY: i64 = 1_440;

fn entity() -> LabelSet {
    LabelSet::from_pairs([("instance", "a")]).unwrap()
}

/// A machine with `request_rate` and `load`, at minute `minute`.
fn at(minute: i64, request_rate: f64) -> FeatureMatrix {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(minute as u64);
    let mut wobble = || 1.0 + 0.1 * rng.random::<f64>();
    FeatureMatrix {
        at: TimestampMs(minute * MINUTE),
        entities: vec![entity()],
        values: array![[request_rate * wobble(), 4.0 * wobble()]],
        ambiguous: vec![0, 0],
    }
}

fn settings(rules: FeatureRules) -> DetectorSettings {
    let column = |name: &str| FeatureColumn { name: name.to_owned(), expression: String::new() };
    let schema = SchemaSettings {
        step_ms: MINUTE,
        window_steps: 10,
        features: ["request_rate", "load"].map(column).to_vec(),
        ..SchemaSettings::default()
    };
    DetectorSettings {
        schema: FeatureSchema::new(schema).unwrap(),
        thresholds: Thresholds::default(),
        persistence: Persistence { n: 3, m: 5, ..Persistence::default() }.check().unwrap(),
        forget_after: None,
        rules: Rules::new(vec![rules, FeatureRules::default()], Vec::new()),
        silence: Duration::ZERO,
        grace: Duration::ZERO,
        season: None,
        training: None,
    }
}

/// The steps of the second day and what follows, of a detector without a model; `request_rate` is by the minute.
fn second_day(rules: FeatureRules, minutes: i64, request_rate: impl Fn(i64) -> f64) -> Vec<DetectorStep> {
    let mut backtest = Backtest::new(settings(rules), None);
    let mut steps =
        (0..DAY + minutes).map(|minute| backtest.step(&at(minute, request_rate(minute))).unwrap().step);
    let first = steps.by_ref().take(DAY as usize);
    assert!(first.flat_map(|step| step.verdicts).next().is_none(), "nothing is known on the first day");
    steps.collect()
}

fn severities(steps: &[DetectorStep]) -> Vec<u8> {
    steps.iter().map(|step| step.verdicts.first().map_or(0, |verdict| verdict.severity.number())).collect()
}

fn is_quiet(steps: &[DetectorStep]) -> bool {
    steps.iter().all(|step| step.verdicts.is_empty())
}

/// Zero from the fifth minute of the second day on, for six minutes. Three of five steps make the severity; it ends with the third
/// step that is not zero, and is forgotten five steps after the last one that is.
#[test]
fn what_was_never_zero_and_is_now_is_an_anomaly_by_itself() {
    let outage = |minute: i64| if (DAY + 5..DAY + 11).contains(&minute) { 0.0 } else { 100.0 };
    let steps = second_day(FeatureRules::default(), 20, outage);
    assert_eq!(severities(&steps), [0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0]);
    let verdict = &steps[8].verdicts[0];
    assert_eq!(verdict.explanation, "request_rate is 0, it was never 0 in 1 d; not scored yet");
    assert_eq!((&*verdict.criteria, verdict.anomaly_score.value()), (&[Criterion::DroppedToZero][..], 0.4));
    let breach = Breach::DroppedToZero { known_ms: (DAY + 5) * MINUTE, ever: false };
    assert_eq!(verdict.violations, [Violation { feature: "request_rate".to_owned(), seen: 0.0, breach }]);
    assert!(steps[11].verdicts[0].violations.is_empty(), "it is over");
    let judged: Vec<usize> = (0..20).filter(|n| !steps[*n].verdicts.is_empty()).collect();
    assert_eq!(judged, (5..15).collect::<Vec<_>>());
}

/// A process that dies as soon as it is up: four minutes away, one there. All of it is one incident.
#[test]
fn what_comes_back_for_a_moment_is_still_down() {
    let crashes = |minute: i64| if minute >= DAY && minute % 5 != 0 { 0.0 } else { 100.0 };
    let steps = second_day(FeatureRules::default(), 60, crashes);
    let incidents: Vec<_> = steps.iter().flat_map(|step| &step.verdicts).filter_map(|v| v.incident).collect();
    assert!(incidents.len() > 50 && incidents.iter().all(|incident| *incident == incidents[0]));
}

/// One step of 500 was zero: a zero is nothing new.
#[test]
fn what_is_zero_at_times_may_be() {
    let rare = |minute: i64| if minute % 500 == 499 || minute >= DAY { 0.0 } else { 100.0 };
    assert!(is_quiet(&second_day(FeatureRules::default(), 30, rare)));
}

/// Mostly 0.01, and 0.04 in every fourth minute: zero is no further away than what it does all the time. From 0.06 it is.
#[test]
fn what_wanders_about_near_zero_may_reach_it() {
    let mut watch = ZeroWatch::new(Duration::from_secs(3 * 86_400), 10);
    let mut take = |minute: i64, value| watch.take(&one(minute, value)).len();
    (0..DAY).for_each(|minute| assert_eq!(take(minute, if minute % 4 == 3 { 0.04 } else { 0.01 }), 0));
    assert_eq!(take(DAY, 0.0), 0);
    let mut watch = ZeroWatch::new(Duration::from_secs(3 * 86_400), 10);
    let mut take = |minute: i64, value| watch.take(&one(minute, value)).len();
    (0..DAY).for_each(|minute| assert_eq!(take(minute, if minute % 4 == 3 { 0.09 } else { 0.06 }), 0));
    assert_eq!(take(DAY, 0.0), 1);
}

/// At one step of the day it was zero: fewer than 1 of 1,000, and that is what is said.
#[test]
fn what_was_nearly_never_zero_is_said_to_be_so() {
    let rare = |minute: i64| if minute == 700 || minute >= DAY { 0.0 } else { 100.0 };
    let steps = second_day(FeatureRules::default(), 3, rare);
    let said = "request_rate is 0, it was 0 at fewer than 1 of 1,000 steps; not scored yet";
    assert_eq!(steps[2].verdicts[0].explanation, said);
}

/// Of a day that is known and fades, a quarter: about six hours. Then it ends like any other anomaly.
#[test]
fn a_zero_that_stays_is_usual_after_hours() {
    let gone = |minute: i64| if minute >= DAY { 0.0 } else { 100.0 };
    let steps = second_day(FeatureRules::default(), 600, gone);
    let anomalous = severities(&steps).iter().rposition(|severity| *severity > 0).unwrap();
    assert!((300..400).contains(&anomalous), "minute {anomalous}");
    assert!(is_quiet(&steps[anomalous + 10..]));
}

#[test]
fn whoever_does_not_want_to_hear_of_zeros_does_not() {
    let gate = |direction, least| FeatureRules {
        gate: Gate::new(direction, least, 0.0).unwrap(),
        ..FeatureRules::default()
    };
    let gone = |minute: i64| if minute >= DAY { 0.0 } else { 100.0 };
    let quiet = |rules| is_quiet(&second_day(rules, 30, gone));
    assert!(quiet(FeatureRules { on_zero: OnZero::Ignore, ..FeatureRules::default() }));
    assert!(quiet(gate(Direction::Above, 0.0)) && !quiet(gate(Direction::Below, 0.0)));
    assert!(quiet(gate(Direction::Both, 200.0)) && !quiet(gate(Direction::Both, 50.0)));
    // A zero that cannot be true is no value.
    let valid_range = Some(ValidRange::new(1.0, 1e9).unwrap());
    assert!(quiet(FeatureRules { valid_range, ..FeatureRules::default() }));
}

/// Steps of five minutes: after two days there are 576.
#[test]
fn too_few_steps_tell_nothing_of_one_in_a_thousand() {
    let mut watch = ZeroWatch::new(Duration::from_secs(3 * 86_400), 10);
    let mut take = |step: i64, value| watch.take(&one(5 * step, value)).len();
    assert!((0..576).all(|step| take(step, 1.0) == 0));
    assert_eq!(take(576, 0.0), 0);
    assert!((577..1_200).all(|step| take(step, 1.0) == 0));
    // 1.0 of 576 has faded to a third among the 864 that three days hold.
    assert_eq!(take(1_200, 0.0), 1);
}

/// A service that its model knows: the zero raises what the model says, and changes nothing else of it.
#[test]
fn with_a_model_the_score_is_the_higher_of_the_two() {
    let training = TrainingPolicy {
        triggers: TrainingTriggers::default(),
        trial_ms: 0,
        warm_up_ms: 600 * MINUTE,
        max_rows: 5_000,
        most_rows: usize::MAX,
        retention_ms: i64::MAX / 2,
        hyperparams: Hyperparams { n_trees: 25, ..Hyperparams::default() },
        contamination: 0.0,
    };
    let run = |on_zero| {
        let rules = FeatureRules { on_zero, ..FeatureRules::default() };
        let settings = DetectorSettings { training: Some(training.clone()), ..settings(rules) };
        let mut backtest = Backtest::new(settings, None);
        let rate = |minute: i64| if minute >= DAY { 0.0 } else { (minute % 4) as f64 + 2.5 };
        let steps = (0..DAY + 10).map(|minute| backtest.step(&at(minute, rate(minute))).unwrap().step);
        steps.skip(DAY as usize).flat_map(|step| step.verdicts).collect::<Vec<Verdict>>()
    };
    let (with, without) = (run(OnZero::Alert), run(OnZero::Ignore));
    assert_eq!((with.len(), without.len()), (10, 10));
    for (with, without) in with.iter().zip(&without) {
        assert_eq!(with.anomaly_score, without.anomaly_score.at_least(0.4));
        assert_eq!((with.tail_probability, with.raw_score), (without.tail_probability, without.raw_score));
        assert!(with.criteria.ends_with(&[Criterion::DroppedToZero]));
        assert!(
            with.explanation.starts_with("request_rate is 0, it was never 0 in 1 d"),
            "{}",
            with.explanation
        );
    }
    assert!(with[9].severity >= Severity::Medium);
}

/// One entity with one feature.
fn one(minute: i64, value: f64) -> FeatureMatrix {
    FeatureMatrix {
        at: TimestampMs(minute * MINUTE),
        entities: vec![entity()],
        values: Array2::from_elem((1, 1), value),
        ambiguous: vec![0],
    }
}

/// The same, remembering every step: what is counted weighs by its age, a drop from when it was over.
struct Naive {
    fade_minutes: f64,
    window_steps: usize,
    values: Vec<f64>,
    first: Option<i64>,
    steps: usize,
    counted: Vec<(i64, f64)>,
    drop: Vec<f64>,
}

impl Naive {
    fn take(&mut self, now: i64, value: f64) -> bool {
        if value.is_nan() {
            return false;
        }
        let first = *self.first.get_or_insert(now);
        let is_far = self.is_far();
        self.values.push(value);
        let weight = |at: i64| (-(now - at) as f64 / self.fade_minutes).exp();
        let total: f64 = self.counted.iter().map(|(at, _)| weight(*at)).sum();
        let zeros: f64 = self.counted.iter().filter(|(_, v)| *v == 0.0).map(|(at, _)| weight(*at)).sum();
        let opens =
            value == 0.0 && is_far && self.steps >= 1_000 && now - first >= 1_440 && zeros < 0.001 * total;
        if self.drop.is_empty() && !opens {
            self.steps += 1;
            self.counted.push((now, value));
            return false;
        }
        self.drop.push(value);
        let zeros = self.drop.iter().filter(|v| **v == 0.0).count() as f64;
        let quiet = self.drop.iter().rev().take_while(|v| **v != 0.0).count();
        if zeros >= (total + zeros) / 4.0 || quiet >= self.window_steps {
            self.counted.extend(self.drop.drain(..).map(|value| (now, value)));
        }
        value == 0.0 && !self.drop.is_empty()
    }

    /// Each value weighs a share of what the later ones leave, the first one all the rest.
    fn is_far(&self) -> bool {
        let share = 1.0 / self.window_steps as f64;
        // What lies further back weighs less than a rounding error, but for the first.
        let recent = self.values.iter().rev().take(1_000).enumerate();
        let weighed: Vec<(f64, f64)> = recent
            .map(|(age, value)| {
                let own = if age + 1 == self.values.len() { 1.0 } else { share };
                (own * (1.0 - share).powi(age as i32), *value)
            })
            .collect();
        let mean: f64 = weighed.iter().map(|(weight, value)| weight * value).sum();
        let variance: f64 = weighed.iter().map(|(weight, value)| weight * (value - mean).powi(2)).sum();
        !weighed.is_empty() && mean.abs() > 2.0 * variance.sqrt()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// For all courses, those are drops that are by a count over the whole past.
    #[test]
    fn counting_as_it_comes_is_counting_the_past(
        fade_minutes in 700_i64..5_000,
        window_steps in 2_usize..30,
        start in 900_i64..1_600,
        runs in prop::collection::vec((prop::sample::select(vec![0.0, 0.0, 3.0, 5.0, f64::NAN]), 1_i64..400), 1..10),
    ) {
        let mut watch = ZeroWatch::new(Duration::from_secs(60 * fade_minutes as u64), window_steps);
        let mut naive = Naive {
            fade_minutes: fade_minutes as f64,
            window_steps,
            values: Vec::new(),
            first: None,
            steps: 0,
            counted: Vec::new(),
            drop: Vec::new(),
        };
        let runs = std::iter::once((1.0, start)).chain(runs);
        for (minute, value) in (0..).zip(runs.flat_map(|(value, n)| (0..n).map(move |_| value))) {
            let drops = watch.take(&one(minute, value));
            prop_assert_eq!(drops.len(), usize::from(naive.take(minute, value)), "minute {}", minute);
        }
    }

    /// For all gaps, whoever was away for longer than the memory lasts is as new.
    #[test]
    fn an_entity_that_was_away_for_long_is_new(away in 0_i64..10) {
        let mut watch = ZeroWatch::new(Duration::from_secs(3 * 86_400), 10);
        (0..DAY + 1).for_each(|minute| assert!(watch.take(&one(minute, 1.0)).is_empty()));
        let nobody = |minute: i64| FeatureMatrix {
            entities: Vec::new(),
            values: Array2::zeros((0, 1)),
            ..one(minute, 0.0)
        };
        let back = DAY + away * DAY;
        (DAY + 1..back).step_by(60).for_each(|minute| assert!(watch.take(&nobody(minute)).is_empty()));
        let drops = watch.take(&one(back + 1, 0.0)).len();
        prop_assert_eq!(drops, usize::from(away <= 3 ));
    }
}
