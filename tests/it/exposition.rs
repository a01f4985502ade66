//! Text files as a source of the past: what promtool puts into a real Prometheus, and we read from it, is what we read from the file.

use crate::support::{peers, prometheus};
use flate2::{Compression, write::GzEncoder};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    process::{Command, Output},
    time::{SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

const STEP_MS: i64 = 15_000;

/// Three hours: more than a block of Prometheus.
const STEPS: i64 = 720;

const NODES: usize = 3;

/// Features that read names with a colon and with a point, and values with every character that separates something.
const CONFIG: &str = r#"
step: 15s
models: { path: models }
detectors:
  - name: made
    by: [instance]
    window: 5m
    features:
      requests: sum by (instance) (rate(made_requests_total{path="/a,b",query="x=1}"}[1m]))
      recorded: max by (instance) (job:made:rate5m)
      named: 'max by (instance) ({"made.temperature", say="\"hot\" \\ # 1"})'
"#;

struct Files {
    folder: TempDir,
    /// Unix milliseconds: no step, and exact as seconds in binary.
    begin: i64,
}

/// One sample of the made past, as it stands in a line but for its time.
struct Line {
    series: String,
    value: String,
    ms: i64,
}

// === impl Files ===

impl Files {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        let begin = (now - (STEPS + 40) * STEP_MS).div_euclid(STEP_MS) * STEP_MS + 3_250;
        let files = Self { folder: tempfile::tempdir().unwrap(), begin };
        fs::write(files.path("config.yaml"), CONFIG).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Three machines, step by step; one has holes, a value that is no number, an infinite one and a restart. And what nobody asks for.
    fn lines(&self) -> Vec<Line> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut requests = [0.0; NODES];
        let mut lines = Vec::new();
        for step in 0..STEPS {
            let ms = self.begin + step * STEP_MS;
            for (node, requests) in requests.iter_mut().enumerate() {
                if node == 1 && (200..230).contains(&step) {
                    continue;
                }
                *requests =
                    if (node, step) == (1, 400) { 0.0 } else { *requests + random.random_range(50.0..90.0) };
                let temperature = match (node, step) {
                    (1, 300) => "NaN".to_owned(),
                    (1, 310) => "+Inf".to_owned(),
                    _ => random.random_range(20.0..60.0_f64).to_string(),
                };
                let mut line = |series, value| lines.push(Line { series, value, ms });
                let name = format!("instance=\"node-{node}\"");
                let labels = format!("query=\"x=1}}\",{name},path=\"/a,b\",empty=\"\"");
                line(format!("made_requests_total{{{labels}}}"), requests.to_string());
                line(format!("made_requests_total{{{name}}}"), "1".to_owned());
                line(format!("job:made:rate5m{{{name}}}"), random.random_range(1.0..2.0_f64).to_string());
                line(format!(r#"{{"made.temperature",{name},say="\"hot\" \\ # 1"}}"#), temperature);
            }
        }
        lines
    }

    /// As OpenMetrics, with seconds; some samples have exemplars.
    fn write_openmetrics(&self, name: &str, lines: &[Line]) {
        let mut text = String::from("# TYPE made_requests counter\n# HELP made_requests Made.\n");
        for (number, Line { series, value, ms }) in lines.iter().enumerate() {
            let exemplar =
                if series.starts_with("made_requests") && number % 7 == 0 { " # {id=\"}\"} 1" } else { "" };
            writeln!(text, "{series} {value} {}.{:03}{exemplar}", ms / 1000, ms % 1000).unwrap();
        }
        fs::write(self.path(name), text + "# EOF\n").unwrap();
    }

    /// As Prometheus' text format, with milliseconds, compressed.
    fn write_text(&self, name: &str, lines: &[Line]) {
        let mut text = String::new();
        for Line { series, value, ms } in lines {
            writeln!(text, "{series} {value} {ms}").unwrap();
        }
        let mut file = GzEncoder::new(File::create(self.path(name)).unwrap(), Compression::fast());
        file.write_all(text.as_bytes()).unwrap();
        file.finish().unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
        command.current_dir(self.folder.path()).args(arguments).output().unwrap()
    }

    fn succeed(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.command(arguments);
        let text = String::from_utf8(stdout).unwrap();
        assert!(status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&stderr));
        text
    }

    /// What it says when it refuses.
    fn refused(&self, arguments: &[&str]) -> String {
        let Output { status, stderr, .. } = self.command(arguments);
        assert!(!status.success(), "{arguments:?}");
        String::from_utf8(stderr).unwrap()
    }

    /// The table that `extract` writes.
    fn extracted(&self, arguments: &[&str]) -> String {
        let out = self.path("out.csv");
        self.succeed(&[&["extract", "--config", "config.yaml", "--out", "out.csv"], arguments].concat());
        fs::read_to_string(out).unwrap()
    }
}

/// For all samples: what promtool made blocks of and Prometheus read back is what the file has, for every feature at every step, byte for byte.
#[test]
fn a_file_gives_the_table_of_the_prometheus_that_it_was_put_into() {
    let (Some(binary), Some(promtool)) = (peers::find("prometheus"), peers::find("promtool")) else { return };
    let files = Files::new();
    let lines = files.lines();
    files.write_openmetrics("made.om", &lines);
    let directory = tempfile::tempdir().unwrap();
    let mut create = Command::new(promtool);
    create.args(["tsdb", "create-blocks-from", "openmetrics"]).arg(files.path("made.om"));
    let created = create.arg(directory.path().join("data")).output().unwrap();
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let (address, _process) = prometheus::start_on(directory, &binary, "global: {}\n", &[]);

    let url = format!("--url=http://{address}");
    let last = lines.iter().map(|line| line.ms).max().unwrap();
    let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let (from, until) = (format!("--from={}", seconds(files.begin)), format!("--until={}", seconds(last)));
    let expected = files.extracted(&[&url, &from, &until]);
    let cells: Vec<&str> = expected.lines().flat_map(|line| line.split(',').skip(2)).collect();
    let empty = cells.iter().filter(|cell| cell.is_empty()).count();
    assert!(cells.len() as i64 > 3 * 3 * (STEPS - 40) && empty < 100, "{} cells, {empty} empty", cells.len());

    // The whole file is the default.
    assert_eq!(files.extracted(&["--openmetrics", "made.om"]), expected);
    // In milliseconds, compressed, in two files and backwards: the same past.
    let mut lines = lines;
    lines.reverse();
    let (late, early) = lines.split_at(lines.len() / 3);
    files.write_text("late.prom.gz", late);
    files.write_text("early.prom.gz", early);
    assert_eq!(files.extracted(&["--openmetrics", "late.prom.gz", "early.prom.gz"]), expected);
    // A part of it.
    let (from, until) = (format!("--from={}", seconds(files.begin + 3_600_000)), "--until=5m");
    let part = files.extracted(&["--openmetrics", "made.om", &from, until]);
    assert_eq!(part, files.extracted(&[&url, &from, until]));

    // The samples themselves, whose rows stand in the order of the slices.
    let sorted = |table: String| {
        let mut rows: Vec<String> = table.lines().map(str::to_owned).collect();
        rows.sort();
        rows
    };
    let (from, until) = (format!("--from={}", seconds(files.begin)), format!("--until={}", seconds(last)));
    let raw = sorted(files.extracted(&["--raw", "--openmetrics", "made.om"]));
    assert_eq!(raw.len(), 1 + 3 * (NODES * STEPS as usize - 30));
    for value in [",inf", ",NaN"] {
        assert_eq!(raw.iter().filter(|row| row.ends_with(value)).count(), 1, "{value}");
    }
    assert_eq!(raw, sorted(files.extracted(&["--raw", &url, &from, &until])));
}

/// A model trained on files is the one trained on the table that was extracted from them; alerts in the files are labels.
#[test]
fn a_model_is_trained_on_files_and_judged_by_the_alerts_in_them() {
    let files = Files::new();
    let mut lines = files.lines();
    for step in 600..640 {
        let series = r#"ALERTS{alertname="Hot",alertstate="firing",instance="node-2"}"#.to_owned();
        lines.push(Line { series, value: "1".to_owned(), ms: files.begin + step * STEP_MS });
    }
    files.write_openmetrics("made.om", &lines);
    fs::write(files.path("made.csv"), files.extracted(&["--openmetrics", "made.om"])).unwrap();
    let train = |from: &[&str], out: &str| {
        let fixed =
            ["train", "--config", "config.yaml", "--model-version", "v1", "--created-at", "0", "--out", out];
        let said = files.succeed(&[&fixed, from].concat());
        (said, fs::read(files.path(out)).unwrap())
    };
    let (said, of_files) = train(&["--openmetrics", "made.om"], "files.ewm");
    let samples = 4 * (NODES * STEPS as usize - 30);
    let kept = 3 * (NODES * STEPS as usize - 30);
    let counted =
        format!("the files have {} samples, {} of 10 series that are read", samples + 40, kept + 40);
    assert!(said.contains(&counted), "{said}");
    let (_, of_table) = train(&["--csv", "made.csv"], "table.ewm");
    assert_eq!(of_files, of_table);

    let labels = ["--validate", "0.3", "--labels-from-alerts", "--json", "found.json"];
    let (said, _) = train(&[&["--openmetrics", "made.om"][..], &labels].concat(), "validated.ewm");
    assert!(said.contains("alerts in the files"), "{said}");
    let found: Value = serde_json::from_slice(&fs::read(files.path("found.json")).unwrap()).unwrap();
    assert_eq!(found["segments"].as_u64(), Some(1), "{found}");
}

#[test]
fn what_is_lost_is_said_and_what_is_wrong_is_refused_with_its_place() {
    let files = Files::new();
    let sample = |ms: i64, value: &str| Line {
        series: "job:made:rate5m{instance=\"a\"}".to_owned(),
        value: value.to_owned(),
        ms,
    };
    let at = files.begin;
    files.write_openmetrics(
        "twice.om",
        &[sample(at + 60_000, "7"), sample(at, "1"), sample(at, "1"), sample(at, "2")],
    );
    fn extract<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["extract", "--raw", "--config", "config.yaml", "--out", "out.csv"], more].concat()
    }
    let said = files.succeed(&extract(&["--openmetrics", "twice.om"]));
    for part in [
        "the files have 4 samples, 2 of 1 series that are read",
        "left out: 1 samples that are there twice",
        "left out: 1 samples with another value than an earlier one of the same series and time",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let table = fs::read_to_string(files.path("out.csv")).unwrap();
    let values: Vec<&str> = table.lines().skip(1).filter_map(|row| row.rsplit(',').next()).collect();
    assert_eq!(values, ["1", "7"], "by time, and the first of what contradicts itself");

    fs::write(files.path("no-time.om"), "up 1 1700000000\nup{a=\"ä\"} 1\n# EOF\n").unwrap();
    let said = files.refused(&extract(&["--openmetrics", "no-time.om"]));
    assert!(
        said.contains("cannot read no-time.om: line 2, column 12: the sample has no timestamp"),
        "{said}"
    );
    files.write_openmetrics("made.om", &files.lines());
    let said = files.refused(&extract(&["--openmetrics", "made.om", "--max-samples", "1000"]));
    assert!(said.contains("more than 1000 samples") && said.contains("a larger --max-samples"), "{said}");
    fs::write(files.path("other.om"), "up 1 1700000000\n# EOF\n").unwrap();
    let said = files.refused(&extract(&["--openmetrics", "other.om"]));
    assert!(said.contains("none of the 1 samples is of a series that detector \"made\" reads"), "{said}");
    let said = files.refused(&extract(&["--openmetrics", "made.om", "--url", "http://localhost:9090"]));
    assert!(said.contains("cannot be used with"), "{said}");
    let said = files.refused(&["train", "--csv", "made.csv", "--out", "a.ewm", "--openmetrics", "made.om"]);
    assert!(said.contains("cannot be used with"), "{said}");
}
