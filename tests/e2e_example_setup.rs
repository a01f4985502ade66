//! The shipped example set-up, started as the README says: a real Prometheus with our rules, a real
//! Alertmanager, and the way from a high `anomaly_severity` to a firing alert and back.

#[cfg(test)]
#[path = "support/peers.rs"]
mod peers;

use prost::Message;
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

/// How long a peer may take for anything: generous, the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A peer process; killed when dropped.
struct Peer {
    process: Child,
    address: SocketAddr,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself; nothing is left to do then.
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}

/// A loopback address whose port was free a moment ago.
fn free_address() -> SocketAddr {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_or_else(|error| panic!("no port: {error}"));
    listener.local_addr().unwrap_or_else(|error| panic!("no address: {error}"))
}

fn start(binary: &Path, address: SocketAddr, arguments: &[String]) -> Peer {
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .arg(format!("--web.listen-address={address}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let process = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
    let peer = Peer { process, address };
    peer.wait_for("/-/ready", "the peer is ready", |_| true);
    peer
}

// === impl Peer ===

impl Peer {
    /// One request; the body of a 2xx answer.
    fn request(&self, head: &str, body: &[u8]) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        let length = body.len();
        let head = format!(
            "{head}\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n",
            self.address
        );
        stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.split(' ').nth(1)?.starts_with('2').then(|| body.to_owned())
    }

    fn get(&self, path: &str) -> Option<String> {
        self.request(&format!("GET {path} HTTP/1.1"), &[])
    }

    /// Asks again and again until the answer is as wanted.
    fn wait_for(&self, path: &str, what: &str, wanted: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut last = None;
        while Instant::now() < deadline {
            last = self.get(path);
            if last.as_deref().is_some_and(&wanted) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("within {PATIENCE:?} not: {what}; {path} answers {last:?}");
    }

    /// Sends one sample by Remote-Write 1.0.
    fn write(&self, labels: &[(&str, &str)], value: f64) {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let label =
            |(name, value): &(&str, &str)| Label { name: (*name).to_owned(), value: (*value).to_owned() };
        let sample = Sample { value, timestamp: i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX) };
        let series = TimeSeries { labels: labels.iter().map(label).collect(), samples: vec![sample] };
        let message = WriteRequest { timeseries: vec![series] }.encode_to_vec();
        let body = snap::raw::Encoder::new().compress_vec(&message).unwrap_or_else(|error| panic!("{error}"));
        let head = "POST /api/v1/write HTTP/1.1\r\nContent-Encoding: snappy\r\n\
                    Content-Type: application/x-protobuf\r\nX-Prometheus-Remote-Write-Version: 0.1.0";
        assert!(self.request(head, &body).is_some(), "Prometheus refused the write");
    }
}

// The part of Remote-Write 1.0 that is needed here, on its own: the test must not lean on our codec.

#[derive(Clone, PartialEq, prost::Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// The example files with their ports moved to free ones, in `folder`.
fn move_example(folder: &Path, prometheus: SocketAddr, alertmanager: SocketAddr) -> String {
    let rules = std::env::current_dir().unwrap_or_else(|error| panic!("{error}")).join("rules/*.yml");
    let example =
        std::fs::read_to_string("deploy/example/prometheus.yml").unwrap_or_else(|error| panic!("{error}"));
    let moved = example
        .replace("../../rules/*.yml", &rules.to_string_lossy())
        .replace("127.0.0.1:9090", &prometheus.to_string())
        .replace("127.0.0.1:9093", &alertmanager.to_string());
    let path = folder.join("prometheus.yml");
    std::fs::write(&path, moved).unwrap_or_else(|error| panic!("{error}"));
    path.to_string_lossy().into_owned()
}

#[test]
fn a_high_severity_reaches_a_real_alertmanager_and_resolves() {
    let (Some(prometheus), Some(alertmanager)) =
        (peers::find("prometheus"), peers::find("prometheus-alertmanager"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let (prometheus_address, alertmanager_address) = (free_address(), free_address());
    let config = move_example(folder.path(), prometheus_address, alertmanager_address);
    let storage = |name: &str| format!("--storage.path={}", folder.path().join(name).display());
    let alertmanager = start(
        &alertmanager,
        alertmanager_address,
        &[
            "--config.file=deploy/example/alertmanager.yml".to_owned(),
            "--cluster.listen-address=".to_owned(),
            storage("alertmanager"),
        ],
    );
    let prometheus = start(
        &prometheus,
        prometheus_address,
        &[
            format!("--config.file={config}"),
            "--web.enable-remote-write-receiver".to_owned(),
            storage("prometheus").replace("--storage.path", "--storage.tsdb.path"),
        ],
    );

    // An alert that fires before the Alertmanager is discovered would be sent again only a minute later.
    prometheus.wait_for("/api/v1/alertmanagers", "the Alertmanager is discovered", |body| {
        body.contains(&alertmanager_address.to_string())
    });

    let severity = [("__name__", "anomaly_severity"), ("detector", "node"), ("instance", "a:9100")];
    let alerts = "/api/v2/alerts?filter=alertname%3D%22AnomalyHigh%22";
    prometheus.write(&severity, 3.0);
    alertmanager.wait_for(alerts, "AnomalyHigh is active", |body| {
        body.contains("\"detector\":\"node\"") && body.contains("\"instance\":\"a:9100\"")
    });

    prometheus.write(&severity, 0.0);
    alertmanager.wait_for(alerts, "AnomalyHigh is resolved", |body| body.trim() == "[]");
}
