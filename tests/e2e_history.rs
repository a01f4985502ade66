//! The past between real peers: a Prometheus that has a quarter of an hour of a fleet before the sidecar ever ran. The sidecar starts with full
//! windows and a model; killed, it makes up for what it missed: no step without a score, none scored twice.

#[cfg(test)]
#[path = "e2e_history/fleet.rs"]
mod fleet;

#[cfg(test)]
#[path = "e2e_history/scores.rs"]
mod scores;

#[cfg(test)]
#[path = "support/support.rs"]
mod support;

use emberwatch::model::Model;
use fleet::{Fleet, INSTANCES, now, start_sidecar};
use scores::{assert_no_holes, newest_score, oldest_score, scores};
use std::{fs, time::Duration};
use support::{
    http, metrics, peers,
    process::{free_address, wait_for},
    prometheus::{self, query_at},
};

/// How long anything may take; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(90);

/// How far back the fleet began.
const PAST_SECONDS: i64 = 900;

#[test]
fn a_sidecar_starts_with_full_windows_and_makes_up_for_what_it_missed() {
    let Some(binary) = peers::find("prometheus") else { return };
    let sidecar_address = free_address();
    let (prometheus, _prometheus) = fleet::start_prometheus(&binary, sidecar_address);
    let fleet = Fleet::begin(prometheus, now().plus_ms(-PAST_SECONDS * 1000));
    let models = tempfile::tempdir().unwrap();

    let started_at = now();
    let sidecar = start_sidecar(sidecar_address, prometheus, models.path(), "10m");
    let scraped = metrics::scrape(sidecar_address);
    assert!(scraped.sum("emberwatch_history_samples_total") >= (600 * INSTANCES) as f64);
    assert_eq!(scraped.sum("emberwatch_history_samples_left_out_total"), 0.0);
    assert_eq!(scraped.sum("emberwatch_entities_warming_up"), 0.0, "windows are full");
    assert_eq!(scraped.sum("emberwatch_model_info"), 1.0, "there is a model");
    assert!(fs::read_dir(models.path().join("fleet")).unwrap().count() > 1, "and it was saved");

    // What the windows hold is what Prometheus has.
    let at = now().plus_ms(-5_000);
    let asked = "sum by (instance) (sum_over_time(made_load[20s]))";
    let of_prometheus = prometheus::query_at(prometheus, asked, at);
    assert_eq!(of_prometheus.len(), INSTANCES);
    assert_eq!(query_at(sidecar_address, asked, at), of_prometheus);

    wait_for("scores of the stream", PATIENCE, || newest_score(prometheus, None));
    // Of the past, that nobody asked for, nothing was written; what was about to come belongs to the stream.
    assert!(oldest_score(prometheus).since_ms(started_at) > -20_000);

    let killed_at = now();
    drop(sidecar);
    wait_for("some steps are missed", PATIENCE, || (now().since_ms(killed_at) > 8_000).then_some(()));
    let _sidecar = start_sidecar(sidecar_address, prometheus, models.path(), "10m");
    let back_at = now();
    wait_for("scores of after the restart", PATIENCE, || {
        newest_score(prometheus, Some(back_at.plus_ms(3_000)))
    });
    drop(fleet);
    assert_no_holes(&scores(prometheus), killed_at);
    let conflicts = metrics::scrape(sidecar_address).sum("emberwatch_remote_write_samples_failed_total");
    assert_eq!(conflicts, 0.0, "no score was written twice");
}

