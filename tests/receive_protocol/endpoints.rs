//! The endpoints beside the receiver.

use crate::harness::{Options, Server};
use emberwatch::{
    api::{
        AnomalyReport, AnomalySnapshot, ContributionReport, DetectorReport, DriftReport, F1Report,
        ModelReport, TrainingReport,
    },
    calibrate::{AnomalyScore, Peak, Severity},
    explain::{AnomalyType, Criterion},
    pipeline::{DetectorStep, Incident, Incidents, Verdict},
    series::{LabelSet, TimestampMs},
};
use std::sync::Arc;

pub(crate) fn report(detector: &str, severity: u8) -> AnomalyReport {
    AnomalyReport {
        detector: detector.to_owned(),
        entity: LabelSet::from_pairs([("instance", "a:9100")]).unwrap(),
        score: 0.75,
        severity,
        tail_probability: 0.0001,
        one_in: 10_000.0,
        since: TimestampMs(1_700_000_000_000),
        at: TimestampMs(1_700_000_060_000),
        incident: "00f1e2d3c4b5a697".to_owned(),
        criteria: vec![Criterion::StatisticalOutlier, Criterion::BehaviourChange],
        anomaly_type: Some(AnomalyType::Resource),
        explanation: "cpu_usage_avg is 0.97, usually 0.1 to 0.3".to_owned(),
        contributions: vec![ContributionReport { feature: "cpu_usage_avg".to_owned(), share: 1.0 }],
        violations: Vec::new(),
        missing_features: vec!["disk_usage_pct".to_owned()],
        filled_features: vec!["load_per_core".to_owned()],
        start: None,
        alerts: vec!["DiskFull".to_owned()],
        maintenance: None,
        model_version: "v1".to_owned(),
    }
}

#[test]
fn f1_healthy_always_and_ready_when_told() {
    let server = Server::start();
    assert_eq!(server.get("/-/healthy").status, 200);
    assert_eq!(server.get("/-/ready").status, 503);
    server.readiness.set(true);
    assert_eq!(server.get("/-/ready").status, 200);
    for path in ["/-/healthy", "/-/ready"] {
        let head = server.request("HEAD", path, &[], &[]);
        assert_eq!((head.status, head.body.as_str()), (200, ""));
    }
    server.readiness.set(false);
    assert_eq!(server.get("/-/ready").status, 503);
}

#[test]
fn f2_reload_is_403_unless_enabled_and_never_a_get() {
    let server = Server::with(Options { enable_lifecycle: false, ..Options::default() });
    let refused = server.request("POST", "/-/reload", &[], &[]);
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("--web.enable-lifecycle"), "{}", refused.body);
    let get = server.get("/-/reload");
    assert_eq!(get.status, 405);
    let allow = get.header("Allow").unwrap_or_default();
    assert!(allow.contains("POST") && allow.contains("PUT"), "{allow}");
}

#[test]
fn f2_reload_waits_for_the_result_and_a_failure_is_500_with_its_reason() {
    let mut server = Server::start();
    let (_, placeholder) = tokio::sync::mpsc::channel(1);
    let mut reloads = std::mem::replace(&mut server.reloads, placeholder);
    server.spawn(async move {
        for result in [Ok(()), Err("model node: checksum differs".to_owned())] {
            if let Some(reply) = reloads.recv().await {
                let _ = reply.send(result);
            }
        }
    });
    assert_eq!(server.request("POST", "/-/reload", &[], &[]).status, 200);
    let failed = server.request("PUT", "/-/reload", &[], &[]);
    assert_eq!(failed.status, 500);
    assert!(failed.body.contains("checksum differs"), "{}", failed.body);
    // The task has ended: nobody is left to reload.
    assert_eq!(server.request("POST", "/-/reload", &[], &[]).status, 503);
}

