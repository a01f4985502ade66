//! Rows from the highest score down, and what needs no threshold.

/// Precision and recall when every row that scores at least `threshold` is an alarm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrecisionRecall {
    /// A score that occurs.
    pub threshold: f64,
    /// Share of the alarms that are labelled.
    pub precision: f64,
    /// Share of the labelled rows that are alarms.
    pub recall: f64,
}

/// Rows by descending score; rows of one score are a group.
#[derive(Clone, Debug)]
pub(super) struct Ranking {
    /// Rows, the highest score first, in row order within a group.
    pub(super) order: Vec<usize>,
    /// For each group its score and where it ends in `order`.
    pub(super) groups: Vec<(f64, usize)>,
}

// === impl Ranking ===

impl Ranking {
    /// Sorts; no score is NaN, and zero has one sign.
    pub(super) fn new(scores: &[f64]) -> Self {
        let mut sorted: Vec<(f64, usize)> = scores.iter().copied().zip(0..).collect();
        sorted.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut end = 0;
        let group = |group: &[(f64, usize)]| {
            end += group.len();
            (group[0].0, end)
        };
        let groups = sorted.chunk_by(|a, b| a.0 == b.0).map(group).collect();
        Self { order: sorted.into_iter().map(|(_, row)| row).collect(), groups }
    }

    /// For each group, from the top, its score, the rows down to its end, and how many of them are labelled.
    pub(super) fn prefixes<'a>(
        &'a self,
        labels: &'a [bool],
    ) -> impl Iterator<Item = (f64, usize, usize)> + 'a {
        let (mut begin, mut labelled) = (0, 0);
        self.groups.iter().map(move |(score, end)| {
            labelled += self.order[begin..*end].iter().filter(|row| labels[**row]).count();
            begin = *end;
            (*score, *end, labelled)
        })
    }

    /// Counts pairs of a labelled row and one that is not: won, and drawn for half.
    pub(super) fn auroc(&self, labels: &[bool]) -> Option<f64> {
        let positives = count(labels);
        let negatives = labels.len() - positives;
        if positives == 0 || negatives == 0 {
            return None;
        }
        let (mut halves, mut rows_above, mut labelled_above) = (0_u128, 0, 0);
        for (_, rows, labelled) in self.prefixes(labels) {
            let in_group = labelled - labelled_above;
            let lost_here = (rows - rows_above - in_group) as u128;
            halves += lost_here * (2 * labelled_above + in_group) as u128;
            (rows_above, labelled_above) = (rows, labelled);
        }
        Some(halves as f64 / 2.0 / (positives as f64 * negatives as f64))
    }

    pub(super) fn average_precision(&self, labels: &[bool]) -> Option<f64> {
        let mut recall = 0.0;
        let area = |point: PrecisionRecall| {
            let step = point.recall - recall;
            recall = point.recall;
            step * point.precision
        };
        let curve = self.precision_recall(labels);
        (!curve.is_empty()).then(|| curve.into_iter().map(area).sum())
    }

    /// One point for each group, from the top; none where nothing is labelled.
    pub(super) fn precision_recall(&self, labels: &[bool]) -> Vec<PrecisionRecall> {
        let positives = count(labels) as f64;
        let point = |(threshold, rows, labelled): (f64, usize, usize)| PrecisionRecall {
            threshold,
            precision: labelled as f64 / rows as f64,
            recall: labelled as f64 / positives,
        };
        if positives == 0.0 { Vec::new() } else { self.prefixes(labels).map(point).collect() }
    }

    /// The highest of the finite scores at which the point-wise F1 is largest.
    pub(super) fn best_f1_threshold(&self, labels: &[bool]) -> f64 {
        let positives = count(labels);
        let mut best = (f64::INFINITY, f64::NEG_INFINITY);
        for (score, rows, labelled) in self.prefixes(labels).filter(|(score, _, _)| score.is_finite()) {
            let f1 = 2.0 * labelled as f64 / (rows + positives) as f64;
            if f1 > best.1 {
                best = (score, f1);
            }
        }
        best.0
    }
}

fn count(labels: &[bool]) -> usize {
    labels.iter().filter(|label| **label).count()
}
