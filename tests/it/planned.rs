//! What excuses an anomaly, restarts, releases and planned work, through windows, expressions, features and verdicts.

use emberwatch::{
    calibrate::Severity,
    config,
    explain::{Criterion, StartKind},
    maintenance::{Registry, WindowRequest},
    pipeline::{ClockConfig, DetectorStep, Maintenance, Replay, Verdict},
    series::{LabelSet, STALE_NAN, Sample, SampleBatch, TimestampMs, series_hash},
};
use proptest::prelude::*;
use std::time::Duration;

/// Monday, 5 January 2026, 00:00 UTC.
const START: TimestampMs = TimestampMs(1_767_571_200_000);
const STEP_MS: i64 = 60_000;
/// Minutes that are learned from.
const LEARNED: i64 = 600;

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

/// What instances a and b say at a minute; b is only company.
#[derive(Clone, Copy)]
struct Said {
    load: f64,
    queue: f64,
    /// The minute in which a was started.
    started: i64,
    version: &'static str,
}

/// One sidecar that is told of every minute what `said` says of it; the verdicts on instance a, minute by minute after
/// the learned ones.
fn verdicts(config: &str, minutes: i64, said: impl Fn(i64) -> Said) -> Vec<(DetectorStep, Verdict)> {
    let planned = config::parse(config).unwrap().maintenance;
    let steps = steps(config, minutes, said, |_| Some(planned.clone()));
    let learned = steps.into_iter().filter(|(at, _)| *at >= START.plus_ms(LEARNED * STEP_MS));
    let with_a = |(_, step): (TimestampMs, DetectorStep)| {
        let of_a = step.verdicts.iter().find(|verdict| verdict.entity.get("instance") == Some("a"));
        let verdict = of_a.expect("a is judged").clone();
        (step, verdict)
    };
    learned.map(with_a).collect()
}

/// The same, all steps; `planned` gives the planned work that is known from a minute on, where it changes there.
fn steps(
    config: &str,
    minutes: i64,
    said: impl Fn(i64) -> Said,
    planned: impl Fn(i64) -> Option<Vec<Maintenance>>,
) -> Vec<(TimestampMs, DetectorStep)> {
    let config = config::parse(config).unwrap();
    let detectors = config.detectors.iter().map(|detector| config.compile(detector).unwrap()).collect();
    let clock = ClockConfig { step_ms: STEP_MS, settle_timeout: Duration::from_secs(30) };
    let mut replay = Replay::new(detectors, clock, config.storage.shard_window(0), 2);
    let mut steps = Vec::new();
    for minute in 0..=LEARNED + minutes {
        if let Some(planned) = planned(minute - LEARNED) {
            replay.set_maintenance(planned);
        }
        replay.append(&batch(minute, said(minute - LEARNED - 1), said(minute - LEARNED)));
        steps
            .extend(replay.evaluate(Duration::ZERO).into_iter().map(|(at, mut steps)| (at, steps.remove(0))));
    }
    steps
}

/// What `said` says, after `before`: the build that ran before ends by a stale marker, as Prometheus ends it.
fn batch(minute: i64, before: Said, said: Said) -> SampleBatch {
    let mut batch = SampleBatch::default();
    let at = START.plus_ms(minute * STEP_MS);
    // What never varies is another matter: small waves without a period that matters.
    let wave = |n: i64| ((minute * (37 + n)) % 101) as f64 / 101.0;
    let started = |minute: i64| START.plus_ms((LEARNED + minute) * STEP_MS).seconds();
    for (instance, load, queue, start, version) in [
        ("a", said.load + wave(0), said.queue + wave(1), started(said.started), said.version),
        ("b", 10.0 + wave(2), 10.0 + wave(3), started(-10_000), "1.8.1"),
    ] {
        let mut push = |name: &str, more: &[(&str, &str)], value: f64| {
            let own = [("__name__", name), ("instance", instance), ("job", "work")];
            let labels = LabelSet::from_pairs(own.iter().chain(more).copied()).unwrap();
            let text = labels.canonical_text();
            let sample = Sample { timestamp: at, value };
            batch.push(series_hash(text, 0), text, [sample]);
        };
        push("load", &[], load);
        push("queue", &[], queue);
        push("process_start_time_seconds", &[], start);
        push("work_build_info", &[("version", version), ("goversion", "go1.25")], 1.0);
        if instance == "a" && before.version != version {
            push("work_build_info", &[("version", before.version), ("goversion", "go1.25")], STALE_NAN);
        }
    }
    // Somebody else's, scraped every seven minutes and gone for good after a while: no step waits for it.
    if minute % 7 == 0 && minute < 500 {
        let pairs = [("__name__", "process_start_time_seconds"), ("instance", "other"), ("job", "slow")];
        let labels = LabelSet::from_pairs(pairs).unwrap();
        let text = labels.canonical_text();
        batch.push(series_hash(text, 0), text, [Sample { timestamp: at, value: 1e9 }]);
    }
    batch
}