#[test]
fn f3_metrics_come_in_both_text_formats() {
    let server = Server::start();
    let plain = server.get("/metrics");
    assert_eq!(plain.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(plain.body.contains("# TYPE emberwatch_samples_appended_total counter"), "{}", plain.body);
    let accept = [("Accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")];
    let open = server.request("GET", "/metrics", &accept, &[]);
    assert!(open.header("Content-Type").unwrap().starts_with("application/openmetrics-text"));
    assert!(open.body.ends_with("# EOF\n"));
}

#[test]
fn requests_are_counted_by_route_never_by_the_path_a_client_made_up() {
    let server = Server::start();
    assert_eq!(server.get("/made/up").status, 404);
    assert_eq!(server.get("/metrics?x=1").status, 200);
    assert_eq!(server.metric("emberwatch_http_requests_total{handler=\"other\",code=\"404\"}"), 1.0);
    assert_eq!(server.metric("emberwatch_http_requests_total{handler=\"/metrics\",code=\"200\"}"), 1.0);
}

#[test]
fn a_panic_is_a_500_that_is_counted_and_the_process_lives() {
    let server = Server::start();
    assert_eq!(server.get("/panic").status, 500);
    assert_eq!(server.metric("emberwatch_http_panics_total"), 1.0);
    assert_eq!(server.get("/-/healthy").status, 200);
}

#[test]
fn the_index_names_every_endpoint() {
    let server = Server::start();
    let index = server.get("/");
    assert_eq!(index.status, 200);
    for path in [
        "/api/v1/write",
        "/api/v1/anomalies",
        "/api/v1/detectors",
        "/api/v1/incidents",
        "/metrics",
        "/-/healthy",
        "/-/ready",
        "/-/reload",
    ] {
        assert!(index.body.contains(path), "{path}");
        assert_ne!(server.request("OPTIONS", path, &[], &[]).status, 404, "{path}");
    }
}

#[test]
fn anomalies_are_empty_before_the_first_step() {
    let server = Server::start();
    let response = server.get("/api/v1/anomalies");
    assert_eq!(response.header("Content-Type"), Some("application/json"));
    assert_eq!(response.body, r#"{"status":"success","data":{"at":null,"anomalies":[]}}"#);
}

#[test]
fn an_anomaly_says_who_how_rare_why_and_since_when() {
    let server = Server::start();
    server.anomalies.store(Arc::new(AnomalySnapshot {
        at: Some(TimestampMs(1_700_000_060_000)),
        anomalies: vec![report("node", 2)],
        ..AnomalySnapshot::default()
    }));
    let body: serde_json::Value = serde_json::from_str(&server.get("/api/v1/anomalies").body).unwrap();
    let expected = serde_json::json!({
        "status": "success",
        "data": {
            "at": "2023-11-14T22:14:20.000Z",
            "anomalies": [{
                "detector": "node",
                "entity": { "instance": "a:9100" },
                "anomaly_score": 0.75,
                "severity": "medium",
                "tail_probability": 0.0001,
                "one_in": 10000.0,
                "since": "2023-11-14T22:13:20.000Z",
                "at": "2023-11-14T22:14:20.000Z",
                "incident": "00f1e2d3c4b5a697",
                "criteria": ["statistical_outlier", "behaviour_change"],
                "type": "resource",
                "explanation": "cpu_usage_avg is 0.97, usually 0.1 to 0.3",
                "contributions": [{ "feature": "cpu_usage_avg", "share": 1.0 }],
                "violations": [],
                "missing_features": ["disk_usage_pct"],
                "filled_features": ["load_per_core"],
                "alerts": ["DiskFull"],
                "model_version": "v1",
            }],
        },
    });
    assert_eq!(body, expected);
}

#[test]
fn detectors_say_why_they_train_and_whether_their_models_fit() {
    let server = Server::start();
    let empty = server.get("/api/v1/detectors");
    assert_eq!((empty.status, &*empty.body), (200, r#"{"status":"success","data":{"detectors":[]}}"#));
    let at = TimestampMs(1_700_000_000_000);
    let report = DetectorReport {
        detector: "node".to_owned(),
        state: "trained",
        training_rows: 300,
        model: Some(ModelReport {
            version: "v".to_owned(),
            trained_at: at,
            first: TimestampMs(0),
            last: at,
            drifted: None,
            has_reference: true,
        }),
        last_training: Some(TrainingReport { at, reason: "drift", why: "cpu".to_owned() }),
        drift: Some(DriftReport {
            until: at,
            rows: 256,
            score_psi: 0.5,
            feature_psi: [("cpu".to_owned(), 0.25)].into(),
        }),
        f1: Some(F1Report { value: 0.75, against: "alerts", is_low: true }),
    };
    server.detectors.store(Arc::new(vec![report]));
    let body: serde_json::Value = serde_json::from_str(&server.get("/api/v1/detectors").body).unwrap();
    let time = "2023-11-14T22:13:20.000Z";
    assert_eq!(
        body["data"]["detectors"][0],
        serde_json::json!({
            "detector": "node", "state": "trained", "training_rows": 300,
            "model": {
                "version": "v", "trained_at": time, "first": "1970-01-01T00:00:00.000Z", "last": time,
                "drifted": null, "has_reference": true,
            },
            "last_training": { "at": time, "reason": "drift", "why": "cpu" },
            "drift": { "until": time, "rows": 256, "score_psi": 0.5, "feature_psi": { "cpu": 0.25 } },
            "f1": { "value": 0.75, "against": "alerts", "is_low": true },
        })
    );
}

#[test]
fn anomalies_can_be_filtered_and_a_wrong_filter_is_400() {
    let server = Server::start();
    let anomalies = vec![report("node", 1), report("node", 3), report("api", 3)];
    server.anomalies.store(Arc::new(AnomalySnapshot { anomalies, ..AnomalySnapshot::default() }));
    let count = |query: &str| {
        let response = server.get(&format!("/api/v1/anomalies?{query}"));
        let body: serde_json::Value = serde_json::from_str(&response.body).unwrap();
        (response.status, body["data"]["anomalies"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(count("detector=node"), (200, 2));
    assert_eq!(count("severity=medium"), (200, 2));
    assert_eq!(count("detector=node&severity=high"), (200, 1));
    assert_eq!(count("severity=huge"), (400, 0));
    assert_eq!(count("colour=red"), (400, 0));
}

/// What a detector says of one entity at a minute.
fn verdict(instance: &str, minute: i64, severity: Severity) -> Verdict {
    let at = TimestampMs(1_700_000_040_000).plus_ms(60_000 * minute);
    let anomalous = severity > Severity::Normal;
    Verdict {
        entity: LabelSet::from_pairs([("instance", instance)]).unwrap(),
        at,
        anomaly_score: AnomalyScore::from_tail_probability(1e-3),
        tail_probability: 1e-3,
        raw_score: 3.0,
        severity,
        since: anomalous.then_some(at),
        peak: anomalous.then(|| Peak { at, score: AnomalyScore::from_tail_probability(1e-3) }),
        incident: None,
        seasonal: None,
        start: None,
        alerts: vec!["HighLatency".to_owned()],
        maintenance: None,
        violations: Vec::new(),
        contributions: Vec::new(),
        missing: Vec::new(),
        filled: Vec::new(),
        criteria: vec![Criterion::BehaviourChange],
        anomaly_type: Some(AnomalyType::Traffic),
        explanation: "request_rate is 7, usually 20 to 40. About one window in 1,000 is as unusual."
            .to_owned(),
    }
}

/// Incidents of two minutes: on `a` one that ended, on `b` one that is open.
pub(crate) fn incidents() -> Vec<Arc<Incident>> {
    let mut incidents = Incidents::default();
    for (minute, of_a) in [(0, Severity::High), (1, Severity::Normal)] {
        let verdicts = vec![verdict("a", minute, of_a), verdict("b", minute, Severity::Medium)];
        let mut step = DetectorStep { verdicts, ..DetectorStep::default() };
        incidents.take(step.verdicts[0].at, [("http", &mut step)]);
    }
    incidents.open().cloned().map(Arc::new).chain(incidents.ended().cloned()).collect()
}

#[test]
fn incidents_are_listed_open_ones_first_and_can_be_filtered() {
    let server = Server::start();
    assert_eq!(
        server.get("/api/v1/incidents").body,
        r#"{"status":"success","data":{"at":null,"incidents":[]}}"#
    );
    server
        .anomalies
        .store(Arc::new(AnomalySnapshot { incidents: incidents(), ..AnomalySnapshot::default() }));
    let list = |query: &str| {
        let response = server.get(&format!("/api/v1/incidents?{query}"));
        let body: serde_json::Value = serde_json::from_str(&response.body).unwrap();
        (response.status, body["data"]["incidents"].as_array().cloned().unwrap_or_default())
    };
    let all = list("").1;
    let expected = serde_json::json!({
        "id": all[1]["id"],
        "entity": { "instance": "a" },
        "severity": "high",
        "detectors": ["http"],
        "alerts": ["HighLatency"],
        "start": "2023-11-14T22:14:00.000Z",
        "end": "2023-11-14T22:15:00.000Z",
        "peak": { "at": "2023-11-14T22:14:00.000Z", "anomaly_score": 0.5 },
        "criteria": ["behaviour_change"],
        "type": "traffic",
        "explanation": "request_rate is 7, usually 20 to 40. About one window in 1,000 is as unusual.",
    });
    assert_eq!(all[1], expected);
    assert_eq!((&all[0]["entity"]["instance"], &all[0]["end"]), (&"b".into(), &serde_json::Value::Null));
    assert_ne!(all[0]["id"], all[1]["id"]);
    for (query, count) in [
        ("state=open", 1),
        ("state=ended", 1),
        ("severity=high", 1),
        ("detector=http", 2),
        ("detector=node", 0),
    ] {
        assert_eq!(list(query).1.len(), count, "{query}");
    }
    assert_eq!((list("state=over").0, list("severity=huge").0, list("colour=red").0), (400, 400, 400));
}
