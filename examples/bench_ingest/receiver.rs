//! The receivers under test: found, started on one core, measured, stopped.

use crate::load::Target;
use anyhow::{Context as _, Result, bail};
use emberwatch::wire::MessageType;
use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Ticks of the kernel's CPU times a second, on every Linux of today.
const TICKS_PER_SECOND: f64 = 100.0;

const START_LIMIT: Duration = Duration::from_secs(60);

/// What takes Remote-Write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// The sidecar with a detector that reads every series at every step.
    EmberwatchAll,
    /// The sidecar with its preset for node_exporter, and one range of an hour.
    EmberwatchHour,
    /// The sidecar with its preset for node_exporter.
    Emberwatch,
    Prometheus,
    VictoriaMetrics,
    /// Forwards to a sink that throws everything away.
    Vmagent,
}

/// A running receiver; stopped when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    target: Target,
    /// Its data; removed with it.
    directory: tempfile::TempDir,
}

/// What a process has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu_seconds: f64,
    pub(crate) resident_bytes: f64,
}

const STEP: &str = "step: 30s\nstorage: { max_series: 10000000, max_bytes: 64GiB }\ndetectors:\n";
const PRESET: &str = "  - { name: node, preset: node_exporter, by: [instance] }\n";
const ALL: &str = concat!(
    "  - name: all\n    by: [instance]\n    features:\n",
    "      everything: 'count by (instance) (rate({job=\"node-exporter\"}[5m]))'\n"
);
const HOUR: &str = concat!(
    "  - name: hour\n    by: [instance]\n    features:\n",
    "      longest: 'avg_over_time(node_memory_Field999_bytes[1h])'\n"
);

// === impl Receiver ===

impl Receiver {
    pub(crate) const ALL: [Self; 6] = [
        Self::Emberwatch,
        Self::EmberwatchAll,
        Self::EmberwatchHour,
        Self::Vmagent,
        Self::VictoriaMetrics,
        Self::Prometheus,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Emberwatch => "emberwatch",
            Self::EmberwatchAll => "emberwatch, every series read",
            Self::EmberwatchHour => "emberwatch, an hour kept",
            Self::Prometheus => "prometheus",
            Self::VictoriaMetrics => "victoria-metrics",
            Self::Vmagent => "vmagent",
        }
    }

    /// Whether it takes this version.
    pub(crate) fn takes(self, message: MessageType) -> bool {
        message == MessageType::V1 || !matches!(self, Self::VictoriaMetrics | Self::Vmagent)
    }

    /// The absolute path of its binary, which runs in a folder of its own; `None` where it is not installed.
    pub(crate) fn find(self, sidecar: &Path) -> Option<PathBuf> {
        let name = match self {
            Self::Emberwatch | Self::EmberwatchAll | Self::EmberwatchHour => {
                return sidecar.canonicalize().ok();
            }
            Self::Prometheus | Self::VictoriaMetrics | Self::Vmagent => self.name(),
        };
        let folders = env::var_os("EMBERWATCH_PEERS").into_iter().chain(env::var_os("PATH"));
        let folders = folders.flat_map(|list| env::split_paths(&list).collect::<Vec<_>>());
        folders.filter_map(|folder| folder.join(name).canonicalize().ok()).find(|path| path.is_file())
    }

    /// Starts `binary` on core `core` and waits until it answers.
    pub(crate) fn start(self, binary: &Path, core: usize, message: MessageType) -> Result<Running> {
        let directory = tempfile::tempdir()?;
        let address = free_address()?;
        let mut command = Command::new("taskset");
        command.arg("-c").arg(core.to_string()).arg(binary).current_dir(directory.path());
        command.args(self.arguments(directory.path(), address)?);
        let log = fs::File::create(directory.path().join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().context("taskset (util-linux) cannot be run")?;
        let target = Target { address, path: "/api/v1/write", message };
        let mut running = Running { child, target, directory };
        let ready =
            if matches!(self, Self::VictoriaMetrics | Self::Vmagent) { "/health" } else { "/-/ready" };
        let started = Instant::now();
        while !answers(address, ready) {
            if running.child.try_wait()?.is_some() || started.elapsed() > START_LIMIT {
                bail!("{} did not start: {}", self.name(), running.log());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(running)
    }

    fn arguments(self, directory: &Path, address: SocketAddr) -> Result<Vec<String>> {
        let data = directory.join("data").display().to_string();
        let sidecar = |detectors: &[&str]| -> Result<Vec<String>> {
            fs::write(directory.join("config.yaml"), format!("{STEP}{}", detectors.concat()))?;
            let listen = format!("--web.listen-address={address}");
            Ok(vec!["run".to_owned(), "--config.file=config.yaml".to_owned(), listen])
        };
        Ok(match self {
            Self::Emberwatch => sidecar(&[PRESET])?,
            Self::EmberwatchAll => sidecar(&[ALL])?,
            Self::EmberwatchHour => sidecar(&[PRESET, HOUR])?,
            Self::Prometheus => {
                fs::write(directory.join("prometheus.yml"), "global: { scrape_interval: 15s }\n")?;
                vec![
                    "--config.file=prometheus.yml".to_owned(),
                    format!("--storage.tsdb.path={data}"),
                    format!("--web.listen-address={address}"),
                    "--web.enable-remote-write-receiver".to_owned(),
                ]
            }
            Self::VictoriaMetrics => {
                vec![format!("-storageDataPath={data}"), format!("-httpListenAddr={address}")]
            }
            Self::Vmagent => vec![
                format!("-remoteWrite.url=http://{}/", start_sink()?),
                format!("-remoteWrite.tmpDataPath={data}"),
                format!("-httpListenAddr={address}"),
            ],
        })
    }
}

// === impl Running ===

impl Running {
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// What the process has used until now.
    pub(crate) fn usage(&self) -> Result<Usage> {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let stat = fs::read_to_string(process.join("stat"))?;
        // Behind the name, which may hold anything: state is field 3, utime and stime are 14 and 15.
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<f64>().ok());
        let ticks = ticks(14).zip(ticks(15)).context("no CPU times in /proc")?;
        let status = fs::read_to_string(process.join("status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
        let resident: f64 = resident.context("no VmRSS in /proc")?.trim().parse()?;
        Ok(Usage { cpu_seconds: (ticks.0 + ticks.1) / TICKS_PER_SECOND, resident_bytes: resident * 1024.0 })
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// An address on the loopback interface whose port was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn answers(address: SocketAddr, path: &str) -> bool {
    let ask = || -> Result<String> {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// A server that answers 204 to everything and keeps nothing.
fn start_sink() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A connection that breaks off is the other side's to open again.
            thread::spawn(move || drop(swallow(stream)));
        }
    });
    Ok(address)
}

fn swallow(mut stream: TcpStream) -> Result<()> {
    let mut buffer = Vec::new();
    let mut part = vec![0; 1 << 16];
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut part)? {
                0 => return Ok(()),
                read => buffer.extend_from_slice(&part[..read]),
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let whole = end + length.unwrap_or(0_usize);
        while buffer.len() < whole {
            match stream.read(&mut part)? {
                0 => return Ok(()),
                read => buffer.extend_from_slice(&part[..read]),
            }
        }
        buffer.drain(..whole);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    }
}
