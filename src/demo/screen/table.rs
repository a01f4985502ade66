//! The table: one line a node, and below it why.

use super::{Frame, Phase, Row, text};
use crate::demo::judge::MEDIUM;

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[1;31m";
const PLAIN: &str = "\x1b[0m";

/// Characters of a score bar.
const BAR: usize = 10;
/// Lines that are not nodes: header, headings, blanks, faults, explanations.
const OTHER_LINES: usize = 13;
/// Lines for explanations.
const WHY_LINES: usize = 7;

/// The lines of one frame for a terminal of this size.
pub(super) fn lines(frame: &Frame, width: usize, height: usize) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{BOLD}emberwatch demo{PLAIN}  {}  {}  {BOLD}{}{PLAIN}",
            text::clock(frame.now),
            speed(frame.speed),
            phase(frame.phase)
        ),
        format!("faults injected: {} of {}", frame.faults_begun, frame.faults_total),
        String::new(),
        format!(
            "{DIM}{:<8} {:>4} {:>4} {:>4} {:>10} {:>8}  {:<15}  {:<8} {:<5}{PLAIN}",
            "node", "cpu", "mem", "disk", "network", "p95", "score", "severity", "since"
        ),
    ];
    let shown = most_anomalous(&frame.rows, height.saturating_sub(OTHER_LINES).max(1));
    lines.extend(shown.iter().map(|row| node(row)));
    if shown.len() < frame.rows.len() {
        lines.push(format!("{DIM}and {} quieter nodes{PLAIN}", frame.rows.len() - shown.len()));
    }
    lines.push(String::new());
    if !frame.faults_now.is_empty() {
        let now = format!("injected now: {}", frame.faults_now.join(", "));
        lines.extend(text::wrap(&now, width).into_iter().take(2).map(|line| format!("{DIM}{line}{PLAIN}")));
    }
    let mut told: Vec<String> = shown.iter().flat_map(|row| why(row, width)).collect();
    if let Some(trouble) = &frame.trouble {
        told.extend(text::wrap(&format!("explanations: {trouble}"), width));
    }
    told.truncate(WHY_LINES);
    lines.extend(told);
    lines
}

/// The phase in words.
pub(super) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Learning => "learning what is normal",
        Phase::Watching => "watching",
    }
}

/// The speed in words.
pub(super) fn speed(speed: Option<f64>) -> String {
    match speed {
        Some(speed) => format!("simulated, {speed:.0} times as fast"),
        None => "simulated, as fast as it goes".to_owned(),
    }
}

/// At most `n` rows, those with the highest severities and scores, in their order.
fn most_anomalous(rows: &[Row], n: usize) -> Vec<&Row> {
    let mut ranked: Vec<(usize, &Row)> = rows.iter().enumerate().collect();
    ranked.sort_by(|(_, a), (_, b)| {
        let scores = b.score.unwrap_or(-1.0).total_cmp(&a.score.unwrap_or(-1.0));
        b.severity.cmp(&a.severity).then(scores)
    });
    ranked.truncate(n);
    ranked.sort_by_key(|(place, _)| *place);
    ranked.into_iter().map(|(_, row)| row).collect()
}

fn node(row: &Row) -> String {
    let view = &row.view;
    if !view.up {
        return format!("{:<8} {DIM}down{PLAIN}", view.instance);
    }
    let percent = |share: f64| format!("{:.0}%", 100.0 * share);
    let score = row.score.map_or_else(|| format!("{:BAR$}     ", ""), bar);
    let severity = row.severity.map_or("", text::severity);
    let since = row.since.map(text::time_of_day).unwrap_or_default();
    format!(
        "{:<8} {:>4} {:>4} {:>4} {:>10} {:>8}  {}{score}  {severity:<8} {since:<5}{PLAIN}",
        view.instance,
        percent(view.cpu),
        percent(view.memory),
        percent(view.disk),
        text::bytes_per_second(view.network_bytes),
        text::seconds(view.p95_seconds),
        colour(row.severity),
    )
}

fn bar(score: f64) -> String {
    let full = (score.clamp(0.0, 1.0) * BAR as f64).round() as usize;
    format!("{}{} {score:.2}", "█".repeat(full), "░".repeat(BAR - full))
}

fn colour(severity: Option<u8>) -> &'static str {
    match severity {
        None | Some(0) => "",
        Some(severity) if severity <= MEDIUM => YELLOW,
        Some(_) => RED,
    }
}

/// The explanation of an alarm, wrapped.
fn why(row: &Row, width: usize) -> Vec<String> {
    let (Some(severity), Some(why)) = (row.severity.filter(|severity| *severity >= MEDIUM), &row.why) else {
        return Vec::new();
    };
    let text = format!("{} {}: {why}", row.view.instance, text::severity(severity));
    text::wrap(&text, width)
}
