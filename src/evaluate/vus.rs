//! Volume under the precision-recall surface.
//!
//! Labels of incidents are drawn by people: they begin and end somewhat off. So rows up to half a buffer away from
//! a segment count in part, `sqrt(1 - d / w)` at distance `d` for a buffer of `w` rows (added up where buffers of
//! several segments meet, at most 1), and the area under precision and recall is averaged over buffers from none
//! to a longest one.
//!
//! At a threshold, with `B` the sum of these parts over the alarms outside segments and `TP = (labelled alarms) + B`:
//! precision is `TP / alarms`; recall is `min(TP / (labelled rows + B / 2), 1)` times the share of the segments,
//! widened by half a buffer and merged where they overlap, that hold an alarm. The area is the sum, over the
//! distinct thresholds from the top, of (step of recall) * precision.

use super::{ranking::Ranking, segments::widened};
use std::{num::NonZeroUsize, ops::Range};

/// Which buffers are averaged: 0, `step`, 2 * `step`, ... up to `longest` rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffers {
    /// The longest one.
    pub longest: usize,
    /// Distance of two.
    pub step: NonZeroUsize,
}

/// 0, 5, ..., 100.
impl Default for Buffers {
    fn default() -> Self {
        Self { longest: 100, step: NonZeroUsize::new(5).unwrap_or(NonZeroUsize::MIN) }
    }
}

/// The mean area over all buffers; none where there is no segment.
pub(super) fn vus_pr(
    ranking: &Ranking,
    labels: &[bool],
    segments: &[Range<usize>],
    buffers: Buffers,
) -> Option<f64> {
    if segments.is_empty() {
        return None;
    }
    let mut place = vec![0; labels.len()];
    ranking.order.iter().enumerate().for_each(|(at, row)| place[*row] = at);
    let surface = Surface { ranking, labels, segments, place };
    let areas: Vec<f64> =
        (0..=buffers.longest).step_by(buffers.step.get()).map(|width| surface.area(width)).collect();
    Some(areas.iter().sum::<f64>() / areas.len() as f64)
}

/// What stays the same from buffer to buffer.
struct Surface<'a> {
    ranking: &'a Ranking,
    labels: &'a [bool],
    segments: &'a [Range<usize>],
    /// For each row its place in the order of the ranking.
    place: Vec<usize>,
}

// === impl Surface ===

impl Surface<'_> {
    /// The area for a buffer of `width` rows.
    fn area(&self, width: usize) -> f64 {
        let parts = self.parts(width);
        let found = self.found_from(width / 2);
        let positives: usize = self.segments.iter().map(ExactSizeIterator::len).sum();
        let (mut area, mut recall_above, mut begin, mut buffer, mut n_found) = (0.0, 0.0, 0, 0.0, 0);
        for (_, rows, labelled) in self.ranking.prefixes(self.labels) {
            self.ranking.order[begin..rows].iter().for_each(|row| buffer += parts[*row]);
            begin = rows;
            n_found += found[n_found..].iter().take_while(|place| **place < rows).count();
            let credited = labelled as f64 + buffer;
            let exists = n_found as f64 / found.len() as f64;
            let recall = (credited / (positives as f64 + buffer / 2.0)).min(1.0) * exists;
            area += (recall - recall_above) * (credited / rows as f64);
            recall_above = recall;
        }
        area
    }

    /// For each row outside the segments, the part that it counts; 0 inside.
    fn parts(&self, width: usize) -> Vec<f64> {
        let mut parts = vec![0.0; self.labels.len()];
        for segment in self.segments {
            for distance in 1..=(width / 2).min(self.labels.len()) {
                let part = (1.0 - distance as f64 / width as f64).sqrt();
                let (before, after) =
                    (segment.start.checked_sub(distance), (segment.end - 1).checked_add(distance));
                for row in [after, before].into_iter().flatten().filter(|row| *row < self.labels.len()) {
                    parts[row] += part;
                }
            }
        }
        let outside = |(part, label): (f64, &bool)| if *label { 0.0 } else { part.min(1.0) };
        parts.into_iter().zip(self.labels).map(outside).collect()
    }

    /// For each widened segment the place of its highest row, ascending.
    fn found_from(&self, by: usize) -> Vec<usize> {
        let first = |rows: Range<usize>| self.place[rows].iter().copied().min().unwrap_or(usize::MAX);
        let mut found: Vec<usize> =
            widened(self.segments, by, self.labels.len()).into_iter().map(first).collect();
        found.sort_unstable();
        found
    }
}
