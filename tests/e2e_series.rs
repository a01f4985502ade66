//! A detector of single series between real peers: a real Prometheus scrapes an exporter and sends what it found to the
//! sidecar; a series that was constant jumps, and Prometheus has its score.

#[cfg(test)]
#[path = "support/support.rs"]
mod support;

use serde_json::Value;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use support::{
    http::{self, percent_encoded},
    metrics, peers,
    process::{Process, free_address, wait_for},
    prometheus,
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
    let answer = http::get(sidecar_address, "/api/v1/anomalies?detector=each").unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
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

fn start_sidecar(address: SocketAddr, prometheus: SocketAddr) -> Process {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    let text = format!(
        "step: 1s
remote_write:
  - url: http://{prometheus}/api/v1/write
models: {{path: {}}}
training: {{warm_up: 128s}}
detectors:
  - name: each
    series: '{{__name__=~\"made_.*|anomaly_.*\"}}'
    rate_interval: 5s
    window: 10s
",
        folder.path().display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
    command.arg(format!("--config.file={}", config.display())).arg(format!("--web.listen-address={address}"));
    let mut sidecar = Process::spawn("sidecar", command, folder);
    sidecar.wait_until_ready(address, "/-/ready");
    sidecar
}

/// The elements of the result of an instant query.
fn query(prometheus: SocketAddr, expression: &str) -> Vec<Value> {
    let path = format!("/api/v1/query?query={}", percent_encoded(expression));
    let answer: Value = serde_json::from_slice(&http::get(prometheus, &path).unwrap().body).unwrap();
    answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{expression}: {answer}")).clone()
}

fn number(elements: &[Value]) -> Option<f64> {
    elements.first()?["value"][1].as_str()?.parse().ok()
}

/// An exporter of eight series that are judged, and of buckets, for as long as the process lives.
fn serve_metrics(limit: Arc<AtomicU64>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (scrape, stream) in listener.incoming().flatten().enumerate() {
            // Whoever asked may have gone.
            _ = answer(stream, &exposition(scrape as u64, limit.load(Ordering::Relaxed)));
        }
    });
    address
}

fn answer(mut stream: TcpStream, body: &str) -> std::io::Result<()> {
    // Prometheus' request fits in one read, and nothing of it matters.
    _ = stream.read(&mut [0; 4096])?;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn exposition(scrape: u64, limit: u64) -> String {
    // Wanders by a part of a whole that has no common measure with the scrapes.
    let wander = |n: u64| (scrape as f64 * (0.381_966 + n as f64 * 0.1)).fract();
    let requests = scrape * 100 + (20.0 * wander(0)) as u64;
    let sum = requests as f64 * 0.25;
    let mut text = format!(
        "# TYPE made_limit_bytes gauge\nmade_limit_bytes {limit}\n# TYPE made_requests_total counter\n\
         made_requests_total {requests}\n# TYPE made_seconds histogram\nmade_seconds_bucket{{le=\"+Inf\"}} {requests}\n\
         made_seconds_count {requests}\nmade_seconds_sum {sum}\n# TYPE made_load gauge\n"
    );
    for n in 0..4 {
        text += &format!("made_load{{cpu=\"{n}\"}} {}\n", 2.0 + wander(n));
    }
    text
}
