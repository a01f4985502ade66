//! `docs/metrics.md` says what `/metrics` says, both ways.

use emberwatch::telemetry::{Exposition, MetricRow, Metrics, encode};
use std::{collections::BTreeSet, fs};

/// The line of `docs/metrics.md` for one metric.
fn line(row: &MetricRow) -> String {
    let labels = row.labels.split(", ").filter(|label| !label.is_empty());
    let labels: Vec<String> = labels.map(|label| format!("`{label}`")).collect();
    format!("| `{}` | {} | {} | {} |", row.name, row.kind, labels.join(", "), row.help)
}

#[test]
fn the_document_lists_every_metric_and_no_other() {
    let document = fs::read_to_string("docs/metrics.md").unwrap();
    let is_row = |line: &&str| line.starts_with("| `");
    let documented: BTreeSet<String> = document.lines().filter(is_row).map(str::to_owned).collect();
    let expected: BTreeSet<String> = Metrics::new().rows().iter().map(line).collect();
    let missing: Vec<_> = expected.difference(&documented).cloned().collect();
    let stray: Vec<_> = documented.difference(&expected).cloned().collect();
    assert!(missing.is_empty(), "add to docs/metrics.md:\n{}", missing.join("\n"));
    assert!(stray.is_empty(), "remove from docs/metrics.md:\n{}", stray.join("\n"));
}

/// The table is written beside the registration: this holds the two together.
#[test]
fn every_scraped_metric_is_in_the_table_with_its_type_and_help() {
    let metrics = Metrics::new();
    let rows: BTreeSet<(String, &str, &str)> =
        metrics.rows().iter().map(|row| (row.name.clone(), row.kind, row.help)).collect();
    let text = encode(&metrics, Exposition::Prometheus).unwrap();
    let mut help = "";
    let mut scraped = 0;
    for line in text.lines() {
        if let Some((_, text)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            help = text;
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            assert!(rows.contains(&(name.to_owned(), kind, help)), "{name} {kind}: {help}");
            scraped += 1;
        }
    }
    // Families without any label values yet are not scraped.
    assert!(scraped > 20 && scraped <= rows.len(), "{scraped} of {}", rows.len());
}

#[test]
fn names_keep_to_the_conventions_of_prometheus() {
    for row in Metrics::new().rows() {
        let name = &row.name;
        assert!(name.starts_with("emberwatch_") || name.starts_with("process_"), "{name}");
        assert_eq!(row.kind == "counter", name.ends_with("_total"), "{name}");
        assert!(row.help.ends_with('.'), "{name}: {}", row.help);
        for unit in ["_ms", "_milliseconds", "_kb", "_minutes"] {
            assert!(!name.contains(unit), "{name}");
        }
    }
}
