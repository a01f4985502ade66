//! Several series under one threshold, as one person on call has them.
//!
//! [`summary`](super::summary()) means over series, each at its own threshold. Here the counts of all series are added up at a threshold that
//! they share, as in a running detector, and what comes of it is measured.

use super::{
    Counts, LabelledScores, Rules, Unmeasurable,
    alarms::{Measure, harmonic_mean, median, ratio},
    ranking::Ranking,
    segments::{alarm_runs, runs},
};
use std::ops::Range;

/// Names of the figures, as in the JSON; their values are [`FleetPoint::figures`].
pub const FLEET_FIGURES: [&str; 10] = [
    "P",
    "R",
    "F1",
    "FPR",
    "alarm_share",
    "event_recall",
    "event_prec",
    "event_f1",
    "fp_per_day",
    "delay_med",
];

/// One series of a fleet.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetSeries {
    /// Its rows.
    pub rows: LabelledScores,
    /// The product's own alarms, one for each row.
    pub own_alarms: Vec<bool>,
}

/// Every figure of a fleet.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetEvaluation {
    /// Number of rows, of all series.
    pub n: usize,
    /// Number of segments, of all series.
    pub segments: usize,
    /// Share of the rows that lie in one.
    pub anomaly_share: f64,
    /// Area under the ROC curve of all rows; needs rows of both kinds.
    pub auroc: Option<f64>,
    /// Average precision of all rows.
    pub average_precision: Option<f64>,
    /// The product's own alarms.
    pub own: FleetPoint,
    /// An alarm on every row: what is no better was not worth a detector.
    pub everything: FleetPoint,
    /// The shared thresholds, in the order in which they were given.
    pub curve: Vec<FleetPoint>,
}

/// What the alarms of all series are worth together. Figures that divide by nothing are 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FleetPoint {
    /// Rows that score at least this much are alarms; none where alarms came in as such.
    pub threshold: Option<f64>,
    /// The sums.
    pub counts: Counts,
    /// False alarms of all series, charged by the hour, in a day; the longest series says for how many days.
    pub false_alarms_per_day: f64,
    /// Rows from the start of a segment to its first alarm: the median over the detected segments of all series.
    pub median_delay: Option<f64>,
}

/// Measures the own alarms, the baseline, and each of `thresholds`.
///
/// # Errors
/// Without a series, or when the own alarms of one are not one for each row.
pub fn fleet(
    series: &[FleetSeries],
    thresholds: &[f64],
    rules: &Rules,
) -> Result<FleetEvaluation, Unmeasurable> {
    if series.is_empty() {
        return Err(Unmeasurable::NoRows);
    }
    let unequal = |one: &&FleetSeries| one.own_alarms.len() != one.rows.labels.len();
    if let Some(one) = series.iter().find(unequal) {
        return Err(one.rows.length("own alarms", one.own_alarms.len()));
    }
    let watched = Watched::new(series, rules);
    let own = |one: &FleetSeries| runs(one.own_alarms.iter().copied());
    let own = watched.point(None, own);
    let at =
        |threshold: &f64| watched.point(Some(*threshold), |one| alarm_runs(&one.rows.scores, *threshold));
    let scores: Vec<f64> = series.iter().flat_map(|one| &one.rows.scores).copied().collect();
    let labels: Vec<bool> = series.iter().flat_map(|one| &one.rows.labels).copied().collect();
    let ranking = Ranking::new(&scores);
    Ok(FleetEvaluation {
        n: labels.len(),
        segments: own.counts.segments,
        anomaly_share: ratio(own.counts.true_positives + own.counts.false_negatives, labels.len()),
        auroc: ranking.auroc(&labels),
        average_precision: ranking.average_precision(&labels),
        own,
        everything: watched.point(None, |one| std::iter::once(0..one.rows.labels.len()).collect()),
        curve: thresholds.iter().map(at).collect(),
    })
}

/// A fleet, ready to measure many sets of alarms.
struct Watched<'a> {
    series: Vec<(&'a FleetSeries, Measure<'a>)>,
    days: f64,
}

// === impl Watched ===

impl<'a> Watched<'a> {
    fn new(series: &'a [FleetSeries], rules: &'a Rules) -> Self {
        let longest = series.iter().map(|one| one.rows.labels.len()).max().unwrap_or(0);
        Self {
            series: series.iter().map(|one| (one, Measure::new(&one.rows.labels, rules))).collect(),
            days: longest as f64 * (rules.step_ms.get() as f64 / 1000.0) / 86_400.0,
        }
    }

    /// Measures the alarms of each series, given as maximal runs.
    fn point(
        &self,
        threshold: Option<f64>,
        alarms: impl Fn(&FleetSeries) -> Vec<Range<usize>>,
    ) -> FleetPoint {
        let (mut counts, mut delays) = (Counts::default(), Vec::new());
        for (one, measure) in &self.series {
            let alarms = alarms(one);
            counts += measure.at(&alarms, threshold).counts;
            delays.extend(measure.delays(&alarms));
        }
        let false_alarms_per_day = counts.event_false_positives as f64 / self.days;
        FleetPoint { threshold, counts, false_alarms_per_day, median_delay: median(delays) }
    }
}

// === impl FleetPoint ===