/// A sidecar that has nothing trains on all that the store has, while the stream goes on; the next one has that model, and the model is tried
/// beside one that learned less.
#[test]
fn a_sidecar_without_a_model_trains_on_history_beside_the_stream() {
    let Some(binary) = peers::find("prometheus") else { return };
    let sidecar_address = free_address();
    let (prometheus, _prometheus) = fleet::start_prometheus(&binary, sidecar_address);
    let begin = now().plus_ms(-PAST_SECONDS * 1000);
    let _fleet = Fleet::begin(prometheus, begin);
    let models = tempfile::tempdir().unwrap();
    let sidecar = start_sidecar(sidecar_address, prometheus, models.path(), "0s");
    let version = wait_for("a model of the past is in use", PATIENCE, || {
        let scraped = metrics::scrape(sidecar_address);
        scraped.label_values("emberwatch_model_info", "version").first().map(|version| (*version).to_owned())
    });
    assert!(version.starts_with("history-"), "{version}");
    assert!(sidecar.log().contains("training on history beside the stream"), "{}", sidecar.log());
    wait_for("the model scores the stream", PATIENCE, || newest_score(prometheus, None));
    assert_eq!(metrics::scrape(sidecar_address).sum("emberwatch_history_training_progress_ratio"), 1.0);
    drop(sidecar);

    let file = models.path().join(format!("fleet/{version}.ewm"));
    let model = Model::decode(&fs::read(file).unwrap()).unwrap();
    let seen = model.training().last.since_ms(model.training().first);
    assert!(model.training().first.since_ms(begin) < 60_000, "from the begin of the past on");
    assert!(seen > (PAST_SECONDS - 60) * 1000, "{seen} ms of it");
}

/// A sender that leaves out five minutes: the steps of that time are evaluated on what the store has of it.
#[test]
fn a_gap_of_the_stream_is_filled_from_the_store() {
    let Some(binary) = peers::find("prometheus") else { return };
    let flags = ["--web.enable-remote-write-receiver"];
    let (prometheus, _prometheus) = prometheus::start(&binary, &flags);
    let begin = now().plus_ms(-600_000).align_down(1000);
    fleet::write(prometheus, begin, begin.plus_ms(599_000));
    let sidecar_address = free_address();
    let models = tempfile::tempdir().unwrap();
    let sidecar = start_sidecar(sidecar_address, prometheus, models.path(), "0s");
    assert!(sidecar.log().contains("the windows fill from the stream alone"), "{}", sidecar.log());

    let steps = |cause: &str| {
        metrics::scrape(sidecar_address).of_label("emberwatch_steps_evaluated_total", "cause", cause)
    };
    fleet::write(sidecar_address, begin, begin.plus_ms(60_000));
    wait_for("the first minute is evaluated", PATIENCE, || (steps("complete") == 60.0).then_some(()));
    let (gap_end, end) = (begin.plus_ms(361_000), begin.plus_ms(420_000));
    fleet::write(sidecar_address, gap_end, end);
    wait_for("all is evaluated", PATIENCE, || (steps("complete") + steps("history") == 420.0).then_some(()));
    assert_eq!(steps("history"), 300.0);
    // In the middle of the range lies the end of the gap.
    let asked = "sum by (instance) (sum_over_time(made_load[4s]))";
    let at = end.plus_ms(-1_000);
    assert_eq!(query_at(sidecar_address, asked, at), query_at(prometheus, asked, at));
    let scraped = metrics::scrape(sidecar_address);
    assert!(scraped.sum("emberwatch_history_samples_total") >= (300 * INSTANCES) as f64);
    assert_eq!(scraped.sum("emberwatch_feature_failures_total"), 0.0);
}

/// Without a store that answers the sidecar goes on, and says so.
#[test]
fn a_store_that_is_not_there_holds_up_nobody() {
    let sidecar_address = free_address();
    let models = tempfile::tempdir().unwrap();
    let sidecar = start_sidecar(sidecar_address, free_address(), models.path(), "10m");
    assert_eq!(metrics::scrape(sidecar_address).sum("emberwatch_backfill_failures_total"), 1.0);
    assert!(sidecar.log().contains("history cannot be read"), "{}", sidecar.log());
    assert_eq!(http::get(sidecar_address, "/-/healthy").unwrap().status, 200);
}
