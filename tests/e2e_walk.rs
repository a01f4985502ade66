//! The walk of the README, with real peers: data from a real node_exporter goes through a real
//! Prometheus to the sidecar, scores go back, and a real Alertmanager is told of faults that are made
//! on purpose, and that they are over. Two sidecars take the same data, one by Remote-Write 1.0 and
//! one by 2.0.

#[cfg(test)]
#[path = "e2e_walk/diary.rs"]
mod diary;

#[cfg(test)]
#[path = "e2e_walk/fault.rs"]
mod fault;

#[cfg(test)]
#[path = "e2e_walk/site.rs"]
mod site;

#[cfg(test)]
#[path = "support/support.rs"]
mod support;

use diary::Diary;
use fault::{BusyCores, EatenMemory, Fault};
use serde_json::Value;
use site::Site;
use std::time::Duration;
use support::process::wait_for;

/// How long anything but training may take; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(90);

/// 130 s of warm-up, a minute of fitting, and the start.
const TRAINING: Duration = Duration::from_secs(240);

/// The load average over one minute takes as long to fall as the longest of what is waited for here.
const RECOVERY: Duration = Duration::from_secs(150);

#[test]
fn the_walk_of_the_readme_ends_where_it_says() {
    let Some(mut site) = Site::start() else { return };
    let diary = Diary::begin();
    wait_for("both sidecars have trained a model", TRAINING, || {
        site.sidecars
            .iter()
            .all(|(_, sidecar)| sidecar.metrics().sum("emberwatch_model_info") > 0.0)
            .then_some(())
    });
    diary.note("both models are trained");
    wait_for("scores of both sidecars are in Prometheus", PATIENCE, || {
        let both = |name| site.query(&format!(r#"{name}{{instance="host-01"}}"#)).len() == 2;
        (both("anomaly_score") && both("anomaly_severity")).then_some(())
    });
    diary.note("scores are in Prometheus");

    // The memory is free again at once; the load average takes minutes to fall, so this comes first.
    fault_is_found_and_its_end_too(&site, &diary, &["memory_usage_pct"], EatenMemory::start);
    let load = ["cpu_usage_avg", "cpu_usage_max", "load_per_core"];
    fault_is_found_and_its_end_too(&site, &diary, &load, BusyCores::start);

    scores_are_of_whole_steps_and_none_is_missing(&site);
    nothing_was_lost(&site, &diary);
    stopped_sidecars_end_their_series(&mut site);
    diary.note("the sidecars have stopped");
}

/// From a normal machine through a fault, for which one of `causes` is named first, back to no alert.
fn fault_is_found_and_its_end_too<F: Fault>(site: &Site, diary: &Diary, causes: &[&str], start: fn() -> F) {
    wait_for("severity 0 everywhere", RECOVERY, || {
        let highest = site.query("max(anomaly_severity)");
        highest.first().is_some_and(|highest| highest["value"][1] == "0").then_some(())
    });
    diary.note("severity is 0 everywhere");
    let mut fault = start();
    diary.note(&format!("a fault of {} began", causes[0]));
    for (name, sidecar) in &site.sidecars {
        let explanation = wait_for("the severity is high and the cause named first", PATIENCE, || {
            fault.go_on();
            let anomaly = sidecar.anomaly().filter(|anomaly| anomaly["severity"] == "high")?;
            let first = anomaly["contributions"][0]["feature"].as_str()?;
            causes.contains(&first).then(|| anomaly["explanation"].to_string())
        });
        diary.note(&format!("{name} says {explanation}"));
    }
    wait_for("AnomalyHigh is active for both sidecars", PATIENCE, || {
        (site.alerting_sidecars() == ["v1", "v2"]).then_some(())
    });
    diary.note("AnomalyHigh is active for both sidecars");
    drop(fault);
    diary.note("the fault is over");
    wait_for("AnomalyHigh is resolved", RECOVERY, || site.alerting_sidecars().is_empty().then_some(()));
    diary.note("AnomalyHigh is resolved");
}

/// A range selector gives samples as they were written.
fn scores_are_of_whole_steps_and_none_is_missing(site: &Site) {
    for series in site.query(r#"anomaly_score{instance="host-01"}[30s]"#) {
        let samples = series["values"].as_array().into_iter().flatten();
        let times: Vec<f64> = samples.filter_map(|sample| sample[0].as_f64()).collect();
        assert!(times.len() >= 25, "{series}");
        assert!(times.iter().all(|at| at.fract() == 0.0), "{series}");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 1.0), "{series}");
    }
}

fn nothing_was_lost(site: &Site, diary: &Diary) {
    for (name, sidecar) in &site.sidecars {
        let metrics = sidecar.metrics();
        // Prometheus sends on what it is sent: our own scores come back.
        assert!(metrics.sum("emberwatch_own_samples_ignored_total") > 0.0);
        assert!(metrics.sum("emberwatch_samples_received_total") > 0.0);
        assert_eq!(metrics.label_values("emberwatch_samples_received_total", "message"), [*name]);
        for lost in [
            "emberwatch_samples_dropped_total",
            "emberwatch_series_invalid_total",
            "emberwatch_remote_write_samples_dropped_total",
            "emberwatch_remote_write_samples_failed_total",
        ] {
            assert_eq!(metrics.sum(lost), 0.0, "{lost} of {name}");
        }
        let latency = "emberwatch_score_latency_seconds";
        let (p50, steps) = metrics.quantile_bound(latency, 0.5);
        let (p99, _) = metrics.quantile_bound(latency, 0.99);
        diary.note(&format!("{name}: score latency of {steps} steps: p50 <= {p50} s, p99 <= {p99} s"));
    }
}

/// Without a stale marker an instant query would find the last score for five more minutes.
fn stopped_sidecars_end_their_series(site: &mut Site) {
    for (_, sidecar) in &mut site.sidecars {
        sidecar.process.signal("TERM");
        assert_eq!(sidecar.process.wait_for_end().code(), Some(0));
    }
    for series in ["anomaly_score", "anomaly_severity", "anomaly_threshold"] {
        assert_eq!(site.query(series), Vec::<Value>::new());
    }
}
