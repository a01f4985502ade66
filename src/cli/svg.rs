//! Drawings as SVG, written by hand: rectangles, lines, text.

use std::fmt::{Display, Write as _};

/// A drawing under way: what comes later lies on top.
pub(super) struct Svg {
    text: String,
}

/// Where a text stands in respect to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    End,
}

// === impl Svg ===

// Writing to a string cannot fail.
impl Svg {
    /// A white sheet with a title.
    pub(super) fn new(width: usize, height: usize, title: &str) -> Self {
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"16\" y=\"26\" font-size=\"16\">{}</text>\n",
            escaped(title)
        );
        Self { text }
    }

    pub(super) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str) {
        _ = writeln!(
            self.text,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>"
        );
    }

    pub(super) fn label(&mut self, (x, y): (f64, f64), anchor: Anchor, text: impl Display) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::End => "end",
        };
        let text = escaped(&text.to_string());
        _ = writeln!(self.text, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
    }

    /// A line through all points.
    pub(super) fn line(&mut self, points: impl IntoIterator<Item = (f64, f64)>, colour: &str) {
        self.text.push_str("<polyline points=\"");
        for (x, y) in points {
            _ = write!(self.text, "{x:.1},{y:.1} ");
        }
        _ = writeln!(self.text, "\" fill=\"none\" stroke=\"{colour}\"/>");
    }

    pub(super) fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}

// === bars ===

const ROW: usize = 22;
const LEFT: f64 = 260.0;
const WIDTH: usize = 760;
const TOP: usize = 44;

/// Bars of shares from 0 to 1, one below the other, in this order.
pub(super) fn bars(title: &str, bars: &[(&str, f64)]) -> String {
    let mut svg = Svg::new(WIDTH, TOP + bars.len() * ROW + 16, title);
    let largest = bars.iter().map(|(_, share)| *share).fold(0.0, f64::max);
    for (row, (name, share)) in bars.iter().enumerate() {
        let middle = (TOP + row * ROW + 11) as f64;
        let room = WIDTH as f64 - LEFT - 80.0;
        let length = if largest > 0.0 { share / largest * room } else { 0.0 };
        svg.label((LEFT - 8.0, middle + 4.0), Anchor::End, name);
        svg.rect((LEFT, middle - 7.0), (length, 14.0), "#d9480f");
        let percent = format!("{:.1} %", share * 100.0);
        svg.label((LEFT + length + 6.0, middle + 4.0), Anchor::Start, percent);
    }
    svg.finish()
}

/// Text for HTML and SVG.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
