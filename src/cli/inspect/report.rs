//! What was found, as text and as JSON.

use crate::{
    cli::{instant, number::short},
    inspect::{Column, Concern, Day, Finding, Report},
};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Most gaps that a terminal shows.
const SHOWN_GAPS: usize = 5;

// === text ===

/// For a terminal.
pub(super) fn text(report: &Report) -> String {
    let mut text = format!("{}\n{}\n\n", facts(report), verdict(report));
    // Writing to a string cannot fail.
    for Finding { concern, feature, what, hint } in &report.findings {
        let whose = feature.as_ref().map(|feature| format!("{feature}: ")).unwrap_or_default();
        _ = writeln!(text, "{:<8} {whose}{what}\n         {hint}", concern.name());
    }
    if !report.findings.is_empty() {
        text.push('\n');
    }
    columns(&mut text, &report.columns);
    if !report.times.longest.is_empty() {
        text.push_str("\nlongest gaps\n");
    }
    for gap in report.times.longest.iter().take(SHOWN_GAPS) {
        let whose = if gap.entity.is_empty() { String::new() } else { format!("  {}", gap.entity) };
        _ = writeln!(text, "  {} to {}{whose}", instant(gap.from), instant(gap.to));
    }
    text
}

/// How much there is, and of when.
pub(super) fn facts(report: &Report) -> String {
    let mut text = format!("{} rows of {} entities", report.rows, report.entities.len());
    if let Some((first, last)) = report.times.range {
        _ = write!(text, ", {} to {}", instant(first), instant(last));
    }
    if let Some(step) = report.times.step_ms {
        _ = write!(text, ", a row every {} s", step as f64 / 1000.0);
    }
    text
}

/// How many findings there are of each kind.
pub(super) fn verdict(report: &Report) -> String {
    let count = |concern| report.findings.iter().filter(|finding| finding.concern == concern).count();
    let named = |concern: Concern| match count(concern) {
        0 => None,
        1 => Some(format!("1 {}", concern.name())),
        n => Some(format!("{n} {}s", concern.name())),
    };
    let all: Vec<String> =
        [Concern::Error, Concern::Warning, Concern::Note].into_iter().filter_map(named).collect();
    if all.is_empty() { "nothing to worry about".to_owned() } else { all.join(", ") }
}

fn columns(text: &mut String, columns: &[Column]) {
    let width = columns.iter().map(|column| column.name.chars().count()).max().unwrap_or(0).max(7);
    let heads = ["present", "missing", "zero", "min", "mean", "max", "deviation"];
    _ = write!(text, "{:<width$}", "feature");
    heads.iter().for_each(|head| _ = write!(text, " {head:>10}"));
    text.push('\n');
    for column in columns {
        let missing = format!("{:.1} %", column.missing_share() * 100.0);
        let zeros = format!("{:.1} %", 100.0 * column.zeros as f64 / column.values.present.max(1) as f64);
        let [min, mean, max, deviation] =
            [column.values.min, column.values.mean, column.values.max, column.standard_deviation()]
                .map(shown);
        _ = writeln!(
            text,
            "{:<width$} {:>10} {missing:>10} {zeros:>10} {min:>10} {mean:>10} {max:>10} {deviation:>10}",
            column.name, column.values.present
        );
    }
}

/// A figure; a dash where there is none.
pub(super) fn shown(value: f64) -> String {
    if value.is_nan() { "-".to_owned() } else { short(value) }
}

// === JSON ===

/// Every figure.
pub(super) fn json(report: &Report) -> Value {
    let times = &report.times;
    json!({
        "rows": report.rows,
        "entities": report.entities,
        "first": times.range.map(|(first, _)| instant(first)),
        "last": times.range.map(|(_, last)| instant(last)),
        "step_ms": times.step_ms,
        "times": {
            "gaps": times.gaps,
            "missing_rows": times.missing_rows,
            "off_step": times.off_step,
            "repeated": times.repeated,
            "backwards": times.backwards,
            "unreadable": times.unreadable,
            "hour_left_out": times.hour_forth,
            "hour_repeated": times.hour_back,
            "longest_gaps": times.longest.iter().map(|gap| json!({
                "entity": gap.entity, "from": instant(gap.from), "to": instant(gap.to),
            })).collect::<Vec<_>>(),
        },
        "features": report.columns.iter().map(column).collect::<Vec<_>>(),
        "days": report.days.iter().map(|one| day(one, &report.columns)).collect::<Vec<_>>(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn finding(Finding { concern, feature, what, hint }: &Finding) -> Value {
    json!({ "concern": concern.name(), "feature": feature, "what": what, "hint": hint })
}

// NaN becomes null.
fn column(column: &Column) -> Value {
    json!({
        "name": column.name,
        "present": column.values.present,
        "missing": column.missing,
        "infinite": column.infinite,
        "unreadable": column.unreadable,
        "min": column.values.min,
        "max": column.values.max,
        "mean": column.values.mean,
        "standard_deviation": column.standard_deviation(),
        "zeros": column.zeros,
        "rises": column.rises,
        "falls": column.falls,
        "resets": column.resets,
        "constant": column.is_constant(),
    })
}

fn day(day: &Day, columns: &[Column]) -> Value {
    let features = columns.iter().zip(&day.features).map(|(column, of_day)| {
        let figures = json!({
            "present": of_day.present, "min": of_day.min, "mean": of_day.mean, "max": of_day.max,
        });
        (column.name.clone(), figures)
    });
    json!({
        "start": instant(day.start),
        "rows": day.rows,
        "features": features.collect::<serde_json::Map<_, _>>(),
    })
}
