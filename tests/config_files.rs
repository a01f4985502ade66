//! Every configuration in the repository is valid, and the shipped one says the defaults.

use emberwatch::{cli::check_config, config};
use std::{fs, path::Path};

fn check(path: &Path) -> (bool, String) {
    let mut out = Vec::new();
    // Writing to a vector cannot fail.
    let valid = check_config::check(path, &mut out).is_ok_and(|valid| valid);
    (valid, String::from_utf8_lossy(&out).into_owned())
}

#[test]
fn the_shipped_and_the_example_configurations_are_valid() {
    for path in ["config.yaml", "deploy/example/config.yaml"] {
        let (valid, out) = check(Path::new(path));
        assert!(valid, "{out}");
    }
}

#[test]
fn the_summary_says_what_a_configuration_amounts_to() {
    let (_, out) = check(Path::new("config.yaml"));
    insta::assert_snapshot!(out);
}

#[test]
fn the_summary_says_what_holds_for_single_features() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(
        file.path(),
        r#"
detectors:
  - name: api
    preset: http
    budget: { medium: 1/d, high: 1/w }
    features:
      request_rate: { direction: below, min_relative_change: 0.3 }
      error_ratio: { direction: above, min_change: 0.01, valid_range: [0, 1], limit: { above: 0.5, severity: high } }
      response_time_p95: { direction: above, min_change: 0.05, min_relative_change: 0.5, zero: ignore }
    overrides:
      - match: '{instance=~"batch.*"}'
        features: { response_time_p95: { min_change: 5, type: traffic } }
"#,
    )
    .unwrap();
    let (_, out) = check(file.path());
    let detector = out
        .lines()
        .skip_while(|line| !line.starts_with("detector"))
        .take_while(|line| !line.starts_with("raw"));
    insta::assert_snapshot!(detector.collect::<Vec<_>>().join("\n"));
}

/// 22 KiB beside what its detector remembers.
#[test]
fn the_summary_says_which_single_series_are_judged_and_what_they_take() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "detectors: [ { name: http, series: ['{__name__=~\"http_.*\"}', up], counters: 'x_.*', max_series: 1000 } ]\n";
    fs::write(file.path(), text).unwrap();
    let (_, out) = check(file.path());
    let detector = "detector http: each series by itself, at most 1000, windows of 30m (120 steps), about 31.8KiB a series and \
                    31.1MiB for all\n  series {__name__=~\"http_.*\"}\n  series {__name__=\"up\"}\n  counters are rates over 5m; \
                    counters are also x_.*\n";
    assert!(out.contains(detector), "{out}");
}

/// For the shipped file, what it says and the defaults are the same, but for where scores go.
#[test]
fn the_shipped_configuration_says_the_defaults() {
    let shipped = config::parse(&fs::read_to_string("config.yaml").unwrap()).unwrap();
    let default = config::parse("").unwrap();
    assert_eq!(
        shipped.remote_write.map(|target| target.url().to_string()).unwrap(),
        "http://127.0.0.1:9090/api/v1/write"
    );
    assert_eq!((shipped.step, shipped.settle_timeout), (default.step, default.settle_timeout));
    assert_eq!((shipped.receive, shipped.storage), (default.receive, default.storage));
    assert_eq!((shipped.models, shipped.training), (default.models, default.training));
    assert_eq!(shipped.state, default.state);
    assert_eq!((shipped.detectors, shipped.alerts), (default.detectors, default.alerts));
    assert_eq!(shipped.external_labels, default.external_labels);
}

#[test]
fn problems_are_printed_with_file_line_and_column_and_counted() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "step: 15\nstorag: {}\n").unwrap();
    let (valid, out) = check(file.path());
    assert!(!valid);
    let name = file.path().display();
    assert!(out.starts_with(&format!("{name}:1:7: step: ")), "{out}");
    assert!(out.contains(&format!("{name}:2:1: storag: unknown key; did you mean \"storage\"?")), "{out}");
    assert!(out.ends_with(&format!("{name}: 2 problems\n")), "{out}");
}

#[test]
fn a_file_that_cannot_be_read_is_said() {
    let (valid, out) = check(Path::new("no/such/file.yaml"));
    assert!(!valid && out.starts_with("no/such/file.yaml: cannot be read: "), "{out}");
}

/// Every YAML block of the documentation is a configuration by itself.
#[test]
fn the_examples_of_the_documentation_are_valid() {
    let document = fs::read_to_string("docs/configuration.md").unwrap();
    let blocks: Vec<&str> =
        document.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 2);
    for block in blocks {
        if let Err(problems) = config::parse(block) {
            panic!("{problems}\nin\n{block}");
        }
    }
}

/// For every key that the shipped configuration sets, the reference has a line.
#[test]
fn the_reference_names_every_key_of_the_shipped_configuration() {
    let document = fs::read_to_string("docs/configuration.md").unwrap();
    let shipped = fs::read_to_string("config.yaml").unwrap();
    for line in shipped.lines() {
        let line = line.trim_start_matches([' ', '-']);
        let Some((key, _)) = line.split_once(':') else { continue };
        let is_key =
            !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit());
        assert!(!is_key || document.contains(&format!("`{key}`")), "{key} is not in docs/configuration.md");
    }
}