const CALM: Said = Said { load: 10.0, queue: 10.0, started: -10_000, version: "1.8.1" };

/// Calm until minute 20, then far too much work.
fn overloaded(minute: i64) -> Said {
    if minute < 20 { CALM } else { Said { load: 60.0, ..CALM } }
}

fn first(verdicts: &[(DetectorStep, Verdict)], severity: Severity) -> Option<usize> {
    verdicts.iter().position(|(_, verdict)| verdict.severity >= severity)
}

#[test]
fn without_a_start_the_overload_is_told_at_once() {
    let verdicts = verdicts(CONFIG, 40, overloaded);
    assert_eq!(first(&verdicts, Severity::Medium), Some(21), "two of three steps");
    assert!(verdicts.iter().all(|(step, verdict)| verdict.start.is_none() && step.in_grace == 0));
}

/// Version 1.8.2 starts at minute 20 and brings the overload along: it is scored and explained from the first step on, and an
/// alarm after five minutes and the two steps that every alarm takes.
#[test]
fn after_a_release_severity_waits_and_the_explanation_names_it() {
    let released = |minute| match overloaded(minute) {
        calm if minute < 20 => calm,
        overloaded => Said { started: 20, version: "1.8.2", ..overloaded },
    };
    let verdicts = verdicts(CONFIG, 40, released);
    assert_eq!(first(&verdicts, Severity::Low), Some(21));
    assert_eq!(first(&verdicts, Severity::Medium), Some(26));
    for (minute, (step, verdict)) in verdicts.iter().enumerate().skip(20) {
        let start = verdict.start.as_ref().unwrap();
        assert_eq!(start.kind, StartKind::Release { version: "1.8.2".to_owned() });
        assert_eq!((start.in_grace, step.in_grace), (minute < 25, usize::from(minute < 25)), "{minute}");
        assert!(verdict.anomaly_score.value() > 0.4, "{minute}: scored all the same");
    }
    let said = &verdicts[23].1.explanation;
    assert!(said.contains("; 3 minutes after version 1.8.2 started (grace period)"), "{said}");
    let said = &verdicts[30].1.explanation;
    assert!(said.contains("; 10 minutes after version 1.8.2 started."), "{said}");
}

#[test]
fn a_limit_holds_in_the_grace_period() {
    let full = |minute| match minute {
        ..20 => CALM,
        _ => Said { queue: 150.0, started: 20, ..CALM },
    };
    let verdicts = verdicts(CONFIG, 30, full);
    assert_eq!(first(&verdicts, Severity::High), Some(21));
}

#[test]
fn a_restart_does_not_silence_an_alarm_that_stands() {
    let restarted = |minute| Said { started: if minute < 30 { -10_000 } else { 30 }, ..overloaded(minute) };
    let verdicts = verdicts(CONFIG, 40, restarted);
    let alarmed = verdicts.iter().skip(21).all(|(_, verdict)| verdict.severity >= Severity::Medium);
    assert!(alarmed && verdicts[31].1.start.as_ref().unwrap().in_grace);
}

