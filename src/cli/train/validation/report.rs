//! What was found, as text, as JSON and row by row.

use super::{Level, Outcome};
use crate::{
    cli::{instant, number::short},
    evaluate::{FLEET_FIGURES, FleetPoint},
};
use anyhow::Context as _;
use serde_json::{Map, Value, json};
use std::{fmt::Write as _, path::Path};

/// The figures that a terminal has room for, with their heads.
const SHOWN: [(&str, &str); 9] = [
    ("P", "precision"),
    ("R", "recall"),
    ("F1", "F1"),
    ("FPR", "FPR"),
    ("event_prec", "event_prec"),
    ("event_recall", "event_recall"),
    ("event_f1", "event_f1"),
    ("fp_per_day", "fp_per_day"),
    ("delay_med", "delay"),
];

// === text ===

/// For a terminal.
pub(super) fn text(outcome: &Outcome) -> String {
    let mut text = facts(outcome).join("\n") + "\n\n";
    if outcome.has_incidents() {
        points(&mut text, outcome);
    } else {
        text.push_str(&without_incidents(outcome));
    }
    levels(&mut text, outcome);
    text
}

/// What was validated, a line each.
pub(super) fn facts(outcome: &Outcome) -> Vec<String> {
    let Outcome { split, training, evaluation, .. } = outcome;
    let mut lines = vec![
        format!(
            "validated on {} rows of {} entities, {} to {}; {:.1} % of them have a verdict",
            evaluation.n,
            outcome.entities.len(),
            instant(split.first),
            instant(split.last),
            outcome.coverage() * 100.0
        ),
        format!(
            "by a model of {} rows, {} to {}",
            training.rows,
            instant(training.first),
            instant(training.last)
        ),
    ];
    if let Some(source) = &outcome.labels {
        let share = evaluation.anomaly_share * 100.0;
        lines.push(format!("labels: {source}: {} incidents, {share:.2} % of the rows", evaluation.segments));
    }
    if outcome.named_nobody > 0 {
        lines.push(format!("{} alerts are on no entity, for want of a label", outcome.named_nobody));
    }
    if let Some(first) = outcome.unknown.first() {
        lines.push(format!("{} entities have labels and no rows, such as {first}", outcome.unknown.len()));
    }
    lines
}

/// What can be said all the same.
pub(super) fn without_incidents(outcome: &Outcome) -> String {
    let known = match &outcome.labels {
        Some(_) => {
            "no incident lies among these rows: all of them are false, and what would be found is not known"
        }
        None => "no labels: nobody knows which of them are false",
    };
    let own = &outcome.evaluation.own;
    format!(
        "alarms: {} a day, by the hour, of all entities together; {} % of the rows\n{known}\n",
        short(own.false_alarms_per_day),
        short(own.figure("alarm_share").unwrap_or(0.0) * 100.0),
    )
}

/// The alarms that were raised, what they are held against, and the curve.
fn points(text: &mut String, outcome: &Outcome) {
    let evaluation = &outcome.evaluation;
    // Writing to a string cannot fail.
    _ = writeln!(text, "auroc {}   ap {}\n", figure(evaluation.auroc), figure(evaluation.average_precision));
    _ = write!(text, "{:<16}", "alarms");
    SHOWN.iter().for_each(|(_, head)| _ = write!(text, "  {head:>width$}", width = width(head)));
    text.push('\n');
    for (name, point) in named_points(outcome) {
        _ = write!(text, "{name:<16}");
        for (shown, head) in SHOWN {
            _ = write!(text, "  {:>width$}", cell(outcome, shown, point), width = width(head));
        }
        text.push('\n');
    }
}

/// The operating points with their names, the alarms that were raised first.
pub(super) fn named_points(outcome: &Outcome) -> impl Iterator<Item = (String, &FleetPoint)> {
    let evaluation = &outcome.evaluation;
    let fixed = [("as raised".to_owned(), &evaluation.own), ("every row".to_owned(), &evaluation.everything)];
    let at = |point: &FleetPoint| format!("score >= {}", short(point.threshold.unwrap_or(0.0)));
    fixed.into_iter().chain(evaluation.curve.iter().map(move |point| (at(point), point)))
}

/// Names and heads of the figures that are shown.
pub(super) fn shown() -> impl Iterator<Item = (&'static str, &'static str)> {
    SHOWN.into_iter()
}

