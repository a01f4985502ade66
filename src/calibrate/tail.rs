//! From a raw score to the probability of a score that high under normal operation.
//!
//! Below a high threshold u the scores themselves say it (their empirical distribution, thinned to a
//! few hundred knots); above u a generalised Pareto distribution fitted to the excesses does, as
//! extreme value theory suggests for nearly any distribution (Pickands 1975; Balkema, de Haan 1974).
//!
//! **How rare may it claim?** n scores show directly what happens once in n. A fitted tail reaches
//! further, but its error grows with the distance, so the probability approaches 1 / (50 n) and never
//! falls below it: less than two factors of ten beyond the data, the reach that hydrologists allow
//! themselves with hundred-year floods from a few decades of records. One in a million therefore takes
//! 20,000 scores; a model of 1,000 scores cannot say more than 1 in 50,000 (anomaly score 0.78).

use super::pareto::{GeneralisedPareto, SHAPE};

/// Fewer scores than this are not calibrated.
const MIN_SCORES: usize = 20;

/// At least this many scores above u, which lowers u when there are few scores.
const MIN_EXCESSES: usize = 10;

/// Most knots below u.
const MAX_KNOTS: usize = 512;

/// How far beyond the scores the tail reaches: the probability stays above 1 / (REACH n).
const REACH: f64 = 50.0;

/// Scale of the tail, relative to the score, when all scores are equal: any other score is then as
/// strange as they can say, but rounding is not.
const CONSTANT_SCALE: f64 = 1e-6;

/// The calibration of one raw score. The larger the score, the smaller the probability.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    /// Invariant: at least one; scores strictly ascending and probabilities strictly descending
    /// within 0..1; the last is the threshold u.
    knots: Vec<(f64, f64)>,
    pareto: GeneralisedPareto,
    excesses: u32,
    n_scores: u64,
}

/// The content of a [`Tail`], to be written to a file.
#[derive(Clone, Debug, PartialEq)]
pub struct TailParts {
    /// Scores up to the threshold u, ascending, with their tail probabilities, descending.
    pub knots: Vec<(f64, f64)>,
    /// Scale of the generalised Pareto distribution above u.
    pub scale: f64,
    /// Its shape (xi).
    pub shape: f64,
    /// Scores above u.
    pub excesses: u32,
    /// All scores.
    pub n_scores: u64,
}

/// Why scores cannot be calibrated.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum TailError {
    /// Too few to say anything about a tail.
    #[error("{given} scores, at least {MIN_SCORES} are needed")]
    TooFew {
        /// Number of scores.
        given: usize,
    },
    /// A score is NaN or infinite.
    #[error("score {index} is {value}")]
    NotFinite {
        /// Which.
        index: usize,
        /// The score.
        value: f64,
    },
}

/// Why parts are not a tail.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum InvalidTail {
    /// No knot.
    #[error("the tail has no knots")]
    NoKnots,
    /// A knot is out of order or out of range.
    #[error("knot {index} ({score}, {probability}) is out of order or out of range")]
    Knot {
        /// Which.
        index: usize,
        /// Its score.
        score: f64,
        /// Its probability.
        probability: f64,
    },
    /// The parameters of the tail are out of range.
    #[error("scale {scale}, shape {shape}: the scale must be positive, the shape within -0.5 to 0.5")]
    Parameters {
        /// Scale.
        scale: f64,
        /// Shape.
        shape: f64,
    },
    /// Fewer scores than a tail can be fitted to, or more excesses than scores.
    #[error("{n_scores} scores with {excesses} above the threshold")]
    Counts {
        /// All scores.
        n_scores: u64,
        /// Those above the threshold.
        excesses: u32,
    },
}

// === impl Tail ===

impl Tail {
    /// Share of scores above the threshold u.
    pub(super) const SHARE: f64 = 0.02;

    /// Calibrates by scores that the detector gave to rows of normal operation, in any order. They must
    /// not be rows the detector was fitted on, or all probabilities come out too small.
    ///
    /// # Errors
    /// Fewer than 20 scores, or one that is not finite.
    pub fn fit(scores: &[f64]) -> Result<Self, TailError> {
        Self::check(scores)?;
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        let above = ((sorted.len() as f64 * Self::SHARE).ceil() as usize).max(MIN_EXCESSES);
        let threshold = sorted[sorted.len() - 1 - above];
        let body_end = sorted.partition_point(|&score| score <= threshold);
        let excesses: Vec<f64> = sorted[body_end..].iter().map(|score| score - threshold).collect();
        let pareto = GeneralisedPareto::fit(&excesses)
            .unwrap_or_else(|| GeneralisedPareto::new(fallback_scale(&sorted, threshold), 0.0, 0));
        let excesses = u32::try_from(excesses.len()).unwrap_or(u32::MAX);
        let knots = thin(&knots(&sorted, body_end));
        Ok(Self { knots, pareto, excesses, n_scores: sorted.len() as u64 })
    }

    /// Whether there are enough scores, and all finite.
    pub(super) fn check(scores: &[f64]) -> Result<(), TailError> {
        if scores.len() < MIN_SCORES {
            return Err(TailError::TooFew { given: scores.len() });
        }
        match scores.iter().enumerate().find(|(_, score)| !score.is_finite()) {
            Some((index, &value)) => Err(TailError::NotFinite { index, value }),
            None => Ok(()),
        }
    }

