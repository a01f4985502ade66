//! What figures cannot say: curves, and scores beside the incidents.

use super::{input::Series, report::Measured};
use crate::{
    cli::{
        instant,
        svg::{Anchor, Svg},
    },
    evaluate::{LabelledScores, OperatingPoint, PrecisionRecall, Rules, alarm_runs},
};
use std::ops::Range;

const WIDTH: usize = 1200;
const HEIGHT: usize = 700;

const AXIS: &str = "#555";
const GRID: &str = "#ddd";
const SCORE: &str = "#1864ab";
const INCIDENT: &str = "#ffd8a8";
const ALARM: &str = "#e03131";
const EVENT_PRECISION: &str = "#2f9e44";
const EVENT_RECALL: &str = "#9c36b5";

/// Most points of a curve; more are not seen.
const MOST_POINTS: usize = 2000;

/// A rectangle with axes, from values to places.
struct Plot {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    /// Values at the left and right edge.
    x: (f64, f64),
    /// Values at the bottom and top edge.
    y: (f64, f64),
}

/// Precision against recall, event F1 against the threshold, and scores, incidents and alarms over time.
pub(super) fn draw(series: &Series, measured: &Measured, rules: &Rules) -> anyhow::Result<String> {
    let rows = series.rows()?;
    let mut svg = Svg::new(WIDTH, HEIGHT, &format!("Evaluation of {}", series.name));
    precision_recall(&mut svg, &rows.precision_recall_curve(), measured);
    event_f1(&mut svg, &rows.event_curve(rules));
    timeline(&mut svg, series, &rows, measured);
    Ok(svg.finish())
}

fn precision_recall(svg: &mut Svg, curve: &[PrecisionRecall], measured: &Measured) {
    let plot = Plot { left: 60.0, top: 70.0, width: 500.0, height: 220.0, x: (0.0, 1.0), y: (0.0, 1.0) };
    let ap = measured.evaluation.average_precision.map_or(String::from("-"), |ap| format!("{ap:.3}"));
    plot.axes(svg, &format!("precision against recall (average precision {ap})"));
    plot.ends(svg, &number(0.0), &number(1.0));
    let points = curve.iter().step_by(curve.len().div_ceil(MOST_POINTS).max(1)).chain(curve.last());
    svg.line(points.map(|point| plot.place(point.recall, point.precision)), SCORE);
}

fn event_f1(svg: &mut Svg, curve: &[OperatingPoint]) {
    let thresholds = || curve.iter().filter_map(|point| point.threshold);
    let x = (thresholds().fold(f64::INFINITY, f64::min), thresholds().fold(f64::NEG_INFINITY, f64::max));
    let plot = Plot { left: 660.0, top: 70.0, width: 500.0, height: 220.0, x, y: (0.0, 1.0) };
    plot.axes(svg, "event F1 against the threshold");
    plot.ends(svg, &number(x.0), &number(x.1));
    type Figure = fn(&OperatingPoint) -> f64;
    let lines: [(&str, &str, Figure); 3] = [
        ("event_prec", EVENT_PRECISION, |point| point.counts.event_precision()),
        ("event_recall", EVENT_RECALL, |point| point.counts.event_recall()),
        ("event_f1", SCORE, |point| point.event_f1),
    ];
    for (number, (name, colour, figure)) in lines.into_iter().enumerate() {
        let points = curve.iter().filter_map(|point| Some(plot.place(point.threshold?, figure(point))));
        svg.line(points, colour);
        let left = plot.left + plot.width - 300.0 + 100.0 * number as f64;
        svg.rect((left, plot.top - 14.0), (12.0, 4.0), colour);
        svg.label((left + 16.0, plot.top - 8.0), Anchor::Start, name);
    }
}

