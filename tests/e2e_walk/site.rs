//! The set-up of the README on free ports: node_exporter, Alertmanager, Prometheus, and a sidecar for
//! each version of Remote-Write. Its files are those of `deploy/example`, with addresses and
//! times replaced.

use crate::support::{
    http::{get_json, percent_encoded},
    metrics::{self, Metrics},
    peers,
    process::{Process, free_address},
    prometheus,
};
use serde_json::Value;
use std::{env, fmt::Write as _, fs, net::SocketAddr, path::Path, process::Command};

/// Names under which the one node_exporter is scraped. A score can say at most "one in 50 n" after
/// training on n rows, and a machine gives one row a second: ten minutes' worth of them, as the README
/// has it, come in little more than one minute from eight.
const N_HOSTS: usize = 8;

/// A process and where it serves.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
}

/// Everything that the README starts.
pub(crate) struct Site {
    pub(crate) prometheus: Running,
    pub(crate) alertmanager: Running,
    /// By Remote-Write version; `external_labels` tell their scores apart.
    pub(crate) sidecars: [(&'static str, Running); 2],
    _node_exporter: Running,
}

// === impl Site ===

impl Site {
    /// Starts all of it and waits until each part is ready; `None` where a peer is absent.
    pub(crate) fn start() -> Option<Self> {
        let prometheus_binary = peers::find("prometheus")?;
        let alertmanager_binary = peers::find("prometheus-alertmanager")?;
        let exporter_binary = peers::find("prometheus-node-exporter")?;
        let prometheus_address = free_address();
        let exporter = start("node_exporter", Command::new(exporter_binary), "/metrics", |command, _| {
            command.arg("--collector.disable-defaults");
            // Those that the preset reads; the others cost more than they tell.
            for collector in ["cpu", "meminfo", "filesystem", "diskstats", "netdev", "loadavg"] {
                command.arg(format!("--collector.{collector}"));
            }
        });
        let alertmanager =
            start("alertmanager", Command::new(alertmanager_binary), "/-/ready", |command, folder| {
                command.args(["--config.file=deploy/example/alertmanager.yml", "--cluster.listen-address="]);
                command.arg(format!("--storage.path={}", folder.display()));
            });
        let sidecars = ["v1", "v2"].map(|name| (name, sidecar(name, prometheus_address)));
        let config = prometheus_config(
            prometheus_address,
            alertmanager.address,
            exporter.address,
            sidecars.each_ref().map(|(_, sidecar)| sidecar.address),
        );
        let mut command = Command::new(prometheus_binary);
        command.arg("--web.enable-remote-write-receiver");
        let prometheus =
            start_at(prometheus_address, "prometheus", command, "/-/ready", |command, folder| {
                let file = folder.join("prometheus.yml");
                fs::write(&file, &config).unwrap();
                command.arg(format!("--config.file={}", file.display()));
                command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
            });
        Some(Self { prometheus, alertmanager, sidecars, _node_exporter: exporter })
    }

    /// What Prometheus answers to an instant query: the elements of its result.
    pub(crate) fn query(&self, expression: &str) -> Vec<Value> {
        prometheus::query(self.prometheus.address, expression)
    }

    /// The values of `label` among the active `AnomalyHigh` alerts of host-01 in the Alertmanager.
    pub(crate) fn alerting_sidecars(&self) -> Vec<String> {
        let filter = |matcher: &str| format!("filter={}", percent_encoded(matcher));
        let (name, host) = (filter(r#"alertname="AnomalyHigh""#), filter(r#"instance="host-01""#));
        let alerts =
            get_json(self.alertmanager.address, &format!("/api/v2/alerts?{name}&{host}&active=true"));
        let alerts = alerts.as_array().unwrap_or_else(|| panic!("{alerts}"));
        let mut names: Vec<_> = alerts
            .iter()
            .filter_map(|alert| alert["labels"]["sidecar"].as_str().map(str::to_owned))
            .collect();
        names.sort();
        names
    }
}

// === impl Running ===

impl Running {
    /// Its metrics now.
    pub(crate) fn metrics(&self) -> Metrics {
        metrics::scrape(self.address)
    }

    /// The anomaly of host-01 that a sidecar reports, if any.
    pub(crate) fn anomaly(&self) -> Option<Value> {
        let answer = get_json(self.address, "/api/v1/anomalies?detector=node");
        let anomalies = answer["data"]["anomalies"].as_array().unwrap_or_else(|| panic!("{answer}"));
        anomalies.iter().find(|anomaly| anomaly["entity"]["instance"] == "host-01").cloned()
    }
}

fn start(name: &str, command: Command, ready: &str, prepare: impl FnOnce(&mut Command, &Path)) -> Running {
    start_at(free_address(), name, command, ready, prepare)
}

/// Starts `command` at `address` after `prepare` was given the folder that lives as long as it does.
fn start_at(
    address: SocketAddr,
    name: &str,
    mut command: Command,
    ready: &str,
    prepare: impl FnOnce(&mut Command, &Path),
) -> Running {
    let folder = tempfile::tempdir().unwrap();
    prepare(&mut command, folder.path());
    command.arg(format!("--web.listen-address={address}"));
    let mut process = Process::spawn(name, command, folder);
    process.wait_until_ready(address, ready);
    Running { address, process }
}

fn sidecar(name: &str, prometheus: SocketAddr) -> Running {
    let command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
    start(name, command, "/-/ready", |command, folder| {
        let file = folder.join("config.yaml");
        fs::write(&file, sidecar_config(name, prometheus, folder)).unwrap();
        command.current_dir(folder).arg(format!("--config.file={}", file.display()));
    })
}

/// The example's config with shorter windows, and a warm-up of little more than the 128 steps that an
/// entity must have been seen for.
fn sidecar_config(name: &str, prometheus: SocketAddr, folder: &Path) -> String {
    let mut config = example(
        "config.yaml",
        &[
            ("127.0.0.1:9090", &prometheus.to_string()),
            ("warm_up: 10m", "warm_up: 130s"),
            ("window: 2m", "window: 10s"),
            ("rate_interval: 30s", "rate_interval: 10s"),
        ],
    );
    write!(config, "\nmodels:\n  path: {}\nexternal_labels: {{sidecar: {name}}}\n", folder.display())
        .unwrap();
    config
}

/// The example's Prometheus with all hosts, and the remote write once for each version.
fn prometheus_config(
    own: SocketAddr,
    alertmanager: SocketAddr,
    exporter: SocketAddr,
    [v1, v2]: [SocketAddr; 2],
) -> String {
    let rules = env::current_dir().unwrap().join("rules/*.yml");
    let hosts: String = (1..=N_HOSTS)
        .map(|host| {
            format!("      - targets: ['{exporter}']\n        labels: {{instance: host-{host:02}}}\n")
        })
        .collect();
    let config = example(
        "prometheus.yml",
        &[
            ("batch_send_deadline: 500ms", "batch_send_deadline: 200ms"),
            ("../../rules/*.yml", &rules.to_string_lossy()),
            ("127.0.0.1:9090", &own.to_string()),
            ("127.0.0.1:9093", &alertmanager.to_string()),
            ("      - targets: ['127.0.0.1:9100']\n", &hosts),
            ("['127.0.0.1:9201']", &format!("['{v1}', '{v2}']")),
        ],
    );
    let (head, version_2) = config.split_once("remote_write:\n").unwrap();
    let version_2 = version_2.replace("127.0.0.1:9201", &v2.to_string());
    let version_1: String = version_2
        .replace(&v2.to_string(), &v1.to_string())
        .split_inclusive('\n')
        .filter(|line| !line.contains("protobuf_message"))
        .collect();
    assert!(version_1.len() < version_2.len(), "the example is to ask for version 2");
    format!("{head}remote_write:\n{version_1}{version_2}")
}

/// A file of `deploy/example` with each text replaced by another; each must be there.
fn example(file: &str, replacements: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(Path::new("deploy/example").join(file)).unwrap();
    for (old, new) in replacements {
        assert!(text.contains(old), "deploy/example/{file} no longer contains {old:?}");
        text = text.replace(old, new);
    }
    text
}
