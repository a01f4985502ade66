//! What figures cannot say: curves, and scores beside the incidents.

use super::{input::Series, report::Measured};
use crate::{
    cli::{
        instant,
        plot::{PRECISION, Plot, RECALL, SCORE, Timeline, number},
        svg::Svg,
    },
    evaluate::{LabelledScores, OperatingPoint, PrecisionRecall, Rules, alarm_runs},
};
use std::ops::Range;

const WIDTH: usize = 1200;
const HEIGHT: usize = 700;

/// Most points of a curve; more are not seen.
const MOST_POINTS: usize = 2000;

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
        ("event_prec", PRECISION, |point| point.counts.event_precision()),
        ("event_recall", RECALL, |point| point.counts.event_recall()),
        ("event_f1", SCORE, |point| point.event_f1),
    ];
    for (place, (name, colour, figure)) in lines.into_iter().enumerate() {
        let points = curve.iter().filter_map(|point| Some(plot.place(point.threshold?, figure(point))));
        svg.line(points, colour);
        plot.legend(svg, place, name, colour);
    }
}

fn timeline(svg: &mut Svg, series: &Series, rows: &LabelledScores, measured: &Measured) {
    let scores = rows.scores();
    let finite = || scores.iter().copied().filter(|score| score.is_finite());
    let y = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let x = (0.0, scores.len() as f64);
    let plot = Plot { left: 60.0, top: 370.0, width: 1100.0, height: 250.0, x, y };
    let (what, alarms, threshold) = alarms(series, rows, measured);
    let title = format!("scores, incidents (shaded), and {what}");
    plot.timeline(svg, &title, &Timeline { scores, incidents: &rows.segments(), alarms: &alarms, threshold });
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
