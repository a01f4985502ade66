//! `train --validate`: a model says how good it is on rows that it has not seen, by labels from a table or from alerts in a real Prometheus.

mod store;

use emberwatch::model::Model;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    ops::Range,
    path::PathBuf,
    process::{Command, Output},
};
use tempfile::TempDir;

const STEP_S: i64 = 60;
const START_S: i64 = 1_767_571_200;
const ENTITIES: usize = 3;

/// Steps of a window.
const WINDOW: usize = 5;

/// Rows of each entity; the last quarter of the steps is validated, so that these are first and last.
const ROWS: usize = 2_401;
const VALIDATED: Range<usize> = 1_800..2_401;

/// Two features, and one that says nothing of what goes wrong.
const CONFIG: &str = "
step: 60s
models: { path: models }
detectors:
  - name: made
    by: [instance]
    window: 5m
    features: { cpu: cpu, memory: memory }
  - name: blind
    by: [instance]
    window: 5m
    features: { noise: noise }
";

/// Entity and rows of each incident: two to learn beside, six to find.
const INCIDENTS: [(usize, Range<usize>); 8] = [
    (0, 400..440),
    (2, 900..930),
    (0, 1_850..1_900),
    (1, 1_900..1_960),
    (2, 2_000..2_050),
    (0, 2_100..2_150),
    (1, 2_200..2_260),
    (2, 2_300..2_360),
];

struct Files {
    folder: TempDir,
}

