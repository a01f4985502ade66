//! `extract` and `train --config` on a real Prometheus: the table holds what Prometheus itself says of the features, a kill in the middle
//! changes nothing of it, and a model trained on the past judges what comes after.

use crate::support::{
    peers,
    process::Process,
    prometheus::{self, query_at},
    remote_write,
};
use emberwatch::series::{LabelSet, Sample, TimestampMs};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

const STEP_MS: i64 = 15_000;

/// Two hours; from an instant on that is no step.
const STEPS: i64 = 480;

const REQUESTS: &str = "sum by (instance) (rate(made_requests_total[1m]))";

const MEMORY: &str = "max by (instance) (made_memory_bytes)";

/// A Prometheus with two hours of three instances, one of which starts late and one of which is restarted, and a config.
struct Site {
    folder: tempfile::TempDir,
    prometheus: SocketAddr,
    begin: TimestampMs,
    _process: Process,
}

impl Site {
    fn start(binary: &Path) -> Self {
        let flags = ["--web.enable-remote-write-receiver"];
        let configuration = "global: {}\nstorage: {tsdb: {out_of_order_time_window: 3h}}\n";
        let (prometheus, process) = prometheus::start_with(binary, configuration, &flags);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        let begin = TimestampMs(now - STEPS * STEP_MS).align_down(STEP_MS).plus_ms(3_217);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
        let mut series = Vec::new();
        for instance in 0..3 {
            let name = |metric: &str| {
                let labels = [("__name__", metric), ("instance", &*format!("node-{instance}"))];
                LabelSet::from_pairs(labels).unwrap()
            };
            let (mut requests, mut counter, mut memory) = (0.0, Vec::new(), Vec::new());
            for step in if instance == 1 { 200 } else { 0 }..STEPS {
                requests =
                    if (instance, step) == (2, 300) { 0.0 } else { requests + rng.random_range(50.0..90.0) };
                let at = begin.plus_ms(step * STEP_MS).0;
                counter.push(Sample::new(at, requests));
                memory.push(Sample::new(at, rng.random_range(1e9..2e9)));
            }
            series.push((name("made_requests_total"), counter));
            series.push((name("made_memory_bytes"), memory));
        }
        remote_write::send(prometheus, &series);
        Self { folder: tempfile::tempdir().unwrap(), prometheus, begin, _process: process }
    }

    fn config(&self, max_samples: usize) -> PathBuf {
        let path = self.folder.path().join(format!("config-{max_samples}.yaml"));
        let text = format!(
            "step: 15s
history: {{url: 'http://{}', max_samples: {max_samples}}}
models: {{path: {}}}
detectors:
  - name: made
    by: [instance]
    window: 5m
    features:
      requests: {REQUESTS}
      memory: {MEMORY}
",
            self.prometheus,
            self.folder.path().join("models").display()
        );
        fs::write(&path, text).unwrap();
        path
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, subcommand: &str, config: &Path, until: TimestampMs) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
        command.arg(subcommand).arg("--config").arg(config);
        command.arg(format!("--from={}", self.begin.seconds())).arg(format!("--until={}", until.seconds()));
        command
    }

    fn end(&self) -> TimestampMs {
        self.begin.plus_ms((STEPS - 1) * STEP_MS)
    }
}

fn succeed(mut command: Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&stderr));
    text
}

/// Time, entity and cells of each row.
fn rows(path: &Path) -> Vec<(i64, String, Vec<Option<f64>>)> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("timestamp,entity,requests,memory"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let at: jiff::Timestamp = cells[0].parse().unwrap();
        let number = |cell: &&str| (!cell.is_empty()).then(|| cell.parse().unwrap());
        (at.as_millisecond(), cells[1].to_owned(), cells[2..].iter().map(number).collect())
    };
    lines.map(row).collect()
}

