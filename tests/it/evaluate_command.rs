//! `emberwatch evaluate` on files, as a user runs it.

use crate::support::python;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;
use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// Prints average precision and AUROC of lines `score,label`.
const SCIKIT_LEARN: &str = "
import sys
from sklearn.metrics import average_precision_score, roc_auc_score
rows = [line.split(',') for line in sys.stdin]
scores, labels = [float(row[0]) for row in rows], [int(row[1]) for row in rows]
print(repr(float(average_precision_score(labels, scores))), repr(float(roc_auc_score(labels, scores))))
";

struct Files {
    folder: TempDir,
}

/// For scores with and without ties, average precision and AUROC are those of scikit-learn.
#[test]
fn average_precision_and_auroc_are_those_of_scikit_learn() {
    if python::find("sklearn").is_none() {
        return;
    }
    let files = Files::new();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
    for (rows, levels) in [(2_000, 1e15), (2_000, 20.0), (50, 3.0), (20_000, 1e4)] {
        let mut both = String::new();
        for row in 0..rows {
            let labelled = row % 100 < 7;
            let score: f64 = random.random::<f64>() + if labelled { 0.2 } else { 0.0 };
            both.push_str(&format!("{},{}\n", (score * levels).round() / levels, u8::from(labelled)));
        }
        files.write("scores.csv", &format!("score,label\n{both}"));
        let figures = files.figures(&["--scores", "scores.csv", "--labels", "scores.csv", "--fast"]);
        let theirs = scikit_learn(&both);
        for (name, theirs) in ["ap", "auroc"].iter().zip(theirs) {
            let ours = figures[*name].as_f64().unwrap();
            assert!(
                (ours - theirs).abs() < 1e-12,
                "{rows} rows, {levels} levels: {name} {ours}, not {theirs}"
            );
        }
    }
}

