//! From a raw score to a tail probability, from whatever is known.

use super::{ScikitLearnError, document::Document};
use crate::{
    calibrate::{Tail, TailParts},
    model::{PlainColumn, plain::raw_scores},
    score::iforest::Forest,
};
use ndarray::ArrayView2;

/// Where nothing is known: the share of ordinary rows above the threshold. scikit-learn's 0.5 means "strange" to the
/// paper, but of ordinary rows of five real servers 8 to 26 % lie above.
const SHARE_ABOVE_THRESHOLD: f64 = 0.15;

/// Without scores: by so much more raw score is a row one tenth as likely. On the same servers it was 0.06 to 0.15 from
/// 10 % to 1 %, and 0.03 to 0.07 from there to 0.1 %: this errs to the side of fewer alarms.
const RAW_SCORE_A_DECADE: f64 = 0.1;

/// A tail stands for at least so many scores, however few would say as much.
const FEWEST_SCORES: u64 = 20;

/// What came along with the forest.
#[derive(Clone, Debug)]
pub(super) struct Known {
    training_scores: Vec<f64>,
    contamination: Option<f64>,
    threshold: f64,
}

/// Where the calibration of an imported model is from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Calibration {
    /// From the scores of so many rows that were given to the import.
    Rows(usize),
    /// From the scores of so many rows that the forest was trained on.
    TrainingScores(usize),
    /// From `contamination` alone: that share of the training rows was above the threshold. How fast rows
    /// get rarer from there on is a convention.
    Contamination(f64),
    /// From nothing: by convention some 15 % of ordinary rows are above the threshold of `predict`.
    Threshold(f64),
}

// === impl Calibration ===

impl Calibration {
    /// Rows whose scores it is from.
    pub(super) fn rows(self) -> usize {
        match self {
            Self::Rows(rows) | Self::TrainingScores(rows) => rows,
            Self::Contamination(_) | Self::Threshold(_) => 0,
        }
    }
}

impl std::fmt::Display for Calibration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rows(rows) => write!(f, "calibrated on {rows} rows"),
            Self::TrainingScores(rows) => {
                write!(
                    f,
                    "calibrated on the scores of {rows} training rows, which the forest finds a little too ordinary"
                )
            }
            Self::Contamination(share) => write!(
                f,
                "NOT calibrated on scores: contamination {share} says what share lies above the threshold, the rest is \
                 a convention; give --calibrate rows of normal operation"
            ),
            Self::Threshold(threshold) => write!(
                f,
                "NOT calibrated: by convention {} % of ordinary rows are above raw score {threshold}, where predict says \
                 -1; give --calibrate rows of normal operation",
                100.0 * SHARE_ABOVE_THRESHOLD
            ),
        }
    }
}

// === impl Known ===

impl Known {
    pub(super) fn new(document: &Document) -> Result<Self, ScikitLearnError> {
        let (contamination, threshold) = (document.contamination, document.threshold);
        let wrong = |what, given, limit| ScikitLearnError::Calibration { what, given, limit };
        if !(threshold > 0.0 && threshold < 1.0) {
            return Err(wrong("the threshold", threshold, "below 1"));
        }
        if let Some(share) = contamination.filter(|share| !(*share > 0.0 && *share <= 0.5)) {
            return Err(wrong("the contamination", share, "at most 0.5"));
        }
        Ok(Self { training_scores: document.training_scores.clone(), contamination, threshold })
    }

    /// The best calibration there is: from `rows`, else from training scores, else by convention.
    pub(super) fn tail(
        &self,
        rows: Option<ArrayView2<'_, f64>>,
        columns: &[PlainColumn],
        forest: &Forest,
    ) -> Result<(Tail, Calibration), ScikitLearnError> {
        if let Some(rows) = rows {
            let (_, raw) = raw_scores(columns, forest, rows.nrows(), |row, feature| rows[[row, feature]]);
            return Ok((Tail::fit(&raw)?, Calibration::Rows(raw.len())));
        }
        if !self.training_scores.is_empty() {
            let calibration = Calibration::TrainingScores(self.training_scores.len());
            return Ok((Tail::fit(&self.training_scores)?, calibration));
        }
        let (share, calibration) = match self.contamination {
            Some(share) => (share, Calibration::Contamination(share)),
            None => (SHARE_ABOVE_THRESHOLD, Calibration::Threshold(self.threshold)),
        };
        Ok((conventional(self.threshold, share)?, calibration))
    }
}

/// Probability 1 at score 0, `share` at the threshold, a straight line between; from there on a tenth for each
/// [`RAW_SCORE_A_DECADE`], down to a fiftieth of `share` or one in a thousand, whichever is less.
fn conventional(threshold: f64, share: f64) -> Result<Tail, ScikitLearnError> {
    let parts = TailParts {
        knots: vec![(0.0, 1.0 - f64::EPSILON), (threshold, share)],
        scale: RAW_SCORE_A_DECADE / std::f64::consts::LN_10,
        shape: 0.0,
        excesses: 0,
        n_scores: ((1.0 / share).ceil() as u64).max(FEWEST_SCORES),
    };
    Ok(Tail::from_parts(parts)?)
}
