//! A histogram as text, as Go prints it: the value that `count_values` makes a label of.

use crate::series::{Bucket, NativeHistogram};
use std::fmt::Write as _;

/// Count, sum, and the buckets that hold anything: `{count:3, sum:4.5, [-0.001,0.001]:1, (1,2]:2}`.
///
/// Buckets are shown as their schema has them, even where they reach into the zero bucket.
pub(in crate::promql) fn text(histogram: &NativeHistogram) -> String {
    let mut text = format!("{{count:{}, sum:{}", go(histogram.count), go(histogram.sum));
    let bounds = |bucket: &Bucket| {
        (histogram.upper_bound(bucket.index.saturating_sub(1)), histogram.upper_bound(bucket.index))
    };
    for bucket in histogram.negative.iter().rev() {
        let (nearer, further) = bounds(bucket);
        push(&mut text, ['[', ')'], (-further, -nearer), bucket.count);
    }
    let zero = histogram.zero_threshold;
    push(&mut text, ['[', ']'], (-zero, zero), histogram.zero_count);
    for bucket in &histogram.positive {
        let is_first = histogram.has_custom_buckets() && bucket.index == 0;
        push(&mut text, [if is_first { '[' } else { '(' }, ']'], bounds(bucket), bucket.count);
    }
    text.push('}');
    text
}

fn push(text: &mut String, [open, close]: [char; 2], (lower, upper): (f64, f64), count: f64) {
    if count != 0.0 {
        // Writing to a String cannot fail.
        let _ = write!(text, ", {open}{},{}{close}:{}", go(lower), go(upper), go(count));
    }
}

/// Go's `%g`: as few digits as it takes, with an exponent (of two digits or more) below 1e-4 and from 1e6 on.
fn go(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => value.to_string(),
    }
}
