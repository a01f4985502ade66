//! Labels for free: a rule of a real Prometheus fires an alert, which comes to the sidecar by Remote-Write and says of an incident
//! that it was none of its inventions.

#[cfg(test)]
#[path = "e2e_alerts/site.rs"]
mod site;

#[cfg(test)]
#[path = "support/support.rs"]
mod support;

use site::Site;
use std::time::Duration;
use support::{http, metrics, peers, process::wait_for};

/// How long anything may take; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn an_alert_of_prometheus_confirms_an_incident_and_is_kept_out_of_the_training() {
    let Some(prometheus) = peers::find("prometheus") else { return };
    let site = Site::start(&prometheus);
    let sum = |name: &str| metrics::scrape(site.sidecar).sum(&format!("emberwatch_{name}"));
    wait_for("rows are gathered", PATIENCE, || (sum("training_rows") >= 8.0).then_some(()));

    site.set_load(200);
    let anomaly = wait_for("the anomaly names the alert", PATIENCE, || {
        let answer = http::get_json(site.sidecar, "/api/v1/anomalies?severity=high");
        let anomaly = answer["data"]["anomalies"][0].clone();
        (anomaly["alerts"] == serde_json::json!(["HighLoad"])).then_some(anomaly)
    });
    let explanation = anomaly["explanation"].as_str().unwrap();
    assert!(explanation.contains("; the alert HighLoad fires."), "{explanation}");
    assert_eq!(sum("alerts_firing"), 1.0, "the own one is ignored");
    wait_for("the alert is judged", PATIENCE, || (sum("alerts_judged_total") > 0.0).then_some(()));

    site.set_load(10);
    wait_for("the incident is judged", PATIENCE, || (sum("incidents_judged_total") > 0.0).then_some(()));
    let scraped = metrics::scrape(site.sidecar);
    let sum = |name: &str| scraped.sum(&format!("emberwatch_{name}"));
    assert_eq!((sum("incidents_judged_total"), sum("incidents_confirmed_total")), (1.0, 1.0));
    assert_eq!((sum("alerts_judged_total"), sum("alerts_seen_total")), (1.0, 1.0));
    assert_eq!((sum("alerts_firing"), sum("alerts_left_out_total")), (0.0, 1.0), "one is on nobody");
    let (lead, count) = scraped.quantile_bound("emberwatch_alert_lead_seconds", 1.0);
    assert!(count == 1.0 && lead <= 30.0, "{count} of at most {lead} s");
    assert!(sum("training_rows_in_alerts_total") >= 1.0);
    let ended = http::get_json(site.sidecar, "/api/v1/incidents?state=ended");
    assert_eq!(ended["data"]["incidents"][0]["alerts"], serde_json::json!(["HighLoad"]));
}
