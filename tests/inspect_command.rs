//! `emberwatch inspect` on files, as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn inspect(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_emberwatch"))
        .current_dir(folder)
        .arg("inspect")
        .args(arguments)
        .output()
        .unwrap()
}

/// Three days of a row every five minutes of two machines, with `broken` in the place of some rows.
fn table(broken: impl Fn(usize, &str) -> Option<String>) -> String {
    let mut text = "timestamp,entity,load,requests_total,unused\n".to_owned();
    for row in 0..864 {
        for machine in ["a", "b"] {
            let usual = || {
                let (load, requests) = ((row * 7 % 50) as f64 / 10.0, row * 3);
                format!("{},{machine},{load},{requests},4\n", 1_767_571_200 + row * 300)
            };
            text.push_str(&broken(row, machine).unwrap_or_else(usual));
        }
    }
    text
}

#[test]
fn what_is_wrong_with_a_table_is_said_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let broken = |row: usize, machine: &str| match (row, machine) {
        (100..120, "a") => Some(String::new()),
        (200, "b") => Some("yesterday,b,1,2,4\n".to_owned()),
        (300, "b") => Some(format!("{},b,high,900,4\n", 1_767_571_200 + 300 * 300)),
        (400, "b") => Some("1,2\n".to_owned()),
        _ => None,
    };
    fs::write(folder.path().join("machines.csv"), table(broken)).unwrap();
    let output = inspect(folder.path(), &["machines.csv", "--json", "out.json", "--html", "out.html"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    insta::assert_snapshot!("inspect_text", String::from_utf8(output.stdout).unwrap());
    let json: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("out.json")).unwrap()).unwrap();
    // 1,728 rows less 20 in the gap and 2 that cannot be read.
    assert_eq!((&json["rows"], &json["step_ms"]), (&1706.into(), &300_000.into()));
    assert_eq!(json["times"]["missing_rows"], 22);
    assert_eq!(json["days"].as_array().unwrap().len(), 3);
    assert_eq!(json["features"][0]["unreadable"], 1);
    let page = fs::read_to_string(folder.path().join("out.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 3, "a plot a feature");
    assert!(page.contains("grows like a counter"));
}

#[test]
fn a_good_table_ends_with_success() {
    let folder = tempfile::tempdir().unwrap();
    let good: String = table(|_, _| None)
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!("{},{},{}\n", cells[0], cells[1], cells[2])
        })
        .collect();
    fs::write(folder.path().join("good.csv"), good).unwrap();
    let output = inspect(folder.path(), &["good.csv"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing to worry about"));
}

#[test]
fn a_file_that_is_no_table_is_an_error_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("odd.csv"), "time,load\n1,2\n").unwrap();
    let output = inspect(folder.path(), &["odd.csv"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("odd.csv, line 1: there is no column \"timestamp\""),
        "{said}"
    );
}
