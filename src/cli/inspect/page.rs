//! What was found, as one page that needs nothing else: findings, figures, and a plot a feature.

use super::report::{facts, shown, verdict};
use crate::{
    cli::{
        instant,
        svg::{Anchor, Svg, escaped},
    },
    inspect::{Column, Finding, Report},
};
use std::{fmt::Write as _, path::PathBuf};

const STYLE: &str = "body{font-family:sans-serif;margin:2em;max-width:1000px}table{border-collapse:collapse}\
th,td{text-align:left;padding:.3em .8em;border-bottom:1px solid #ddd;vertical-align:top}\
td.n,th.n{text-align:right}.error{color:#c92a2a}.warning{color:#d9480f}.note{color:#495057}";

const WIDTH: usize = 960;
const HEIGHT: usize = 170;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 150.0;

const BAND: &str = "#a5d8ff";
const MEAN: &str = "#1864ab";
const ABSENT: &str = "#ffc9c9";

/// The page.
pub(super) fn html(files: &[PathBuf], report: &Report) -> String {
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let title = format!("Recorded features: {}", names.join(", "));
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title><style>{STYLE}</style></head>\n\
         <body><h1>{0}</h1>\n<p>{1}</p>\n<h2>{2}</h2>\n",
        escaped(&title),
        escaped(&facts(report)),
        escaped(&verdict(report)),
    );
    findings(&mut text, report);
    figures(&mut text, report);
    gaps(&mut text, report);
    text.push_str(
        "<h2>Day by day</h2>\n<p>Mean of a day (UTC) over all entities, between its smallest and largest \
         value; red: no value on that day.</p>\n",
    );
    for (feature, column) in report.columns.iter().enumerate() {
        text.push_str(&plot(report, feature, column));
    }
    text.push_str("</body></html>\n");
    text
}

fn findings(text: &mut String, report: &Report) {
    if report.findings.is_empty() {
        return;
    }
    text.push_str("<table><tr><th></th><th>feature</th><th>what</th><th>what to do</th></tr>\n");
    for Finding { concern, feature, what, hint } in &report.findings {
        let feature = feature.as_deref().unwrap_or("");
        _ = writeln!(
            text,
            "<tr><td class=\"{0}\">{0}</td><td>{1}</td><td>{2}</td><td>{3}</td></tr>",
            concern.name(),
            escaped(feature),
            escaped(what),
            escaped(hint)
        );
    }
    text.push_str("</table>\n");
}

fn figures(text: &mut String, report: &Report) {
    text.push_str("<h2>Features</h2>\n<table><tr><th>feature</th>");
    let heads = ["present", "missing", "min", "mean", "max", "deviation", "resets"];
    heads.iter().for_each(|head| _ = write!(text, "<th class=\"n\">{head}</th>"));
    text.push_str("</tr>\n");
    for column in &report.columns {
        _ = write!(text, "<tr><td>{}</td>", escaped(&column.name));
        let cells = [
            column.values.present.to_string(),
            format!("{:.1} %", column.missing_share() * 100.0),
            shown(column.values.min),
            shown(column.values.mean),
            shown(column.values.max),
            shown(column.standard_deviation()),
            column.resets.to_string(),
        ];
        cells.iter().for_each(|cell| _ = write!(text, "<td class=\"n\">{cell}</td>"));
        text.push_str("</tr>\n");
    }
    text.push_str("</table>\n");
}

fn gaps(text: &mut String, report: &Report) {
    if report.times.longest.is_empty() {
        return;
    }
    text.push_str("<h2>Longest gaps</h2>\n<table><tr><th>entity</th><th>from</th><th>to</th></tr>\n");
    for gap in &report.times.longest {
        _ = writeln!(
            text,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&gap.entity),
            instant(gap.from),
            instant(gap.to)
        );
    }
    text.push_str("</table>\n");
}

/// The days of one feature, side by side; days without rows leave their place empty.
fn plot(report: &Report, feature: usize, column: &Column) -> String {
    let mut svg = Svg::new(WIDTH, HEIGHT, &column.name);
    let (Some(first), Some(last)) = (report.days.first(), report.days.last()) else { return svg.finish() };
    let days = last.start.since_ms(first.start) / 86_400_000 + 1;
    let width = (WIDTH as f64 - LEFT - RIGHT) / days as f64;
    let (low, high) = (column.values.min, column.values.max);
    let span = if high > low { high - low } else { 1.0 };
    let height = |value: f64| BOTTOM - (value - low) / span * (BOTTOM - TOP);
    let mut means = Vec::new();
    for day in &report.days {
        let left = LEFT + (day.start.since_ms(first.start) / 86_400_000) as f64 * width;
        let of_day = day.features[feature];
        if of_day.present == 0 {
            svg.rect((left, TOP), (width, BOTTOM - TOP), ABSENT);
            continue;
        }
        let (top, bottom) = (height(of_day.max), height(of_day.min));
        svg.rect((left, top), (width, (bottom - top).max(1.0)), BAND);
        means.push((left + width / 2.0, height(of_day.mean)));
    }
    svg.line(means, MEAN);
    svg.label((LEFT - 8.0, TOP + 10.0), Anchor::End, shown(high));
    svg.label((LEFT - 8.0, BOTTOM), Anchor::End, shown(low));
    svg.label((LEFT, BOTTOM + 16.0), Anchor::Start, instant(first.start));
    svg.label((WIDTH as f64 - RIGHT, BOTTOM + 16.0), Anchor::End, instant(last.start));
    svg.finish()
}
