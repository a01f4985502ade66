//! The shipped rules, judged by Prometheus' own promtool, and their metrics by our own table.

#[cfg(test)]
#[path = "support/peers.rs"]
mod peers;

use emberwatch::features::{DEFAULT_RATE_INTERVAL, PRESETS};
use std::{collections::BTreeSet, fs, io::Write as _, path::PathBuf, process::Command};

/// The files of `folder` with the ending `.yml`, by name.
fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "yml"));
    files.sort();
    assert!(!files.is_empty(), "no rule file in {folder}");
    files
}

fn run_promtool(arguments: &[&str], files: &[PathBuf]) {
    let Some(promtool) = peers::find("promtool") else { return };
    let output = Command::new(promtool)
        .args(arguments)
        .args(files)
        .output()
        .unwrap_or_else(|error| panic!("promtool {arguments:?}: {error}"));
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "promtool {arguments:?} says:\n{text}");
}

#[test]
fn promtool_accepts_every_rule_file() {
    run_promtool(&["check", "rules", "--lint=all", "--lint-fatal"], &yaml_files("rules"));
}

#[test]
fn promtool_unit_tests_of_the_rules_pass() {
    run_promtool(&["test", "rules"], &yaml_files("rules/tests"));
}

/// The presets' expressions as recording rules.
#[test]
fn promtool_accepts_every_expression_of_the_presets() {
    let mut rules = String::from("groups:\n- name: presets\n  rules:\n");
    for column in PRESETS.iter().flat_map(|preset| preset.columns(DEFAULT_RATE_INTERVAL)) {
        rules += &format!("  - record: {}\n    expr: >-\n      {}\n", column.name, column.expression);
    }
    let mut file = tempfile::Builder::new().suffix(".yml").tempfile().unwrap();
    file.write_all(rules.as_bytes()).unwrap();
    run_promtool(&["check", "rules"], &[file.path().to_owned()]);
}

/// The words of `text` that begin with `prefix` and end where a metric name ends.
fn words<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(prefix))
        .collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// For all alerts, one unit test expects it to fire and one expects it to be silent.
#[test]
fn every_alert_is_tested_firing_and_silent() {
    let rules = read("rules/emberwatch-alerts.yml");
    let tests: String = yaml_files("rules/tests").iter().map(|path| read(&path.to_string_lossy())).collect();
    let checks: Vec<&str> = tests.split("- alertname: ").skip(1).collect();
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!alerts.is_empty());
    for alert in alerts {
        let of_alert = || checks.iter().filter(|check| check.lines().next() == Some(alert));
        assert!(
            of_alert().any(|check| check.contains("exp_annotations")),
            "{alert} is never expected to fire"
        );
        assert!(
            of_alert().any(|check| check.contains("exp_alerts: []")),
            "{alert} is never expected to be silent"
        );
    }
}

/// For all alerts, the runbook link names a heading of the operations guide.
#[test]
fn every_alert_has_its_paragraph_in_the_operations_guide() {
    let operations = read("docs/operations.md");
    let headings: BTreeSet<String> = operations
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|heading| heading.trim_matches(['#', ' ']).to_lowercase().replace(' ', "-"))
        .collect();
    let rules = read("rules/emberwatch-alerts.yml");
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let anchor = alert.to_lowercase();
        assert!(
            rules.contains(&format!("runbook_url: docs/operations.md#{anchor}\n")),
            "{alert} has no runbook link"
        );
        assert!(headings.contains(&anchor), "docs/operations.md has no heading {alert}");
    }
}

/// For all `emberwatch_*` metrics that a rule or a guide names, the table of metrics knows the name.
#[test]
fn rules_and_guides_name_only_metrics_that_exist() {
    let Ok(documented) = fs::read_to_string("docs/metrics.md") else {
        println!("skipped: docs/metrics.md is absent");
        return;
    };
    let documented = words(&documented, "emberwatch_");
    let mut files = yaml_files("rules");
    files.extend(["README.md", "docs/operations.md"].map(PathBuf::from));
    for path in files {
        let text = read(&path.to_string_lossy());
        for metric in words(&text, "emberwatch_") {
            let family =
                |part: &&str| metric.strip_suffix(*part).is_some_and(|family| documented.contains(family));
            let is_known = documented.contains(metric) || ["_bucket", "_count", "_sum"].iter().any(family);
            assert!(is_known, "{}: {metric} is not in docs/metrics.md", path.display());
        }
    }
}
