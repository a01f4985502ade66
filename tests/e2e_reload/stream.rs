//! A small synthetic stream, a sidecar that learns it, and a receiver of its scores.

use crate::support::{
    http::{self, Response},
    metrics::{self, Metrics},
    noise,
    process::{Process, free_address, wait_for},
    remote_write,
};
use emberwatch::{
    demo::sink::Sink,
    series::{LabelSet, METRIC_NAME, Sample, TimestampMs},
};
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tokio::runtime::Runtime;

pub(crate) const N_ENTITIES: usize = 8;

/// Steps that the windows of the features look back on.
const WINDOW: usize = 10;

/// One of the entities; its pressure runs away in the steps that are said to be anomalous.
pub(crate) const TROUBLED: &str = "boiler-1";

/// 2026-01-05T00:00:00Z: the time of the data has nothing to do with the clock.
const START: TimestampMs = TimestampMs(1_767_571_200_000);

/// How long anything may take here; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A sidecar that scores once a second of data time, and whoever takes its scores.
pub(crate) struct Bench {
    warm_up: usize,
    pub(crate) sidecar: Process,
    pub(crate) address: SocketAddr,
    /// The folder of the detector's models.
    pub(crate) models: PathBuf,
    pub(crate) sink: Sink,
    pub(crate) runtime: Runtime,
}

// === impl Bench ===

/// Steps between the one that asks for a model and the first that it judges.
const FITTING: usize = 4;

impl Bench {
    /// Starts a sidecar that trains after `warm_up` seconds of data, with a forest of its own `seed`.
    pub(crate) fn start(seed: u64, warm_up: usize) -> Self {
        let runtime = Runtime::new().unwrap();
        let sink = runtime.block_on(Sink::bind()).unwrap();
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
        let config = folder.path().join("config.yaml");
        fs::write(&config, config_text(seed, warm_up, &sink.url(), folder.path())).unwrap();
        let models = folder.path().join("boiler");
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
        command
            .current_dir(folder.path())
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--web.enable-lifecycle");
        let mut sidecar = Process::spawn("sidecar", command, folder);
        sidecar.wait_until_ready(address, "/-/ready");
        Self { warm_up, sidecar, address, models, sink, runtime }
    }

    /// Sends what a first model takes and waits for it; returns the first step that is not sent yet.
    ///
    /// It is the same step however busy the machine is: whoever sends until a model is seen has sent
    /// the data for the next one too when the sidecar is slow.
    pub(crate) fn train(&self) -> usize {
        // The warm-up begins with the first row, and there are rows when the windows are full, or before. The model is in use from
        // four steps after the one that asked for it on.
        let first_unsent = self.warm_up + WINDOW + FITTING + 1;
        for step in 0..first_unsent {
            send(self.address, step, false);
        }
        wait_for("a model is trained", PATIENCE, || self.version());
        first_unsent
    }

    pub(crate) fn metrics(&self) -> Metrics {
        metrics::scrape(self.address)
    }

    /// Version of the model in `emberwatch_model_info`.
    pub(crate) fn version(&self) -> Option<String> {
        let metrics = self.metrics();
        let versions = metrics.label_values("emberwatch_model_info", "version");
        assert!(versions.len() <= 1, "one model scores, not {versions:?}");
        versions.first().map(|version| (*version).to_owned())
    }

    /// Sends an anomalous step and waits until it is judged: by which version, once the anomaly has
    /// lasted long enough to be reported.
    pub(crate) fn judge(&self, step: usize) -> Option<String> {
        send(self.address, step, true);
        let at = format!("{:.3}", jiff::Timestamp::from_millisecond(time_of(step).0).unwrap());
        wait_for("the step is judged", PATIENCE, || {
            let answer = http::get(self.address, "/api/v1/anomalies").unwrap();
            let data = serde_json::from_slice::<Value>(&answer.body).unwrap()["data"].take();
            let version = |report: &Value| report["model_version"].as_str().map(str::to_owned);
            let troubled = |report: &&Value| report["entity"]["instance"] == TROUBLED;
            let reports = data["anomalies"].as_array()?;
            (data["at"] == *at).then(|| reports.iter().find(troubled).and_then(version))
        })
    }

