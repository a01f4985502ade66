//! What one side says to one expression over one grid, and how two answers differ.

use std::collections::BTreeMap;

/// How far two values may differ, relative to the larger one: sums are taken in another order.
const TOLERANCE: f64 = 1e-12;

pub(super) type Labels = BTreeMap<String, String>;

#[derive(Debug)]
pub(super) enum Answer {
    Scalar(f64),
    String(String),
    /// In the order of the answer.
    Vector(Vec<(Labels, f64)>),
    /// Points by time in milliseconds.
    Matrix(BTreeMap<Labels, Vec<(i64, f64)>>),
    /// The expression is refused, or the data does not allow it.
    Error(String),
}

pub(super) fn same_bits(a: &Answer, b: &Answer) -> bool {
    match (a, b) {
        (Answer::Scalar(a), Answer::Scalar(b)) => a.to_bits() == b.to_bits(),
        (Answer::Vector(a), Answer::Vector(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && a.1.to_bits() == b.1.to_bits())
        }
        (Answer::Matrix(a), Answer::Matrix(b)) => {
            let same = |a: &(i64, f64), b: &(i64, f64)| a.0 == b.0 && a.1.to_bits() == b.1.to_bits();
            a.len() == b.len()
                && a.iter().zip(b).all(|(a, b)| {
                    a.0 == b.0 && a.1.len() == b.1.len() && a.1.iter().zip(b.1).all(|(a, b)| same(a, b))
                })
        }
        (Answer::String(a), Answer::String(b)) => a == b,
        (Answer::Error(_), Answer::Error(_)) => true,
        _ => false,
    }
}

pub(super) fn value_count(answer: &Answer) -> usize {
    match answer {
        Answer::Scalar(_) | Answer::String(_) => 1,
        Answer::Vector(elements) => elements.len(),
        Answer::Matrix(series) => series.values().map(Vec::len).sum(),
        Answer::Error(_) => 0,
    }
}

/// What differs, in words.
pub(super) fn difference(text: &str, ours: &Answer, theirs: &Answer) -> Option<String> {
    match (ours, theirs) {
        (Answer::Scalar(a), Answer::Scalar(b)) => (!close(*a, *b)).then(|| format!("ours {a}, theirs {b}")),
        (Answer::String(a), Answer::String(b)) => (a != b).then(|| format!("ours {a:?}, theirs {b:?}")),
        (Answer::Error(_), Answer::Error(_)) => None,
        (Answer::Vector(a), Answer::Vector(b)) => {
            let by_labels = |elements: &[(Labels, f64)]| -> BTreeMap<Labels, Vec<(i64, f64)>> {
                elements.iter().map(|(labels, value)| (labels.clone(), vec![(0, *value)])).collect()
            };
            different_series(&by_labels(a), &by_labels(b)).or_else(|| different_order(text, a, b))
        }
        (Answer::Matrix(a), Answer::Matrix(b)) => different_series(a, b),
        _ => Some(format!("ours {}, theirs {}", shortened(ours), shortened(theirs))),
    }
}

fn different_series(
    ours: &BTreeMap<Labels, Vec<(i64, f64)>>,
    theirs: &BTreeMap<Labels, Vec<(i64, f64)>>,
) -> Option<String> {
    let only = |a: &BTreeMap<Labels, _>, b: &BTreeMap<Labels, _>, side: &str| {
        let labels = a.keys().find(|labels| !b.contains_key(*labels));
        labels.map(|labels| format!("only {side}: {labels:?}"))
    };
    only(ours, theirs, "ours").or_else(|| only(theirs, ours, "theirs")).or_else(|| {
        ours.iter().zip(theirs.values()).find_map(|((labels, a), b)| {
            let times = |points: &[(i64, f64)]| points.iter().map(|(at, _)| *at).collect::<Vec<_>>();
            if times(a) != times(b) {
                return Some(format!("{labels:?}: ours at {:?}, theirs at {:?}", times(a), times(b)));
            }
            let (a, b) = a.iter().zip(b).find(|(a, b)| !close(a.1, b.1))?;
            Some(format!("{labels:?} at {}: ours {:?}, theirs {:?}", a.0, a.1, b.1))
        })
    })
}

/// Where the expression sorts, the values come in the same order (equal ones in any).
fn different_order(text: &str, ours: &[(Labels, f64)], theirs: &[(Labels, f64)]) -> Option<String> {
    const SORTED: [&str; 4] = ["sort(", "sort_desc(", "topk(", "bottomk("];
    let by_value = SORTED.iter().any(|sorted| text.starts_with(sorted));
    let by_labels = text.starts_with("sort_by_label");
    let differ = |(a, b): (&(Labels, f64), &(Labels, f64))| {
        (by_value && !close(a.1, b.1)) || (by_labels && a.0 != b.0)
    };
    ours.iter().zip(theirs).any(differ).then(|| format!("order: ours {ours:?}, theirs {theirs:?}"))
}

fn shortened(answer: &Answer) -> String {
    format!("{answer:?}").chars().take(300).collect()
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}