/// Every pixel shows the highest score of its rows.
fn timeline(svg: &mut Svg, series: &Series, rows: &LabelledScores, measured: &Measured) {
    let scores = rows.scores();
    let finite = || scores.iter().copied().filter(|score| score.is_finite());
    let y = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let x = (0.0, scores.len() as f64);
    let plot = Plot { left: 60.0, top: 370.0, width: 1100.0, height: 250.0, x, y };
    let (what, alarms, threshold) = alarms(series, rows, measured);
    for segment in rows.segments() {
        plot.shade(svg, &segment, (plot.top, plot.height), INCIDENT);
    }
    plot.axes(svg, &format!("scores, incidents (shaded), and {what}"));
    let per_pixel = scores.len().div_ceil(plot.width as usize).max(1);
    let highest = |(pixel, scores): (usize, &[f64])| {
        let highest = scores.iter().copied().filter(|score| score.is_finite()).fold(y.0, f64::max);
        plot.place((pixel * per_pixel) as f64, highest)
    };
    svg.line(scores.chunks(per_pixel).enumerate().map(highest), SCORE);
    if let Some(threshold) = threshold.filter(|threshold| (y.0..=y.1).contains(threshold)) {
        svg.line([plot.place(x.0, threshold), plot.place(x.1, threshold)], ALARM);
    }
    let bottom = plot.top + plot.height;
    for alarm in alarms {
        plot.shade(svg, &alarm, (bottom + 4.0, 8.0), ALARM);
    }
    let times = series.times.as_deref().unwrap_or(&[]);
    let name = |row: usize| times.get(row).map_or_else(|| format!("row {row}"), |at| instant(*at));
    plot.ends(svg, &name(0), &name(scores.len().saturating_sub(1)));
}

/// The alarms to be shown, what they are, and their threshold: the own ones, else those of a chosen threshold, else
/// those of the best one.
fn alarms(
    series: &Series,
    rows: &LabelledScores,
    measured: &Measured,
) -> (String, Vec<Range<usize>>, Option<f64>) {
    if let Some(own) = &series.own_alarms {
        let as_scores: Vec<f64> = own.iter().map(|alarm| f64::from(*alarm)).collect();
        return ("own alarms".to_owned(), alarm_runs(&as_scores, 1.0), None);
    }
    let threshold = |wanted: &str| {
        let point = measured.evaluation.points.iter().find(|(name, _)| *name == wanted)?;
        Some((wanted.to_owned(), point.1.threshold?))
    };
    match threshold("fixed").or_else(|| threshold("best_event_f1")) {
        Some((name, threshold)) => {
            let what = format!("alarms at the threshold {threshold:.4} ({name})");
            (what, alarm_runs(rows.scores(), threshold), Some(threshold))
        }
        None => ("no alarms".to_owned(), Vec::new(), None),
    }
}

// === impl Plot ===

impl Plot {
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let share = |value: f64, (low, high): (f64, f64)| {
            if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 }
        };
        (self.left + share(x, self.x) * self.width, self.top + (1.0 - share(y, self.y)) * self.height)
    }

    fn axes(&self, svg: &mut Svg, title: &str) {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        for quarter in 1..=4 {
            let y = bottom - self.height * f64::from(quarter) / 4.0;
            svg.line([(self.left, y), (right, y)], GRID);
        }
        svg.line([(self.left, self.top), (self.left, bottom), (right, bottom)], AXIS);
        svg.label((self.left, self.top - 24.0), Anchor::Start, title);
        svg.label((self.left - 6.0, bottom), Anchor::End, number(self.y.0));
        svg.label((self.left - 6.0, self.top + 10.0), Anchor::End, number(self.y.1));
    }

    fn ends(&self, svg: &mut Svg, first: &str, last: &str) {
        let below = self.top + self.height + 30.0;
        svg.label((self.left, below), Anchor::Start, first);
        svg.label((self.left + self.width, below), Anchor::End, last);
    }

    /// A bar over some rows, at least a pixel wide.
    fn shade(&self, svg: &mut Svg, rows: &Range<usize>, (top, height): (f64, f64), colour: &str) {
        let (left, right) = (self.place(rows.start as f64, 0.0).0, self.place(rows.end as f64, 0.0).0);
        svg.rect((left, top), ((right - left).max(1.0), height), colour);
    }
}

/// Without a threshold there is none to write.
fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { String::new() }
}