fn scikit_learn(rows: &str) -> [f64; 2] {
    let mut child = python::command()
        .args(["-c", SCIKIT_LEARN])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(rows.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the oracle failed: {}", output.status);
    let printed = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = printed.split_whitespace().map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

/// Rows stand in any order and are written in any way; of a repeated timestamp the highest score counts, and a
/// labelled row without score is no alarm.
#[test]
fn rows_are_joined_by_timestamp() {
    let files = Files::new();
    files.write(
        "scores.csv",
        "time,anomaly_score,told\n1970-01-01T00:03:00Z,0.9,1\n60,0.1,0\n120,0.2,0\n120,0.8,1\n999,7,1\n240,,1\n",
    );
    files.write("labels.csv", "timestamp,label\n60,0\n120,1\n180,1\n1970-01-01 00:04:00,0\n300,1\n");
    let arguments =
        ["--scores", "scores.csv", "--labels", "labels.csv", "--pred-col", "told", "--threshold", "0.8"];
    let figures = files.figures(&arguments);
    assert_eq!((figures["n"].as_u64(), figures["coverage"].as_f64()), (Some(5), Some(0.8)));
    let counts =
        |point: &str| ["tp", "fp", "fn"].map(|name| figures["op"][point]["counts"][name].as_u64().unwrap());
    assert_eq!((counts("fixed"), counts("own_alarm")), ([2, 0, 1], [2, 1, 1]));
    assert_eq!(figures["op"]["own_alarm"]["threshold"], Value::Null);
}

/// Both ends of a window belong to it.
#[test]
fn windows_of_numenta_are_labels() {
    let files = Files::new();
    files.write(
        "windows.json",
        r#"{"real/x.csv": [["2020-01-01 00:05:00.000000", "2020-01-01 00:10:00.000000"]]}"#,
    );
    let rows: String = (0..4).map(|row| format!("2020-01-01 00:{:02}:00,{row}\n", row * 5)).collect();
    files.write("scores.csv", &format!("timestamp,value\n{rows}"));
    let windows = ["--scores", "scores.csv", "--nab-windows", "windows.json", "--nab-key"];
    let figures = files.figures(&[&windows[..], &["real/x.csv"]].concat());
    assert_eq!((figures["anomaly_share"].as_f64(), figures["segments"].as_u64()), (Some(0.5), Some(1)));
    let said = files.fails(&[&windows[..], &["x.csv"]].concat());
    assert!(said.contains("windows.json has no file \"x.csv\"; it has real/x.csv"), "{said}");
}

#[test]
fn a_manifest_gives_every_series_their_mean_and_their_sum() {
    let files = Files::new();
    fs::create_dir(files.path("set")).unwrap();
    files.write("set/good.csv", "score,label\n0,0\n1,1\n0,0\n");
    files.write("set/bad.csv", "score,label\n1,0\n0,1\n1,0\n");
    files.write(
        "set/list.csv",
        "name,scores,labels,train_scores\ngood,good.csv,good.csv,good.csv\nbad,bad.csv,bad.csv,\n",
    );
    let figures = files.figures(&["--manifest", "set/list.csv", "--threshold", "0.5"]);
    assert_eq!(figures["series"]["good"]["auroc"].as_f64(), Some(1.0));
    assert_eq!(figures["macro"]["auroc"].as_f64(), Some(0.5));
    assert_eq!(figures["macro"]["op"]["fixed"]["R"].as_f64(), Some(0.5));
    assert_eq!(figures["micro"]["fixed"]["counts"]["fp"].as_u64(), Some(2));
    assert_eq!(figures["macro"]["op"]["q99"], Value::Null, "only one series has training scores");
    assert_eq!(figures["series_with_segments"].as_u64(), Some(2));
}

/// The table shows the main figures, the drawing the incidents and the alarms.
#[test]
fn figures_are_shown_and_drawn() {
    let files = Files::new();
    let rows: String =
        (0..500).map(|row| format!("{},{}\n", row % 7 + row / 100 * 10, u8::from(row >= 480))).collect();
    files.write("scores.csv", &format!("score,label\n{rows}"));
    let arguments = ["--scores", "scores.csv", "--labels", "scores.csv", "--svg", "drawing.svg"];
    let output = files.run(&arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("500 rows, 1 incidents (4.00 % of the rows)"), "{said}");
    assert!(said.lines().any(|line| line.starts_with("best_event_f1 *")), "{said}");
    let svg = fs::read_to_string(files.path("drawing.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("fill=\"#ffd8a8\"").count(), 1, "one incident is shaded");
    assert!(svg.contains("alarms at the threshold") && svg.contains("average precision"));
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place_and_what_to_write() {
    let files = Files::new();
    files.write("labels.csv", "label\n0\n1\n");
    let cases = [
        (
            "cpu,memory\n1,2\n",
            "scores.csv, line 1: there is no column \"score\" or \"anomaly_score\" or \"value\"",
        ),
        ("cpu,memory\n1,2\n", "name another one with --score-col"),
        ("score\n1\nhigh\n", "scores.csv, line 3: column \"score\": \"high\" is not a number"),
        ("score,told\n1\n", "line 2: the row has 1 cells, the header has 2"),
        ("score\n1\n2\n3\n", "labels.csv has 2 labels, scores.csv has 3 scores"),
        ("score,x\n,1\nNaN,1\n", "not one of the 2 scores is a finite number"),
        ("score\n", "there is a header but no row"),
    ];
    for (text, expected) in cases {
        files.write("scores.csv", text);
        let said = files.fails(&["--scores", "scores.csv", "--labels", "labels.csv"]);
        assert!(said.contains(expected), "{text:?}: {said}");
    }
    files.write("scores.csv", "timestamp,score\n1,1\n");
    files.write("labels.csv", "timestamp,label\n1,\n");
    let said = files.fails(&["--scores", "scores.csv", "--labels", "labels.csv"]);
    assert!(said.contains("labels.csv, line 2: column \"label\" is empty or NaN"), "{said}");
    files.write("labels.csv", "timestamp,label\n5,1\n");
    let said = files.fails(&["--scores", "scores.csv", "--labels", "labels.csv"]);
    assert!(said.contains("none of its timestamps is in scores.csv"), "{said}");
}

// === impl Files ===

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
        command.arg("evaluate").args(arguments).current_dir(self.folder.path()).output().unwrap()
    }

    /// Every figure, as written to a file.
    fn figures(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--out", "figures.json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&fs::read(self.path("figures.json")).unwrap()).unwrap()
    }

    /// What is said of it.
    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?} succeeds");
        String::from_utf8(output.stderr).unwrap()
    }
}
