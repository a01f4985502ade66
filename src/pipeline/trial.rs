//! A new model beside the one in use: what both say of the same rows, and which of them is to go on.
//!
//! For a while the candidate scores what the live model scores, and nobody hears of it. Neither was trained on these rows, so
//! they are validation data for both. What is held against each other: how many rows each calls an anomaly where no alert fires, and how many of those
//! on which one does, of the trial and of the past ([`Exam`]). The candidate is put in use unless it is worse.

use crate::{
    calibrate::{Severity, Thresholds},
    features::{Gate, Inputs},
    model::{Model, Past, Scored},
    series::{LabelSet, TimestampMs},
};
use ndarray::Array2;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// Rows with alerts that are remembered to hold models against.
const MAX_EXAM_ROWS: usize = 512;

/// Fewer rows with alerts say nothing.
const MIN_ALERT_ROWS: u64 = 10;

/// So much smaller may the share of the rows with alerts be that the candidate sees.
const TOLERATED_LOSS: f64 = 0.1;

/// So many times the share of the live model's may be what the candidate calls medium or high where no alert fires ...
const TOLERATED_GROWTH: f64 = 3.0;

/// ... and so much more: with few rows a share is chance.
const TOLERATED_MEDIUM: f64 = 0.01;

/// The same of high severity.
const TOLERATED_HIGH: f64 = 0.002;

/// What a model said of rows, each by itself: before persistence, seasons and limits, which are the same for every model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows on which no alert fires.
    pub rows: u64,
    /// Of them: of medium severity or high.
    pub medium: u64,
    /// Of them: of high severity.
    pub high: u64,
    /// Rows on which an alert fires or fired.
    pub alert_rows: u64,
    /// Of them: of medium severity or high.
    pub seen: u64,
}

/// Why a candidate is not put in use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rejection {
    /// It scores too few of the rows that the live model scores.
    Silent {
        /// Rows that the candidate scored.
        candidate: u64,
        /// Rows that the live model scored.
        live: u64,
    },
    /// It calls too much an anomaly where no alert fires.
    TooLoud {
        /// Severity from which on it is counted.
        severity: Severity,
        /// Share of the rows, of the candidate.
        candidate: f64,
        /// Share of the rows, of the live model.
        live: f64,
    },
    /// It sees less of what alerts fire on.
    Blind {
        /// Share of the rows with alerts that the candidate sees.
        candidate: f64,
        /// Share that the live model sees.
        live: f64,
        /// Number of these rows.
        rows: u64,
    },
}

/// A trial that is over.
#[derive(Clone, Debug)]
pub struct TrialEnd {
    /// The model that was tried.
    pub model: Arc<Model>,
    /// The first instant that was not part of it.
    pub at: TimestampMs,
    /// Whether it is put in use.
    pub outcome: Result<(), Rejection>,
    /// What it said.
    pub candidate: Tally,
    /// What the live model said.
    pub live: Tally,
}

/// A trial under way.
#[derive(Debug)]
pub(super) struct Trial {
    model: Arc<Model>,
    past: Past,
    until: TimestampMs,
    candidate: Tally,
    live: Tally,
}

/// Rows on which alerts fired: what a model must see. A seeded, bounded sample of all of them.
#[derive(Debug)]
pub(super) struct Exam {
    seed: u64,
    retention_ms: i64,
    /// By lot, time and entity; those with the last lots go.
    rows: BTreeMap<(u64, TimestampMs, LabelSet), Box<[f64]>>,
}

// === impl Tally ===

impl Tally {
    fn count(&mut self, score: &Scored, has_alert: bool, thresholds: Thresholds) {
        let severity = thresholds.severity(score.anomaly_score);
        let is_medium = u64::from(severity >= Severity::Medium);
        if has_alert {
            self.alert_rows += 1;
            self.seen += is_medium;
        } else {
            self.rows += 1;
            self.medium += is_medium;
            self.high += u64::from(severity >= Severity::High);
        }
    }

    fn share(part: u64, whole: u64) -> f64 {
        if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
    }
}