pub(super) fn cell(outcome: &Outcome, name: &str, point: &FleetPoint) -> String {
    match (name, point.figure(name)) {
        ("delay_med", Some(rows)) => format!("{} s", short(outcome.delay_seconds(rows))),
        ("FPR", Some(value)) => format!("{value:.5}"),
        (_, value) => figure(value),
    }
}

/// What the scores promise, and what they kept.
fn levels(text: &mut String, outcome: &Outcome) {
    _ = writeln!(
        text,
        "\n{:<8}  {:>10}  {:>10}  {:>10}  {:>10}",
        "severity", "score from", "rows", "share", "promised"
    );
    for level in &outcome.levels {
        let [share, promised] = [level.share(outcome.calm_rows), level.promised()].map(short);
        let (severity, threshold) = (level.severity.to_string(), short(level.threshold));
        _ = writeln!(text, "{severity:<8}  {threshold:>10}  {:>10}  {share:>10}  {promised:>10}", level.rows);
    }
    _ = writeln!(text, "{}", calm(outcome));
}

/// What the shares are shares of.
pub(super) fn calm(outcome: &Outcome) -> String {
    let rows = outcome.calm_rows;
    match &outcome.labels {
        Some(_) => format!("of {rows} rows that lie in no incident and not near one"),
        None => format!("of {rows} rows, all taken for normal operation"),
    }
}

fn width(head: &str) -> usize {
    head.len().max(8)
}

fn figure(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.3}"))
}

// === JSON ===

/// Every figure, under the names that `evaluate` gives them.
pub(super) fn json(outcome: &Outcome) -> Value {
    let Outcome { split, training, evaluation, .. } = outcome;
    let incidents = outcome.labels.as_ref().map(|source| {
        json!({
            "source": source,
            "alerts_on_nobody": outcome.named_nobody,
            "entities_without_rows": outcome.unknown,
        })
    });
    json!({
        "detector": outcome.detector,
        "step_ms": outcome.step_ms,
        "gap_ms": outcome.window_ms,
        "trained": { "first": instant(training.first), "last": instant(training.last), "rows": training.rows },
        "validated": { "first": instant(split.first), "last": instant(split.last) },
        "labels": incidents,
        "n": evaluation.n,
        "entities": outcome.entities.len(),
        "segments": evaluation.segments,
        "anomaly_share": evaluation.anomaly_share,
        "coverage": outcome.coverage(),
        "auroc": evaluation.auroc,
        "ap": evaluation.average_precision,
        "op": {
            "own_alarm": point(outcome, &evaluation.own),
            "everything": point(outcome, &evaluation.everything),
        },
        "curve": evaluation.curve.iter().map(|at| point(outcome, at)).collect::<Vec<_>>(),
        "levels": outcome.levels.iter().map(|level| level_json(outcome, level)).collect::<Vec<_>>(),
        "calm_rows": outcome.calm_rows,
    })
}

fn point(outcome: &Outcome, point: &FleetPoint) -> Value {
    let figures = FLEET_FIGURES.iter().zip(point.figures());
    let mut all: Map<String, Value> =
        figures.map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let delay = point.median_delay.map(|rows| outcome.delay_seconds(rows));
    let counts = point.counts.named().map(|(name, value)| (name.to_owned(), json!(value)));
    all.insert("delay_med_seconds".to_owned(), json!(delay));
    all.insert("threshold".to_owned(), json!(point.threshold));
    all.insert("counts".to_owned(), counts.into_iter().collect::<Map<_, _>>().into());
    all.into()
}

fn level_json(outcome: &Outcome, level: &Level) -> Value {
    json!({
        "severity": level.severity.to_string(),
        "threshold": level.threshold,
        "rows": level.rows,
        "share": level.share(outcome.calm_rows),
        "promised": level.promised(),
    })
}

// === row by row ===

/// The scores as `evaluate` reads them, with alarms and labels; entity by entity.
pub(super) fn scores(outcome: &Outcome, path: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let mut rows = csv::Writer::from_path(path).with_context(cannot)?;
    rows.write_record(["timestamp", "entity", "anomaly_score", "alarm", "label"])?;
    for (entity, own) in &outcome.entities {
        let (scores, alarms) = (own.known_scores(), own.alarms());
        for (row, at) in own.times.iter().enumerate() {
            let flags = [alarms[row], own.labels[row]].map(|flag| if flag { "1" } else { "0" });
            rows.write_record([&instant(*at), entity, &scores[row].to_string(), flags[0], flags[1]])?;
        }
    }
    rows.flush().with_context(cannot)
}
