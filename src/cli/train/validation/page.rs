//! What was found, as one page that needs nothing else: figures, curves, and the scores of each entity beside its incidents.

use super::{EntityRows, Outcome, report};
use crate::{
    cli::{
        instant,
        number::short,
        plot::{PRECISION, Plot, RECALL, SCORE, Timeline},
        svg::{Svg, escaped},
    },
    evaluate::{FleetPoint, alarm_runs},
};
use std::fmt::Write as _;

const STYLE: &str = "body{font-family:sans-serif;margin:2em;max-width:1220px}table{border-collapse:collapse}\
th,td{text-align:right;padding:.3em .8em;border-bottom:1px solid #ddd}th:first-child,td:first-child{text-align:left}";

/// Most entities that are drawn: those with the most rows in incidents or alarms.
const MOST_DRAWN: usize = 20;

/// A plot over the thresholds: title, names of the figures, highest value where it is not a share.
type Curve<'a> = (&'a str, &'a [(&'static str, &'static str)], f64);

/// The page.
pub(super) fn html(outcome: &Outcome) -> anyhow::Result<String> {
    let title = format!("Validation of detector {}", outcome.detector);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title><style>{STYLE}</style></head>\n\
         <body><h1>{0}</h1>\n",
        escaped(&title)
    );
    report::facts(outcome).iter().for_each(|line| _ = writeln!(text, "<p>{}</p>", escaped(line)));
    if outcome.has_incidents() {
        points(&mut text, outcome);
        text.push_str(&curves(outcome));
    } else {
        _ = writeln!(text, "<p>{}</p>", escaped(&report::without_incidents(outcome)));
    }
    levels(&mut text, outcome);
    timelines(&mut text, outcome)?;
    text.push_str("</body></html>\n");
    Ok(text)
}

fn points(text: &mut String, outcome: &Outcome) {
    text.push_str("<h2>Alarms</h2>\n<table><tr><th>alarms</th>");
    report::shown().for_each(|(_, head)| _ = write!(text, "<th>{head}</th>"));
    text.push_str("</tr>\n");
    for (name, point) in report::named_points(outcome) {
        _ = write!(text, "<tr><td>{}</td>", escaped(&name));
        report::shown()
            .for_each(|(shown, _)| _ = write!(text, "<td>{}</td>", report::cell(outcome, shown, point)));
        text.push_str("</tr>\n");
    }
    text.push_str("</table>\n");
}

/// Figures against the threshold: by row, by incident, and what it costs.
fn curves(outcome: &Outcome) -> String {
    let curve = &outcome.evaluation.curve;
    let most = curve.iter().map(|point| point.false_alarms_per_day).fold(0.0, f64::max);
    let plots: [Curve<'_>; 3] = [
        ("row by row, against the threshold", &[("P", PRECISION), ("R", RECALL), ("F1", SCORE)], 1.0),
        (
            "by incident, against the threshold",
            &[("event_prec", PRECISION), ("event_recall", RECALL), ("event_f1", SCORE)],
            1.0,
        ),
        ("false alarms a day, against the threshold", &[("fp_per_day", SCORE)], most),
    ];
    let mut svg = Svg::new(1220, 340, "The threshold on the score, without persistence");
    for (place, (title, lines, most)) in plots.into_iter().enumerate() {
        let left = 60.0 + 400.0 * place as f64;
        let plot = Plot { left, top: 90.0, width: 330.0, height: 200.0, x: (0.0, 1.0), y: (0.0, most) };
        plot.axes(&mut svg, title);
        plot.ends(&mut svg, "0", "1");
        for (number, (figure, colour)) in lines.iter().enumerate() {
            let at = |point: &FleetPoint| Some(plot.place(point.threshold?, point.figure(figure)?));
            svg.line(curve.iter().filter_map(at), colour);
            plot.legend(&mut svg, number, figure, colour);
        }
    }
    svg.finish()
}

fn levels(text: &mut String, outcome: &Outcome) {
    text.push_str(
        "<h2>What the scores promise</h2>\n<table><tr><th>severity</th><th>score from</th><th>rows</th>",
    );
    text.push_str("<th>share</th><th>promised</th></tr>\n");
    for level in &outcome.levels {
        _ = writeln!(
            text,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            level.severity,
            short(level.threshold),
            level.rows,
            short(level.share(outcome.calm_rows)),
            short(level.promised())
        );
    }
    _ = writeln!(text, "</table>\n<p>{}</p>", escaped(&report::calm(outcome)));
}

fn timelines(text: &mut String, outcome: &Outcome) -> anyhow::Result<()> {
    let busy = |own: &EntityRows| {
        let rows = own.labels.iter().zip(own.alarms());
        rows.filter(|(label, alarm)| **label || *alarm).count()
    };
    let mut entities: Vec<(usize, &String, &EntityRows)> =
        outcome.entities.iter().map(|(name, own)| (busy(own), name, own)).collect();
    // Stable: those that are equally busy stay in the order of their names.
    entities.sort_by_key(|(busy, ..)| std::cmp::Reverse(*busy));
    text.push_str("<h2>Scores</h2>\n<p>Shaded: incidents. Below the axis: alarms as they were raised.</p>\n");
    if entities.len() > MOST_DRAWN {
        _ = writeln!(text, "<p>{MOST_DRAWN} of {} entities, those with the most to see.</p>", entities.len());
    }
    for (_, name, own) in entities.into_iter().take(MOST_DRAWN) {
        text.push_str(&timeline(name, own)?);
    }
    Ok(())
}

fn timeline(name: &str, own: &EntityRows) -> anyhow::Result<String> {
    let series = own.series()?;
    let scores = series.rows.scores();
    let as_scores: Vec<f64> = series.own_alarms.iter().map(|alarm| f64::from(*alarm)).collect();
    let (incidents, alarms) = (series.rows.segments(), alarm_runs(&as_scores, 1.0));
    let mut svg = Svg::new(1220, 230, name);
    let x = (0.0, scores.len() as f64);
    let plot = Plot { left: 60.0, top: 60.0, width: 1100.0, height: 120.0, x, y: (0.0, 1.0) };
    let timeline = Timeline { scores, incidents: &incidents, alarms: &alarms, threshold: None };
    plot.timeline(&mut svg, "score", &timeline);
    let end = |at: Option<&_>| at.map(|at| instant(*at)).unwrap_or_default();
    plot.ends(&mut svg, &end(own.times.first()), &end(own.times.last()));
    Ok(svg.finish())
}
