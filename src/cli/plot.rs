//! Rectangles with axes, and what is drawn in them: curves over thresholds, scores beside incidents.

use super::svg::{Anchor, Svg};
use std::ops::Range;

const AXIS: &str = "#555";
const GRID: &str = "#ddd";
pub(super) const SCORE: &str = "#1864ab";
const INCIDENT: &str = "#ffd8a8";
const ALARM: &str = "#e03131";
pub(super) const PRECISION: &str = "#2f9e44";
pub(super) const RECALL: &str = "#9c36b5";

/// A rectangle with axes, from values to places.
pub(super) struct Plot {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    /// Values at the left and right edge.
    pub(super) x: (f64, f64),
    /// Values at the bottom and top edge.
    pub(super) y: (f64, f64),
}

/// The rows of one series, as long as the plot is wide.
pub(super) struct Timeline<'a> {
    /// One a row.
    pub(super) scores: &'a [f64],
    /// Row ranges.
    pub(super) incidents: &'a [Range<usize>],
    /// Row ranges.
    pub(super) alarms: &'a [Range<usize>],
    /// Drawn where it lies among the values.
    pub(super) threshold: Option<f64>,
}

// === impl Plot ===

impl Plot {
    pub(super) fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let share = |value: f64, (low, high): (f64, f64)| {
            if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 }
        };
        (self.left + share(x, self.x) * self.width, self.top + (1.0 - share(y, self.y)) * self.height)
    }

    pub(super) fn axes(&self, svg: &mut Svg, title: &str) {
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

    pub(super) fn ends(&self, svg: &mut Svg, first: &str, last: &str) {
        let below = self.top + self.height + 30.0;
        svg.label((self.left, below), Anchor::Start, first);
        svg.label((self.left + self.width, below), Anchor::End, last);
    }

    /// The name of a line, the first one leftmost.
    pub(super) fn legend(&self, svg: &mut Svg, place: usize, name: &str, colour: &str) {
        let left = self.left + self.width - 300.0 + 100.0 * place as f64;
        svg.rect((left, self.top - 14.0), (12.0, 4.0), colour);
        svg.label((left + 16.0, self.top - 8.0), Anchor::Start, name);
    }

    /// Scores row by row, with what they are held against. Every pixel shows the highest score of its rows.
    pub(super) fn timeline(&self, svg: &mut Svg, title: &str, timeline: &Timeline<'_>) {
        let Timeline { scores, incidents, alarms, threshold } = timeline;
        for incident in *incidents {
            self.shade(svg, incident, (self.top, self.height), INCIDENT);
        }
        self.axes(svg, title);
        let per_pixel = scores.len().div_ceil(self.width as usize).max(1);
        let highest = |(pixel, scores): (usize, &[f64])| {
            let highest = scores.iter().copied().filter(|score| score.is_finite()).fold(self.y.0, f64::max);
            self.place((pixel * per_pixel) as f64, highest)
        };
        svg.line(scores.chunks(per_pixel).enumerate().map(highest), SCORE);
        if let Some(threshold) = threshold.filter(|threshold| (self.y.0..=self.y.1).contains(threshold)) {
            svg.line([self.place(self.x.0, threshold), self.place(self.x.1, threshold)], ALARM);
        }
        let bottom = self.top + self.height;
        for alarm in *alarms {
            self.shade(svg, alarm, (bottom + 4.0, 8.0), ALARM);
        }
    }

    /// A bar over some rows, at least a pixel wide.
    fn shade(&self, svg: &mut Svg, rows: &Range<usize>, (top, height): (f64, f64), colour: &str) {
        let (left, right) = (self.place(rows.start as f64, 0.0).0, self.place(rows.end as f64, 0.0).0);
        svg.rect((left, top), ((right - left).max(1.0), height), colour);
    }
}

/// Without a threshold there is none to write.
pub(super) fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { String::new() }
}
