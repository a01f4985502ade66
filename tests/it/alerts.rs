//! Alerts in the stream, from samples to what is said of them.

use emberwatch::{
    calibrate::Severity,
    config,
    pipeline::{AlertOutcome, AlertStep, ClockConfig, DetectorStep, JudgedIncident, Replay},
    series::{LabelSet, STALE_NAN, Sample, SampleBatch, TimestampMs, series_hash},
};
use std::{ops::Range, time::Duration};

/// Monday, 5 January 2026, 00:00 UTC.
const START: TimestampMs = TimestampMs(1_767_571_200_000);
const STEP_MS: i64 = 60_000;

const CONFIG: &str = "
step: 1m
training: { warm_up: 4h }
detectors:
  - name: work
    seasonality: none
    window: 10m
    features:
      load: max by (instance) (load)
      queue: { expr: max by (instance) (queue), limit: { above: 100, severity: high } }
";

/// Far too much waits from minute 260 on, and again from minute 360 on.
const OVERLOADS: [Range<i64>; 2] = [260..270, 360..370];

/// An alert: its name, the labels it has besides, and the minutes in which it fires.
struct Alert(&'static str, &'static [(&'static str, &'static str)], Range<i64>);

/// Only the first is on what it should be on, at the right time; the third is our own.
const ALERTS: [Alert; 4] = [
    Alert("HighQueue", &[("instance", "a"), ("job", "work"), ("severity", "page")], 266..276),
    Alert("Unrelated", &[("instance", "a"), ("job", "work")], 340..343),
    Alert("AnomalyHigh", &[("instance", "a"), ("detector", "work")], 262..280),
    Alert("ClusterSick", &[("job", "work")], 266..300),
];

/// What instances a and b say at a minute, and the alerts that fire, each ended by a stale marker as Prometheus ends it.
fn batch(minute: i64) -> SampleBatch {
    let mut batch = SampleBatch::default();
    let mut push = |pairs: &[(&str, &str)], value: f64| {
        let labels = LabelSet::from_pairs(pairs.iter().copied()).unwrap();
        let text = labels.canonical_text();
        let sample = Sample { timestamp: START.plus_ms(minute * STEP_MS), value };
        batch.push(series_hash(text, 0), text, [sample]);
    };
    // What never varies is another matter: small waves without a period that matters.
    let wave = |n: i64| ((minute * (37 + n)) % 101) as f64 / 101.0;
    let is_overloaded = OVERLOADS.iter().any(|overload| overload.contains(&minute));
    let queue = if is_overloaded { 150.0 } else { 10.0 };
    for (instance, load, queue) in [("a", wave(0), queue), ("b", wave(2), 10.0)] {
        let own = [("instance", instance), ("job", "work")];
        push(&[("__name__", "load"), own[0], own[1]], 10.0 + load);
        push(&[("__name__", "queue"), own[0], own[1]], queue + wave(1));
    }
    for Alert(name, labels, fires) in &ALERTS {
        let series = [("__name__", "ALERTS"), ("alertname", name), ("alertstate", "firing")];
        let series: Vec<(&str, &str)> = series.iter().chain(*labels).copied().collect();
        if fires.contains(&minute) {
            push(&series, 1.0);
        } else if fires.end == minute {
            push(&series, STALE_NAN);
        }
    }
    batch
}

/// The steps of seven hours.
fn steps(config: &str, shards: usize) -> Vec<DetectorStep> {
    let config = config::parse(config).unwrap();
    let detectors = config.detectors.iter().map(|detector| config.compile(detector).unwrap()).collect();
    let clock = ClockConfig { step_ms: STEP_MS, settle_timeout: Duration::from_secs(30) };
    let mut replay = Replay::new(detectors, clock, config.storage.shard_window(0), shards);
    let mut steps = Vec::new();
    for minute in 0..420 {
        replay.append(&batch(minute));
        steps.extend(replay.evaluate(Duration::ZERO).into_iter().flat_map(|(_, steps)| steps));
    }
    steps
}

/// What was made of the alerts, added up.
fn added_up(steps: &[DetectorStep]) -> AlertStep {
    steps.iter().fold(AlertStep::default(), |mut all, step| {
        let step = step.alerts.as_ref().expect("alerts are read");
        all.firing += step.firing;
        all.named_nobody += step.named_nobody;
        all.rows_left_out += step.rows_left_out;
        all.incidents.extend(&step.incidents);
        all.alerts.extend(&step.alerts);
        all
    })
}

/// The first overload is high from its second step on, five minutes before the alert; nobody was alerted of the second one, and
/// nothing was to be seen of the unrelated alert.
#[test]
fn incidents_and_alerts_are_held_against_each_other() {
    let steps = steps(CONFIG, 2);
    let all = added_up(&steps);
    let high = |is_confirmed| JudgedIncident { severity: Severity::High, is_confirmed };
    assert_eq!(all.incidents, [high(true), high(false)]);
    let seen = AlertOutcome::Seen { lead_ms: 5 * STEP_MS };
    assert_eq!(all.alerts, [seen, AlertOutcome::Missed]);
    assert_eq!((all.firing, all.named_nobody), (10 + 3, 1), "the own alert is not one");
    // From minute 330 to the end of minute 372 all is in order but what the second overload is.
    assert!((30..=93).contains(&all.rows_left_out), "{}", all.rows_left_out);
}

#[test]
fn the_alerts_that_fire_are_named() {
    let steps = steps(CONFIG, 1);
    let of_a = |step: &DetectorStep| {
        step.verdicts.iter().find(|verdict| verdict.entity.get("instance") == Some("a")).cloned()
    };
    let verdicts: Vec<_> = steps.iter().filter_map(of_a).collect();
    let at_minute =
        |minute: i64| verdicts.iter().find(|verdict| verdict.at == START.plus_ms(minute * STEP_MS)).unwrap();
    let told = &at_minute(267);
    assert_eq!(told.alerts, ["HighQueue"]);
    assert!(told.explanation.contains("; the alert HighQueue fires."), "{}", told.explanation);
    assert!(at_minute(265).alerts.is_empty() && at_minute(276).alerts.is_empty());
    let others = steps.iter().flat_map(|step| &step.verdicts);
    assert!(others.filter(|v| v.entity.get("instance") == Some("b")).all(|v| v.alerts.is_empty()));
}

#[test]
fn the_number_of_shards_changes_nothing() {
    assert_eq!(added_up(&steps(CONFIG, 1)), added_up(&steps(CONFIG, 3)));
}

#[test]
fn where_alerts_are_not_wanted_nothing_is_said_of_them() {
    let steps = steps(&format!("{CONFIG}\nalerts: {{ enabled: false }}\n"), 1);
    assert!(steps.iter().all(|step| step.alerts.is_none()));
    assert!(steps.iter().flat_map(|step| &step.verdicts).all(|verdict| verdict.alerts.is_empty()));
}