impl FleetPoint {
    /// The values of [`FLEET_FIGURES`]; only the delay can be missing.
    #[must_use]
    pub fn figures(&self) -> [Option<f64>; FLEET_FIGURES.len()] {
        let counts = &self.counts;
        let (precision, recall) = (counts.precision(), counts.recall());
        let (event_precision, event_recall) = (counts.event_precision(), counts.event_recall());
        let unlabelled = counts.n - counts.true_positives - counts.false_negatives;
        [
            Some(precision),
            Some(recall),
            Some(harmonic_mean(precision, recall)),
            Some(ratio(counts.false_positives, unlabelled)),
            Some(ratio(counts.true_positives + counts.false_positives, counts.n)),
            Some(event_recall),
            Some(event_precision),
            Some(harmonic_mean(event_precision, event_recall)),
            Some(self.false_alarms_per_day),
            self.median_delay,
        ]
    }

    /// One of the figures, by its name.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        let place = FLEET_FIGURES.iter().position(|known| *known == name)?;
        self.figures()[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{Extras, FIGURES, evaluate};
    use proptest::prelude::*;
    use std::num::NonZeroU64;

    fn series(scores: &[f64], labelled: &[Range<usize>], alarms: &[Range<usize>]) -> FleetSeries {
        let set = |ranges: &[Range<usize>]| -> Vec<bool> {
            (0..scores.len()).map(|row| ranges.iter().any(|range| range.contains(&row))).collect()
        };
        let rows = LabelledScores::new(scores.to_vec(), set(labelled)).unwrap();
        FleetSeries { rows, own_alarms: set(alarms) }
    }

    fn rules(step_ms: u64) -> Rules {
        Rules { step_ms: NonZeroU64::new(step_ms).unwrap(), gap: 0, grace: 0, early_rows: 1, vus: None }
    }

    /// Rows an hour apart, a day long. The first series: an incident of four rows, found in its second row, three rows of it; one
    /// false alarm of two hours. The second: an incident of two rows, found in its first; nothing false.
    #[test]
    fn a_fleet_is_its_counts_added_up() {
        let two = [
            series(&[0.0; 24], std::slice::from_ref(&(4..8)), &[5..8, 20..22]),
            series(&[0.0; 24], std::slice::from_ref(&(10..12)), std::slice::from_ref(&(10..11))),
        ];
        let found = fleet(&two, &[0.5], &rules(3_600_000)).unwrap();
        let figure = |name| found.own.figure(name).unwrap();
        assert_eq!((found.n, found.segments, found.anomaly_share), (48, 2, 6.0 / 48.0));
        assert_eq!((figure("P"), figure("R"), figure("FPR")), (4.0 / 6.0, 4.0 / 6.0, 2.0 / 42.0));
        assert_eq!((figure("event_recall"), figure("event_prec")), (1.0, 0.5));
        assert_eq!((figure("fp_per_day"), figure("delay_med")), (2.0, 0.5));
        // Every row: precision is the share of labelled rows, and 42 hours are false.
        let figure = |name| found.everything.figure(name).unwrap();
        assert_eq!((figure("P"), figure("R"), figure("FPR")), (0.125, 1.0, 1.0));
        assert_eq!((figure("fp_per_day"), figure("alarm_share")), (42.0, 1.0));
        assert_eq!(found.curve[0].counts.true_positives, 0);
    }

    #[test]
    fn what_cannot_be_measured_is_said() {
        assert_eq!(fleet(&[], &[], &rules(60_000)), Err(Unmeasurable::NoRows));
        let mut one = series(&[0.0; 3], &[], &[]);
        one.own_alarms.pop();
        let wrong = Unmeasurable::Length { what: "own alarms", have: 2, want: 3 };
        assert_eq!(fleet(&[one], &[], &rules(60_000)), Err(wrong));
    }

    proptest! {
        /// For all rows, alarms and thresholds, a fleet of one series has the figures of that series.
        #[test]
        fn a_fleet_of_one_is_that_one(
            rows in prop::collection::vec((0.0..1.0_f64, any::<bool>(), any::<bool>()), 1..200),
            threshold in 0.0..1.0_f64,
        ) {
            let scores: Vec<f64> = rows.iter().map(|row| row.0).collect();
            let labels = LabelledScores::new(scores, rows.iter().map(|row| row.1).collect()).unwrap();
            let own_alarms: Vec<bool> = rows.iter().map(|row| row.2).collect();
            let rules = rules(900_000);
            let extras = Extras { own_alarms: Some(&own_alarms), threshold: Some(threshold), train: None };
            let alone = evaluate(&labels, extras, &rules).unwrap();
            let one = FleetSeries { rows: labels, own_alarms: own_alarms.clone() };
            let together = fleet(&[one], &[threshold], &rules).unwrap();
            prop_assert_eq!(
                (together.auroc, together.average_precision, together.segments, together.anomaly_share),
                (alone.auroc, alone.average_precision, alone.segments, alone.anomaly_share)
            );
            let named = [("own_alarm", &together.own), ("fixed", &together.curve[0]), ("everything", &together.everything)];
            for (name, point) in named {
                let Some((_, expected)) = alone.points.iter().find(|(known, _)| *known == name) else { continue };
                for (figure, value) in FLEET_FIGURES.into_iter().zip(point.figures()) {
                    let place = FIGURES.iter().position(|known| *known == figure).unwrap();
                    let expected = expected.figures()[place];
                    let near = value.zip(expected).is_none_or(|(a, b)| (a - b).abs() < 1e-12);
                    prop_assert!(near && value.is_some() == expected.is_some(), "{} {}: {:?} {:?}", name, figure, value, expected);
                }
            }
        }
    }
}
