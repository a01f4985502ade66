//! A real Prometheus that reads from a real sidecar.

use super::sidecar::{IDLE, SCORING, STEPS, Sidecar, send_a_queue};
use crate::{
    remote_read,
    support::{
        peers,
        process::{free_address, wait_for},
        prometheus::{self, query_at},
        remote_write,
    },
};
use emberwatch::series::{LabelSet, METRIC_NAME, Sample};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What a Prometheus finds through the sidecar is what the sidecar itself answers: the samples that it was sent, and the
/// scores that it made of them. External labels are asked for and taken off again, unless it is told not to; one that has
/// other ones finds nothing.
#[test]
fn a_prometheus_finds_samples_and_scores() {
    let Some(binary) = peers::find("prometheus") else { return };
    let sidecar = Sidecar::start(SCORING, &[]);
    let end = send_a_queue(&sidecar);
    let configuration = |cluster: &str, more: &str| {
        let url = format!("http://{}/api/v1/read", sidecar.address);
        format!(
            "global: {{external_labels: {{cluster: {cluster}}}}}\n\
             remote_read:\n  - {{url: '{url}', read_recent: true{more}}}\n"
        )
    };
    let expressions = [
        "anomaly_score[30m]",
        "queue[30m]",
        "{__name__=~\"anomaly_.*|queue\"}",
        "max_over_time(anomaly_score[5m:15s]) > 0.5",
        "queue * on (instance) group_left (detector) anomaly_severity",
    ];
    for (cluster, more, is_found) in [
        ("eu", "", true),
        ("eu", ", filter_external_labels: false", true),
        ("us", "", false),
        ("us", ", filter_external_labels: false", true),
    ] {
        let (prometheus, _process) = prometheus::start_with(&binary, &configuration(cluster, more), &[]);
        let keeps_cluster = !more.is_empty();
        for expression in expressions {
            let ours = query_at(sidecar.address, expression, end);
            assert!(ours.iter().all(|element| element["metric"]["cluster"] == "eu") && !ours.is_empty());
            let ours = if is_found { ours } else { Vec::new() };
            let answer = query_at(prometheus, expression, end);
            assert_eq!(
                by_labels(answer, true),
                by_labels(ours, keeps_cluster),
                "{cluster}{more} {expression}"
            );
        }
    }
    let scores = query_at(sidecar.address, "anomaly_score{instance=\"a\"}[30m]", end);
    let scores = scores[0]["values"].as_array().unwrap();
    assert_eq!(scores.len(), STEPS as usize);
    assert!(
        scores.iter().all(|score| score[1].as_str().unwrap().parse::<f64>().unwrap() >= 0.8),
        "{scores:?}"
    );
}

/// For series of which one has a label that the other lacks, a Prometheus that takes its external label off sees each once,
/// though the order of labels with it is another one than without.
#[test]
fn series_are_in_order_when_external_labels_are_taken_off() {
    let Some(binary) = peers::find("prometheus") else { return };
    let sidecar = Sidecar::start(&format!("external_labels: {{zone: z}}\n{IDLE}"), &[]);
    let configuration = format!(
        "global: {{external_labels: {{zone: z}}}}
remote_read:
  - {{url: 'http://{}/api/v1/read', read_recent: true}}
",
        sidecar.address
    );
    let receiver = "--web.enable-remote-write-receiver";
    let (prometheus, _process) = prometheus::start_with(&binary, &configuration, &[receiver]);
    let at = remote_read::start();
    let series = |more: &[(&'static str, &'static str)]| {
        [[("part", "x")].as_slice(), &[]].map(|part| {
            let labels = [(METRIC_NAME, "made"), ("job", "j")];
            let labels = labels.iter().chain(part).chain(more).copied();
            (LabelSet::from_pairs(labels).unwrap(), vec![Sample::new(at.0, 1.0)])
        })
    };
    // Both have the same samples, as by its remote write.
    remote_write::send(prometheus, &series(&[]));
    remote_write::send(sidecar.address, &series(&[("zone", "z")]));
    let sum = query_at(prometheus, "sum(made)", at);
    assert_eq!(sum[0]["value"][1], "2");
    assert_eq!(sidecar.metric("emberwatch_read_samples_total"), 2.0);
}

/// A Prometheus that sends its samples to the sidecar and reads them there sees each series once, as before.
#[test]
fn a_prometheus_that_writes_and_reads_sees_each_series_once() {
    let Some(binary) = peers::find("prometheus") else { return };
    let sidecar = Sidecar::start(IDLE, &[]);
    let address = free_address();
    let configuration = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s, external_labels: {{monitor: m, zone: z}}}}
scrape_configs:
  - {{job_name: self, static_configs: [{{targets: ['{address}']}}]}}
remote_write:
  - {{url: 'http://{0}/api/v1/write', queue_config: {{batch_send_deadline: 200ms}}}}
remote_read:
  - {{url: 'http://{0}/api/v1/read', read_recent: true}}
",
        sidecar.address
    );
    let flag = format!("--web.listen-address={address}");
    let (_, _prometheus) = prometheus::start_with(&binary, &configuration, &[&flag]);
    wait_for("the sidecar has some scrapes", Duration::from_secs(60), || {
        let up = prometheus::query(sidecar.address, "count_over_time(up[1m]) >= 3");
        (!up.is_empty()).then_some(())
    });
    let answer = prometheus::query(address, "{job=\"self\"}");
    let labels: BTreeSet<String> = answer.iter().map(|element| element["metric"].to_string()).collect();
    assert_eq!(labels.len(), answer.len());
    assert!(answer.len() > 300, "{}", answer.len());
    assert!(!labels.iter().any(|labels| labels.contains("\"zone\"")));
    assert!(sidecar.metric("emberwatch_read_samples_total") > 300.0, "it has asked the sidecar");
    // Each instant once, though both have it: of a scrape a second no more than a minute has.
    assert_eq!(prometheus::query(address, "count_over_time(up[1m]) > 61"), Vec::<Value>::new());
}

/// The elements of a result by their labels, with that of the cluster or without.
fn by_labels(answer: Vec<Value>, keeps_cluster: bool) -> BTreeMap<String, Value> {
    let element = |mut element: Value| {
        if let Some(labels) = element["metric"].as_object_mut().filter(|_| !keeps_cluster) {
            labels.remove("cluster");
        }
        (element["metric"].to_string(), element)
    };
    answer.into_iter().map(element).collect()
}
