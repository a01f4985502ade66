//! What a set of alarms is worth.

use super::{
    Rules,
    segments::{joined, runs, widened},
};
use std::ops::Range;

/// Names of the figures, as in the JSON; their values are [`OperatingPoint::figures`].
pub const FIGURES: [&str; 15] = [
    "P",
    "R",
    "F1",
    "FPR",
    "alarm_share",
    "event_recall",
    "event_prec",
    "event_f1",
    "touch_f1",
    "fc1",
    "fp_per_day",
    "recall_d",
    "delay_med",
    "pa_f1",
    "pak_f1",
];

const HOUR_MS: f64 = 3_600_000.0;

/// The figures of one set of alarms. Those that divide by nothing are 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OperatingPoint {
    /// Rows that score at least this much are alarms; none where alarms came in as such.
    pub threshold: Option<f64>,
    /// What everything else is made of.
    pub counts: Counts,
    /// Share of the rows that are alarms.
    pub alarm_share: f64,
    /// False alarms, charged by the hour, in a day.
    pub false_alarms_per_day: f64,
    /// Share of the segments with an alarm in their first rows.
    pub early_recall: f64,
    /// Rows from the start of a segment to its first alarm: the median over detected segments.
    pub median_delay: Option<f64>,
    /// Point-wise F1.
    pub f1: f64,
    /// Share of the unlabelled rows that are alarms.
    pub false_positive_rate: f64,
    /// Harmonic mean of event precision and event recall: what the person on call feels.
    pub event_f1: f64,
    /// The same, but an episode that touches no labelled row is one false alarm, however long. Flatters.
    pub touch_f1: f64,
    /// Harmonic mean of point precision and event recall (Garg et al. 2021).
    pub composite_f1: f64,
    /// F1 where one alarm finds a whole segment. Flatters: a random score is rated high.
    pub point_adjusted_f1: f64,
    /// F1 where a segment is found whole when more than K % of its rows are alarms: mean over K = 0, 10, ..., 100
    /// (PA%K, Kim et al. 2022).
    pub pak_f1: f64,
}

/// Rows, segments and episodes counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Alarms on labelled rows.
    pub true_positives: usize,
    /// Alarms on other rows.
    pub false_positives: usize,
    /// Labelled rows without alarm.
    pub false_negatives: usize,
    /// Segments.
    pub segments: usize,
    /// Segments with an alarm inside.
    pub detected: usize,
    /// False alarms charged by the hour: alarms close together are an episode; rows of an episode in or near a
    /// segment are free; every remaining run costs one for each begun hour.
    pub event_false_positives: usize,
    /// Episodes that touch no labelled row.
    pub touch_false_positives: usize,
    /// Rows.
    pub n: usize,
}

/// Labels and rules, ready to measure many sets of alarms.
#[derive(Clone, Debug)]
pub(super) struct Measure<'a> {
    rules: &'a Rules,
    n: usize,
    positives: usize,
    segments: Vec<Range<usize>>,
    /// Where alarms cost nothing.
    free: Vec<Range<usize>>,
    rows_per_hour: usize,
}

/// The alarms inside one segment.
#[derive(Clone, Copy, Debug, Default)]
struct Hits {
    len: usize,
    alarms: usize,
    /// Rows from the start of the segment to the first alarm.
    delay: Option<usize>,
}

// === impl Measure ===

impl<'a> Measure<'a> {
    pub(super) fn new(labels: &[bool], rules: &'a Rules) -> Self {
        let segments = runs(labels.iter().copied());
        let rows_per_hour = (HOUR_MS / rules.step_ms.get() as f64).round_ties_even() as usize;
        Self {
            rules,
            n: labels.len(),
            positives: segments.iter().map(ExactSizeIterator::len).sum(),
            free: widened(&segments, rules.grace, labels.len()),
            segments,
            rows_per_hour: rows_per_hour.max(1),
        }
    }

    pub(super) fn segments(&self) -> &[Range<usize>] {
        &self.segments
    }

    pub(super) fn anomaly_share(&self) -> f64 {
        self.positives as f64 / self.n as f64
    }

