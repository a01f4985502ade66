//! A Prometheus with rules and the sidecar to which it sends.

use crate::support::{
    exporter,
    process::{Process, free_address},
    prometheus,
};
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// One alert on the instance, one on a job of which no entity is known, and our own.
const RULES: &str = "groups:
  - name: made
    interval: 1s
    rules:
      - { alert: HighLoad, expr: made_load > 100, for: 4s }
      - { alert: JobBusy, expr: max by (job) (made_load) > 100 }
      - { alert: AnomalyHigh, expr: made_load > 100 }
";

/// The limit is passed before the alert fires, so that what the alert takes out of the training are rows from before both.
const CONFIG: &str = "step: 1s
alerts: { margin_before: 15s, margin_after: 2s, lead: 10s }
detectors:
  - name: made
    window: 5s
    features:
      load: { expr: 'max by (instance) (made_load)', limit: { above: 100, severity: high } }
";

/// All of it, until it is dropped.
pub(crate) struct Site {
    pub(crate) sidecar: SocketAddr,
    load: Arc<AtomicU64>,
    /// The sidecar last: it is stopped after what sends to it.
    _processes: [Process; 2],
    _rules: tempfile::TempDir,
}

impl Site {
    pub(crate) fn start(prometheus: &Path) -> Self {
        let load = Arc::new(AtomicU64::new(10));
        let shown = Arc::clone(&load);
        let exporter = exporter::serve(move |_| format!("made_load {}\n", shown.load(Ordering::Relaxed)));
        let sidecar = free_address();
        let rules = tempfile::tempdir().unwrap();
        let file = rules.path().join("rules.yml");
        fs::write(&file, RULES).unwrap();
        let configuration = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ['{}']
scrape_configs:
  - {{job_name: made, static_configs: [{{targets: ['{exporter}']}}]}}
remote_write:
  - url: http://{sidecar}/api/v1/write
    queue_config: {{batch_send_deadline: 200ms}}
",
            file.display()
        );
        let started = start_sidecar(sidecar);
        let (_, prometheus) = prometheus::start_with(prometheus, &configuration, &[]);
        Self { sidecar, load, _processes: [prometheus, started], _rules: rules }
    }

    /// What the exporter says from now on.
    pub(crate) fn set_load(&self, load: u64) {
        self.load.store(load, Ordering::Relaxed);
    }
}

fn start_sidecar(address: SocketAddr) -> Process {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    fs::write(&config, format!("{CONFIG}models: {{path: {}}}\n", folder.path().display())).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
    command
        .current_dir(folder.path())
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--web.listen-address={address}"));
    let mut sidecar = Process::spawn("sidecar", command, folder);
    sidecar.wait_until_ready(address, "/-/ready");
    sidecar
}
