//! A made fleet that goes on for as long as the test wants, and the sidecar that watches it.

use crate::support::{process::Process, prometheus, remote_write};
use emberwatch::series::{LabelSet, Sample, TimestampMs};
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub(crate) const INSTANCES: usize = 4;

const STEP_MS: i64 = 1_000;

/// Samples of a request: less than a minute of the fleet.
const SECONDS_AT_ONCE: i64 = 50;

/// Writes a sample a second of each instance to Prometheus, until it is dropped.
pub(crate) struct Fleet {
    ended: Arc<AtomicBool>,
    writer: Option<JoinHandle<()>>,
}

impl Fleet {
    /// Writes all from `begin` to now, then goes on.
    pub(crate) fn begin(prometheus: SocketAddr, begin: TimestampMs) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&ended);
        let mut next = begin.align_down(STEP_MS);
        write_until_now(prometheus, &mut next);
        let writer = thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                write_until_now(prometheus, &mut next);
                thread::sleep(Duration::from_millis(50));
            }
        });
        Self { ended, writer: Some(writer) }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(writer) = self.writer.take() {
            // A panic in there has been printed, and the test fails without its samples.
            _ = writer.join();
        }
    }
}

fn write_until_now(prometheus: SocketAddr, next: &mut TimestampMs) {
    while *next <= now() {
        let end = next.plus_ms(STEP_MS * SECONDS_AT_ONCE).min(now().plus_ms(1));
        let times: Vec<i64> = (next.0..end.0).step_by(STEP_MS as usize).collect();
        send(prometheus, &times);
        *next = TimestampMs(times.last().map_or(end.0, |last| last + STEP_MS));
    }
}

/// Writes a sample a second of each instance to a receiver, both ends included.
pub(crate) fn write(receiver: SocketAddr, from: TimestampMs, until: TimestampMs) {
    let times: Vec<i64> = (from.0..=until.0).step_by(STEP_MS as usize).collect();
    times.chunks(SECONDS_AT_ONCE as usize).for_each(|times| send(receiver, times));
}

fn send(receiver: SocketAddr, times: &[i64]) {
    let series = (0..INSTANCES).map(|instance| {
        let labels = [("__name__", "made_load".to_owned()), ("instance", format!("node-{instance}"))];
        let samples = times.iter().map(|at| Sample::new(*at, load(instance, *at)));
        (LabelSet::from_pairs(labels).unwrap(), samples.collect())
    });
    let series: Vec<_> = series.collect();
    remote_write::send_patiently(receiver, &series, Duration::from_secs(30));
}

/// Wanders by parts of a whole that have no common measure with a second.
fn load(instance: usize, at: i64) -> f64 {
    let second = (at / STEP_MS) as f64;
    2.0 + instance as f64 + (second * 0.381_966).fract() + (second * 0.017_3).sin()
}

/// The wall clock.
pub(crate) fn now() -> TimestampMs {
    TimestampMs(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64)
}

/// A Prometheus that sends what it is written to the sidecar.
pub(crate) fn start_prometheus(binary: &Path, sidecar: SocketAddr) -> (SocketAddr, Process) {
    let configuration = format!(
        "global: {{}}\nremote_write:\n  - url: http://{sidecar}/api/v1/write\n    queue_config: {{batch_send_deadline: 200ms}}\n"
    );
    let flags = ["--web.enable-remote-write-receiver"];
    prometheus::start_with(binary, &configuration, &flags)
}

/// The sidecar, ready, with its past in `prometheus` and its models in a folder that outlives it.
pub(crate) fn start_sidecar(
    address: SocketAddr,
    prometheus: SocketAddr,
    models: &Path,
    backfill: &str,
) -> Process {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    let text = format!(
        "step: 1s
history:
  url: http://{prometheus}
  backfill: {backfill}
  retry_for: 1s
remote_write:
  - url: http://{prometheus}/api/v1/write
models: {{path: {}}}
training: {{warm_up: 3m}}
detectors:
  - name: fleet
    by: [instance]
    window: 30s
    features:
      load: max by (instance) (max_over_time(made_load[5s]))
",
        models.display()
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
