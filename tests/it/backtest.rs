//! A backtest is the running sidecar from the feature vectors on.

use emberwatch::{
    config,
    pipeline::{ClockConfig, Detector, Replay},
    series::{LabelSet, METRIC_NAME, STALE_NAN, Sample, SampleBatch, TimestampMs, series_hash},
    window,
};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};
use tempfile::TempDir;

const STEP_MS: i64 = 60_000;
const START_MS: i64 = 1_767_571_200_000;

/// Trains first when both entities have the rows it takes, and again when the data has doubled.
const CONFIG: &str = "
step: 60s
training: { warm_up: 2h, n_trees: 50 }
detectors:
  - name: node
    features: { cpu: cpu, memory: memory }
";

/// Values of both features of an entity at a step; none while it is not seen.
type Vectors = BTreeMap<(i64, &'static str), [Option<f64>; 2]>;

/// What is said of an entity at a step: bits of the score, severity, explanation.
type Said = (u64, u8, String);

struct Files {
    folder: TempDir,
}

// === the live path ===

/// For all rows of a stream in which entities fall silent, features go missing, a fault comes and models are trained
/// and trained again, backtest and live path say the same to the last bit.
#[test]
fn a_backtest_says_to_the_last_bit_what_the_live_path_says() {
    let vectors = vectors(420);
    let live = live(&vectors);
    let files = Files::new();
    files.write("features.csv", &csv(&vectors));
    let said = files.backtest(&["--csv", "features.csv"]);
    assert!(said.matches("trained model stream-").count() >= 2, "{said}");

    let (mut scored, mut alarms) = (0, 0);
    for row in files.rows("scores.csv") {
        let at = TimestampMs(row[0].parse::<i64>().unwrap() * 1000);
        let score: f64 = row[2].parse().unwrap();
        let severity: u8 = row[3].parse().unwrap();
        assert_eq!(row[7] == *"1", severity >= 2, "{row:?}");
        match live.get(&(at, row[1].to_owned())) {
            Some(live) => {
                assert_eq!(*live, (score.to_bits(), severity, row[5].to_owned()), "{at} {}", &row[1]);
                scored += 1;
                alarms += usize::from(severity >= 2);
            }
            None => {
                let why = ["warming up: ", "there is no model yet", "no value of any feature"];
                assert!(score == 0.0 && why.iter().any(|why| row[5].starts_with(why)), "{row:?}");
            }
        }
    }
    assert_eq!(scored, live.len(), "every live verdict is in the file");
    assert!(scored > 400 && alarms > 10, "{scored} verdicts, {alarms} alarms: nothing to compare");
}

/// Two machines; from step 300 to 304 nobody is seen, from 320 to 323 the second is not, from 330 to 332 it has no
/// memory; the first is at fault from step 360 to 379.
fn vectors(n: i64) -> Vectors {
    let noise = |step: i64| (step as f64 * 0.618_033_988_749_895).fract() - 0.5;
    let mut vectors = Vectors::new();
    for step in (0..n).filter(|step| !(300..305).contains(step)) {
        let at_fault = (360..380).contains(&step);
        let cpu = if at_fault { 0.95 } else { 0.3 + noise(step) / 20.0 };
        vectors.insert((step, "a"), [Some(cpu), Some(4.0 + noise(step * 3) / 10.0)]);
        if !(320..324).contains(&step) {
            let memory = (!(330..333).contains(&step)).then(|| 200.0 + noise(step * 7) * 5.0);
            vectors.insert((step, "b"), [Some(0.5 + noise(step * 5) / 30.0), memory]);
        }
    }
    vectors
}

fn at(step: i64) -> TimestampMs {
    TimestampMs(START_MS + step * STEP_MS)
}

fn live(vectors: &Vectors) -> BTreeMap<(TimestampMs, String), Said> {
    let config = config::parse(CONFIG).unwrap();
    let detector = Detector::new(config.detector_settings(&config.detectors[0])).unwrap();
    let settle_timeout = Duration::from_secs(30);
    let clock = ClockConfig { step_ms: STEP_MS, settle_timeout };
    let mut replay = Replay::new(vec![detector], clock, window::Config::default(), 2);
    let mut said = BTreeMap::new();
    let mut evaluate = |replay: &mut Replay, waited: Duration| {
        for (at, steps) in replay.evaluate(waited) {
            for verdict in steps.into_iter().flat_map(|step| step.verdicts) {
                let entity = verdict.entity.get("instance").unwrap_or_default().to_owned();
                let score = verdict.anomaly_score.value().to_bits();
                said.insert((at, entity), (score, verdict.severity.number(), verdict.explanation));
            }
        }
    };
    // The first step of the sidecar is the one after its first sample.
    replay.append(&batch(&[("cpu", "c", Sample::new(START_MS - 1, 1.0)), ("cpu", "c", stale(START_MS))]));
    let last = vectors.keys().next_back().map_or(0, |(step, _)| *step);
    for step in 0..=last {
        let mut samples = Vec::new();
        for entity in ["a", "b"] {
            let now = vectors.get(&(step, entity)).copied().unwrap_or_default();
            for (name, value) in ["cpu", "memory"].into_iter().zip(now) {
                // What is not scraped any more gets a stale marker.
                let sample = value.map_or(stale(at(step).0), |value| Sample::new(at(step).0, value));
                samples.push((name, entity, sample));
            }
        }
        replay.append(&batch(&samples));
        evaluate(&mut replay, Duration::ZERO);
    }
    for wait in 1..4 {
        evaluate(&mut replay, settle_timeout * wait);
    }
    said
}

fn stale(at_ms: i64) -> Sample {
    Sample::new(at_ms, STALE_NAN)
}

fn batch(samples: &[(&str, &str, Sample)]) -> SampleBatch {
    let mut batch = SampleBatch::default();
    for (name, entity, sample) in samples {
        let labels = LabelSet::from_pairs([(METRIC_NAME, *name), ("instance", *entity)]).unwrap();
        let text = labels.canonical_text();
        batch.push(series_hash(text, 7), text, [*sample]);
    }
    batch
}

fn csv(vectors: &Vectors) -> String {
    let mut csv = String::from("timestamp,entity,cpu,memory\n");
    for ((step, entity), [cpu, memory]) in vectors {
        let cell = |value: &Option<f64>| value.map_or(String::new(), |value| value.to_string());
        writeln!(csv, "{},{entity},{},{}", at(*step).0 / 1000, cell(cpu), cell(memory)).unwrap();
    }
    csv
}

// === the other ways to a model ===

/// With a model made of the same rows by the same settings, `score` and `backtest` write the same scores.
#[test]
fn a_model_trained_on_the_way_in_is_that_of_the_command_train() {
    let files = Files::new();
    let all = vectors(420);
    let (past, present): (Vectors, Vectors) = all.iter().partition(|((step, _), _)| *step < 300);
    files.write("past.csv", &csv(&past));
    files.write("present.csv", &csv(&present));
    files.succeeds(&["train", "--csv", "past.csv", "--trees", "50", "--out", "node.ewm"]);
    files.succeeds(&["score", "--model", "node.ewm", "--csv", "present.csv", "--out", "expected.csv"]);
    let expected: Vec<Vec<String>> = cells(files.rows("expected.csv"));
    for way in [["--train-csv", "past.csv"], ["--model", "node.ewm"]] {
        files.backtest(&[&["--csv", "present.csv"][..], &way[..]].concat());
        let rows = cells(files.rows("scores.csv"));
        assert!(rows == expected, "{way:?}");
    }
}

/// The table of `evaluate` comes along, for the rows of one entity.
#[test]
fn labels_are_measured_right_away() {
    let files = Files::new();
    let (all, labels): (Vectors, String) = (
        vectors(420).into_iter().filter(|((_, entity), _)| *entity == "a").collect(),
        (300..420)
            .map(|step| format!("{},{}\n", at(step).0 / 1000, u8::from((360..380).contains(&step))))
            .collect(),
    );
    let (past, present): (Vectors, Vectors) = all.iter().partition(|((step, _), _)| *step < 300);
    files.write("past.csv", &csv(&past));
    files.write("present.csv", &csv(&present));
    files.write("labels.csv", &format!("timestamp,label\n{labels}"));
    let arguments = ["--csv", "present.csv", "--train-csv", "past.csv", "--labels", "labels.csv"];
    let said = files.backtest(&arguments);
    let own = said.lines().find(|line| line.starts_with("own_alarm")).unwrap();
    // Of 120 labelled rows, five were not seen; the one incident is found.
    assert!(said.contains("120 rows, 1 incidents") && said.contains("95.8 % of the labelled rows"), "{said}");
    assert!(own.split_whitespace().nth(7) == Some("1.000"), "event_recall of {own}");
    files.write("present.csv", &csv(&vectors(420)));
    let refused =
        files.run(&[&["backtest", "--config", "config.yaml", "--out", "s.csv"], &arguments[..]].concat());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("labels are those of one entity; the rows have 2 entities"), "{said}");
}