/// The alarms on unseen rows find what was injected, and every figure is the one that `evaluate` works out from the scores.
#[test]
fn a_model_says_how_good_it_is_on_rows_that_it_has_not_seen() {
    let files = Files::new();
    let said = files.train(&["--validate", "0.25", "--labels", "labels.csv", "--scores", "scores.csv"]);
    println!("{said}");
    let found = files.json("found.json");
    let own = &found["op"]["own_alarm"];
    assert_eq!((found["segments"].as_u64(), found["n"].as_u64()), (Some(6), Some(3 * 601)));
    assert!(number(&own["F1"]) >= 0.85, "{own}");
    assert_eq!(number(&own["event_recall"]), 1.0);
    // What every row an alarm is worth follows from the labels alone.
    let (labelled, rows) = (330.0, 1_803.0);
    let everything = &found["op"]["everything"];
    assert_eq!(number(&everything["P"]), labelled / rows);
    assert!((number(&everything["F1"]) - 2.0 * labelled / (rows + labelled)).abs() < 1e-12);
    assert_eq!((number(&everything["R"]), number(&everything["FPR"])), (1.0, 1.0));

    let micro = files.evaluated("scores.csv");
    for figure in ["P", "R", "F1", "event_recall", "event_prec", "event_f1"] {
        let (ours, theirs) = (number(&own[figure]), number(&micro[figure]));
        assert!((ours - theirs).abs() < 1e-9, "{figure}: {ours}, not {theirs}");
    }
    assert_eq!(own["counts"], micro["counts"]);
    let days = 601.0 / 1_440.0;
    let per_day = number(&own["counts"]["event_fp"]) / days;
    assert!((number(&own["fp_per_day"]) - per_day).abs() < 1e-9);
    let thresholds: Vec<f64> =
        found["curve"].as_array().unwrap().iter().map(|at| number(&at["threshold"])).collect();
    assert!(thresholds.is_sorted() && thresholds.len() >= 20, "{thresholds:?}");

    let shown = files.run(&["model", "show", "--json", "made.ewm"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let f1 = shown["F1"].as_str().unwrap();
    assert!(
        f1.starts_with(&format!("{:.3} (precision {:.3}", number(&own["F1"]), number(&own["P"]))),
        "{f1}"
    );
    assert!(shown["event_F1"].as_str().unwrap().contains("(6 of 6 incidents found, "), "{shown}");
    assert_eq!(shown["last_row"], "2026-01-06T16:00:00Z", "the final model is trained on all rows");
    let page = fs::read_to_string(files.path("page.html")).unwrap();
    assert_eq!(page.matches("fill=\"#ffd8a8\"").count(), 6, "every incident is shaded");
}

/// A model that cannot see what goes wrong is visibly worse, and no better than an alarm on every row.
#[test]
fn a_bad_model_is_seen_to_be_bad() {
    let files = Files::new();
    let labels = ["--validate", "0.25", "--labels", "labels.csv"];
    files.train(&labels);
    let good = files.json("found.json");
    files.train_detector("blind", &labels);
    let bad = files.json("found.json");
    let f1 = |found: &Value, point: &str| number(&found["op"][point]["F1"]);
    assert!(f1(&good, "own_alarm") > f1(&bad, "own_alarm") + 0.5);
    assert!(f1(&bad, "own_alarm") < f1(&bad, "everything"));
    assert!(
        number(&bad["auroc"]) < 0.65 && number(&good["auroc"]) > 0.9,
        "{} {}",
        bad["auroc"],
        good["auroc"]
    );
}

/// The validated model is the same one to the last bit, whatever the values are from a window before the first validated row on.
#[test]
fn no_value_that_is_validated_was_trained_on() {
    let files = Files::new();
    let trained = |from: usize| {
        files.write("made.csv", &table(|row, value| if row >= from { 3.0 * value } else { value }));
        files.train(&["--validate", "0.25", "--final", "train", "--labels", "labels.csv"]);
        let model = Model::decode(&fs::read(files.path("made.ewm")).unwrap()).unwrap();
        (model.training().validation.unwrap(), model)
    };
    let first_of_window = VALIDATED.start - (WINDOW - 1);
    let (found, model) = trained(ROWS);
    let (found_changed, changed) = trained(first_of_window);
    assert_ne!(found, found_changed, "the changed rows were validated");
    assert_eq!(changed.with_validation(found).encode().unwrap(), model.encode().unwrap());
    // The gap ends where the training does.
    let (_, changed) = trained(VALIDATED.start - WINDOW - 1);
    assert_ne!(changed.with_validation(found).encode().unwrap(), model.encode().unwrap());
}

/// Ten minutes before to half an hour after an incident, its entity is not trained on: forty rows and forty around them, thirty and forty;
/// and of the validated part the same of six.
#[test]
fn incidents_and_what_lies_around_them_are_not_trained_on() {
    let files = Files::new();
    let said = files.train(&["--validate", "0", "--labels", "labels.csv"]);
    let around: usize = INCIDENTS.iter().map(|(_, rows)| rows.len() + 40).sum();
    assert!(said.contains(&format!("{around} in and around incidents, 0 rows not sampled")), "{said}");
    assert!(!said.contains("validated"), "{said}");
    // The same labels row by row.
    let rows: String = (0..ROWS)
        .flat_map(|row| (0..ENTITIES).map(move |entity| (row, entity)))
        .map(|(row, entity)| {
            let label = INCIDENTS.iter().any(|(own, rows)| *own == entity && rows.contains(&row));
            format!("{},node-{entity},{}\n", START_S + row as i64 * STEP_S, u8::from(label))
        })
        .collect();
    files.write("rows.csv", &format!("timestamp,entity,label\n{rows}"));
    fs::rename(files.path("made.ewm"), files.path("before.ewm")).unwrap();
    files.train(&["--validate", "0", "--labels", "rows.csv"]);
    assert_eq!(files.run(&["model", "diff", "before.ewm", "made.ewm"]), "no difference\n");
}

/// Without labels it is said how many alarms there were, and how the scores keep what they promise; the model claims nothing.
#[test]
fn without_labels_the_promise_is_held_against_the_rows() {
    let files = Files::new();
    let said = files.train(&["--validate", "0.25"]);
    assert!(said.contains("no labels: nobody knows which of them are false"), "{said}");
    let found = files.json("found.json");
    assert_eq!(found["labels"], Value::Null);
    let levels = found["levels"].as_array().unwrap();
    let promised: Vec<f64> = levels.iter().map(|level| number(&level["promised"])).collect();
    let thresholds: Vec<f64> = levels.iter().map(|level| number(&level["threshold"])).collect();
    assert_eq!(thresholds[1..], [0.4, 0.8], "medium and high");
    for (promised, threshold) in promised.iter().zip(&thresholds) {
        assert!((promised - 10.0_f64.powf(-6.0 * threshold)).abs() < 1e-12);
    }
    let claimed = || {
        let shown: Value =
            serde_json::from_str(&files.run(&["model", "show", "--json", "made.ewm"])).unwrap();
        shown["F1"].clone()
    };
    assert_eq!(claimed(), Value::Null);
    // Nor of labels that tell of the earlier rows alone.
    files.write("early.csv", &format!("from,to\n{},{}\n", START_S + 6_000, START_S + 9_000));
    let said = files.train(&["--validate", "0.25", "--labels", "early.csv"]);
    assert!(said.contains("no incident lies among these rows"), "{said}");
    assert_eq!(claimed(), Value::Null);
}

#[test]
fn what_is_wrong_is_said_with_what_to_write() {
    let files = Files::new();
    files.write("others.csv", "entity,from,to\nnode-9,0,60\n");
    for (arguments, expected) in [
        (
            &["--labels", "others.csv"][..],
            "none of the entities with labels (node-9) is among those with rows (node-0, ",
        ),
        (&["--labels-from-alerts"][..], "a table has none: leave --csv out, or give --labels"),
        (
            &["--validate", "0.5", "--labels", "made.csv"][..],
            "there are neither columns \"from\" and \"to\" nor",
        ),
        (&["--validate", "1"][..], "write a share from 0 to 0.9"),
        (&["--validate", "0"][..], "tell of a validation, and there is none"),
    ] {
        let output = files.output(&files.arguments("made", arguments));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(expected), "{arguments:?}: {said}");
    }
}

/// A level that wanders and noise, a feature each; in incidents much of either. `changed` gives the values other numbers, by their row.
fn table(changed: impl Fn(usize, f64) -> f64) -> String {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut text = String::from("timestamp,entity,cpu,memory,noise\n");
    let mut wander = [0.0_f64; ENTITIES];
    for row in 0..ROWS {
        for (entity, wander) in wander.iter_mut().enumerate() {
            *wander = 0.9 * *wander + random.random_range(-1.0..1.0);
            let mut noise = || random.random_range(-1.0..1.0_f64);
            let fault = INCIDENTS.iter().any(|(own, rows)| *own == entity && rows.contains(&row));
            let extra = if fault { 40.0 } else { 0.0 };
            let (cpu, memory) = (50.0 + *wander + noise() + extra, 200.0 + 5.0 * noise() + 2.0 * extra);
            let [cpu, memory, noise] = [cpu, memory, noise()].map(|value| changed(row, value));
            let at = START_S + row as i64 * STEP_S;
            _ = writeln!(text, "{at},node-{entity},{cpu},{memory},{noise}");
        }
    }
    text
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

// === impl Files ===

impl Files {
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.write("config.yaml", CONFIG);
        files.write("made.csv", &table(|_, value| value));
        let at = |row: usize| START_S + row as i64 * STEP_S;
        let line = |(entity, rows): &(usize, Range<usize>)| {
            format!("node-{entity},{},{}\n", at(rows.start), at(rows.end - 1))
        };
        let lines: String = INCIDENTS.iter().map(line).collect();
        files.write("labels.csv", &format!("entity,from,to\n{lines}"));
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }

    fn output(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
        command.args(arguments).env_remove("SOURCE_DATE_EPOCH").current_dir(self.folder.path());
        command.output().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// `train` of a detector on the table, with what is found in `found.json` and on `page.html`.
    fn arguments<'a>(&self, detector: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let all = ["train", "--config", "config.yaml", "--csv", "made.csv", "--detector", detector];
        let out = ["--out", "made.ewm", "--model-version", "v1", "--created-at", "0"];
        let told = ["--json", "found.json", "--html", "page.html"];
        [&all[..], &out, &told, more].concat()
    }

    fn train(&self, more: &[&str]) -> String {
        self.train_detector("made", more)
    }

    fn train_detector(&self, detector: &str, more: &[&str]) -> String {
        let mut arguments = self.arguments(detector, more);
        // Nothing is told where nothing is validated.
        if more.contains(&"0") {
            arguments.retain(|argument| !["--json", "found.json", "--html", "page.html"].contains(argument));
        }
        self.run(&arguments)
    }

    /// What `evaluate` makes of a file of scores, entity by entity, and of the sum of their counts.
    fn evaluated(&self, scores: &str) -> Value {
        let text = fs::read_to_string(self.path(scores)).unwrap();
        let mut entities: BTreeMap<&str, String> = BTreeMap::new();
        for line in text.lines().skip(1) {
            let entity = line.split(',').nth(1).unwrap();
            let own = entities
                .entry(entity)
                .or_insert_with(|| "timestamp,entity,anomaly_score,alarm,label\n".to_owned());
            _ = writeln!(own, "{line}");
        }
        let mut manifest = String::from("name,scores,labels\n");
        for (entity, text) in &entities {
            self.write(&format!("{entity}.csv"), text);
            _ = writeln!(manifest, "{entity},{entity}.csv,{entity}.csv");
        }
        self.write("manifest.csv", &manifest);
        self.run(&[
            "evaluate",
            "--manifest",
            "manifest.csv",
            "--pred-col",
            "alarm",
            "--fast",
            "--out",
            "evaluated.json",
        ]);
        self.json("evaluated.json")["micro"]["own_alarm"].clone()
    }
}
