//! The life of a model on thirty days of real history: a Prometheus has them from `promtool`; features are extracted, a model is trained and
//! validated on incidents of another seed, scores the stream, is put beside a worse one that is rejected, rolled back, and followed by one that was trained for a drift. In between
//! processes are killed at random moments, and nothing is lost.

#[cfg(test)]
#[path = "e2e_life/fleet.rs"]
mod fleet;

#[cfg(test)]
#[path = "e2e_life/site.rs"]
mod site;

#[cfg(test)]
#[path = "e2e_life/tables.rs"]
mod tables;

#[cfg(test)]
#[path = "support/support.rs"]
mod support;

use emberwatch::series::TimestampMs;
use fleet::{Fleet, Incident, STEP_MS, incidents};
use serde_json::Value;
use site::{PATIENCE, Site};
use std::{
    fs,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use support::{peers, process::wait_for};
use tables::{calm, config, labels, say};

const DAY: i64 = 1_440;

/// Thirty days of history, the last fifth of which is validated, and two days of stream.
const PAST: i64 = 30 * DAY;
const VALIDATED: i64 = 24 * DAY;
const LIVE: i64 = 2 * DAY;

#[test]
fn a_model_lives_through_thirty_days_and_two() {
    let (Some(binary), Some(promtool)) = (peers::find("prometheus"), peers::find("promtool")) else { return };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    // The stream ends before the present. At midnight, so that the hours that are learned are the same at each run.
    let begin = TimestampMs(now).plus_ms(-(PAST + LIVE) * STEP_MS).align_down(DAY * STEP_MS);
    let trained_on = incidents(3, DAY..VALIDATED - 100, 10);
    let validated_on = incidents(4, VALIDATED + 60..PAST - 100, 16);
    let all: Vec<Incident> = trained_on.into_iter().chain(validated_on).collect();
    let mut fleet = Fleet::new(begin, all.clone());

    let folder = tempfile::tempdir().unwrap();
    let past = folder.path().join("past.txt");
    let started = Instant::now();
    fleet.write(PAST, &past);
    let mut site = Site::start(&binary, &promtool, folder, &past);
    say("thirty days of four machines written and put into blocks", started);
    fs::write(site.path("labels.csv"), labels(&fleet, &all)).unwrap();
    fs::write(site.path("config.yaml"), config(&site)).unwrap();

    // Extracted, through kills: byte for byte what one run writes.
    let range =
        [format!("--from={}", fleet.at(0).seconds()), format!("--until={}", fleet.at(PAST - 1).seconds())];
    let extract = |out: &'static str| {
        ["extract", "--config", "config.yaml", "--out", out, &range[0], &range[1]].map(str::to_owned)
    };
    let started = Instant::now();
    let undisturbed = extract("undisturbed.csv");
    let undisturbed: Vec<&str> = undisturbed.iter().map(String::as_str).collect();
    site.run(&undisturbed);
    let longest = started.elapsed();
    say("extracted", started);
    let disturbed = extract("made.csv");
    let disturbed: Vec<&str> = disturbed.iter().map(String::as_str).collect();
    site.run_through_kills(&disturbed, 3, longest / 2);
    let table = fs::read_to_string(site.path("made.csv")).unwrap();
    assert_eq!(table.len(), fs::read(site.path("undisturbed.csv")).unwrap().len());
    assert!(
        table == fs::read_to_string(site.path("undisturbed.csv")).unwrap(),
        "the kills changed the table"
    );
    println!("{} rows, {} bytes", table.lines().count() - 1, table.len());

    // Trained and validated.
    let train = ["train", "--config", "config.yaml", "--csv", "made.csv", "--labels", "labels.csv"];
    let validate = ["--validate", "0.2", "--json", "found.json", "--model-version", "first"];
    let train_first = [&train[..], &validate].concat();
    let started = Instant::now();
    println!("{}", site.run_through_kills(&train_first, 2, Duration::from_secs(4)));
    say("trained and validated", started);
    let found: Value = serde_json::from_str(&fs::read_to_string(site.path("found.json")).unwrap()).unwrap();
    let (own, everything) = (&found["op"]["own_alarm"], &found["op"]["everything"]);
    assert_eq!(found["segments"].as_u64(), Some(16));
    assert!(own["F1"].as_f64().unwrap() >= 0.85, "{own}");
    assert!(own["event_recall"].as_f64().unwrap() >= 0.9, "{own}");
    assert!(own["F1"].as_f64().unwrap() > 4.0 * everything["F1"].as_f64().unwrap(), "{everything}");

    // In use, and killed in the middle of a day.
    let started = Instant::now();
    site.start_sidecar();
    site.wait_until_ready();
    say("ready", started);
    assert_eq!(site.version().as_deref(), Some("first"));
    let first_live = fleet.at(fleet.next() + 1);
    for _ in 0..2 {
        site.stream(&mut fleet, DAY / 4);
        site.wait_for_scores(first_live);
        site.kill_sidecar();
    }
    site.stream(&mut fleet, 60);
    site.wait_for_scores(fleet.at(fleet.next() - 1));

    // A worse model is tried and rejected, though the process is killed in its trial.
    fs::write(site.path("calm.csv"), calm(&table)).unwrap();
    let candidate =
        ["train", "--config", "config.yaml", "--csv", "calm.csv", "--candidate", "--model-version", "calm"];
    println!("{}", site.run(&candidate));
    site.reload();
    site.stream(&mut fleet, 15);
    wait_for("the trial has begun", PATIENCE, || {
        (site.metrics().of_label("emberwatch_training_state", "state", "trial") == 1.0).then_some(())
    });
    site.kill_sidecar();
    site.stream(&mut fleet, 60);
    // On disk, where it is whichever process was the one that ended the trial.
    let listed = wait_for("the trial is over", PATIENCE, || {
        let listed = site.run(&["model", "list", "--path", "models"]);
        listed.contains("calm was rejected").then_some(listed)
    });
    assert_eq!(site.version().as_deref(), Some("first"), "the one before stays");
    println!("{listed}");

    // Another one is put in use, and taken back.
    site.run(&[&train[..], &["--model-version", "second"]].concat());
    site.reload();
    site.stream(&mut fleet, 5);
    wait_for("the second is in use", PATIENCE, || (site.version()? == "second").then_some(()));
    site.run(&["model", "rollback", "made", "--path", "models"]);
    site.reload();
    site.stream(&mut fleet, 5);
    wait_for("the first is in use again", PATIENCE, || (site.version()? == "first").then_some(()));

    // The load shifts for good: the sidecar trains again, through another kill, and what it trained passes its trial.
    fleet.shift();
    site.stream(&mut fleet, 3 * DAY / 4);
    site.wait_for_scores(fleet.at(fleet.next() - 1));
    site.kill_sidecar();
    let rest = PAST + LIVE - 60 - fleet.next();
    site.stream(&mut fleet, rest);
    let last = fleet.at(fleet.next() - 1);
    site.wait_for_scores(last);
    let version = wait_for("a model of the shifted load is in use", PATIENCE, || {
        site.version().filter(|version| version.starts_with("stream-"))
    });
    let started = site.metrics();
    assert_eq!(started.of_label("emberwatch_trainings_started_total", "reason", "drift"), 1.0);
    println!("{version}\n{}", site.run(&["model", "list", "--path", "models"]));

    site.assert_no_holes(first_live, last);
    println!("{} kills", site.kills);
}