/// Every three minutes a restart from minute 20 to minute 60, and nothing else that is unusual: from the third on, for ten minutes after the last.
#[test]
fn what_does_nothing_but_restart_is_an_anomaly() {
    let looping = |minute| match minute {
        20..60 => Said { started: minute / 3 * 3, ..CALM },
        _ => Said { started: if minute < 20 { -10_000 } else { 57 }, ..CALM },
    };
    let verdicts = verdicts(CONFIG, 90, looping);
    let alarmed: Vec<usize> =
        (0..verdicts.len()).filter(|at| verdicts[*at].1.severity == Severity::Medium).collect();
    // Starts at 20 (minute 18 by its word), 21 within the same minute, 24, 27, and so on to 57.
    assert_eq!(
        (alarmed[0], alarmed.len()),
        (28, 57 + 10 + 2 - 28),
        "two of three steps in, three out: {alarmed:?}"
    );
    let (_, verdict) = &verdicts[40];
    assert!(verdict.criteria.contains(&Criterion::CrashLoop), "{verdict:?}");
    assert!(verdict.explanation.starts_with("restarted 7 times within the hour"), "{}", verdict.explanation);
    assert!(!verdicts[80].1.criteria.contains(&Criterion::CrashLoop));
}

/// Every three minutes a restart, from minute 20 on, and far too much work: grace would never end.
#[test]
fn what_restarts_again_and_again_is_told() {
    let looping = |minute| match overloaded(minute) {
        calm if minute < 20 => calm,
        overloaded => Said { started: minute / 3 * 3, ..overloaded },
    };
    let verdicts = verdicts(CONFIG, 60, looping);
    // Starts at 20 (minute 18 by its word), 21 within the same minute, 24, 27.
    let alarm = first(&verdicts, Severity::Medium).unwrap();
    assert!((26..=29).contains(&alarm), "{alarm}");
    let (_, last) = verdicts.last().unwrap();
    let times = last.start.as_ref().unwrap().times;
    assert!(last.explanation.starts_with(&format!("restarted {times} times within the hour; ")), "{last:?}");
    assert!((12..=15).contains(&times), "{times}");
}

#[test]
fn without_grace_nothing_is_looked_for() {
    let config = CONFIG.replace("    window: 10m\n", "    window: 10m\n    grace: 0s\n");
    let restarted = |minute| match overloaded(minute) {
        calm if minute < 20 => calm,
        overloaded => Said { started: 20, version: "1.8.2", ..overloaded },
    };
    let verdicts = verdicts(&config, 40, restarted);
    assert_eq!(first(&verdicts, Severity::Medium), Some(21));
    assert!(verdicts.iter().all(|(_, verdict)| verdict.start.is_none()));
}

/// From minute 10 on in the maintenance of the test.
const PLANNED: &str = "
maintenance:
  - { name: backup, match: '{instance=~\"a.*\"}', schedule: 10 10 * * *, duration: 20m }
";

/// Far too much work, beyond a limit as well, from minute 12 to the end: planned up to minute 30.
#[test]
fn in_maintenance_nothing_is_an_alarm_and_after_it_everything_is() {
    let busy = |minute| match minute {
        ..12 => CALM,
        _ => Said { load: 60.0, queue: 150.0, ..CALM },
    };
    let verdicts = verdicts(&format!("{CONFIG}{PLANNED}"), 50, busy);
    assert_eq!(first(&verdicts, Severity::Low), Some(13));
    assert_eq!(first(&verdicts, Severity::Medium), Some(31), "two steps after its end at minute 30");
    for (minute, (step, verdict)) in verdicts.iter().enumerate() {
        let is_planned = (10..30).contains(&minute);
        assert_eq!(verdict.maintenance.is_some(), is_planned, "{minute}");
        assert_eq!(step.in_maintenance, usize::from(is_planned), "only a is: {minute}");
        assert!(!is_planned || verdict.incident.is_none(), "{minute}");
    }
    let (_, planned) = &verdicts[20];
    assert!(planned.anomaly_score.value() >= 0.8, "scored all the same");
    let said = &planned.explanation;
    assert!(said.contains("; in maintenance \"backup\" until 10:30 UTC"), "{said}");
    assert!(verdicts[31].1.incident.is_some());
}

