//! A bar chart as SVG.

use std::fmt::Write as _;

const ROW: usize = 22;
const LEFT: usize = 260;
const WIDTH: usize = 760;
const TOP: usize = 44;

/// Bars of shares from 0 to 1, one below the other, in this order.
pub(super) fn bars(title: &str, bars: &[(&str, f64)]) -> String {
    let height = TOP + bars.len() * ROW + 16;
    let largest = bars.iter().map(|(_, share)| *share).fold(0.0, f64::max);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"16\">{}</text>\n",
        escaped(title)
    );
    for (row, (name, share)) in bars.iter().enumerate() {
        let middle = TOP + row * ROW + 11;
        let room = (WIDTH - LEFT - 80) as f64;
        let length = if largest > 0.0 { share / largest * room } else { 0.0 };
        // Writing to a string cannot fail.
        _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{}\" width=\"{length:.1}\" height=\"14\" fill=\"#d9480f\"/>\
             <text x=\"{:.1}\" y=\"{}\" fill=\"#555\">{:.1} %</text>",
            LEFT - 8,
            middle + 4,
            escaped(name),
            middle - 7,
            LEFT as f64 + length + 6.0,
            middle + 4,
            share * 100.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
