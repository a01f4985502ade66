//! A Prometheus that has the past, the sidecar beside it, and the commands that a user runs.

use crate::{
    fleet::{Fleet, NODES, STEP_MS, name},
    support::{
        http, metrics,
        process::{Process, free_address, wait_for},
        prometheus, remote_write,
    },
};
use emberwatch::series::TimestampMs;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

/// How long anything may take; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Site {
    folder: tempfile::TempDir,
    pub(crate) prometheus: SocketAddr,
    sidecar_address: SocketAddr,
    sidecar: Option<Process>,
    random: Xoshiro256PlusPlus,
    /// How often a process was killed.
    pub(crate) kills: usize,
    _prometheus: Process,
}

// === impl Site ===

impl Site {
    /// A Prometheus with what the OpenMetrics file `past` says.
    pub(crate) fn start(binary: &Path, promtool: &Path, folder: tempfile::TempDir, past: &Path) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let mut command = Command::new(promtool);
        command.args(["tsdb", "create-blocks-from", "--max-block-duration=24h", "--quiet", "openmetrics"]);
        let output = command.arg(past).arg(&data).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let config = home.path().join("prometheus.yml");
        // Days pass in seconds here: what is scored of them is hours behind what has come.
        fs::write(&config, "global: {}\nstorage: {tsdb: {out_of_order_time_window: 3d}}\n").unwrap();
        let address = free_address();
        let mut command = Command::new(binary);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg("--storage.tsdb.retention.time=90d")
            .arg(format!("--web.listen-address={address}"))
            .arg("--web.enable-remote-write-receiver");
        let mut process = Process::spawn("prometheus", command, home);
        process.wait_until_ready(address, "/-/ready");
        Self {
            folder,
            prometheus: address,
            sidecar_address: free_address(),
            sidecar: None,
            random: Xoshiro256PlusPlus::seed_from_u64(5),
            kills: 0,
            _prometheus: process,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&stdout).into_owned();
        assert!(status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&stderr));
        said
    }

    /// Runs it as well, but kills it at random moments up to `times` times before.
    pub(crate) fn run_through_kills(
        &mut self,
        arguments: &[&str],
        times: usize,
        longest: Duration,
    ) -> String {
        for _ in 0..times {
            let mut child =
                self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            thread::sleep(longest.mul_f64(self.random.random_range(0.05..1.0)));
            let ended = child.try_wait().unwrap().is_some();
            child.kill().unwrap();
            child.wait().unwrap();
            if ended {
                break;
            }
            self.kills += 1;
        }
        self.run(arguments)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    /// Starts the sidecar without waiting until it is ready.
    pub(crate) fn start_sidecar(&mut self) {
        let mut command = self.command(&["--config.file=config.yaml"]);
        command.arg(format!("--web.listen-address={}", self.sidecar_address));
        self.sidecar = Some(Process::spawn("sidecar", command, tempfile::tempdir().unwrap()));
    }

    pub(crate) fn wait_until_ready(&self) {
        wait_for("the sidecar is ready", PATIENCE, || {
            let ready = http::get(self.sidecar_address, "/-/ready");
            ready.is_ok_and(|response| response.status == 200).then_some(())
        });
    }

    /// Kills the sidecar, at a random moment of what it does now, and once more while it starts.
    pub(crate) fn kill_sidecar(&mut self) {
        for longest in [500, 3_000] {
            thread::sleep(Duration::from_millis(self.random.random_range(0..longest)));
            // By SIGKILL: nothing is written at the end.
            self.sidecar = None;
            self.kills += 1;
            self.start_sidecar();
        }
        self.wait_until_ready();
    }

    /// SIGHUP, and until it is done.
    pub(crate) fn reload(&self) {
        let sidecar = self.sidecar.as_ref().unwrap();
        let reloads = || sidecar.log().matches("reloaded the model").count();
        let before = reloads();
        sidecar.signal("HUP");
        wait_for("the models are read again", PATIENCE, || (reloads() > before).then_some(()));
    }

    pub(crate) fn metrics(&self) -> metrics::Metrics {
        metrics::scrape(self.sidecar_address)
    }

    /// Version of the model that scores.
    pub(crate) fn version(&self) -> Option<String> {
        let metrics = self.metrics();
        let versions = metrics.label_values("emberwatch_model_info", "version");
        versions.first().map(|version| (*version).to_owned())
    }

    /// Sends so many steps to Prometheus and to the sidecar, an hour at once.
    pub(crate) fn stream(&self, fleet: &mut Fleet, steps: i64) {
        let end = fleet.next() + steps;
        while fleet.next() < end {
            let series = fleet.stream((end - fleet.next()).min(60));
            remote_write::send_patiently(self.prometheus, &series, PATIENCE);
            remote_write::send_patiently(self.sidecar_address, &series, PATIENCE);
        }
    }

    /// Waits until the scores of step `at` are in Prometheus.
    pub(crate) fn wait_for_scores(&self, at: TimestampMs) {
        wait_for("the scores of the step", PATIENCE, || {
            let scores = self.scores(at, 120);
            (scores.len() == NODES && scores.iter().all(|(_, times)| times.last() == Some(&at.0)))
                .then_some(())
        });
    }

    /// The times of the scores of each machine, of the last `seconds` before `until`.
    pub(crate) fn scores(&self, until: TimestampMs, seconds: i64) -> Vec<(String, Vec<i64>)> {
        let selector = format!("anomaly_score{{detector=\"made\"}}[{seconds}s]");
        let of_element = |element: &Value| {
            let values = element["values"].as_array().unwrap().iter();
            let times = values.map(|pair| (pair[0].as_f64().unwrap() * 1000.0).round() as i64);
            (element["metric"]["instance"].as_str().unwrap().to_owned(), times.collect())
        };
        prometheus::query_at(self.prometheus, &selector, until).iter().map(of_element).collect()
    }

    /// Every machine has a score at every step from `from` to `until`, and each of them once.
    pub(crate) fn assert_no_holes(&self, from: TimestampMs, until: TimestampMs) {
        let mut scores = self.scores(until, until.since_ms(from) / 1000 + 1);
        scores.sort();
        let wanted: Vec<i64> = (from.0..=until.0).step_by(STEP_MS as usize).collect();
        assert_eq!(scores.len(), NODES);
        for (node, (instance, times)) in scores.iter().enumerate() {
            assert_eq!(*instance, name(node));
            let missing: Vec<i64> = wanted.iter().filter(|at| !times.contains(at)).copied().collect();
            let holes: Vec<(i64, usize)> = missing
                .chunk_by(|a, b| a + STEP_MS == *b)
                .map(|hole| ((hole[0] - from.0) / STEP_MS, hole.len()))
                .collect();
            assert!(missing.is_empty(), "{instance}: no scores, step and number of steps: {holes:?}");
            assert_eq!(times.len(), wanted.len(), "{instance}: scores beside the steps");
        }
    }
}