/// Too much work from minute 20 to 29: the windows hold it for ten minutes more, the alarm ends with it.
#[test]
fn an_alarm_ends_when_the_values_are_back() {
    let busy = |minute| match minute {
        20..30 => Said { load: 60.0, ..CALM },
        _ => CALM,
    };
    let verdicts = verdicts(CONFIG, 60, busy);
    let alarmed = |at: &usize| verdicts[*at].1.severity >= Severity::Medium;
    let alarmed: Vec<usize> = (0..verdicts.len()).filter(alarmed).collect();
    assert_eq!(alarmed, (21..32).collect::<Vec<_>>(), "two of three steps in, three in a row out");
    let (_, after) = &verdicts[34];
    assert!(
        after.anomaly_score.value() >= 0.4 && after.criteria.contains(&Criterion::Aftermath),
        "{after:?}"
    );
    let said = "; the values are back to what they were before the alarm.";
    assert!(after.explanation.ends_with(said), "{}", after.explanation);
}

/// The work is over by minute 30, and so is what it did.
#[test]
fn the_end_of_planned_work_is_no_alarm() {
    let busy = |minute| match minute {
        12..30 => Said { load: 60.0, ..CALM },
        _ => CALM,
    };
    let verdicts = verdicts(&format!("{CONFIG}{PLANNED}"), 60, busy);
    let (_, after) = &verdicts[32];
    assert!(
        after.anomaly_score.value() >= 0.4 && after.criteria.contains(&Criterion::Aftermath),
        "{after:?}"
    );
    assert!(verdicts.iter().all(|(_, verdict)| verdict.severity <= Severity::Low));
}

#[test]
fn what_is_severe_when_the_work_begins_is_severe_no_more() {
    let busy = |minute| match minute {
        ..5 => CALM,
        _ => Said { load: 60.0, ..CALM },
    };
    let verdicts = verdicts(&format!("{CONFIG}{PLANNED}"), 20, busy);
    assert!(verdicts[9].1.severity >= Severity::Medium && verdicts[9].1.incident.is_some());
    assert!(verdicts[10..].iter().all(|(_, verdict)| verdict.severity <= Severity::Low));
    assert!(verdicts[10..].iter().all(|(_, verdict)| verdict.incident.is_none()));
}

/// Everything that the steps write, to the last bit, and the models that they were judged by.
fn written(steps: &[(TimestampMs, DetectorStep)]) -> Vec<String> {
    let line = |(at, step): &(TimestampMs, DetectorStep)| {
        let series = step.series("work", 0.3).into_iter();
        let bits: Vec<_> =
            series.map(|(labels, value)| format!("{labels} {:016x}", value.to_bits())).collect();
        format!("{at} {} {}", step.model_version, bits.join(" "))
    };
    steps.iter().map(line).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    /// For all windows, one that is added by the API at any time before its begin acts exactly as one of the configuration: the same
    /// series and the same models to the last bit.
    #[test]
    fn windows_of_the_api_act_as_those_of_the_configuration(
        from in -300_i64..40, minutes in 1_i64..120, known_before in 0_i64..60,
    ) {
        let said = |minute| Said { started: -10_000, ..overloaded(minute) };
        let instant = |minute: i64| {
            let at = START.plus_ms((LEARNED + minute) * STEP_MS);
            (at, jiff::Timestamp::from_millisecond(at.0).unwrap().to_string())
        };
        let ((_, begin), (_, end)) = (instant(from), instant(from + minutes));
        let selector = r#"{instance=~"a.*"}"#;
        let config = format!(
            "{CONFIG}\nmaintenance: [{{ name: work, match: '{selector}', from: {begin}, to: {end} }}]\n"
        );
        let of_config = config::parse(&config).unwrap().maintenance;
        let by_config = steps(&config, 60, said, |_| Some(of_config.clone()));

        let state = tempfile::tempdir().unwrap();
        let (now, _) = instant(from - known_before);
        let registry = Registry::open(Vec::new(), state.path().join("maintenance.json"), now);
        let request = serde_json::json!({
            "name": "work", "match": selector, "starts_at": begin, "ends_at": end,
        });
        registry.add(serde_json::from_value::<WindowRequest>(request).unwrap(), now).unwrap();
        let by_api = steps(CONFIG, 60, said, |minute| {
            (minute == from - known_before).then(|| registry.current().to_vec())
        });
        prop_assert_eq!(written(&by_api), written(&by_config));
        let planned = by_api.iter().filter(|(_, step)| step.in_maintenance == 1).count();
        prop_assert_eq!(planned as i64, minutes.min(61 - from), "up to the last step, at minute 60");
    }
}
