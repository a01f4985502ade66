//! A sidecar that runs as a process of its own.

use crate::support::{
    metrics,
    process::{Process, free_address, wait_for},
    prometheus::query_at,
    remote_write,
};
use emberwatch::series::{LabelSet, METRIC_NAME, Sample, TimestampMs};
use std::{
    fs,
    net::SocketAddr,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A detector that reads nothing, so that no step drops samples.
pub(super) const IDLE: &str = "
storage: { retention: 2h, shards: 3 }
detectors:
  - name: idle
    features: { nothing: sum by (instance) (not_there) }
";

/// A detector that needs no model for a score.
pub(super) const SCORING: &str = "
step: 15s
storage: { retention: 2h, shards: 3 }
external_labels: { cluster: eu }
detectors:
  - name: queue
    features:
      queue: { expr: max by (instance) (queue), limit: { above: 100, severity: high } }
";

const STEP_MS: i64 = 15_000;

/// Steps after the first sample of [`send_a_queue`]: ten minutes.
pub(super) const STEPS: i64 = 40;

/// Running until it is dropped.
pub(super) struct Sidecar {
    pub(super) address: SocketAddr,
    _process: Process,
}

// === impl Sidecar ===

impl Sidecar {
    pub(super) fn start(config: &str, flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.yaml");
        fs::write(&path, config).unwrap();
        let address = free_address();
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
        command
            .current_dir(directory.path())
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--web.listen-address={address}"))
            .args(flags);
        let mut process = Process::spawn("emberwatch", command, directory);
        process.wait_until_ready(address, "/-/ready");
        Self { address, _process: process }
    }

    pub(super) fn metric(&self, name: &str) -> f64 {
        metrics::scrape(self.address).sum(name)
    }
}

/// Sends queues of two instances as a Prometheus of cluster `eu` does, one of them too long for [`SCORING`], and waits for
/// the last score. Gives its time.
pub(super) fn send_a_queue(sidecar: &Sidecar) -> TimestampMs {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let end = TimestampMs(now - 60_000).align_down(STEP_MS);
    let series = [("a", 200), ("b", 10)].map(|(instance, length)| {
        let labels = [(METRIC_NAME, "queue"), ("cluster", "eu"), ("instance", instance), ("job", "work")];
        let sample = |n: i64| Sample::new(end.0 - (STEPS - n) * STEP_MS, (length + n % 3) as f64);
        (LabelSet::from_pairs(labels).unwrap(), (0..=STEPS).map(sample).collect())
    });
    remote_write::send(sidecar.address, &series);
    wait_for("the score of the last step is there", Duration::from_secs(60), || {
        let newest = query_at(sidecar.address, "timestamp(anomaly_score)", end);
        let newest = newest.first()?["value"][1].as_str()?.parse::<f64>().ok()?;
        (newest >= end.seconds()).then_some(())
    });
    end
}
