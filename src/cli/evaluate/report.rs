//! Figures as JSON and as tables.

use crate::evaluate::{Counts, Evaluation, FIGURES, OperatingPoint, Summary};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// The figures of one series.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) evaluation: Evaluation,
    /// Share of the labelled rows that have a score.
    pub(super) coverage: f64,
}

/// The figures that a terminal has room for; all of them stand in the JSON.
const SHOWN: [&str; 12] = [
    "P",
    "R",
    "F1",
    "FPR",
    "event_prec",
    "event_recall",
    "event_f1",
    "fp_per_day",
    "delay_med",
    "fc1",
    "pa_f1",
    "pak_f1",
];

/// Operating points that were found with the labels.
const BY_LABELS: &str = "best_";

// === JSON ===

/// One series.
pub(super) fn json(measured: &Measured) -> Value {
    let Measured { evaluation, coverage } = measured;
    let points: Map<String, Value> =
        evaluation.points.iter().map(|(name, point)| ((*name).to_owned(), point_json(point))).collect();
    json!({
        "n": evaluation.n,
        "segments": evaluation.segments,
        "anomaly_share": evaluation.anomaly_share,
        "auroc": evaluation.auroc,
        "ap": evaluation.average_precision,
        "vus_pr": evaluation.vus_pr,
        "op": points,
        "coverage": coverage,
    })
}

/// Several series, and what they amount to.
pub(super) fn manifest_json(series: &[(String, Measured)], summary: &Summary) -> Value {
    let macro_point = |(name, figures): &(&str, [Option<f64>; FIGURES.len()])| {
        ((*name).to_owned(), figures_json(*figures).into())
    };
    let macro_points: Map<String, Value> = summary.macro_points.iter().map(macro_point).collect();
    let micro_points: Map<String, Value> = summary
        .micro_points
        .iter()
        .map(|point| {
            let mut all: Map<String, Value> =
                point.figures().iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            all.insert("counts".to_owned(), counts_json(&point.counts));
            (point.name.to_owned(), all.into())
        })
        .collect();
    json!({
        "series": series.iter().map(|(name, one)| (name.clone(), json(one))).collect::<Map<_, _>>(),
        "macro": {
            "auroc": summary.auroc,
            "ap": summary.average_precision,
            "vus_pr": summary.vus_pr,
            "op": macro_points,
        },
        "micro": micro_points,
        "series_with_segments": summary.series_with_segments,
    })
}

fn point_json(point: &OperatingPoint) -> Value {
    let mut all = figures_json(point.figures());
    all.insert("threshold".to_owned(), json!(point.threshold));
    all.insert("counts".to_owned(), counts_json(&point.counts));
    all.into()
}

fn figures_json(figures: [Option<f64>; FIGURES.len()]) -> Map<String, Value> {
    FIGURES.iter().zip(figures).map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
}

fn counts_json(counts: &Counts) -> Value {
    counts
        .named()
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect::<Map<_, _>>()
        .into()
}

// === tables ===

/// One series.
pub(super) fn table(measured: &Measured) -> String {
    let Measured { evaluation, coverage } = measured;
    let mut text = format!(
        "{} rows, {} incidents ({:.2} % of the rows), {:.1} % of the labelled rows have a score\n\
         auroc {}   ap {}   vus_pr {}\n\n",
        evaluation.n,
        evaluation.segments,
        evaluation.anomaly_share * 100.0,
        coverage * 100.0,
        figure(evaluation.auroc),
        figure(evaluation.average_precision),
        figure(evaluation.vus_pr),
    );
    let points =
        evaluation.points.iter().map(|(name, point)| (*name, point.figures(), Some(point.threshold)));
    points_table(&mut text, points);
    text
}

/// Several series, and what they amount to.
pub(super) fn series_table(series: &[(String, Measured)], summary: &Summary) -> String {
    let widest = series.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(6);
    let mut text = format!(
        "{:<widest$}  {:>8}  {:>9}  {:>6}  {:>6}  {:>6}  {:>13}  {:>9}  {:>10}\n",
        "series", "rows", "incidents", "auroc", "ap", "vus_pr", "best_event_f1", "own_alarm", "fp_per_day"
    );
    for (name, Measured { evaluation, .. }) in series {
        let point =
            |wanted: &str| evaluation.points.iter().find(|(name, _)| *name == wanted).map(|(_, point)| point);
        let own = point("own_alarm");
        // Writing to a string cannot fail.
        _ = writeln!(
            text,
            "{name:<widest$}  {:>8}  {:>9}  {:>6}  {:>6}  {:>6}  {:>13}  {:>9}  {:>10}",
            evaluation.n,
            evaluation.segments,
            figure(evaluation.auroc),
            figure(evaluation.average_precision),
            figure(evaluation.vus_pr),
            figure(point("best_event_f1").map(|point| point.event_f1)),
            figure(own.map(|point| point.event_f1)),
            figure(own.map(|point| point.false_alarms_per_day)),
        );
    }
    _ = writeln!(
        text,
        "\nmean of {} series with incidents: auroc {}   ap {}   vus_pr {}\n",
        summary.series_with_segments,
        figure(summary.auroc),
        figure(summary.average_precision),
        figure(summary.vus_pr),
    );
    points_table(&mut text, summary.macro_points.iter().map(|(name, figures)| (*name, *figures, None)));
    text
}

/// Name, figures and, where there can be one, threshold of each operating point.
fn points_table<'a>(
    text: &mut String,
    points: impl Iterator<Item = (&'a str, [Option<f64>; FIGURES.len()], Option<Option<f64>>)>,
) {
    let cell = |name: &str, cell: &str| format!("  {cell:>width$}", width = name.len().max(6));
    let mut lines = vec![(String::from("operating point"), String::from("threshold"), String::new())];
    SHOWN.iter().for_each(|name| lines[0].2.push_str(&cell(name, name)));
    for (name, figures, threshold) in points {
        let mark = if name.starts_with(BY_LABELS) { " *" } else { "" };
        let shown = SHOWN.iter().map(|shown| {
            let place = FIGURES.iter().position(|known| known == shown);
            cell(shown, &figure(place.and_then(|place| figures[place])))
        });
        let threshold = threshold.flatten().map_or(String::from("-"), |threshold| format!("{threshold:.6}"));
        lines.push((format!("{name}{mark}"), threshold, shown.collect()));
    }
    let wide = |part: fn(&(String, String, String)) -> &String| lines.iter().map(part).map(String::len).max();
    let (names, thresholds) = (wide(|line| &line.0).unwrap_or(0), wide(|line| &line.1).unwrap_or(0));
    for (name, threshold, figures) in &lines {
        _ = writeln!(text, "{name:<names$}  {threshold:>thresholds$}{figures}");
    }
    if lines.iter().any(|(name, ..)| name.starts_with(BY_LABELS)) {
        text.push_str("* found with the labels: what the best threshold would give\n");
    }
}

fn figure(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.3}"))
}
