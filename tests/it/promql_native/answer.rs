//! What one side says, and how two answers differ.

use std::collections::BTreeMap;

/// How far two numbers may differ, relative to the larger one.
const TOLERANCE: f64 = 1e-12;

pub(super) type Labels = BTreeMap<String, String>;

#[derive(Debug)]
pub(super) enum Answer {
    /// Points by time in milliseconds; of an instant vector all at its step.
    Series(BTreeMap<Labels, Vec<(i64, Shown)>>),
    Scalar(f64),
    /// Why there is none; both sides have words of their own.
    Error(#[expect(dead_code, reason = "shown in the message of a failed test")] String),
}

/// A point as Prometheus' JSON shows it.
#[derive(Clone, Debug)]
pub(super) enum Shown {
    Float(f64),
    Histogram { count: f64, sum: f64, buckets: Vec<ShownBucket> },
}

/// Which bounds belong to a bucket (0 the upper, 1 the lower, 2 none, 3 both), the bounds, its count.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShownBucket {
    pub(super) boundaries: u64,
    pub(super) lower: f64,
    pub(super) upper: f64,
    pub(super) count: f64,
}

pub(super) fn value_count(answer: &Answer) -> usize {
    match answer {
        Answer::Series(series) => series.values().map(Vec::len).sum(),
        Answer::Scalar(_) => 1,
        Answer::Error(_) => 0,
    }
}

/// What differs, in words.
pub(super) fn difference(ours: &Answer, theirs: &Answer) -> Option<String> {
    match (ours, theirs) {
        (Answer::Error(_), Answer::Error(_)) => None,
        (Answer::Scalar(a), Answer::Scalar(b)) if close(*a, *b) => None,
        (Answer::Series(a), Answer::Series(b)) => different_series(a, b),
        (ours, theirs) => Some(shortened(format!("ours {ours:?}, theirs {theirs:?}"))),
    }
}

fn different_series(
    ours: &BTreeMap<Labels, Vec<(i64, Shown)>>,
    theirs: &BTreeMap<Labels, Vec<(i64, Shown)>>,
) -> Option<String> {
    if let Some((labels, points)) = ours.iter().find(|(labels, _)| !theirs.contains_key(*labels)) {
        let other = theirs.keys().find(|labels| !ours.contains_key(*labels));
        return Some(shortened(format!("only ours: {labels:?} {points:?}\n      only theirs: {other:?}")));
    }
    if let Some((labels, points)) = theirs.iter().find(|(labels, _)| !ours.contains_key(*labels)) {
        return Some(shortened(format!("only theirs: {labels:?} {points:?}")));
    }
    ours.iter().find_map(|(labels, a)| {
        let b = &theirs[labels];
        let times = |points: &[(i64, Shown)]| points.iter().map(|(at, _)| *at).collect::<Vec<_>>();
        if times(a) != times(b) {
            return Some(format!("{labels:?}: ours at {:?}, theirs at {:?}", times(a), times(b)));
        }
        let ((at, a), (_, b)) = a.iter().zip(b).find(|((_, a), (_, b))| !same(a, b))?;
        Some(shortened(format!("{labels:?} at {at}:\n      ours   {a:?}\n      theirs {b:?}")))
    })
}

fn same(ours: &Shown, theirs: &Shown) -> bool {
    match (ours, theirs) {
        (Shown::Float(a), Shown::Float(b)) => close(*a, *b),
        (
            Shown::Histogram { count: a_count, sum: a_sum, buckets: a },
            Shown::Histogram { count: b_count, sum: b_sum, buckets: b },
        ) => {
            close(*a_count, *b_count)
                && close(*a_sum, *b_sum)
                && a.len() == b.len()
                && a.iter().zip(b).all(|(a, b)| {
                    // Bounds are the same to the last bit.
                    a.boundaries == b.boundaries
                        && a.lower == b.lower
                        && a.upper == b.upper
                        && close(a.count, b.count)
                })
        }
        _ => false,
    }
}

fn shortened(text: String) -> String {
    text.chars().take(1_500).collect()
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}