/// Whether a model with the figures of `candidate` may follow one with those of `live`.
///
/// # Errors
/// With the first thing in which it is worse.
pub(super) fn gate(candidate: &Tally, live: &Tally) -> Result<(), Rejection> {
    // It may know fewer entities: some have gone. But not a few of them only.
    if (candidate.rows + candidate.alert_rows) * 2 < live.rows + live.alert_rows {
        return Err(Rejection::Silent {
            candidate: candidate.rows + candidate.alert_rows,
            live: live.rows + live.alert_rows,
        });
    }
    let levels = [
        (Severity::Medium, candidate.medium, live.medium, TOLERATED_MEDIUM),
        (Severity::High, candidate.high, live.high, TOLERATED_HIGH),
    ];
    for (severity, of_candidate, of_live, tolerated) in levels {
        let (candidate, live) =
            (Tally::share(of_candidate, candidate.rows), Tally::share(of_live, live.rows));
        if candidate > live * TOLERATED_GROWTH + tolerated {
            return Err(Rejection::TooLoud { severity, candidate, live });
        }
    }
    let rows = candidate.alert_rows.min(live.alert_rows);
    if rows >= MIN_ALERT_ROWS {
        let candidate = Tally::share(candidate.seen, candidate.alert_rows);
        let live = Tally::share(live.seen, live.alert_rows);
        if candidate < live - TOLERATED_LOSS {
            return Err(Rejection::Blind { candidate, live, rows });
        }
    }
    Ok(())
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: &f64| format!("{:.2} %", 100.0 * share);
        match self {
            Self::Silent { candidate, live } => {
                write!(f, "it scores {candidate} rows where the live model scores {live}")
            }
            Self::TooLoud { severity, candidate, live } => {
                let (severity, candidate, live) = (severity.name(), percent(candidate), percent(live));
                write!(
                    f,
                    "{candidate} of the rows without alerts are of severity {severity} or above, {live} with the live model"
                )
            }
            Self::Blind { candidate, live, rows } => {
                let (candidate, live) = (percent(candidate), percent(live));
                write!(f, "it sees {candidate} of {rows} rows on which alerts fired, the live model {live}")
            }
        }
    }
}

// === impl Trial ===

impl Trial {
    /// A trial of `model` until an instant; `past` is how it remembers.
    pub(super) fn new(model: Arc<Model>, past: Past, until: TimestampMs) -> Self {
        Self { model, past, until, candidate: Tally::default(), live: Tally::default() }
    }

    /// Takes a step: what the live model said of it is in `live`, and the candidate is asked.
    pub(super) fn step<'g>(
        &mut self,
        inputs: &Inputs,
        live: &[Scored],
        thresholds: Thresholds,
        gates: impl Fn(&LabelSet) -> &'g [Gate],
        has_alert: impl Fn(&LabelSet) -> bool,
    ) {
        let model = &self.model;
        let scored = model.score_gated(inputs, &mut self.past, |entity| model.knows(entity), gates);
        let both = [(&mut self.live, live), (&mut self.candidate, &scored[..])];
        for (tally, scored) in both {
            scored.iter().for_each(|score| tally.count(score, has_alert(&score.entity), thresholds));
        }
    }

    /// Whether the trial is over before step `next`.
    pub(super) fn is_over_before(&self, next: TimestampMs) -> bool {
        next >= self.until
    }

    /// Ends the trial: the candidate and the live model sit the exam, and it is decided.
    pub(super) fn end<'g>(
        mut self,
        exam: &Exam,
        live: &Model,
        thresholds: Thresholds,
        gates: impl Fn(&LabelSet) -> &'g [Gate],
    ) -> TrialEnd {
        if let Some(inputs) = exam.inputs() {
            let candidate = Arc::clone(&self.model);
            for (tally, model) in [(&mut self.live, live), (&mut self.candidate, &*candidate)] {
                // Rows from here and there have no past, and only what both know is a fair question.
                let both_know = |entity: &LabelSet| live.knows(entity) && candidate.knows(entity);
                let scored = model.score_gated(&inputs, &mut Past::none(), both_know, &gates);
                scored.iter().for_each(|score| tally.count(score, true, thresholds));
            }
        }
        let outcome = gate(&self.candidate, &self.live);
        TrialEnd { model: self.model, at: self.until, outcome, candidate: self.candidate, live: self.live }
    }
}

// === impl Exam ===

impl Exam {
    /// No rows yet; those older than `retention_ms` are forgotten.
    pub(super) fn new(seed: u64, retention_ms: i64) -> Self {
        Self { seed, retention_ms, rows: BTreeMap::new() }
    }

