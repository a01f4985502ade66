//! One line of a sample:
//!
//! ```text
//! name{label="value", ...} value timestamp [# {label="value", ...} value [timestamp]]
//! {"name", label="value", ...} value timestamp
//! ```
//!
//! after <https://prometheus.io/docs/instrumenting/exposition_formats/> and
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>, with names in quotes as of Prometheus 3
//! (<https://prometheus.io/docs/guides/utf8/>). Of space there may be more or less than OpenMetrics asks for.

use super::{
    cursor::{Cursor, Fault},
    error::{Problem, head},
    time::{Unit, timestamp},
};
use crate::series::{LabelSetBuilder, METRIC_NAME, Sample};
use std::ops::Range;

/// Names and values of the labels of a line, one text, reused from line to line.
#[derive(Debug, Default)]
pub(super) struct Parts {
    text: String,
    labels: Vec<(Range<usize>, Range<usize>)>,
    /// The metric has a name, in front of the braces or alone in quotes.
    named: bool,
}

/// The NaN that Prometheus keeps where a text says NaN (`NormalNaN` in prometheus/prometheus `model/value/value.go`).
const NORMAL_NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

/// What belongs behind the name of a label.
const WANTS_VALUE: &str =
    "= and a value in quotes (in quotes as well: a name of other characters than letters, digits and _)";

/// The sample of `text`, and the unit of its timestamp. The canonical text of its labels goes into `canonical`, which is empty.
pub(super) fn sample(text: &str, parts: &mut Parts, canonical: &mut String) -> Result<(Sample, Unit), Fault> {
    let mut cursor = Cursor::new(text);
    parts.clear();
    cursor.skip_space();
    let begin = cursor.at();
    let name = cursor.take_while(is_of_metric_name);
    let is_whole = matches!(cursor.peek(), None | Some('{' | ' ' | '\t' | '\r'));
    let is_missing = name.is_empty() && cursor.peek() != Some('{');
    if is_missing || !is_whole || begins_with_digit(name) {
        return Err((begin, Problem::NoName { found: cursor.found(begin) }));
    }
    if !name.is_empty() {
        parts.push_name(name);
    }
    cursor.skip_space();
    if cursor.take('{') {
        labels(&mut cursor, parts)?;
    }
    if !parts.named {
        return Err((begin, Problem::NoName { found: "labels alone".to_owned() }));
    }
    parts.finish(canonical).map_err(|problem| (begin, problem))?;
    let value = value(&mut cursor)?;
    cursor.skip_space();
    if matches!(cursor.peek(), None | Some('#')) {
        return Err((cursor.at(), Problem::NoTimestamp));
    }
    let at = cursor.at();
    let (timestamp, unit) = timestamp(cursor.word()).map_err(|problem| (at, problem))?;
    exemplar(&mut cursor, parts)?;
    Ok((Sample { timestamp, value }, unit))
}

/// Labels up to the closing brace. The opening one is behind.
fn labels(cursor: &mut Cursor<'_>, parts: &mut Parts) -> Result<(), Fault> {
    loop {
        cursor.skip_space();
        if cursor.take('}') {
            return Ok(());
        }
        let (begin, start) = (cursor.at(), parts.text.len());
        let is_quoted = cursor.peek() == Some('"');
        if is_quoted {
            cursor.quoted(&mut parts.text)?;
        } else {
            let name = cursor.take_while(is_of_label_name);
            if name.is_empty() || begins_with_digit(name) {
                return Err(cursor.unexpected(begin, "the name of a label, or }"));
            }
            parts.text.push_str(name);
        }
        let name = start..parts.text.len();
        cursor.skip_space();
        if cursor.take('=') {
            cursor.skip_space();
            if cursor.peek() != Some('"') {
                return Err(cursor.unexpected(cursor.at(), "a value in quotes"));
            }
            let start = parts.text.len();
            cursor.quoted(&mut parts.text)?;
            parts.labels.push((name, start..parts.text.len()));
        } else if is_quoted && matches!(cursor.peek(), Some(',' | '}')) {
            parts.push_quoted_name(name);
        } else {
            return Err(cursor.unexpected(cursor.at(), WANTS_VALUE));
        }
        cursor.skip_space();
        if !cursor.take(',') && cursor.peek() != Some('}') {
            return Err(cursor.unexpected(cursor.at(), "a comma or }"));
        }
    }
}

/// The number that is next.
fn value(cursor: &mut Cursor<'_>) -> Result<f64, Fault> {
    cursor.skip_space();
    if cursor.peek().is_none() {
        return Err(cursor.unexpected(cursor.at(), "a value"));
    }
    let at = cursor.at();
    let text = cursor.word();
    let value: f64 = text.parse().map_err(|_| (at, Problem::Value { text: head(text) }))?;
    // A number too large for a float is no infinity: Go, and so Prometheus, refuses it.
    if value.is_infinite() && !text.contains(['n', 'N']) {
        return Err((at, Problem::Value { text: head(text) }));
    }
    Ok(if value.is_nan() { NORMAL_NAN } else { value })
}

/// What may stand behind a timestamp: nothing, or an exemplar, which is read and not kept.
fn exemplar(cursor: &mut Cursor<'_>, parts: &mut Parts) -> Result<(), Fault> {
    if cursor.is_done() {
        return Ok(());
    }
    if !cursor.take('#') {
        return Err(cursor.unexpected(cursor.at(), "the end of the line, or # and an exemplar"));
    }
    cursor.skip_space();
    if !cursor.take('{') {
        return Err(cursor.unexpected(cursor.at(), "the labels of an exemplar"));
    }
    labels(cursor, parts)?;
    value(cursor)?;
    let at = (!cursor.is_done()).then_some(cursor.at());
    if let Some(at) = at {
        let text = cursor.word();
        // Any instant will do: it is not kept.
        if text.parse::<f64>().is_err() || !cursor.is_done() {
            return Err((at, Problem::Timestamp { text: head(text) }));
        }
    }
    Ok(())
}

fn begins_with_digit(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_digit())
}

fn is_of_metric_name(c: char) -> bool {
    c == ':' || is_of_label_name(c)
}

fn is_of_label_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

// === impl Parts ===

impl Parts {
    fn clear(&mut self) {
        self.text.clear();
        self.labels.clear();
        self.named = false;
    }

    /// The metric name in front of the braces.
    fn push_name(&mut self, name: &str) {
        let start = self.text.len();
        self.text.push_str(name);
        self.push_quoted_name(start..self.text.len());
    }

    /// The metric name where it stands in the text already.
    fn push_quoted_name(&mut self, name: Range<usize>) {
        let start = self.text.len();
        self.text.push_str(METRIC_NAME);
        self.named |= !name.is_empty();
        self.labels.push((start..self.text.len(), name));
    }

    /// Appends the canonical text.
    fn finish(&self, canonical: &mut String) -> Result<(), Problem> {
        let mut builder = LabelSetBuilder::default();
        for (name, value) in &self.labels {
            builder.push(&self.text[name.clone()], &self.text[value.clone()]);
        }
        Ok(builder.finish(canonical)?)
    }
}
