//! Whether what a detector sees is still what its model was trained on.
//!
//! The rows that are fit to be trained on (no alert, no planned work, no grace, no incident) of entities that the model knows are counted, hour by hour, in
//! the bins of its [`Reference`]; at the end of each hour the last 24 of them are held against it. A day, because every machine has a
//! rhythm of a day: a shorter time would be compared with hours that it does not hold. Only parts of the week count of which the model has seen
//! any: the first Saturday of a model is no drift, nor is the first night. A column has moved when it has moved both from the training sample as a whole and
//! from the same hours of the week in it: the whole has few Saturdays, and one Saturday is not like the next.
//!
//! Memory is bounded: 24 hours, and for each 12 counts a feature.

use super::training::Drifted;
use crate::{
    calibrate::population_stability_index,
    features::{FeatureSchema, Inputs},
    model::{Model, N_BINS, Reference, Scored, WEEK_PARTS},
    series::TimestampMs,
};
use std::collections::VecDeque;

const HOUR_MS: i64 = 3_600_000;

/// Hours that are held against the training.
const HOURS: usize = 24;

/// With rows in fewer of them nothing is said: night and day would not both be there.
const MIN_HOURS: usize = 20;

/// Nor with fewer rows: by chance alone the index of eleven bins would be 0.04.
const MIN_ROWS: u64 = 256;

/// So long it must be seen, hour after hour, to be a drift: half of the rows are new then, enough to learn from.
const HELD_MS: i64 = 12 * HOUR_MS;

/// How far the inputs of a detector have moved from the training of its model: population stability indices over the last 24 hours.
#[derive(Clone, Debug, PartialEq)]
pub struct DriftFigures {
    /// Of each feature, in the order of the schema.
    pub features: Vec<f64>,
    /// Of the scores.
    pub score: f64,
    /// Whether the scores are higher than those of the training, on the whole. What has become more ordinary is no reason to train: a model
    /// scores what it has learned from lower than its cross-fitted forests did that had not seen the like.
    pub scores_are_higher: bool,
    /// Rows that were compared.
    pub rows: u64,
    /// The first instant that was not.
    pub until: TimestampMs,
}

/// What is counted of the rows of a detector.
#[derive(Debug)]
pub(super) struct DriftWatch {
    /// From here on it is a drift; 0: never.
    threshold: f64,
    /// The model that it is held against: its version and when it was trained.
    of: Option<(String, TimestampMs)>,
    /// Of the step that is being judged: rows that the model scored, ascending, and their evidence.
    evidence: Vec<(usize, f64)>,
    /// Ascending; the last is under way.
    hours: VecDeque<Hour>,
    figures: Option<DriftFigures>,
    /// The first of the ends of hours, without one in between, at which a drift was seen.
    over_since: Option<TimestampMs>,
}

#[derive(Debug)]
struct Hour {
    /// Since 1970.
    number: i64,
    /// Rows in each part of the week: an hour here may be of two, where local time is half an hour off.
    parts: [u64; WEEK_PARTS],
    /// Column by column, rows in each bin.
    counts: Vec<[u64; N_BINS]>,
}

// === impl DriftWatch ===

impl DriftWatch {
    pub(super) fn new(threshold: f64) -> Self {
        Self {
            threshold,
            of: None,
            evidence: Vec::new(),
            hours: VecDeque::new(),
            figures: None,
            over_since: None,
        }
    }

    /// Takes what the model says of the rows of a step, before [`Self::count`].
    pub(super) fn note(&mut self, scored: &[Scored]) {
        self.evidence.clear();
        self.evidence.extend(scored.iter().map(|scored| (scored.row, scored.evidence)));
    }

    /// Counts the rows that were noted, of those that are `fit` to be trained on. Steps come in order.
    pub(super) fn count(&mut self, inputs: &Inputs, model: &Model, fit: &[bool]) {
        let is_same =
            |(version, at): &(String, TimestampMs)| version == model.version() && *at == model.created_at();
        if !self.of.as_ref().is_some_and(is_same) {
            *self = Self::new(self.threshold);
            self.of = Some((model.version().to_owned(), model.created_at()));
            return;
        }
        let Some(reference) = model.reference() else { return };
        let number = inputs.at.0.div_euclid(HOUR_MS);
        if self.hours.back().is_none_or(|hour| hour.number < number) {
            self.begin(number, reference);
        }
        let zone = model.schema().zone();
        let (Some(hour), Some(part)) = (self.hours.back_mut(), reference.known_part(zone, inputs.at)) else {
            return;
        };
        for (row, evidence) in self.evidence.drain(..).filter(|(row, _)| fit[*row]) {
            let columns = inputs.values.row(row);
            let columns = columns.to_slice().unwrap_or_default();
            let bins = model.value_bins(reference, &inputs.entities[row], columns);
            let of_evidence = reference.bin(reference.n_columns() - 1, evidence);
            for (counts, bin) in hour.counts.iter_mut().zip(bins.chain(std::iter::once(of_evidence))) {
                counts[bin] += 1;
            }
            hour.parts[part] += 1;
        }
    }