/// For all steps and entities, each cell is what Prometheus answers to the expression at that step; no row is missing, none too many.
#[test]
fn the_table_holds_what_prometheus_says_of_the_features() {
    let Some(binary) = peers::find("prometheus") else { return };
    let site = Site::start(&binary);
    let out = site.file("made.csv");
    let mut command = site.command("extract", &site.config(2_000_000), site.end());
    command.arg("--out").arg(&out).arg("--html").arg(site.file("report.html"));
    let said = succeed(command);
    assert!(said.contains("rows to"), "{said}");
    assert!(site.file("report.html").exists());

    let mut found: BTreeMap<(i64, String), Vec<Option<f64>>> = BTreeMap::new();
    for (at, entity, cells) in rows(&out) {
        assert!(found.insert((at, entity), cells).is_none(), "twice at {at}");
    }
    let (mut expected, mut at) = (BTreeMap::new(), site.begin.align_down(STEP_MS).plus_ms(STEP_MS));
    while at <= site.end() {
        for (place, expression) in [REQUESTS, MEMORY].into_iter().enumerate() {
            for element in query_at(site.prometheus, expression, at) {
                let entity = element["metric"]["instance"].as_str().unwrap().to_owned();
                let value: f64 = element["value"][1].as_str().unwrap().parse().unwrap();
                expected.entry((at.0, entity)).or_insert_with(|| vec![None; 2])[place] = Some(value);
            }
        }
        at = at.plus_ms(STEP_MS);
    }
    assert!(expected.len() > 1_000);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (key, cells) in &found {
        assert_eq!(cells, &expected[key], "{key:?}");
    }

    // The same of the samples themselves.
    let raw = site.file("raw.csv");
    let mut command = site.command("extract", &site.config(2_000_000), site.end());
    command.arg("--raw").arg("--out").arg(&raw);
    succeed(command);
    let lines = fs::read_to_string(&raw).unwrap().lines().count();
    assert_eq!(lines as i64, 1 + 2 * (2 * STEPS + STEPS - 200));
}

/// Killed at any moment and started again, the file is the one of an undisturbed run, byte for byte.
#[test]
fn an_extraction_that_was_killed_goes_on_where_it_was() {
    let Some(binary) = peers::find("prometheus") else { return };
    let site = Site::start(&binary);
    let whole = site.file("whole.csv");
    let mut command = site.command("extract", &site.config(2_000_000), site.end());
    command.arg("--out").arg(&whole);
    succeed(command);

    let (out, journal) = (site.file("killed.csv"), site.file("killed.csv.journal"));
    let config = site.config(1_000);
    let start = || {
        let mut command = site.command("extract", &config, site.end());
        command.arg("--out").arg(&out);
        command
    };
    let mut killed = 0;
    for _ in 0..4 {
        let mut child = start().spawn().unwrap();
        let length = fs::metadata(&out).map_or(0, |metadata| metadata.len());
        // As soon as something is written: it is soon over.
        while !fs::metadata(&out).is_ok_and(|metadata| metadata.len() > length + 100)
            && child.try_wait().unwrap().is_none()
        {
            thread::yield_now();
        }
        // Fails where it was done before.
        _ = child.kill();
        child.wait().unwrap();
        killed += usize::from(journal.exists());
        if !journal.exists() {
            break;
        }
    }
    assert!(killed > 0, "it was never in the middle");
    if journal.exists() {
        let said = succeed(start());
        assert!(said.contains("going on at"), "{said}");
    }
    assert_eq!(fs::read_to_string(&out).unwrap(), fs::read_to_string(&whole).unwrap());
}

/// A model trained from the store is the one trained from the extracted table, and is in use for the sidecar.
#[test]
fn a_model_is_trained_on_the_past_with_or_without_a_table_between() {
    let Some(binary) = peers::find("prometheus") else { return };
    let site = Site::start(&binary);
    let config = site.config(2_000_000);
    let table = site.file("made.csv");
    let mut extract = site.command("extract", &config, site.end());
    extract.arg("--out").arg(&table);
    succeed(extract);
    let train = |out: &str| {
        let mut command = site.command("train", &config, site.end());
        command.args(["--model-version", "v1", "--created-at", "0"]).arg("--out").arg(site.file(out));
        command
    };
    succeed(train("from-store.ewm"));
    let mut from_table = train("from-table.ewm");
    from_table.arg("--csv").arg(&table);
    succeed(from_table);
    assert_eq!(
        fs::read(site.file("from-store.ewm")).unwrap(),
        fs::read(site.file("from-table.ewm")).unwrap()
    );

    let said = succeed(site.command("train", &config, site.end()));
    assert!(said.contains("put in use as"), "{said}");
    assert!(site.folder.path().join("models/made/current").exists());
    let mut backtest = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
    backtest.arg("backtest").arg("--config").arg(&config).arg("--csv").arg(&table);
    backtest.arg("--model").arg(site.file("from-store.ewm")).arg("--out").arg(site.file("scores.csv"));
    succeed(backtest);
}

/// A store that is not there is said, with what to write.
#[test]
fn without_a_store_it_is_said_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    fs::write(&config, "{}").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
    command.arg("extract").arg("--config").arg(&config).arg("--out").arg(folder.path().join("a.csv"));
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("history: {url: http://localhost:9090}"), "{said}");
}
