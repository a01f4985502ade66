//! Forests of scikit-learn, brought over and taken back: the scores are those that it gives itself.

use crate::support::python;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

/// Rows that are scored.
const ROWS: usize = 10_000;

/// The promise of `docs/scikit-learn.md`.
const TOLERANCE: f64 = 1e-6;

/// A model that scikit-learn fitted, and what it says of the test rows. See `tests/oracle/exchange.py`.
struct Fitted {
    folder: TempDir,
    expected: Vec<f64>,
}

/// For all shapes of forests that can be exported, the imported model scores 10,000 rows as scikit-learn does.
#[test]
fn an_imported_forest_scores_as_scikit_learn_does() {
    if python::find("sklearn").is_none() {
        return;
    }
    for (dimensions, max_samples, settings) in [
        (8, 256, "none"),
        (8, 512, "scaler"),
        (38, 256, "scaler"),
        (38, 512, "none"),
        (8, 300, "bootstrap"),
        (38, 1024, "max_features,scaler"),
    ] {
        let fitted = Fitted::new(dimensions, max_samples, settings);
        fitted.export(&[]);
        let said = fitted.import(&[]);
        assert!(said.contains("NOT calibrated"), "{said}");
        let worst = largest_difference(&fitted.raw_scores(), &fitted.expected);
        println!("d = {dimensions}, max_samples = {max_samples}, {settings}: at most {worst:e} apart");
        assert!(worst <= TOLERANCE, "d = {dimensions}, max_samples = {max_samples}, {settings}: {worst:e}");
    }
}

/// Calibrated by the training rows, in either way, the tail probability at the 99th percentile of their scores
/// is about 0.01; by `contamination` it is what that says.
#[test]
fn the_calibration_comes_from_the_best_source() {
    if python::find("sklearn").is_none() {
        return;
    }
    let fitted = Fitted::new(8, 256, "contamination");
    let at_threshold = |said: &str, arguments: &[&str]| {
        let import = fitted.import(arguments);
        assert!(import.contains(said), "{import}");
        fitted.raw_scores();
        fitted.rarest_above_threshold()
    };
    fitted.export(&[]);
    let by_contamination = at_threshold("contamination 0.02", &[]);
    assert!((0.01..=0.02).contains(&by_contamination), "{by_contamination}");
    let rows = at_threshold("calibrated on 5000 rows", &["--calibrate", &fitted.path("train.csv")]);
    fitted.export(&["--training", &fitted.path("train.csv")]);
    let training = at_threshold("the scores of 5000 training rows", &[]);
    // The threshold is the 98th percentile of the very same scores.
    for probability in [rows, training] {
        assert!((0.017..=0.023).contains(&probability), "{probability}");
    }
}

/// For rows that are exact in single precision, onnxruntime gives the exported model's scores, missing values
/// included.
#[test]
fn an_exported_forest_scores_the_same_in_onnxruntime() {
    if python::find("onnxruntime,sklearn").is_none() {
        return;
    }
    for (dimensions, max_samples, settings) in [
        (8, 256, "single"),
        (8, 512, "single,scaler"),
        (38, 256, "single,scaler,missing"),
        (38, 512, "single"),
    ] {
        let fitted = Fitted::new(dimensions, max_samples, settings);
        fitted.export(&[]);
        fitted.import(&[]);
        let onnx = fitted.path("model.onnx");
        emberwatch(&["model", "export", &fitted.path("model.ewm"), "--format", "onnx", "--out", &onnx]);
        let arguments = [onnx, fitted.path("test.csv"), fitted.path("onnx.csv")];
        run_script("tests/oracle/onnx_scores.py", &arguments);
        let theirs = numbers(&fitted.folder.path().join("onnx.csv"));
        let worst = largest_difference(&fitted.raw_scores(), &theirs);
        println!("d = {dimensions}, max_samples = {max_samples}, {settings}: at most {worst:e} apart");
        assert!(worst <= TOLERANCE, "d = {dimensions}, max_samples = {max_samples}, {settings}: {worst:e}");
    }
}

#[test]
fn what_cannot_be_exported_is_refused_by_name() {
    if python::find("sklearn").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("forest.json").display().to_string();
    let refused = run_script("tests/oracle/refused.py", &[folder.path().display().to_string()]);
    for line in refused.lines() {
        let (model, reason) = line.split_once('\t').unwrap();
        let output = script("tools/export_sklearn.py", &[model, "--out", &json]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(reason), "{model}: {said}");
    }
}

// === impl Fitted ===

impl Fitted {
    fn new(dimensions: usize, max_samples: usize, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [dimensions, rows, max_samples] =
            [dimensions, ROWS, max_samples].map(|number| number.to_string());
        let path = folder.path().display().to_string();
        run_script("tests/oracle/exchange.py", &[&path, &dimensions, &rows, &max_samples, settings]);
        let expected = numbers(&folder.path().join("expected.csv"));
        assert_eq!(expected.len(), ROWS);
        Self { folder, expected }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn export(&self, arguments: &[&str]) {
        let own = [&self.path("model.joblib"), "--out", &self.path("forest.json")];
        run_script("tools/export_sklearn.py", &[&own, arguments].concat());
    }

    fn import(&self, arguments: &[&str]) -> String {
        let own = ["model", "import", &self.path("forest.json"), "--out", &self.path("model.ewm")];
        emberwatch(&[&own, arguments].concat())
    }

    /// Scores the test rows and gives their raw scores.
    fn raw_scores(&self) -> Vec<f64> {
        let (test, scores) = (self.path("test.csv"), self.path("scores.csv"));
        emberwatch(&["score", "--model", &self.path("model.ewm"), "--csv", &test, "--out", &scores]);
        self.scored("raw_score")
    }

    /// The tail probability just above scikit-learn's threshold: of the least strange row that `predict` calls -1.
    fn rarest_above_threshold(&self) -> f64 {
        let threshold = numbers(&self.folder.path().join("threshold.csv"))[0];
        let rows = self.scored("raw_score").into_iter().zip(self.scored("tail_probability"));
        rows.filter(|(raw, _)| *raw > threshold).map(|(_, p)| p).fold(0.0, f64::max)
    }

    fn scored(&self, column: &str) -> Vec<f64> {
        let mut csv = csv::Reader::from_path(self.path("scores.csv")).unwrap();
        let column = csv.headers().unwrap().iter().position(|name| name == column).unwrap();
        csv.records().map(|record| record.unwrap()[column].parse().unwrap()).collect()
    }
}

fn emberwatch(arguments: &[&str]) -> String {
    succeed(Command::new(env!("CARGO_BIN_EXE_emberwatch")).args(arguments).output().unwrap())
}

/// The command of a script of this package.
fn script(path: &str, arguments: &[impl AsRef<std::ffi::OsStr>]) -> Command {
    let mut command = python::command();
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).args(arguments);
    command
}

fn run_script(path: &str, arguments: &[impl AsRef<std::ffi::OsStr>]) -> String {
    succeed(script(path, arguments).output().unwrap())
}

/// What a run said that went well.
fn succeed(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// One number a line.
fn numbers(path: &Path) -> Vec<f64> {
    fs::read_to_string(path).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}
