//! How good scores are, measured against labels.
//!
//! Rows stand in time order: a score `s` (higher is stranger), a label `y` (inside an incident or not), an alarm
//! `a = [s >= t]`. A *segment* is a maximal run of labelled rows: one incident. All of it is plain arithmetic
//! over rows; which file, clock or unit they came from is not known here. `docs/evaluate.md` says what each
//! figure is good for.
//!
//! Without a threshold:
//! - `auroc`: P(s+ > s-) + P(s+ = s-) / 2;
//! - `ap`, average precision: sum over the distinct thresholds, descending, of (step of recall) * precision;
//! - `vus_pr`: volume under the precision-recall surface (Paparrizos et al. 2022, as in TSB-AD, Liu & Paparrizos
//!   2024), see [`vus`].
//!
//! At an operating point, see [`OperatingPoint`]: point-wise figures, event figures in which a false alarm is
//! charged by the hour so that an endless alarm buys nothing, and the flattering ones of the literature
//! (`pa_f1`, `touch_f1`), for comparison only.
//!
//! Which operating points, see [`evaluate`]: the best ones, found with the labels; those that the training scores
//! alone give; the product's own alarms; a fixed threshold.
//!
//! Figures that need an incident are `None` where there is none.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod alarms;

mod fleet;

mod ranking;

mod segments;

mod summary;

mod thresholds;

pub mod vus;

pub use alarms::{Counts, FIGURES, OperatingPoint};
pub use fleet::{FLEET_FIGURES, FleetEvaluation, FleetPoint, FleetSeries, fleet};
pub use ranking::PrecisionRecall;
pub use segments::alarm_runs;
pub use summary::{MicroPoint, Summary, summary};

use alarms::Measure;
use ranking::Ranking;
use segments::runs;
use std::{num::NonZeroU64, ops::Range};

/// Units of the event figures and of `vus_pr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Distance of two rows, in milliseconds.
    pub step_ms: NonZeroU64,
    /// Alarms at most this many rows apart are one episode.
    pub gap: usize,
    /// Rows before and after a segment in which an alarm costs nothing.
    pub grace: usize,
    /// Rows from the start of a segment in which an alarm is early.
    pub early_rows: usize,
    /// How `vus_pr` is taken; none leaves it out.
    pub vus: Option<vus::Buffers>,
}

/// Scores and labels of the same rows.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledScores {
    scores: Vec<f64>,
    labels: Vec<bool>,
}

/// What is known beside scores and labels; each gives operating points.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'a> {
    /// Scores of normal operation, which thresholds are derived from.
    pub train: Option<&'a [f64]>,
    /// The product's own alarms, one for each row.
    pub own_alarms: Option<&'a [bool]>,
    /// A threshold somebody chose.
    pub threshold: Option<f64>,
}

/// Every figure of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Number of rows.
    pub n: usize,
    /// Number of segments.
    pub segments: usize,
    /// Share of the rows that lie in one.
    pub anomaly_share: f64,
    /// Area under the ROC curve; needs rows of both kinds.
    pub auroc: Option<f64>,
    /// Average precision.
    pub average_precision: Option<f64>,
    /// Volume under the precision-recall surface; none also where it was not asked for.
    pub vus_pr: Option<f64>,
    /// The operating points by name.
    pub points: Vec<(&'static str, OperatingPoint)>,
}

/// Why rows cannot be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmeasurable {
    /// Nothing there.
    #[error("there is no row to measure")]
    NoRows,
    /// Something is missing for some rows.
    #[error("there are {have} {what} for {want} labels")]
    Length {
        /// What there are too few or too many of.
        what: &'static str,
        /// How many there are.
        have: usize,
        /// How many labels there are.
        want: usize,
    },
    /// Not one score to go by.
    #[error("not one of the {0} scores is a finite number")]
    NoScores(usize),
}

/// Measures everything that the rows and `extras` allow.
///
/// With at least one segment: `best_f1`, `best_pa_f1` (over every threshold), `best_fc1`, `best_event_f1`,
/// `best_pak_f1` (over the grid of [`LabelledScores::candidates`]), all chosen with the labels: upper bounds; and
/// `top_rate`, which knows only the share of anomalous rows; and `everything`, every row an alarm: what is no better was
/// not worth a detector. With training scores, of which those that are not
/// finite count for nothing: `q99`, `q995`, `q999`, just above these quantiles; `pot_1e-3`, `pot_1e-4`, peaks over
/// threshold. Then `own_alarm` and `fixed`.
///
/// # Errors
/// When the own alarms are not one for each row.
pub fn evaluate(
    rows: &LabelledScores,
    extras: Extras<'_>,
    rules: &Rules,
) -> Result<Evaluation, Unmeasurable> {
    let (scores, labels) = (&rows.scores, &rows.labels);
    let own_alarms = match extras.own_alarms {
        Some(alarms) if alarms.len() != labels.len() => return Err(rows.length("own alarms", alarms.len())),
        alarms => alarms.map(|alarms| runs(alarms.iter().copied())),
    };
    let measure = Measure::new(labels, rules);
    let at = |threshold: f64| rows.at(&measure, threshold);
    let ranking = Ranking::new(scores);

    let mut points = if measure.segments().is_empty() { Vec::new() } else { rows.best(&ranking, &measure) };
    if let Some(train) = extras.train {
        points.extend(thresholds::from_training(train).map(|(name, threshold)| (name, at(threshold))));
    }
    points.extend(own_alarms.map(|alarms| ("own_alarm", measure.at(&alarms, None))));
    points.extend(extras.threshold.map(|threshold| ("fixed", at(threshold))));

    Ok(Evaluation {
        n: labels.len(),
        segments: measure.segments().len(),
        anomaly_share: measure.anomaly_share(),
        auroc: ranking.auroc(labels),
        average_precision: ranking.average_precision(labels),
        vus_pr: rules.vus.and_then(|buffers| vus::vus_pr(&ranking, labels, measure.segments(), buffers)),
        points,
    })
}

