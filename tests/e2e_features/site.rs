//! A sidecar that keeps rows, and the stream that it learns from.

use crate::support::{
    metrics, noise,
    process::{Process, free_address, wait_for},
    remote_write,
};
use emberwatch::series::{LabelSet, METRIC_NAME, Sample, TimestampMs};
use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpStream},
    ops::Range,
    path::PathBuf,
    process::Command,
    thread,
    time::Duration,
};

pub(crate) const N_ENTITIES: usize = 4;

/// Steps that the windows of the features look back on.
pub(crate) const WINDOW: usize = 10;

/// Steps from the first one after a start until nothing of a row depends on when that was: a short mean looks back a little further.
pub(crate) const FULL: usize = 1 + WINDOW + 3;

/// Steps of which there are no rows: the first one after a start is none yet, and half of a window must be filled.
pub(crate) const WARM: usize = WINDOW / 2;

/// 2026-01-05T00:00:00Z: the time of the data has nothing to do with the clock.
const START: TimestampMs = TimestampMs(1_767_571_200_000);

/// How long anything may take here; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Time and entity.
pub(crate) type Row = (TimestampMs, String);

pub(crate) struct Site {
    folder: tempfile::TempDir,
    sidecar: Process,
    address: SocketAddr,
}

// === impl Site ===

impl Site {
    /// Starts a sidecar that writes rows every second unless `training`, more lines of that section, says otherwise.
    pub(crate) fn start(training: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let interval = if training.contains("write_interval") { "" } else { "  write_interval: 1s\n" };
        let text = format!(
            "step: 1s
training:
  warm_up: 1s
{interval}{training}detectors:
  - name: boiler
    window: {WINDOW}s
    features:
      celsius: max by (instance) (boiler_celsius)
      pascals: max by (instance) (boiler_pascals)
"
        );
        fs::write(folder.path().join("config.yaml"), text).unwrap();
        let (address, sidecar) = spawn(&folder);
        Self { folder, sidecar, address }
    }

    /// Starts it again, once it has ended.
    pub(crate) fn restart(&mut self) {
        self.sidecar.wait_for_end();
        (self.address, self.sidecar) = spawn(&self.folder);
    }

    pub(crate) fn signal(&self, name: &str) {
        self.sidecar.signal(name);
    }

    /// `kill -9`.
    pub(crate) fn kill(&self) {
        self.sidecar.signal("KILL");
    }

    pub(crate) fn change_features(&self) {
        let file = self.folder.path().join("config.yaml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(
            file,
            text.replace("max by (instance) (boiler_pascals)", "min by (instance) (boiler_pascals)"),
        )
        .unwrap();
    }

    pub(crate) fn features(&self) -> PathBuf {
        self.folder.path().join("features")
    }

    pub(crate) fn log(&self) -> String {
        self.sidecar.log()
    }

    /// The first line of the log with this text.
    pub(crate) fn log_line(&self, text: &str) -> String {
        let log = self.log();
        log.lines()
            .find(|line| line.contains(text))
            .unwrap_or_else(|| panic!("{text:?} is not in\n{log}"))
            .to_owned()
    }

    pub(crate) fn metric(&self, name: &str) -> f64 {
        metrics::scrape(self.address).sum(name)
    }

    /// Sends steps; every series has one sample in each.
    pub(crate) fn send(&self, steps: Range<usize>) {
        for step in steps {
            wait_for("the sidecar takes a step", PATIENCE, || {
                let response = remote_write::try_send(self.address, &samples(step));
                assert!(matches!(response.status, 204 | 503), "{}: {}", response.status, response.text());
                (response.status == 204).then_some(())
            });
        }
    }

    /// Sends steps, spread over some seconds, until nobody listens any more.
    pub(crate) fn send_while_it_lives(&self, steps: Range<usize>) {
        for step in steps {
            if TcpStream::connect(self.address).is_err() {
                return;
            }
            // It may end in the middle of an answer.
            let sent = std::panic::catch_unwind(|| remote_write::try_send(self.address, &samples(step)));
            if sent.is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(80));
        }
    }

    pub(crate) fn wait_until_evaluated(&self, step: usize) {
        let seconds = time_of(step).0 as f64 / 1000.0;
        wait_for("the last step is evaluated", PATIENCE, || {
            (self.metric("emberwatch_last_step_timestamp_seconds") >= seconds).then_some(())
        });
    }

    /// Waits until at least so many rows are written, and gives how many are.
    pub(crate) fn wait_until_written(&self, rows: usize) -> usize {
        wait_for("the rows are written", PATIENCE, || {
            let written = self.metric("emberwatch_feature_store_rows") as usize;
            (written >= rows).then_some(written)
        })
    }

    /// What a command of the same binary says in the folder of the sidecar.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
        let output = command.args(arguments).current_dir(self.folder.path()).output().unwrap();
        let [said, problem] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "{arguments:?}: {said}{problem}");
        said
    }

    /// What another sidecar says that is started in the same folder, and ends.
    pub(crate) fn second_sidecar(&self) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
        command.args(["--config.file=config.yaml", "--web.listen-address=127.0.0.1:0"]);
        let output = command.current_dir(self.folder.path()).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    pub(crate) fn stop_and_export(mut self) -> BTreeMap<Row, Vec<u64>> {
        self.signal("TERM");
        self.sidecar.wait_for_end();
        self.export()
    }

    /// The rows on disk, by another program that reads CSV: the bits of their columns.
    pub(crate) fn export(&self) -> BTreeMap<Row, Vec<u64>> {
        self.command(&["features", "export", "--detector", "boiler", "--out", "rows.csv"]);
        let text = fs::read_to_string(self.folder.path().join("rows.csv")).unwrap();
        let row = |line: &str| {
            let mut cells = line.split(',');
            let at: jiff::Timestamp = cells.next().unwrap().parse().unwrap();
            let entity = cells.next().unwrap().to_owned();
            let bits =
                |cell: &str| if cell.is_empty() { u64::MAX } else { cell.parse::<f64>().unwrap().to_bits() };
            ((TimestampMs(at.as_millisecond()), entity), cells.map(bits).collect())
        };
        text.lines().skip(1).map(row).collect()
    }
}

fn spawn(folder: &tempfile::TempDir) -> (SocketAddr, Process) {
    let address = free_address();
    let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
    command
        .current_dir(folder.path())
        .arg("--config.file=config.yaml")
        .arg(format!("--web.listen-address={address}"));
    let mut sidecar = Process::spawn("sidecar", command, tempfile::tempdir().unwrap());
    sidecar.wait_until_ready(address, "/-/ready");
    (address, sidecar)
}

/// The time of a step.
pub(crate) fn time_of(step: usize) -> TimestampMs {
    START.plus_ms(step as i64 * 1000)
}

fn samples(step: usize) -> Vec<(LabelSet, Vec<Sample>)> {
    let mut series = Vec::new();
    for entity in 0..N_ENTITIES {
        let instance = format!("boiler-{}", entity + 1);
        let noise = |channel| noise::at((step * N_ENTITIES + entity) as u64 * 2 + channel);
        for (name, value) in
            [("boiler_celsius", 60.0 + 5.0 * noise(0)), ("boiler_pascals", 2000.0 + 80.0 * noise(1))]
        {
            let labels = LabelSet::from_pairs([(METRIC_NAME, name), ("instance", &instance)]).unwrap();
            series.push((labels, vec![Sample { timestamp: time_of(step), value }]));
        }
    }
    series
}
