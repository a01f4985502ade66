//! The gRPC services, by a real HTTP/2 client through the same socket as everything else.

use crate::{
    endpoints::{incidents, report},
    harness::Server,
};
use emberwatch::{
    api::{
        AnomalySnapshot, MaintenanceReport, StartReport, ViolationReport,
        grpc::v1::{
            Anomaly, Contribution, Incident, IncidentState, ListAnomaliesRequest, ListIncidentsRequest,
            ListIncidentsResponse, Maintenance, Severity, Start, Violation,
            anomalies_client::AnomaliesClient, incidents_client::IncidentsClient, violation::Limit,
        },
    },
    explain::Criterion,
    series::TimestampMs,
};
use http::Uri;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{collections::BTreeMap, sync::Arc};
use tonic::{Code, Status, body::Body};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

type Http2 = legacy::Client<HttpConnector, Body>;

fn http2() -> Http2 {
    legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

fn origin(server: &Server) -> Uri {
    format!("http://{}", server.address).parse().unwrap()
}

fn list(server: &Server, detector: &str, min_severity: i32) -> Result<Vec<Anomaly>, Status> {
    let mut client = AnomaliesClient::with_origin(http2(), origin(server));
    let request = ListAnomaliesRequest { detector: detector.to_owned(), min_severity };
    server.block_on(client.list(request)).map(|response| response.into_inner().anomalies)
}

fn check_health(server: &Server, service: &str) -> Result<ServingStatus, Status> {
    let mut client = HealthClient::with_origin(http2(), origin(server));
    let response = server.block_on(client.check(HealthCheckRequest { service: service.to_owned() }));
    response.map(|response| response.into_inner().status())
}

#[test]
fn grpc_lists_an_anomaly_with_all_that_is_known_of_it() {
    let server = Server::start();
    let anomalies = vec![report("node", 2)];
    server.anomalies.store(Arc::new(AnomalySnapshot {
        at: Some(TimestampMs(1_700_000_060_000)),
        anomalies,
        ..AnomalySnapshot::default()
    }));
    let expected = Anomaly {
        detector: "node".to_owned(),
        entity: BTreeMap::from([("instance".to_owned(), "a:9100".to_owned())]),
        timestamp_ms: 1_700_000_060_000,
        anomaly_score: 0.75,
        severity: Severity::Medium.into(),
        tail_probability: 0.0001,
        since_ms: 1_700_000_000_000,
        explanation: "cpu_usage_avg is 0.97, usually 0.1 to 0.3".to_owned(),
        contributions: vec![Contribution { feature: "cpu_usage_avg".to_owned(), share: 1.0 }],
        missing_features: vec!["disk_usage_pct".to_owned()],
        filled_features: vec!["load_per_core".to_owned()],
        model_version: "v1".to_owned(),
        incident: "00f1e2d3c4b5a697".to_owned(),
        criteria: vec!["statistical_outlier".to_owned(), "behaviour_change".to_owned()],
        r#type: "resource".to_owned(),
        violations: Vec::new(),
        start: None,
        alerts: vec!["DiskFull".to_owned()],
        maintenance: None,
    };
    assert_eq!(list(&server, "", 0).unwrap(), [expected]);
}

#[test]
fn grpc_says_what_excuses_an_anomaly() {
    let server = Server::start();
    let mut anomaly = report("node", 1);
    let began = TimestampMs(1_700_000_030_000);
    let version = Some("1.8.2".to_owned());
    anomaly.start = Some(StartReport { kind: "release", version, began, times: 2, in_grace: true });
    let until = TimestampMs(1_700_003_600_000);
    anomaly.maintenance = Some(MaintenanceReport { name: "backup".to_owned(), until });
    server
        .anomalies
        .store(Arc::new(AnomalySnapshot { anomalies: vec![anomaly], ..AnomalySnapshot::default() }));
    let listed = list(&server, "", 0).unwrap().remove(0);
    let start = Start {
        kind: "release".to_owned(),
        version: Some("1.8.2".to_owned()),
        began_ms: began.0,
        times: 2,
        in_grace: true,
    };
    assert_eq!(listed.start, Some(start));
    assert_eq!(listed.maintenance, Some(Maintenance { name: "backup".to_owned(), until_ms: until.0 }));
}

#[test]
fn grpc_says_which_values_are_anomalies_by_themselves() {
    let server = Server::start();
    let mut anomaly = report("node", 3);
    let limit = ViolationReport {
        feature: "disk".to_owned(),
        seen: 0.97,
        criterion: Criterion::ThresholdViolation,
        above: Some(0.95),
        below: None,
    };
    let zero =
        ViolationReport { seen: 0.0, criterion: Criterion::DroppedToZero, above: None, ..limit.clone() };
    let low = ViolationReport { seen: -1.0, above: None, below: Some(0.0), ..limit.clone() };
    anomaly.violations = vec![limit, low, zero];
    server
        .anomalies
        .store(Arc::new(AnomalySnapshot { anomalies: vec![anomaly], ..AnomalySnapshot::default() }));
    let violation = |seen, criterion: &str, limit| Violation {
        feature: "disk".to_owned(),
        seen,
        criterion: criterion.to_owned(),
        limit,
    };
    let expected = [
        violation(0.97, "threshold_violation", Some(Limit::Above(0.95))),
        violation(-1.0, "threshold_violation", Some(Limit::Below(0.0))),
        violation(0.0, "dropped_to_zero", None),
    ];
    assert_eq!(list(&server, "", 0).unwrap()[0].violations, expected);
}

#[test]
fn grpc_lists_incidents_open_ones_first_and_can_filter_them() {
    let server = Server::start();
    let list = |request: ListIncidentsRequest| {
        let mut client = IncidentsClient::with_origin(http2(), origin(&server));
        server.block_on(client.list(request)).map(tonic::Response::into_inner)
    };
    let all = ListIncidentsRequest::default;
    assert_eq!(list(all()).unwrap(), ListIncidentsResponse::default());
    let at = Some(TimestampMs(1_700_000_100_000));
    server.anomalies.store(Arc::new(AnomalySnapshot {
        at,
        incidents: incidents(),
        ..AnomalySnapshot::default()
    }));

    let listed = list(all()).unwrap();
    assert_eq!(listed.timestamp_ms, at.map(|at| at.0));
    let [open, ended] = listed.incidents.as_slice() else { panic!("{listed:?}") };
    assert_eq!((open.entity["instance"].as_str(), open.end_ms), ("b", None));
    let expected = Incident {
        id: incidents()[1].id.to_string(),
        entity: BTreeMap::from([("instance".to_owned(), "a".to_owned())]),
        severity: Severity::High.into(),
        detectors: vec!["http".to_owned()],
        start_ms: 1_700_000_040_000,
        end_ms: Some(1_700_000_100_000),
        peak_ms: 1_700_000_040_000,
        peak_anomaly_score: 0.5,
        criteria: vec!["behaviour_change".to_owned()],
        r#type: "traffic".to_owned(),
        explanation: "request_rate is 7, usually 20 to 40. About one window in 1,000 is as unusual."
            .to_owned(),
        alerts: vec!["HighLatency".to_owned()],
    };
    assert_eq!(*ended, expected);

    let detector = |name: &str| ListIncidentsRequest { detector: name.to_owned(), ..all() };
    let state = |state: i32| ListIncidentsRequest { state, ..all() };
    let severity = |min_severity: i32| ListIncidentsRequest { min_severity, ..all() };
    for (request, count) in [
        (state(IncidentState::Open.into()), 1),
        (state(IncidentState::Ended.into()), 1),
        (severity(Severity::High.into()), 1),
        (detector("http"), 2),
        (detector("node"), 0),
    ] {
        assert_eq!(list(request.clone()).unwrap().incidents.len(), count, "{request:?}");
    }
    for request in [state(3), severity(4)] {
        assert_eq!(list(request).unwrap_err().code(), Code::InvalidArgument);
    }
}

#[test]
fn the_step_is_absent_before_the_first() {
    let server = Server::start();
    let mut client = AnomaliesClient::with_origin(http2(), origin(&server));
    let mut step = || {
        let response = server.block_on(client.list(ListAnomaliesRequest::default())).unwrap();
        response.into_inner().timestamp_ms
    };
    assert_eq!(step(), None);
    server
        .anomalies
        .store(Arc::new(AnomalySnapshot { at: Some(TimestampMs(0)), ..AnomalySnapshot::default() }));
    assert_eq!(step(), Some(0));
}

#[test]
fn grpc_filters_as_http_does_and_refuses_a_severity_that_does_not_exist() {
    let server = Server::start();
    let anomalies = vec![report("node", 1), report("node", 3), report("api", 3)];
    server.anomalies.store(Arc::new(AnomalySnapshot { anomalies, ..AnomalySnapshot::default() }));
    let count = |detector: &str, least: Severity| list(&server, detector, least.into()).unwrap().len();
    assert_eq!(count("", Severity::Normal), 3);
    assert_eq!(count("node", Severity::Normal), 2);
    assert_eq!(count("", Severity::Medium), 2);
    assert_eq!(count("node", Severity::High), 1);
    assert_eq!(count("nobody", Severity::Normal), 0);
    assert_eq!(list(&server, "", 4).unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn health_follows_readiness_for_the_process_and_for_its_service() {
    let server = Server::start();
    for service in ["", "emberwatch.v1.Anomalies", "emberwatch.v1.Incidents"] {
        server.readiness.set(false);
        assert_eq!(check_health(&server, service).unwrap(), ServingStatus::NotServing);
        server.readiness.set(true);
        assert_eq!(check_health(&server, service).unwrap(), ServingStatus::Serving);
    }
    assert_eq!(check_health(&server, "nobody").unwrap_err().code(), Code::NotFound);
}

/// A call left open would make the shutdown wait for its deadline.
#[test]
fn watching_health_tells_every_change_and_ends_with_the_process() {
    let server = Server::start();
    let mut client = HealthClient::with_origin(http2(), origin(&server));
    server.block_on(async {
        let mut statuses = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
        assert_eq!(statuses.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
        server.readiness.set(true);
        assert_eq!(statuses.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
        server.readiness.set(false);
        assert_eq!(statuses.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
        assert_eq!(statuses.message().await.unwrap(), None);
    });
}

#[test]
fn a_service_that_does_not_exist_is_watched_as_unknown() {
    let server = Server::start();
    let mut client = HealthClient::with_origin(http2(), origin(&server));
    server.block_on(async {
        let request = HealthCheckRequest { service: "nobody".to_owned() };
        let mut statuses = client.watch(request).await.unwrap().into_inner();
        assert_eq!(statuses.message().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);
    });
}

#[test]
fn what_does_not_exist_is_unimplemented_for_grpc_and_404_for_everybody_else() {
    let server = Server::start();
    let status_of = |path: &str, content_type: &str| {
        let uri = format!("http://{}{path}", server.address);
        let request = http::Request::post(uri).header("Content-Type", content_type).body(Body::empty());
        let response = server.block_on(http2().request(request.unwrap())).unwrap();
        let grpc_status =
            response.headers().get("grpc-status").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), grpc_status)
    };
    let unimplemented = (200, Some("12".to_owned()));
    for path in ["/emberwatch.v1.Anomalies/Delete", "/emberwatch.v2.Anomalies/List"] {
        assert_eq!(status_of(path, "application/grpc"), unimplemented, "{path}");
        assert_eq!(status_of(path, "application/grpc+proto"), unimplemented, "{path}");
    }
    assert_eq!(status_of("/emberwatch.v2.Anomalies/List", "text/plain"), (404, None));
    assert_eq!(status_of("/made/up", "application/json"), (404, None));
    assert_eq!(server.get("/made/up").status, 404);
}
