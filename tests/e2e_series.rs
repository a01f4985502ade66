//! A detector of single series between real peers: a real Prometheus scrapes an exporter and sends what it found to the
//! sidecar; a series that was constant jumps, and Prometheus has its score.

#[cfg(test)]
#[path = "e2e_series/site.rs"]
mod site;

#[cfg(test)]
#[path = "support/support.rs"]
mod support;

use serde_json::Value;
use site::{number, serve_metrics, start_sidecar};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use support::{
    http, metrics, peers,
    process::{free_address, wait_for},
    prometheus::{self, query},
};

/// How long anything but training may take; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(90);

/// 128 steps of a second and the start.
const TRAINING: Duration = Duration::from_secs(240);

/// What was always the same, until it is another.
const LIMIT: &str = "made_limit_bytes";

#[test]
fn a_constant_series_that_jumps_has_its_score_in_prometheus() {
    let Some(binary) = peers::find("prometheus") else { return };
    let limit = Arc::new(AtomicU64::new(5_000_000_000));
    let exporter = serve_metrics(Arc::clone(&limit));
    let sidecar_address = free_address();
    let configuration = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - {{job_name: made, static_configs: [{{targets: ['{exporter}']}}]}}
remote_write:
  - url: http://{sidecar_address}/api/v1/write
    protobuf_message: io.prometheus.write.v2.Request
    queue_config: {{batch_send_deadline: 200ms}}
"
    );
    let flags = ["--web.enable-remote-write-receiver"];
    let (prometheus, _prometheus) = prometheus::start_with(&binary, &configuration, &flags);
    let _sidecar = start_sidecar(sidecar_address, prometheus);
    let of_limit = |series: &str| {
        let instance = format!(r#"for="{LIMIT}",instance="{exporter}",job="made",detector="each""#);
        query(prometheus, &format!("{series}{{{instance}}}"))
    };
    wait_for("every series has a score in Prometheus", TRAINING, || {
        let scored = query(prometheus, r#"count(anomaly_score{detector="each"})"#);
        scored.first().is_some_and(|count| count["value"][1] == "8").then_some(())
    });
    wait_for("the limit is quiet", PATIENCE, || {
        (number(&of_limit("anomaly_severity")) == Some(0.0)).then_some(())
    });

    limit.store(6_000_000_000, Ordering::Relaxed);
    wait_for("the jump is of medium severity or high", PATIENCE, || {
        number(&of_limit("anomaly_severity")).filter(|severity| *severity >= 2.0)
    });
    let score = wait_for("its score is in Prometheus", PATIENCE, || number(&of_limit("anomaly_score")));
    assert!(score >= 0.4, "{score}");
    let answer = http::get_json(sidecar_address, "/api/v1/anomalies?detector=each");
    let anomalies = answer["data"]["anomalies"].as_array().unwrap();
    let anomaly = anomalies.iter().find(|anomaly| anomaly["entity"]["for"] == LIMIT).unwrap();
    let explanation = anomaly["explanation"].as_str().unwrap();
    assert!(explanation.starts_with(&format!("{LIMIT} is 6 GB, always 5 GB before")), "{explanation}");
    // Prometheus sends on what it is sent, and the selector would take it.
    assert!(metrics::scrape(sidecar_address).sum("emberwatch_own_samples_ignored_total") > 0.0);
    assert_eq!(query(prometheus, r#"anomaly_score{for=~"anomaly_.*"}"#), Vec::<Value>::new());
    // A counter is judged as a rate, the buckets of a histogram not at all.
    assert_eq!(query(prometheus, r#"anomaly_score{for="made_requests_total"}"#).len(), 1);
    assert_eq!(query(prometheus, r#"anomaly_score{for="made_seconds_bucket"}"#).len(), 0);
}