    /// Takes the warm rows on which an alert fires.
    pub(super) fn take(&mut self, inputs: &Inputs, has_alert: impl Fn(&LabelSet) -> bool) {
        let oldest = inputs.at.plus_ms(-self.retention_ms);
        self.rows.retain(|(_, at, _), _| *at >= oldest);
        for (row, entity) in inputs.entities.iter().enumerate() {
            if !inputs.warm[row] || !has_alert(entity) {
                continue;
            }
            let own = xxhash_rust::xxh3::xxh3_64_with_seed(entity.canonical_text().as_bytes(), self.seed);
            let lot = xxhash_rust::xxh3::xxh3_64_with_seed(&inputs.at.0.to_le_bytes(), own);
            let columns = inputs.values.row(row).iter().copied().collect();
            self.rows.insert((lot, inputs.at, entity.clone()), columns);
            if self.rows.len() > MAX_EXAM_ROWS {
                self.rows.pop_last();
            }
        }
    }

    /// Takes the rows of another one.
    pub(super) fn join(&mut self, other: Self) {
        self.rows.extend(other.rows);
        while self.rows.len() > MAX_EXAM_ROWS {
            self.rows.pop_last();
        }
    }

    /// The rows as if they were of one step; none where there are none.
    fn inputs(&self) -> Option<Inputs> {
        let n_columns = self.rows.values().next()?.len();
        let n_rows = self.rows.len();
        let mut values = Array2::from_elem((n_rows, n_columns), f64::NAN);
        for (mut into, columns) in values.rows_mut().into_iter().zip(self.rows.values()) {
            into.iter_mut().zip(columns).for_each(|(into, value)| *into = *value);
        }
        Some(Inputs {
            at: self.rows.keys().map(|(_, at, _)| *at).max().unwrap_or_default(),
            entities: self.rows.keys().map(|(_, _, entity)| entity.clone()).collect(),
            values,
            present: Array2::zeros((n_rows, 0)),
            filled_steps: vec![0; n_rows],
            warm: vec![true; n_rows],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIVE: Tally = Tally { rows: 10_000, medium: 40, high: 0, alert_rows: 100, seen: 80 };

    #[test]
    fn a_model_that_is_as_good_passes() {
        assert_eq!(gate(&LIVE, &LIVE), Ok(()));
        let better = Tally { medium: 10, seen: 95, ..LIVE };
        assert_eq!(gate(&better, &LIVE), Ok(()));
    }

    #[test]
    fn a_model_that_is_worse_is_told_why() {
        let said = |candidate: Tally| gate(&candidate, &LIVE).unwrap_err().to_string();
        assert_eq!(
            said(Tally { medium: 300, ..LIVE }),
            "3.00 % of the rows without alerts are of severity medium or above, 0.40 % with the live model"
        );
        assert_eq!(
            said(Tally { high: 30, ..LIVE }),
            "0.30 % of the rows without alerts are of severity high or above, 0.00 % with the live model"
        );
        assert_eq!(
            said(Tally { seen: 60, ..LIVE }),
            "it sees 60.00 % of 100 rows on which alerts fired, the live model 80.00 %"
        );
        assert_eq!(
            said(Tally { rows: 100, medium: 0, ..LIVE }),
            "it scores 200 rows where the live model scores 10100"
        );
    }

    proptest! {
        /// For all figures of a live model, a candidate that says the same passes, and one that calls every row high does not, unless the live one
        /// does a third of it.
        #[test]
        fn sameness_passes_and_floods_do_not(rows in 1_u64..100_000, medium in 0.0..1.0_f64, seen in 0.0..1.0_f64) {
            let medium = (rows as f64 * medium) as u64;
            let live = Tally { rows, medium, high: medium / 4, alert_rows: 50, seen: (50.0 * seen) as u64 };
            prop_assert_eq!(gate(&live, &live), Ok(()));
            let flood = Tally { medium: rows, high: rows, seen: 50, ..live };
            prop_assert_eq!(gate(&flood, &live).is_err(), (live.high as f64) < rows as f64 * (1.0 - TOLERATED_HIGH) / 3.0 || (live.medium as f64) < rows as f64 * (1.0 - TOLERATED_MEDIUM) / 3.0);
        }
    }
}