    /// Points `current` at a version, as a user does.
    pub(crate) fn point_to(&self, version: &str) {
        fs::write(self.models.join("current"), version).unwrap();
    }

    /// `POST /-/reload`.
    pub(crate) fn post_reload(&self) -> Response {
        http::post(self.address, "/-/reload", &[], &[]).unwrap()
    }

    /// Waits until `number` lines of the log say that `version` was reloaded.
    pub(crate) fn wait_for_reload(&self, version: &str, number: usize) {
        let says_so = |line: &&str| line.contains("reloaded the model") && line.contains(version);
        wait_for("the reload is logged", PATIENCE, || {
            (self.sidecar.log().lines().filter(says_so).count() >= number).then_some(())
        });
    }

    /// Waits until `version` is the one in `emberwatch_model_info`, which follows the scores of a step.
    pub(crate) fn wait_for_version(&self, version: &str) {
        wait_for("the metric names the version", PATIENCE, || {
            (self.version().as_deref() == Some(version)).then_some(())
        });
    }

    pub(crate) fn last_reload_successful(&self) -> bool {
        self.metrics().sum("emberwatch_model_last_reload_successful") == 1.0
    }
}

/// A model file of another sidecar, trained on a longer piece of the same stream with another seed:
/// its version and its bytes.
pub(crate) fn other_model() -> (String, Vec<u8>) {
    let bench = Bench::start(43, 250);
    bench.train();
    let version = bench.version().unwrap();
    let bytes = fs::read(bench.models.join(format!("{version}.ewm"))).unwrap();
    (version, bytes)
}

/// Sends one step: every series has one sample. A sidecar that is overloaded is asked again, as
/// Prometheus does.
pub(crate) fn send(address: SocketAddr, step: usize, anomalous: bool) {
    send_all(address, &samples(step, anomalous));
}

/// The same, behind tens of thousands of samples that no detector looks at.
pub(crate) fn send_with_ballast(address: SocketAddr, step: usize) {
    const BALLAST: usize = 20_000;
    let one = |number: usize| {
        let number = number.to_string();
        let labels = LabelSet::from_pairs([(METRIC_NAME, "ballast"), ("number", &number)]).unwrap();
        (labels, vec![Sample { timestamp: time_of(step), value: 1.0 }])
    };
    send_all(address, &(0..BALLAST).map(one).collect::<Vec<_>>());
    send(address, step, false);
}

fn send_all(address: SocketAddr, series: &[(LabelSet, Vec<Sample>)]) {
    wait_for("the sidecar takes a step", PATIENCE, || {
        let response = remote_write::try_send(address, series);
        assert!(matches!(response.status, 204 | 503), "{}: {}", response.status, response.text());
        (response.status == 204).then_some(())
    });
}

/// The time of a step.
pub(crate) fn time_of(step: usize) -> TimestampMs {
    START.plus_ms(step as i64 * 1000)
}

fn samples(step: usize, anomalous: bool) -> Vec<(LabelSet, Vec<Sample>)> {
    let mut series = Vec::new();
    for entity in 0..N_ENTITIES {
        let instance = format!("boiler-{}", entity + 1);
        let runaway = if anomalous && instance == TROUBLED { 1000.0 } else { 0.0 };
        let noise = |channel| noise::at((step * N_ENTITIES + entity) as u64 * 2 + channel);
        for (name, value) in [
            ("boiler_celsius", 60.0 + 5.0 * noise(0)),
            ("boiler_pascals", 2000.0 + 80.0 * noise(1) + runaway),
        ] {
            let labels = LabelSet::from_pairs([(METRIC_NAME, name), ("instance", &instance)]).unwrap();
            series.push((labels, vec![Sample { timestamp: time_of(step), value }]));
        }
    }
    series
}

fn config_text(seed: u64, warm_up: usize, remote_write: &str, models: &Path) -> String {
    format!(
        "step: 1s
remote_write:
  - url: {remote_write}
models:
  path: {models}
training:
  warm_up: {warm_up}s
  seed: {seed}
detectors:
  - name: boiler
    window: {WINDOW}s
    features:
      celsius: max by (instance) (boiler_celsius)
      pascals: max by (instance) (boiler_pascals)
",
        models = models.display()
    )
}