// === impl Rules ===

/// One row a minute; episodes join over 10 rows, 15 rows of grace, early is within 10 rows.
impl Default for Rules {
    fn default() -> Self {
        let step_ms = NonZeroU64::new(60_000).unwrap_or(NonZeroU64::MIN);
        Self { step_ms, gap: 10, grace: 15, early_rows: 10, vus: Some(vus::Buffers::default()) }
    }
}

// === impl LabelledScores ===

impl LabelledScores {
    /// A score that is no finite number is the lowest of all: it never raises an alarm.
    ///
    /// # Errors
    /// Without rows, without a finite score, or when there is not one score for each label.
    pub fn new(mut scores: Vec<f64>, labels: Vec<bool>) -> Result<Self, Unmeasurable> {
        // Both zeros become +0.0: they are one score, also in the order of the bits.
        let clean = |score: f64| if score.is_finite() { score + 0.0 } else { f64::NEG_INFINITY };
        scores.iter_mut().for_each(|score| *score = clean(*score));
        let rows = Self { scores, labels };
        if rows.labels.is_empty() {
            return Err(Unmeasurable::NoRows);
        }
        if rows.scores.len() != rows.labels.len() {
            return Err(rows.length("scores", rows.scores.len()));
        }
        if rows.scores.iter().all(|score| score.is_infinite()) {
            return Err(Unmeasurable::NoScores(rows.scores.len()));
        }
        Ok(rows)
    }

    /// The scores; minus infinity where there is none.
    #[must_use]
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// The segments: row ranges.
    #[must_use]
    pub fn segments(&self) -> Vec<Range<usize>> {
        runs(self.labels.iter().copied())
    }

    /// The thresholds that the best event figures are looked for at, ascending: quantiles of the scores, dense
    /// towards the top, and the highest score of each segment.
    #[must_use]
    pub fn candidates(&self) -> Vec<f64> {
        let of = |segment: Range<usize>| highest(&self.scores[segment]);
        thresholds::grid(&self.scores, self.segments().into_iter().map(of))
    }

    /// The operating points at [`Self::candidates`]; empty where there is no segment.
    #[must_use]
    pub fn event_curve(&self, rules: &Rules) -> Vec<OperatingPoint> {
        let measure = Measure::new(&self.labels, rules);
        if measure.segments().is_empty() { Vec::new() } else { self.curve(&measure) }
    }

    /// Precision and recall at every distinct score, descending; empty where there is no segment.
    #[must_use]
    pub fn precision_recall_curve(&self) -> Vec<PrecisionRecall> {
        Ranking::new(&self.scores).precision_recall(&self.labels)
    }

    /// The points that are chosen with the labels; there is at least one segment.
    fn best(&self, ranking: &Ranking, measure: &Measure<'_>) -> Vec<(&'static str, OperatingPoint)> {
        let at = |threshold: f64| self.at(measure, threshold);
        let adjusted = point_adjusted(&self.scores, measure.segments());
        let mut points = vec![
            ("best_f1", at(ranking.best_f1_threshold(&self.labels))),
            ("best_pa_f1", at(Ranking::new(&adjusted).best_f1_threshold(&self.labels))),
        ];
        let curve = self.curve(measure);
        let best = |figure: fn(&OperatingPoint) -> f64| first_maximum(&curve, figure);
        points.extend(best(|point| point.composite_f1).map(|point| ("best_fc1", point)));
        points.extend(best(|point| point.event_f1).map(|point| ("best_event_f1", point)));
        points.extend(best(|point| point.pak_f1).map(|point| ("best_pak_f1", point)));
        let sorted = thresholds::sorted_finite(&self.scores);
        let top = thresholds::quantile(&sorted, 1.0 - measure.anomaly_share());
        points.extend(top.map(|threshold| ("top_rate", at(threshold))));
        points.push(("everything", measure.of_everything()));
        points
    }

    fn curve(&self, measure: &Measure<'_>) -> Vec<OperatingPoint> {
        self.candidates().into_iter().map(|threshold| self.at(measure, threshold)).collect()
    }

    fn at(&self, measure: &Measure<'_>, threshold: f64) -> OperatingPoint {
        measure.at(&alarm_runs(&self.scores, threshold), Some(threshold))
    }

    fn length(&self, what: &'static str, have: usize) -> Unmeasurable {
        Unmeasurable::Length { what, have, want: self.labels.len() }
    }
}

/// Scores in which every segment is as high as its highest row: one alarm finds it whole.
fn point_adjusted(scores: &[f64], segments: &[Range<usize>]) -> Vec<f64> {
    let mut adjusted = scores.to_vec();
    for segment in segments {
        let rows = &mut adjusted[segment.clone()];
        rows.fill(highest(rows));
    }
    adjusted
}

fn highest(scores: &[f64]) -> f64 {
    scores.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// The first point, by ascending threshold, of those with the highest figure.
fn first_maximum(curve: &[OperatingPoint], figure: fn(&OperatingPoint) -> f64) -> Option<OperatingPoint> {
    let better = |best: OperatingPoint, point: OperatingPoint| {
        if figure(&point) > figure(&best) { point } else { best }
    };
    curve.iter().copied().reduce(better)
}

#[cfg(test)]
mod tests;
