//! Planned work by API: what is answered, and what is refused.

use crate::harness::{Options, Response, Server};
use emberwatch::config;
use serde_json::{Value, json};

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

const OF_CONFIG: &str = "
maintenance:
  - { name: nightly, match: '{job=\"disk\"}', schedule: 0 2 * * 6, duration: 2h, time_zone: Europe/Berlin }
  - { name: move, match: '{}', from: 2026-01-01T00:00:00Z, to: 2026-01-02T00:00:00Z }
";

fn server() -> Server {
    let maintenance = config::parse(OF_CONFIG).unwrap().maintenance;
    Server::with(Options { maintenance, ..Options::default() })
}

fn add(server: &Server, window: &Value) -> Response {
    server.request("POST", "/api/v1/maintenance", &JSON, window.to_string().as_bytes())
}

fn data(response: &Response) -> Value {
    assert_eq!(response.status, 200, "{}", response.body);
    serde_json::from_str::<Value>(&response.body).unwrap()["data"].take()
}

fn windows(server: &Server) -> Vec<Value> {
    data(&server.get("/api/v1/maintenance"))["windows"].as_array().unwrap().clone()
}

/// In the year 2100, whenever this runs.
fn upgrade() -> Value {
    json!({
        "name": "upgrade",
        "matchers": [{ "name": "instance", "value": "db.*", "isRegex": true }],
        "startsAt": "2100-01-01T00:00:00Z",
        "ends_at": "2100-01-01T02:00:00+01:00",
        "comment": "PostgreSQL 27",
        "created_by": "ann",
    })
}

#[test]
fn windows_are_listed_those_of_the_configuration_first() {
    let server = server();
    let added = data(&add(&server, &upgrade()));
    let listed = windows(&server);
    assert_eq!(listed[2], added);
    let of = |window: &Value, key: &str| window[key].as_str().map(str::to_owned);
    assert_eq!(of(&listed[0], "schedule").unwrap(), "0 2 * * 6 Europe/Berlin for 120 min");
    let moved = json!({
        "name": "move", "source": "config", "match": "{}", "state": "expired", "open_until": null,
        "starts_at": "2026-01-01T00:00:00.000Z", "ends_at": "2026-01-02T00:00:00.000Z",
    });
    assert_eq!(listed[1], moved);
    let expected = json!({
        "id": added["id"], "name": "upgrade", "source": "api", "match": "{instance=~\"db.*\"}",
        "starts_at": "2100-01-01T00:00:00.000Z", "ends_at": "2100-01-01T01:00:00.000Z",
        "state": "pending", "open_until": null,
        "comment": "PostgreSQL 27", "created_by": "ann", "created_at": added["created_at"],
    });
    assert_eq!(added, expected);
    assert_eq!(of(&added, "id").unwrap().len(), 16);
}

#[test]
fn a_window_without_a_begin_is_open_from_now_on() {
    let server = server();
    let added = data(&add(&server, &json!({ "name": "now", "match": "{}", "duration": "1h" })));
    assert_eq!(
        (&added["state"], &added["open_until"], &added["starts_at"]),
        (&json!("active"), &added["ends_at"], &added["created_at"])
    );
    assert_eq!(server.maintenance.current().len(), 3);
}

#[test]
fn a_window_is_ended_by_its_id_or_its_name() {
    let server = server();
    let id = data(&add(&server, &upgrade()))["id"].as_str().unwrap().to_owned();
    let end =
        |given: &str| server.request("DELETE", &format!("/api/v1/maintenance/{given}"), &[], &[]).status;
    assert_eq!(end(&id), 200);
    assert_eq!(end(&id), 404, "it had not begun, so nothing of it is left");
    add(&server, &json!({ "name": "a rack/2", "match": "{}", "duration": "1h" }));
    assert_eq!(end("a%20rack%2F2"), 200);
    let [.., ended] = windows(&server).try_into().unwrap_or([const { Value::Null }; 3]);
    assert_eq!((&ended["name"], &ended["state"]), (&json!("a rack/2"), &json!("expired")));
    assert_eq!(end("nightly"), 409);
    assert_eq!(server.get("/api/v1/maintenance/nightly").status, 405);
}

#[test]
fn what_is_refused_is_said_with_what_to_write() {
    let server = server();
    let refused = |response: Response| {
        let body: Value = serde_json::from_str(&response.body).unwrap();
        let text = |key: &str| body[key].as_str().unwrap().to_owned();
        assert_eq!(text("status"), "error");
        (response.status, text("errorType"), text("error"))
    };
    let bad = |window: Value| refused(add(&server, &window));
    let (status, error_type, error) = bad(json!({ "name": "x", "match": "{}" }));
    assert_eq!(
        (status, error_type.as_str(), error.as_str()),
        (400, "bad_data", "write either ends_at or duration")
    );
    assert!(bad(json!({ "name": "x", "macht": "{}" })).2.contains("unknown field `macht`"));
    assert_eq!(bad(json!([])).0, 400);
    add(&server, &upgrade());
    assert_eq!((bad(upgrade()).0, bad(upgrade()).1.as_str()), (409, "conflict"));

    let plain = server.request("POST", "/api/v1/maintenance", &[], upgrade().to_string().as_bytes());
    let (status, _, error) = refused(plain);
    assert!(status == 415 && error.contains("Content-Type: application/json"), "{error}");
    let large = json!({ "name": "x", "comment": "x".repeat(20_000) });
    assert_eq!(bad(large).0, 413);
    assert_eq!(windows(&server).len(), 3);
}
