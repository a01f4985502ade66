//! `emberwatch model show`, `diff`, `list` and `rollback` on the files of a folder, as a user runs them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Runs the binary in the folder.
fn emberwatch(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
    command.args(arguments).current_dir(folder).env("SOURCE_DATE_EPOCH", "1700000000").output().unwrap()
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = emberwatch(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fails(folder: &Path, arguments: &[&str]) -> String {
    let output = emberwatch(folder, arguments);
    assert!(!output.status.success(), "{arguments:?} succeeds");
    String::from_utf8(output.stderr).unwrap()
}

/// A folder with the models v1 (of cpu and memory) and v2 (of `second`), published in this order.
fn folder_of_models(second: [&str; 2]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    fs::create_dir_all(path.join("models/node")).unwrap();
    for (version, features, seed) in [("v1", ["cpu", "memory"], "1"), ("v2", second, "2")] {
        fs::write(path.join("rows.csv"), table(features)).unwrap();
        let out = format!("models/node/{version}.ewm");
        let arguments = ["train", "--csv", "rows.csv", "--out", &out, "--model-version", version];
        succeeds(&path, &[&arguments[..], &["--trees", "20", "--seed", seed]].concat());
        fs::write(path.join("models/node/current"), version).unwrap();
    }
    (folder, path)
}

/// A row a minute; the first feature wanders, the second one is nearly constant.
fn table([first, second]: [&str; 2]) -> String {
    let noise = |n: usize| (n as f64 * 0.618_033_988_749_895).fract();
    let row = |n: usize| format!("{},{},{}\n", 1_600_000_000 + n * 60, noise(n), 40.0 + noise(7 * n) / 100.0);
    let rows: String = (0..600).map(row).collect();
    format!("timestamp,{first},{second}\n{rows}")
}

#[test]
fn show_says_what_stands_in_a_model() {
    let (_folder, path) = folder_of_models(["cpu", "memory"]);
    let shown = succeeds(&path, &["model", "show", "models/node/v1.ewm", "--svg", "importance.svg"]);
    for line in [
        "version        v1",
        "created        2023-11-14T22:13:20Z",
        "step           1m",
        "20 trees of 256 rows",
    ] {
        assert!(shown.contains(line), "{line:?} is not in\n{shown}");
    }
    let cpu = shown.lines().find(|line| line.trim_start().starts_with("cpu ")).unwrap();
    // Drawn evenly from 0 to 1: all but 5 % lie between these.
    assert!(cpu.contains("0.02") && cpu.contains(" to 0.97"), "{cpu}");

    let svg = fs::read_to_string(path.join("importance.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    assert_eq!(svg.matches("<rect").count(), 3, "a background and a bar for each feature");

    let json = succeeds(&path, &["model", "show", "--json", "models/node/v1.ewm"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let importance = |feature: &serde_json::Value| feature["importance"].as_f64().unwrap();
    let features = json["features"].as_array().unwrap();
    assert_eq!(json["version"], "v1");
    assert!((features.iter().map(importance).sum::<f64>() - 1.0).abs() < 1e-9, "{features:?}");
    assert!(features.is_sorted_by(|a, b| importance(a) >= importance(b)));
}

#[test]
fn splits_and_scoring_are_shown_compared_and_kept_from_formats_that_cannot_say_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("rows.csv"), table(["cpu", "memory"])).unwrap();
    let train = |out: &str, more: &[&str]| {
        let arguments =
            ["train", "--plain", "--csv", "rows.csv", "--trees", "20", "--model-version", "v", "--out", out];
        [&arguments[..], more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |arguments: &[String]| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        emberwatch(path, &arguments)
    };
    assert!(run(&train("plain.ewm", &[])).status.success());
    let guided = ["--split", "guided", "--split-candidates", "4", "--scoring", "penalized-depth"];
    assert!(run(&train("guided.ewm", &guided)).status.success());

    let shown = succeeds(path, &["model", "show", "guided.ewm"]);
    assert!(shown.contains("splits         guided, 2 features, best of 4\n"), "{shown}");
    let diff = emberwatch(path, &["model", "diff", "plain.ewm", "guided.ewm"]);
    let diff = String::from_utf8(diff.stdout).unwrap();
    assert!(diff.contains("splits: plain -> guided, 2 features, best of 4\n"), "{diff}");
    assert!(diff.contains("scoring: depth -> penalized-depth\n"), "{diff}");
    for format in ["onnx", "sklearn-json"] {
        let refused = fails(path, &["model", "export", "guided.ewm", "--format", format, "--out", "out"]);
        assert!(refused.contains("trained with guided splits, scored by penalized-depth"), "{refused}");
    }

    for (more, problem) in [
        (&["--split-features", "2"][..], "plain splits have no number of features"),
        (
            &["--split", "extended", "--scoring", "density"][..],
            "scoring by density needs splits by one feature",
        ),
    ] {
        let refused = run(&train("refused.ewm", more));
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && said.contains(problem), "{said}");
    }
}

#[test]
fn diff_says_what_differs_and_by_its_exit_code_whether_anything_does() {
    let (_folder, path) = folder_of_models(["cpu", "memory"]);
    let same = succeeds(&path, &["model", "diff", "models/node/v1.ewm", "models/node/v1.ewm"]);
    assert_eq!(same, "no difference\n");
    let output = emberwatch(&path, &["model", "diff", "models/node/v1.ewm", "models/node/v2.ewm"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("version: v1 -> v2\n") && text.contains("seed: 1 -> 2\n"), "{text}");
    assert!(!text.contains("neither can take the place"), "{text}");
}

#[test]
fn diff_names_the_feature_for_which_one_cannot_take_the_place_of_the_other() {
    let (_folder, path) = folder_of_models(["cpu", "disk"]);
    let output = emberwatch(&path, &["model", "diff", "models/node/v1.ewm", "models/node/v2.ewm"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for said in [
        "feature memory: only in the first",
        "feature disk: only in the second",
        "\"memory\" of the model is missing",
    ] {
        assert!(text.contains(said), "{said:?} is not in\n{text}");
    }
}

#[test]
fn rollback_goes_one_version_back_and_says_when_there_is_none() {
    let (_folder, path) = folder_of_models(["cpu", "memory"]);
    let current = || fs::read_to_string(path.join("models/node/current")).unwrap().trim().to_owned();
    let marked = |list: &str| {
        let line = list.lines().find(|line| line.contains(" * ")).unwrap();
        line.split_whitespace().nth(2).unwrap().to_owned()
    };
    assert_eq!(marked(&succeeds(&path, &["model", "list"])), "v2");

    let said = succeeds(&path, &["model", "rollback", "node"]);
    assert!(said.starts_with("node: v2 -> v1\n"), "{said}");
    assert_eq!(current(), "v1");
    let list = succeeds(&path, &["model", "list", "node"]);
    assert_eq!((marked(&list), list.lines().count()), ("v1".to_owned(), 3), "{list}");

    let error = fails(&path, &["model", "rollback", "node"]);
    assert!(error.contains("nothing before the version in use; node has v2, v1"), "{error}");
    succeeds(&path, &["model", "rollback", "node", "--to", "v2"]);
    assert_eq!(current(), "v2");
}

#[test]
fn a_broken_version_is_listed_with_its_fault_and_never_gone_back_to() {
    let (_folder, path) = folder_of_models(["cpu", "memory"]);
    let whole = fs::read(path.join("models/node/v1.ewm")).unwrap();
    fs::write(path.join("models/node/v1.ewm"), &whole[..whole.len() / 2]).unwrap();
    // Written last, so it is the newest one: the current one stands before it.
    let error = fails(&path, &["model", "rollback", "node", "--to", "v1"]);
    assert!(error.contains("v1.ewm") && error.contains("truncated"), "{error}");
    assert_eq!(fs::read_to_string(path.join("models/node/current")).unwrap(), "v2");
    let list = succeeds(&path, &["model", "list"]);
    assert!(list.contains("not usable") && list.contains("truncated"), "{list}");
}

#[test]
fn what_is_not_there_is_named() {
    let (_folder, path) = folder_of_models(["cpu", "memory"]);
    for (arguments, name) in [
        (&["model", "show", "missing.ewm"][..], "missing.ewm"),
        (&["model", "rollback", "disk"], "disk"),
        (&["model", "rollback", "node", "--to", "v9"], "node has no version v9, only v2, v1"),
        (&["model", "list", "--path", "elsewhere"], "elsewhere"),
    ] {
        let error = fails(&path, arguments);
        assert!(error.contains(name), "{arguments:?}: {error}");
    }
}
