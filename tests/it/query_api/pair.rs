//! A Prometheus and a sidecar that were sent the same samples.

use super::requests::Request;
use crate::support::{
    metrics, peers,
    process::{Process, free_address},
    prometheus, remote_write,
};
use emberwatch::series::{LabelSet, METRIC_NAME, STALE_NAN, Sample, TimestampMs};
use serde_json::Value;
use std::{
    fmt, fs,
    net::SocketAddr,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

const SCRAPE_MS: i64 = 15_000;

/// Scrapes of the data: half an hour.
const SCRAPES: i64 = 120;

/// A detector that reads nothing, so that no step drops samples and the lists can be compared.
const CONFIG: &str = "
storage: { retention: 2h, shards: 3 }
detectors:
  - name: idle
    features: { nothing: sum by (instance) (not_there) }
";

/// A sidecar that runs as a process of its own.
pub(super) struct Sidecar {
    pub(super) address: SocketAddr,
    _process: Process,
}

/// Both, with the same samples.
pub(super) struct Pair {
    pub(super) prometheus: SocketAddr,
    pub(super) sidecar: SocketAddr,
    /// Before the first sample.
    pub(super) start: TimestampMs,
    _sidecar: Sidecar,
    _prometheus: Process,
}

/// What one of them answered.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Null where it is not JSON.
    pub(super) body: Value,
    text: String,
}

/// A whole minute, such that the data has ended a minute ago.
pub(super) fn start_of_data() -> TimestampMs {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    TimestampMs(now - SCRAPES * SCRAPE_MS - 60_000).align_down(60_000)
}

// === impl Sidecar ===

impl Sidecar {
    pub(super) fn start(flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("config.yaml");
        fs::write(&config, CONFIG).unwrap();
        let address = free_address();
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
        command
            .current_dir(directory.path())
            .arg(format!("--config.file={}", config.display()))
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

// === impl Pair ===

impl Pair {
    /// Starts both with `flags` and sends them the data; `None` where there is no Prometheus.
    pub(super) fn start(flags: &[&str]) -> Option<Self> {
        let binary = peers::find("prometheus")?;
        let with_receiver = [&["--web.enable-remote-write-receiver"], flags].concat();
        let (prometheus, process) = prometheus::start(&binary, &with_receiver);
        let sidecar = Sidecar::start(flags);
        let start = start_of_data();
        let series = data(start);
        for address in [prometheus, sidecar.address] {
            remote_write::send(address, &series);
        }
        Some(Self { prometheus, sidecar: sidecar.address, start, _sidecar: sidecar, _prometheus: process })
    }

    /// Theirs and ours.
    pub(super) fn ask(&self, request: &Request) -> [Answer; 2] {
        [self.prometheus, self.sidecar].map(|address| Answer::of(address, request))
    }
}

// === impl Answer ===

impl Answer {
    pub(super) fn of(address: SocketAddr, request: &Request) -> Self {
        let response = request.send(address);
        let mut body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        for name in ["warnings", "infos"] {
            // Prometheus gives them in any order.
            if let Some(texts) = body.get_mut(name).and_then(Value::as_array_mut) {
                texts.sort_by_key(Value::to_string);
            }
        }
        Self { status: response.status, body, text: response.text() }
    }

    pub(super) fn error_type(&self) -> Option<&str> {
        self.body["errorType"].as_str()
    }

    /// Whether there is any series, name or number in it.
    pub(super) fn has_data(&self) -> bool {
        let data = &self.body["data"];
        let list = if data.is_array() { data } else { &data["result"] };
        list.as_array().is_some_and(|list| !list.is_empty())
    }

    /// The body with lists of series in one order: only ranges and sorting functions promise one. Texts
    /// of errors count but for what a parser says.
    pub(super) fn unordered(&self) -> Value {
        let mut body = self.body.clone();
        for pointer in ["/data", "/data/result"] {
            // A scalar is a list too, of a time and a number.
            let scalar = matches!(body["data"]["resultType"].as_str(), Some("scalar" | "string"));
            if let Some(list) = body.pointer_mut(pointer).and_then(Value::as_array_mut).filter(|_| !scalar) {
                list.sort_by_cached_key(Value::to_string);
            }
        }
        body
    }

    /// Number of items, and the warnings.
    pub(super) fn shape(&self) -> (Option<usize>, &Value) {
        let data = &self.body["data"];
        let list = if data.is_array() { data } else { &data["result"] };
        (list.as_array().map(Vec::len), &self.body["warnings"])
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.text.chars().take(600).collect::<String>())
    }
}

// === data ===

/// Two nodes with counters and gauges, a series that ends, oddities, and a name in UTF-8.
fn data(start: TimestampMs) -> Vec<(LabelSet, Vec<Sample>)> {
    let mut series = Vec::new();
    let mut add = |metric: &str, labels: &[(&str, &str)], value: &dyn Fn(i64) -> f64| {
        let labels = LabelSet::from_pairs(labels.iter().copied().chain([(METRIC_NAME, metric)])).unwrap();
        let sample = |n: i64| Sample::new(start.0 + 1_234 + n * SCRAPE_MS, value(n));
        series.push((labels, (0..SCRAPES).map(sample).collect::<Vec<_>>()));
    };
    for (instance, factor) in [("a", 1.0), ("b", 2.5)] {
        let node = [("instance", instance), ("job", "node")];
        for cpu in ["0", "1"] {
            for (mode, growth) in [("idle", 12.25), ("user", 2.5), ("system", 0.125)] {
                let labels = [node[0], node[1], ("cpu", cpu), ("mode", mode)];
                // A reset half way for one of them.
                let since = |n: i64| if instance == "b" && n >= 60 { n - 60 } else { n };
                add("node_cpu_seconds_total", &labels, &|n| since(n) as f64 * growth * factor);
            }
        }
        add("node_load1", &node, &|n| (n % 7) as f64 * 0.25 * factor);
        add("up", &node, &|n| f64::from(u8::from(n % 11 != 0)));
    }
    add("ended", &[("instance", "c")], &|n| if n < 40 { 1.0 } else { STALE_NAN });
    for (kind, value) in [
        ("nan", f64::NAN),
        ("inf", f64::INFINITY),
        ("neginf", f64::NEG_INFINITY),
        ("large", 1.5e300),
        ("small", -2.5e-9),
        ("whole", 1e20),
    ] {
        add("odd", &[("kind", kind)], &|_| value);
    }
    add("my.metric", &[("my.label", "ä\"\\<&>")], &|n| n as f64);
    add("spaced name", &[("snake_case", "x")], &|n| n as f64);
    series
}