    /// Measures alarms, given as maximal runs; `threshold` is what made them, if a threshold did.
    pub(super) fn at(&self, alarms: &[Range<usize>], threshold: Option<f64>) -> OperatingPoint {
        let hits = self.hits(alarms);
        let episodes = joined(alarms, self.rules.gap);
        let n_alarms: usize = alarms.iter().map(ExactSizeIterator::len).sum();
        let true_positives = hits.iter().map(|hits| hits.alarms).sum();
        let counts = Counts {
            true_positives,
            false_positives: n_alarms - true_positives,
            false_negatives: self.positives - true_positives,
            segments: self.segments.len(),
            detected: hits.iter().filter(|hits| hits.alarms > 0).count(),
            event_false_positives: self.charged(&episodes),
            touch_false_positives: self.untouched(&episodes),
            n: self.n,
        };
        let early = hits.iter().filter(|hits| hits.delay.is_some_and(|delay| delay < self.rules.early_rows));
        let (point_adjusted_f1, pak_f1) = self.adjusted_f1(&hits, &counts);
        let days = self.n as f64 * (self.rules.step_ms.get() as f64 / 1000.0) / 86_400.0;
        OperatingPoint {
            threshold,
            alarm_share: n_alarms as f64 / self.n as f64,
            false_alarms_per_day: counts.event_false_positives as f64 / days,
            early_recall: ratio(early.count(), counts.segments),
            median_delay: median(hits.iter().filter_map(|hits| hits.delay).collect()),
            f1: harmonic_mean(counts.precision(), counts.recall()),
            false_positive_rate: counts.false_positives as f64 / (self.n - self.positives).max(1) as f64,
            event_f1: harmonic_mean(counts.event_precision(), counts.event_recall()),
            touch_f1: harmonic_mean(
                ratio(counts.detected, counts.detected + counts.touch_false_positives),
                counts.event_recall(),
            ),
            composite_f1: harmonic_mean(counts.precision(), counts.event_recall()),
            point_adjusted_f1,
            pak_f1,
            counts,
        }
    }

    /// Measures an alarm on every row.
    pub(super) fn of_everything(&self) -> OperatingPoint {
        self.at(std::slice::from_ref(&(0..self.n)), None)
    }

    /// Rows from the start of each detected segment to its first alarm.
    pub(super) fn delays(&self, alarms: &[Range<usize>]) -> Vec<usize> {
        self.hits(alarms).iter().filter_map(|hits| hits.delay).collect()
    }

    /// For each segment the alarms inside.
    fn hits(&self, alarms: &[Range<usize>]) -> Vec<Hits> {
        let mut hits: Vec<Hits> =
            self.segments.iter().map(|segment| Hits { len: segment.len(), ..Hits::default() }).collect();
        for_each_overlap(alarms, &self.segments, |_, segment, rows| {
            let hits = &mut hits[segment];
            hits.alarms += rows.len();
            hits.delay.get_or_insert(rows.start - self.segments[segment].start);
        });
        hits
    }

    /// The false alarms: what lies outside the free rows, by the begun hour.
    fn charged(&self, episodes: &[Range<usize>]) -> usize {
        // How far each episode has been paid for.
        let mut paid: Vec<usize> = episodes.iter().map(|episode| episode.start).collect();
        let cost = |rows: usize| rows.div_ceil(self.rows_per_hour);
        let mut charged = 0;
        for_each_overlap(episodes, &self.free, |episode, _, free| {
            charged += cost(free.start - paid[episode]);
            paid[episode] = free.end;
        });
        charged + episodes.iter().zip(paid).map(|(episode, paid)| cost(episode.end - paid)).sum::<usize>()
    }

    /// Episodes without a labelled row.
    fn untouched(&self, episodes: &[Range<usize>]) -> usize {
        let mut touching = vec![false; episodes.len()];
        for_each_overlap(episodes, &self.segments, |episode, _, _| touching[episode] = true);
        touching.iter().filter(|touching| !**touching).count()
    }

