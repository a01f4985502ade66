//! A sidecar with a queue that is beyond its limit all the time.

use crate::support::{
    http,
    process::{Process, free_address, wait_for},
    remote_write,
};
use emberwatch::series::{LabelSet, METRIC_NAME, Sample, TimestampMs};
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How long anything may take here; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A queue beyond its limit is severe from the second step on, whether or not there is a model.
const CONFIG: &str = "
step: 1s
detectors:
  - name: work
    window: 10s
    features:
      queue: { expr: max by (instance) (queue), limit: { above: 100, severity: high } }
";

/// A sidecar, its configuration and the folder of its state.
pub(crate) struct Site {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) sidecar: Process,
    /// The second of the first step.
    first: i64,
}

// === impl Site ===

impl Site {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let text =
            format!("{CONFIG}state: {{ path: {} }}\nmodels: {{ path: {0}/models }}\n", state.display());
        fs::write(folder.path().join("config.yaml"), text).unwrap();
        let (address, sidecar) = Self::sidecar(&folder);
        // Ahead of the clock, within what is taken: by the clock, no window begins or ends while this runs.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
        Self { folder, address, sidecar, first: now + 300 }
    }

    fn sidecar(folder: &tempfile::TempDir) -> (SocketAddr, Process) {
        let address = free_address();
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
        command
            .current_dir(folder.path())
            .arg(format!("--config.file={}", folder.path().join("config.yaml").display()))
            .arg(format!("--web.listen-address={address}"));
        let mut sidecar = Process::spawn("sidecar", command, tempfile::tempdir().unwrap());
        sidecar.wait_until_ready(address, "/-/ready");
        (address, sidecar)
    }

    pub(crate) fn kill_and_start(&mut self) {
        self.sidecar.signal("KILL");
        self.sidecar.wait_for_end();
        (self.address, self.sidecar) = Self::sidecar(&self.folder);
    }

    fn instant(&self, second: i64) -> TimestampMs {
        TimestampMs((self.first + second) * 1000)
    }

    pub(crate) fn text(&self, second: i64) -> String {
        format!("{:.3}", jiff::Timestamp::from_millisecond(self.instant(second).0).unwrap())
    }

    /// Sends a queue beyond its limit for these seconds, and gives what is said of the last one.
    pub(crate) fn anomaly(&self, seconds: std::ops::RangeInclusive<i64>) -> Value {
        let last = *seconds.end();
        // The last step is due when the data has passed it.
        let samples =
            (*seconds.start()..=last + 1).map(|at| Sample::new(self.instant(at).0, 150.0)).collect();
        let labels = LabelSet::from_pairs([(METRIC_NAME, "queue"), ("instance", "db-1")]).unwrap();
        remote_write::send(self.address, &[(labels, samples)]);
        let at = self.text(last);
        wait_for("the last step is judged", PATIENCE, || {
            let mut data = http::get_json(self.address, "/api/v1/anomalies")["data"].take();
            let judged = data["at"].as_str().is_some_and(|judged| judged >= at.as_str());
            judged.then(|| data["anomalies"][0].take())
        })
    }

    pub(crate) fn add(&self, window: &Value) -> Value {
        let headers = [("Content-Type", "application/json")];
        let body = window.to_string();
        let answer = http::post(self.address, "/api/v1/maintenance", &headers, body.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_slice::<Value>(&answer.body).unwrap()["data"].take()
    }

    pub(crate) fn windows(&self) -> Value {
        http::get_json(self.address, "/api/v1/maintenance")["data"]["windows"].take()
    }
}
