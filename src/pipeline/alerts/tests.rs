//! Whose alert it is, how long it counts, and what is not trained on.

use super::*;
use crate::{
    calibrate::{CheckedPersistence, Thresholds},
    features::{FeatureColumn, FeatureMatrix, FeatureSchema, SchemaSettings},
    pipeline::{DetectorSettings, OpenMaintenance, Rules, TrainingPolicy, TrainingTriggers, VectorJudge},
    score::iforest::Hyperparams,
};
use ndarray::Array2;
use proptest::prelude::*;

const MINUTE_MS: i64 = 60_000;

fn minute(n: i64) -> TimestampMs {
    TimestampMs(n * MINUTE_MS)
}

fn labels(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::from_pairs(pairs.iter().copied()).unwrap()
}

/// With margins in minutes.
fn settings(before: u64, after: u64) -> AlertSettings {
    let minutes = |n: u64| Duration::from_secs(n * 60);
    AlertSettings {
        selector: Vec::new(),
        ignore: Vec::new(),
        margin_before: minutes(before),
        margin_after: minutes(after),
        lead: minutes(30),
    }
}

/// The alerts of a minute, to a detector of services by job and instance.
fn take(watch: &mut AlertWatch, at: i64, alerts: &[(&[(&str, &str)], f64)]) -> AlertStep {
    let mut read: LeafVector = alerts.iter().map(|(pairs, value)| (labels(pairs), *value)).collect();
    read.sort_by(|a, b| a.0.cmp(&b.0));
    watch.take(minute(at), &read, &["instance".to_owned(), "job".to_owned()]);
    watch.judge(minute(at), &[], 0)
}

const WEB: [(&str, &str); 2] = [("instance", "a"), ("job", "web")];

#[test]
fn an_alert_is_on_what_has_all_the_labels() {
    let mut watch = AlertWatch::new(&settings(0, 10));
    let latency = [WEB[0], WEB[1], ("alertname", "HighLatency")];
    let errors = [WEB[0], WEB[1], ("alertname", "Errors")];
    let of_job = [WEB[1], ("alertname", "HighLatency")];
    let zero = [WEB[0], ("job", "db"), ("alertname", "Zero")];
    let all: [(&[_], f64); 4] = [(&latency, 1.0), (&errors, 1.0), (&of_job, 1.0), (&zero, 0.0)];
    let step = take(&mut watch, 1, &all);
    assert_eq!((step.firing, step.named_nobody), (2, 1));
    assert_eq!(watch.names_of(&labels(&WEB)), ["Errors", "HighLatency"]);
    assert_eq!(watch.names_of(&labels(&[("instance", "a"), ("job", "db")])), [""; 0]);
    assert_eq!(take(&mut watch, 2, &all).named_nobody, 0, "counted when it began");
    let step = take(&mut watch, 3, &[(&errors, 1.0)]);
    assert_eq!((step.firing, step.named_nobody), (1, 0));
    assert_eq!(take(&mut watch, 4, &all).named_nobody, 1, "and again");
}

#[test]
fn nothing_is_kept_when_the_margins_are_over() {
    let mut watch = AlertWatch::new(&settings(5, 10));
    let latency = [WEB[0], WEB[1], ("alertname", "HighLatency")];
    take(&mut watch, 100, &[(&latency, 1.0)]);
    let began: Vec<_> = watch.began(minute(100)).map(|(entity, since)| (entity.clone(), since)).collect();
    assert_eq!(began, [(labels(&WEB), minute(95))]);
    take(&mut watch, 101, &[(&latency, 1.0)]);
    assert_eq!(watch.began(minute(101)).count(), 0);
    for at in 102..112 {
        take(&mut watch, at, &[]);
        assert!(watch.keeps_out(&labels(&WEB)), "{at}");
    }
    take(&mut watch, 112, &[]);
    assert!(!watch.keeps_out(&labels(&WEB)));
    assert!(watch.entities.is_empty() && watch.on_nobody.is_empty());
}

/// A detector of one feature that trains itself, with alerts.
fn judge(alerts: &AlertSettings) -> VectorJudge {
    let schema = SchemaSettings {
        step_ms: MINUTE_MS,
        window_steps: 3,
        features: vec![FeatureColumn { name: "f".to_owned(), expression: String::new() }],
        ..SchemaSettings::default()
    };
    let training = TrainingPolicy {
        triggers: TrainingTriggers::default(),
        trial_ms: 0,
        warm_up_ms: i64::MAX / 2,
        max_rows: 10_000,
        most_rows: usize::MAX,
        retention_ms: i64::MAX / 2,
        hyperparams: Hyperparams::default(),
        contamination: 0.0,
    };
    let settings = DetectorSettings {
        schema: FeatureSchema::new(schema).unwrap(),
        thresholds: Thresholds::default(),
        persistence: CheckedPersistence::default(),
        forget_after: None,
        rules: Rules::default(),
        silence: Duration::ZERO,
        grace: Duration::ZERO,
        season: None,
        training: Some(training),
    };
    VectorJudge::new(settings).with_alerts(alerts)
}

proptest! {
    /// For all courses of two alerts on an entity, and at every step of them, the rows that are kept to train on are those that are not
    /// within the margins of any alert so far; every other row is counted once.
    #[test]
    fn no_row_within_the_margins_of_an_alert_is_trained_on(
        stretches in prop::collection::vec((any::<bool>(), any::<bool>(), 1_usize..12), 1..15),
        before in 0_u64..10,
        after in 0_u64..10,
    ) {
        let mut judge = judge(&settings(before, after));
        let course: Vec<[bool; 2]> =
            stretches.iter().flat_map(|(a, b, count)| std::iter::repeat_n([*a, *b], *count)).collect();
        let (mut left_out, mut warm) = (0, Vec::new());
        for (step, firing) in course.iter().enumerate() {
            let at = step as i64;
            let alerts = ["A", "B"].iter().zip(firing).filter(|(_, fires)| **fires);
            let read = alerts.map(|(name, _)| (labels(&[("alertname", name), ("instance", "a")]), 1.0)).collect();
            judge.take_alerts(minute(at), &read);
            let entities = vec![labels(&[("instance", "a")])];
            let values = Array2::from_elem((1, 1), at as f64);
            let matrix = FeatureMatrix { at: minute(at), entities, values, ambiguous: vec![0] };
            let inputs = judge.take(matrix).unwrap();
            if inputs.warm[0] {
                warm.push(at);
            }
            left_out += judge.judge(&inputs, None, &OpenMaintenance::default()).alerts.unwrap().rows_left_out;
            let is_near = |row: i64| {
                (0..=at).any(|fired| {
                    let fires = |name: usize| course[fired as usize][name];
                    let begins = |name: usize| fires(name) && (fired == 0 || !course[fired as usize - 1][name]);
                    let from = if begins(0) || begins(1) { fired - before as i64 } else { fired };
                    // It ends with the step at which it does not fire any more, where that has come.
                    let ends = |name: usize| {
                        fires(name) && fired < at && !course[fired as usize + 1][name]
                    };
                    let to = if ends(0) || ends(1) { fired + after as i64 } else { fired };
                    (fires(0) || fires(1)) && (from..=to).contains(&row)
                })
            };
            let kept = warm.iter().filter(|row| !is_near(**row)).count();
            prop_assert_eq!((judge.training_row_count(), left_out), (kept, warm.len() - kept));
        }
    }
}
