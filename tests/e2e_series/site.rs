//! The sidecar with a detector of single series, and the exporter that Prometheus scrapes.

use crate::support::{exporter, process::Process};
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The sidecar, ready.
pub(crate) fn start_sidecar(address: SocketAddr, prometheus: SocketAddr) -> Process {
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
    command
        .current_dir(folder.path())
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--web.listen-address={address}"));
    let mut sidecar = Process::spawn("sidecar", command, folder);
    sidecar.wait_until_ready(address, "/-/ready");
    sidecar
}

/// The value of the first element of a query's result.
pub(crate) fn number(elements: &[Value]) -> Option<f64> {
    elements.first()?["value"][1].as_str()?.parse().ok()
}

/// An exporter of eight series that are judged, and of buckets, for as long as the process lives.
pub(crate) fn serve_metrics(limit: Arc<AtomicU64>) -> SocketAddr {
    exporter::serve(move |scrape| exposition(scrape, limit.load(Ordering::Relaxed)))
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