    /// The point-adjusted F1, and its mean over the shares of a segment that must be alarms.
    fn adjusted_f1(&self, hits: &[Hits], counts: &Counts) -> (f64, f64) {
        let f1 = std::array::from_fn(|tenth| {
            // The same rounding as K / 100 * len, so that a share is exceeded or not as it is written.
            let share = (10 * tenth) as f64 / 100.0;
            let enough =
                |hits: &Hits| hits.alarms >= hits.len.min((share * hits.len as f64).floor() as usize + 1);
            let credited = |hits: &Hits| if enough(hits) { hits.len } else { hits.alarms };
            let found: usize = hits.iter().map(credited).sum();
            (2 * found) as f64 / (found + counts.false_positives + self.positives).max(1) as f64
        });
        (f1[0], mean_of_eleven(f1))
    }
}

// === impl OperatingPoint ===

impl OperatingPoint {
    /// The values of [`FIGURES`]; only the delay can be missing.
    #[must_use]
    pub fn figures(&self) -> [Option<f64>; FIGURES.len()] {
        [
            Some(self.counts.precision()),
            Some(self.counts.recall()),
            Some(self.f1),
            Some(self.false_positive_rate),
            Some(self.alarm_share),
            Some(self.counts.event_recall()),
            Some(self.counts.event_precision()),
            Some(self.event_f1),
            Some(self.touch_f1),
            Some(self.composite_f1),
            Some(self.false_alarms_per_day),
            Some(self.early_recall),
            self.median_delay,
            Some(self.point_adjusted_f1),
            Some(self.pak_f1),
        ]
    }
}

// === impl Counts ===

impl Counts {
    /// Share of the alarms that are labelled.
    #[must_use]
    pub fn precision(&self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Share of the labelled rows that are alarms.
    #[must_use]
    pub fn recall(&self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// Detected segments among these and the false alarms.
    #[must_use]
    pub fn event_precision(&self) -> f64 {
        ratio(self.detected, self.detected + self.event_false_positives)
    }

    /// Share of the segments that are detected.
    #[must_use]
    pub fn event_recall(&self) -> f64 {
        ratio(self.detected, self.segments)
    }

    /// Names, as in the JSON, and numbers.
    #[must_use]
    pub fn named(&self) -> [(&'static str, usize); 8] {
        [
            ("tp", self.true_positives),
            ("fp", self.false_positives),
            ("fn", self.false_negatives),
            ("segments", self.segments),
            ("detected", self.detected),
            ("event_fp", self.event_false_positives),
            ("touch_fp", self.touch_false_positives),
            ("n", self.n),
        ]
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.true_positives += other.true_positives;
        self.false_positives += other.false_positives;
        self.false_negatives += other.false_negatives;
        self.segments += other.segments;
        self.detected += other.detected;
        self.event_false_positives += other.event_false_positives;
        self.touch_false_positives += other.touch_false_positives;
        self.n += other.n;
    }
}

// === arithmetic ===

/// 0 where both are.
pub(super) fn harmonic_mean(a: f64, b: f64) -> f64 {
    if a + b > 0.0 { 2.0 * a * b / (a + b) } else { 0.0 }
}

pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

pub(super) fn median(mut values: Vec<usize>) -> Option<f64> {
    values.sort_unstable();
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some((lower + upper) as f64 / 2.0)
}

/// Summed pairwise, as numpy does: of thresholds whose means are equal but for rounding, the same one wins as in
/// figures that were worked out there.
fn mean_of_eleven(x: [f64; 11]) -> f64 {
    let eight = ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
    (eight + x[8] + x[9] + x[10]) / 11.0
}

/// Calls `each` with the places of two ranges and the rows that they share, ascending; in both lists the ranges
/// ascend and do not overlap.
fn for_each_overlap(
    a: &[Range<usize>],
    b: &[Range<usize>],
    mut each: impl FnMut(usize, usize, Range<usize>),
) {
    let (mut i, mut j) = (0, 0);
    while let (Some(left), Some(right)) = (a.get(i), b.get(j)) {
        let shared = left.start.max(right.start)..left.end.min(right.end);
        if !shared.is_empty() {
            each(i, j, shared);
        }
        if left.end < right.end {
            i += 1;
        } else {
            j += 1;
        }
    }
}
