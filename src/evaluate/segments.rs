//! Rows as runs.

use std::ops::Range;

/// Scores looked at in one go: where none of them reaches the threshold, they are passed over.
const BLOCK: usize = 64;

/// The maximal runs of `true`.
pub(super) fn runs(mask: impl IntoIterator<Item = bool>) -> Vec<Range<usize>> {
    let mut collected = Runs::default();
    mask.into_iter().enumerate().for_each(|(row, set)| {
        if set {
            collected.extend(row);
        }
    });
    collected.0
}

/// The runs of rows whose score reaches the threshold.
#[must_use]
pub fn alarm_runs(scores: &[f64], threshold: f64) -> Vec<Range<usize>> {
    let mut collected = Runs::default();
    for (block, scores) in scores.chunks(BLOCK).enumerate() {
        // Without a branch a score: alarms are rare, and this is most of the work.
        let reached = scores.iter().fold(false, |any, score| any | (*score >= threshold));
        if reached {
            let rows = scores.iter().enumerate().filter(|(_, score)| **score >= threshold);
            rows.for_each(|(row, _)| collected.extend(block * BLOCK + row));
        }
    }
    collected.0
}

/// Ranges that lie at most `gap` rows apart become one.
pub(super) fn joined(ranges: &[Range<usize>], gap: usize) -> Vec<Range<usize>> {
    merged(ranges.iter().cloned(), |last, next| next.start <= last.end.saturating_add(gap))
}

/// Each range with `by` rows more on either side, within `n` rows; where they overlap they become one.
pub(super) fn widened(ranges: &[Range<usize>], by: usize, n: usize) -> Vec<Range<usize>> {
    let widen = |range: &Range<usize>| range.start.saturating_sub(by)..range.end.saturating_add(by).min(n);
    merged(ranges.iter().map(widen), |last, next| next.start < last.end)
}

/// Ascending ranges, in which one that belongs to the one before becomes part of it.
fn merged(
    ranges: impl Iterator<Item = Range<usize>>,
    belongs: impl Fn(&Range<usize>, &Range<usize>) -> bool,
) -> Vec<Range<usize>> {
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if belongs(last, &range) => last.end = range.end,
            _ => merged.push(range),
        }
    }
    merged
}

/// Runs under way.
#[derive(Default)]
struct Runs(Vec<Range<usize>>);

impl Runs {
    /// Takes the next row in; rows ascend.
    fn extend(&mut self, row: usize) {
        match self.0.last_mut() {
            Some(last) if last.end == row => last.end = row + 1,
            _ => self.0.push(row..row + 1),
        }
    }
}