    /// A tail that was not counted: its body `knots` and, above the last of them, an exponential one of this `scale`.
    /// It reaches as far as one of so many scores would. Invariants as of the fields.
    pub(super) fn of_law(knots: Vec<(f64, f64)>, scale: f64, n_scores: usize) -> Self {
        Self { knots, pareto: GeneralisedPareto::new(scale, 0.0, 0), excesses: 0, n_scores: n_scores as u64 }
    }

    /// The probability of a score at least this high under normal operation: within
    /// 1 / (50 n)..=1 for n scores, never higher for a higher score, continuous and strictly falling
    /// (to the accuracy of the number type) from the lowest score on. NaN has probability 1.
    #[must_use]
    pub fn probability(&self, score: f64) -> f64 {
        // Both unreachable by the invariant; then nothing is an anomaly.
        let (Some(&(lowest, _)), Some(&(threshold, at_threshold))) = (self.knots.first(), self.knots.last())
        else {
            return 1.0;
        };
        if score.is_nan() || score < lowest {
            return 1.0;
        }
        if score >= threshold {
            let floor = self.floor();
            return floor + (at_threshold - floor) * self.pareto.survival(score - threshold);
        }
        // lowest <= score < threshold: there is a knot on each side.
        let right = self.knots.partition_point(|&(knot, _)| knot <= score);
        let ((s0, p0), (s1, p1)) = (self.knots[right - 1], self.knots[right]);
        // The halves keep the differences finite, however far apart the scores are.
        let part = (score / 2.0 - s0 / 2.0) / (s1 / 2.0 - s0 / 2.0);
        p0 + part * (p1 - p0)
    }

    /// The probability that [`Self::probability`] approaches and never falls below: 1 / (50 n).
    #[must_use]
    pub fn floor(&self) -> f64 {
        1.0 / (REACH * self.n_scores as f64)
    }

    /// The content, to be written to a file.
    #[must_use]
    pub fn to_parts(&self) -> TailParts {
        let (scale, shape) = self.pareto.parameters();
        let (knots, excesses, n_scores) = (self.knots.clone(), self.excesses, self.n_scores);
        TailParts { knots, scale, shape, excesses, n_scores }
    }

    /// A tail from its content, as read from a file.
    ///
    /// # Errors
    /// When the parts break what [`Tail::fit`] promises.
    pub fn from_parts(parts: TailParts) -> Result<Self, InvalidTail> {
        let TailParts { knots, scale, shape, excesses, n_scores } = parts;
        if knots.is_empty() {
            return Err(InvalidTail::NoKnots);
        }
        let (mut last_score, mut last_probability) = (f64::NEG_INFINITY, 1.0);
        for (index, &(score, probability)) in knots.iter().enumerate() {
            let fine = score.is_finite()
                && score > last_score
                && probability < last_probability
                && probability > 0.0;
            if !fine {
                return Err(InvalidTail::Knot { index, score, probability });
            }
            (last_score, last_probability) = (score, probability);
        }
        if !(scale > 0.0 && scale.is_finite() && SHAPE.contains(&shape)) {
            return Err(InvalidTail::Parameters { scale, shape });
        }
        // The last knot stands for all scores above it, so its probability is above the floor.
        let floor = 1.0 / (REACH * n_scores as f64);
        if n_scores < MIN_SCORES as u64 || u64::from(excesses) >= n_scores || last_probability <= floor {
            return Err(InvalidTail::Counts { n_scores, excesses });
        }
        Ok(Self { knots, pareto: GeneralisedPareto::new(scale, shape, excesses), excesses, n_scores })
    }
}

/// The distinct scores of `sorted[..body_end]` with their probabilities: among n scores, one with `above`
/// scores above it and `equal` scores equal to it (itself included) has `(above + equal / 2 + 1/2) /
/// (n + 1)`. Without ties that is the plotting position (rank) / (n + 1); ties share their mean rank.
fn knots(sorted: &[f64], body_end: usize) -> Vec<(f64, f64)> {
    let n = sorted.len() as f64;
    let mut above = sorted.len();
    sorted[..body_end]
        .chunk_by(|a, b| a == b)
        .map(|ties| {
            above -= ties.len();
            (ties[0], (above as f64 + ties.len() as f64 / 2.0 + 0.5) / (n + 1.0))
        })
        .collect()
}

/// At most [`MAX_KNOTS`] of the knots, spaced evenly; the first and the last stay.
fn thin(knots: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if knots.len() <= MAX_KNOTS {
        return knots.to_vec();
    }
    (0..MAX_KNOTS).map(|i| knots[i * (knots.len() - 1) / (MAX_KNOTS - 1)]).collect()
}

/// The scale when no score is above the threshold (a fiftieth of the scores share the top): the mean
/// distance of all scores below it.
fn fallback_scale(sorted: &[f64], threshold: f64) -> f64 {
    let n = sorted.len() as f64;
    let mean = sorted.iter().map(|score| (threshold - score) / n).sum::<f64>();
    if mean > 0.0 && mean.is_finite() { mean } else { threshold.abs().max(1.0) * CONSTANT_SCALE }
}

#[cfg(test)]
mod tests;