#[test]
fn what_does_not_fit_the_detector_is_refused() {
    let files = Files::new();
    files.write("rows.csv", "timestamp,cpu\n60,1\n");
    files.write("slow.csv", "timestamp,cpu,memory\n0,1,2\n300,1,2\n");
    files.write("two.yaml", "detectors: [{ name: a, preset: http }, { name: b, preset: http }]\n");
    let cases = [
        ("config.yaml", "rows.csv", "node", "no column \"memory\""),
        ("config.yaml", "rows.csv", "nod", "config.yaml has no detector \"nod\"; it has node"),
        ("config.yaml", "slow.csv", "node", "300 s apart, the detector wants rows 60 s apart"),
    ];
    for (config, csv, detector, expected) in cases {
        let output = files.run(&[
            "backtest",
            "--config",
            config,
            "--csv",
            csv,
            "--detector",
            detector,
            "--out",
            "s.csv",
        ]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(expected), "{said}");
    }
    let output = files.run(&["backtest", "--config", "two.yaml", "--csv", "rows.csv", "--out", "s.csv"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("two.yaml has the detectors a, b; choose one with --detector"), "{said}");
}

// === impl Files ===

impl Files {
    /// A folder with the config.
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.write("config.yaml", CONFIG);
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run_in(self.folder.path(), arguments)
    }

    /// What it prints.
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Writes scores.csv.
    fn backtest(&self, arguments: &[&str]) -> String {
        let all = [&["backtest", "--config", "config.yaml", "--out", "scores.csv"], arguments].concat();
        self.succeeds(&all)
    }

    fn rows(&self, name: &str) -> Vec<csv::StringRecord> {
        let mut csv = csv::Reader::from_path(self.path(name)).unwrap();
        csv.records().map(Result::unwrap).collect()
    }
}

fn cells(rows: Vec<csv::StringRecord>) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.iter().map(str::to_owned).collect()).collect()
}

fn run_in(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_emberwatch")).args(arguments).current_dir(folder).output().unwrap()
}