    /// Ends the hour before, and begins another one.
    fn begin(&mut self, number: i64, reference: &Reference) {
        let oldest = number.saturating_sub(HOURS as i64);
        while self.hours.front().is_some_and(|hour| hour.number < oldest) {
            self.hours.pop_front();
        }
        let now = TimestampMs(number.saturating_mul(HOUR_MS));
        self.figures = figures(&self.hours, reference, now);
        self.over_since = self.over().map(|_| self.over_since.unwrap_or(now));
        let counts = vec![[0; N_BINS]; reference.n_columns()];
        self.hours.push_back(Hour { number, parts: [0; WEEK_PARTS], counts });
    }

    /// What was found at the end of the last hour; none where there is too little to compare, or nothing to compare it with.
    pub(super) fn figures(&self) -> Option<&DriftFigures> {
        self.figures.as_ref()
    }

    /// What has drifted for good, as of the end of the last hour.
    pub(super) fn drifted(&self, schema: &FeatureSchema) -> Option<Drifted> {
        let (since, (feature, psi)) = (self.over_since?, self.over()?);
        let until = self.figures.as_ref()?.until;
        (until.since_ms(since) >= HELD_MS).then(|| Drifted {
            feature: feature.map(|feature| schema.features()[feature].name.clone()),
            psi,
            since,
        })
    }

    fn over(&self) -> Option<(Option<usize>, f64)> {
        self.figures.as_ref().filter(|_| self.threshold > 0.0)?.over(self.threshold)
    }
}

// === impl DriftFigures ===

impl DriftFigures {
    /// What has moved by `threshold` or more: the feature that has moved furthest, by its place in the schema, or else the scores (`None`), where they are
    /// higher than they were; with its index.
    fn over(&self, threshold: f64) -> Option<(Option<usize>, f64)> {
        let features = self.features.iter().copied().enumerate();
        let furthest = features.fold(None, |furthest: Option<(usize, f64)>, (feature, psi)| {
            furthest.filter(|(_, most)| *most >= psi).or(Some((feature, psi)))
        });
        let furthest =
            furthest.filter(|(_, psi)| *psi >= threshold).map(|(feature, psi)| (Some(feature), psi));
        furthest.or_else(|| (self.scores_are_higher && self.score >= threshold).then_some((None, self.score)))
    }
}

/// The hours together, held against the training.
fn figures(hours: &VecDeque<Hour>, reference: &Reference, until: TimestampMs) -> Option<DriftFigures> {
    let mut parts = [0; WEEK_PARTS];
    for hour in hours {
        parts.iter_mut().zip(&hour.parts).for_each(|(sum, rows)| *sum += rows);
    }
    let rows: u64 = parts.iter().sum();
    let filled = hours.iter().filter(|hour| hour.parts.iter().any(|rows| *rows > 0)).count();
    if filled < MIN_HOURS || rows < MIN_ROWS {
        return None;
    }
    let seen = |column: usize| -> [f64; N_BINS] {
        let counts = |bin: usize| hours.iter().map(|hour| hour.counts[column][bin]).sum::<u64>();
        std::array::from_fn(|bin| counts(bin) as f64 / rows as f64)
    };
    let index = |column: usize| {
        let seen = seen(column);
        let from = |expected: [f64; N_BINS]| population_stability_index(expected.into_iter().zip(seen));
        from(reference.expected(column, &parts)).min(from(reference.whole(column)))
    };
    let mut features: Vec<f64> = (0..reference.n_columns()).map(index).collect();
    let score = features.pop()?;
    let mean_bin = |shares: [f64; N_BINS]| -> f64 {
        shares.iter().zip(0_u8..).map(|(share, bin)| share * f64::from(bin)).sum()
    };
    let scores_are_higher =
        mean_bin(seen(features.len())) > mean_bin(reference.expected(features.len(), &parts));
    Some(DriftFigures { features, score, scores_are_higher, rows, until })
}

#[cfg(test)]
mod tests;
