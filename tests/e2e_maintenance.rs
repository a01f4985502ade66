//! Planned work by API in the real binary: nothing is an alarm while it goes on, also after a `kill -9`, until it is ended.

#[cfg(test)]
#[path = "e2e_maintenance/site.rs"]
mod site;

#[cfg(test)]
#[path = "support/support.rs"]
mod support;

use serde_json::{Value, json};
use site::Site;
use std::fs;
use support::{http, metrics};

#[test]
fn what_is_planned_by_api_is_no_alarm_and_stays_planned_over_a_kill() {
    let mut site = Site::start();
    assert_eq!(site.anomaly(0..=5)["severity"], "high");

    let window = json!({
        "name": "move", "match": "{instance=~\"db.*\"}", "starts_at": site.text(10), "ends_at": site.text(500),
    });
    let added = site.add(&window);
    let planned = site.anomaly(7..=15);
    assert_eq!((&planned["severity"], &planned["incident"]), (&json!("low"), &json!("")));
    assert_eq!(planned["maintenance"], json!({ "name": "move", "until": site.text(500) }));
    assert_eq!(metrics::scrape(site.address).sum("emberwatch_maintenance_windows_open"), 1.0);
    assert!(site.sidecar.log().contains("maintenance began"), "{}", site.sidecar.log());

    site.kill_and_start();
    assert_eq!(site.windows(), json!([added]));
    assert_eq!(site.anomaly(17..=25)["maintenance"]["name"], "move");

    let id = added["id"].as_str().unwrap();
    let ended = http::delete(site.address, &format!("/api/v1/maintenance/{id}")).unwrap();
    assert_eq!(ended.status, 200, "{}", ended.text());
    let after = site.anomaly(27..=35);
    assert_eq!((&after["severity"], &after["maintenance"]), (&json!("high"), &Value::Null));

    site.kill_and_start();
    assert_eq!(site.windows(), json!([]));
}

/// A file that was torn is set aside, and the sidecar starts.
#[test]
fn a_damaged_file_is_no_reason_not_to_start() {
    let mut site = Site::start();
    site.add(&json!({ "name": "move", "match": "{}", "duration": "1h" }));
    let file = site.folder.path().join("state/maintenance.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, &text[..text.len() / 2]).unwrap();
    site.kill_and_start();
    assert_eq!(site.windows(), json!([]));
    assert!(file.with_extension("json.damaged").exists());
    assert!(site.sidecar.log().contains("set aside"), "{}", site.sidecar.log());
}
