//! Values as JSON, in the form of Prometheus' `web/api/v1/json_codec.go` and `util/jsonutil`.

use super::number::push_value;
use crate::{
    promql::{Point, PointSeries, QueryValue, shortest},
    series::{BucketRange, LabelSet, NativeHistogram, TimestampMs},
};
use std::fmt::Write as _;

/// `{"resultType": .., "result": ..}`; `at` is the time of a value that is of one time.
pub(super) fn query_data(value: &QueryValue, at: TimestampMs) -> String {
    let mut out = String::from(r#"{"resultType":"#);
    match value {
        QueryValue::Scalar(number) => {
            out.push_str(r#""scalar","result":"#);
            push_scalar(&mut out, at, *number);
        }
        QueryValue::String(text) => {
            out.push_str(r#""string","result":"#);
            push_pair(&mut out, at, |out| push_string(out, text));
        }
        QueryValue::Vector(elements) => {
            out.push_str(r#""vector","result":"#);
            push_list(&mut out, elements, |out, (labels, point)| push_element(out, labels, at, point));
        }
        QueryValue::Matrix(series) => {
            out.push_str(r#""matrix","result":"#);
            push_list(&mut out, series, push_series);
        }
    }
    out.push('}');
    out
}

/// `["a", "b"]`
pub(super) fn strings<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    push_list(&mut out, texts, push_string);
    out
}

/// A list of label sets.
pub(super) fn label_sets<'a>(labels: impl IntoIterator<Item = &'a LabelSet>) -> String {
    let mut out = String::new();
    push_list(&mut out, labels, push_labels);
    out
}

/// Appends `text` as a JSON string.
pub(super) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Appends a JSON list.
pub(super) fn push_list<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut push: impl FnMut(&mut String, T),
) {
    out.push('[');
    for (number, item) in items.into_iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        push(out, item);
    }
    out.push(']');
}

fn push_labels(out: &mut String, labels: &LabelSet) {
    out.push('{');
    for (number, label) in labels.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        push_string(out, label.name);
        out.push(':');
        push_string(out, label.value);
    }
    out.push('}');
}

fn push_scalar(out: &mut String, at: TimestampMs, number: f64) {
    push_pair(out, at, |out| {
        out.push('"');
        out.push_str(&shortest(number));
        out.push('"');
    });
}

fn push_element(out: &mut String, labels: &LabelSet, at: TimestampMs, point: &Point) {
    out.push_str(r#"{"metric":"#);
    push_labels(out, labels);
    match point {
        Point::Float(_) => out.push_str(r#","value":"#),
        Point::Histogram(_) => out.push_str(r#","histogram":"#),
    }
    push_point(out, at, point);
    out.push('}');
}

/// Numbers stand under `values`, histograms under `histograms`; a series may have both.
fn push_series(out: &mut String, series: &PointSeries) {
    out.push_str(r#"{"metric":"#);
    push_labels(out, &series.labels);
    for (name, is_float) in [("values", true), ("histograms", false)] {
        let mut points =
            series.points.iter().filter(|(_, point)| point.float().is_some() == is_float).peekable();
        if points.peek().is_some() {
            let _ = write!(out, r#","{name}":"#);
            push_list(out, points, |out, (at, point)| push_point(out, *at, point));
        }
    }
    out.push('}');
}

fn push_point(out: &mut String, at: TimestampMs, point: &Point) {
    push_pair(out, at, |out| match point {
        Point::Float(value) => push_quoted(out, *value),
        Point::Histogram(histogram) => push_histogram(out, histogram),
    });
}

/// `[time, value]`
fn push_pair(out: &mut String, at: TimestampMs, push: impl FnOnce(&mut String)) {
    out.push('[');
    push_time(out, at);
    out.push(',');
    push(out);
    out.push(']');
}

/// Seconds, with the milliseconds behind the point where there are any.
fn push_time(out: &mut String, at: TimestampMs) {
    if at.0 < 0 {
        out.push('-');
    }
    let milliseconds = at.0.unsigned_abs();
    let _ = write!(out, "{}", milliseconds / 1000);
    if !milliseconds.is_multiple_of(1000) {
        let _ = write!(out, ".{:03}", milliseconds % 1000);
    }
}

fn push_quoted(out: &mut String, value: f64) {
    out.push('"');
    push_value(out, value);
    out.push('"');
}

/// `{"count": .., "sum": .., "buckets": [[boundaries, lower, upper, count], ..]}`, without empty buckets.
fn push_histogram(out: &mut String, histogram: &NativeHistogram) {
    out.push_str(r#"{"count":"#);
    push_quoted(out, histogram.count);
    out.push_str(r#","sum":"#);
    push_quoted(out, histogram.sum);
    let mut buckets = histogram.ranges().filter(|bucket| bucket.count != 0.0).peekable();
    if buckets.peek().is_some() {
        out.push_str(r#","buckets":"#);
        push_list(out, buckets, |out, bucket| push_bucket(out, &bucket));
    }
    out.push('}');
}

fn push_bucket(out: &mut String, bucket: &BucketRange) {
    let boundaries = match (bucket.lower_inclusive, bucket.upper_inclusive) {
        (false, true) => '0',
        (true, false) => '1',
        (false, false) => '2',
        (true, true) => '3',
    };
    out.push('[');
    out.push(boundaries);
    for number in [bucket.lower, bucket.upper, bucket.count] {
        out.push(',');
        push_quoted(out, number);
    }
    out.push(']');
}

#[cfg(test)]
mod tests;
