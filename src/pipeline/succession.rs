//! How one model of a detector follows another, in the time of the data.
//!
//! ```text
//! idle --a training is due--> fitting --a minute later--> on trial --for a while--> put in use, or rejected
//!                                |                                                          |
//!                                +--no live model yet: put in use at once                    +--> idle
//! ```
//!
//! A model is fitted beside the steps, but which step is the first that it scores is a matter of the data alone: the one a minute
//! (four steps, where they are shorter) after the step that asked for it, however fast the machine is. A machine that needs longer waits then.

use super::trial::{Trial, TrialEnd};
use crate::{
    model::{Model, Past},
    series::TimestampMs,
};
use std::sync::Arc;

/// How long a training is given before steps wait for it, at most ...
const FITTING_MS: i64 = 60_000;

/// ... and at most so many steps: where steps are short so are warm-ups, fleets and trainings.
const FITTING_STEPS: i64 = 4;

/// A trial takes no more than this part of the time that the live model was trained on: a young detector learns quickly.
const SHARE_OF_TRAINING: i64 = 4;

/// Where the succession stands.
#[derive(Debug, Default)]
pub(super) enum Succession {
    #[default]
    Idle,
    Fitting {
        due: TimestampMs,
    },
    OnTrial(Box<Trial>),
}

// === impl Succession ===

impl Succession {
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }

    /// A model is being fitted since step `at`, of steps that are `step_ms` apart.
    pub(super) fn fit(&mut self, at: TimestampMs, step_ms: i64) {
        *self = Self::Fitting { due: at.plus_ms(FITTING_MS.min(FITTING_STEPS * step_ms)) };
    }

    /// Whether the model that is being fitted must be there before step `next` is judged.
    pub(super) fn awaits_before(&self, next: TimestampMs) -> bool {
        matches!(self, Self::Fitting { due } if *due <= next)
    }

    /// Takes the model that was awaited; none where fitting failed. Gives it back where it is to be used at
    /// once, because there is none or no trial is wished.
    pub(super) fn deliver(
        &mut self,
        candidate: Option<Arc<Model>>,
        live: Option<&Model>,
        trial_ms: i64,
        past: Past,
    ) -> Option<Arc<Model>> {
        let Self::Fitting { due } = std::mem::take(self) else { return None };
        self.begin(candidate?, live, due, trial_ms, past)
    }

    /// Begins the trial of `candidate` at step `at`, where none is under way. Gives it back where it is to be used at once, because
    /// there is no live model or no trial is wished.
    pub(super) fn begin(
        &mut self,
        candidate: Arc<Model>,
        live: Option<&Model>,
        at: TimestampMs,
        trial_ms: i64,
        past: Past,
    ) -> Option<Arc<Model>> {
        let Some(live) = live else { return Some(candidate) };
        let seen_ms = live.training().last.since_ms(live.training().first);
        let trial_ms = trial_ms.min(seen_ms / SHARE_OF_TRAINING);
        if trial_ms <= 0 {
            return Some(candidate);
        }
        *self = Self::OnTrial(Box::new(Trial::new(candidate, past, at.plus_ms(trial_ms))));
        None
    }

    /// The trial under way.
    pub(super) fn trial(&mut self) -> Option<&mut Trial> {
        match self {
            Self::OnTrial(trial) => Some(trial),
            _ => None,
        }
    }

    /// Ends the trial if it is over at step `at`, by `end`.
    pub(super) fn end_trial(
        &mut self,
        next: TimestampMs,
        end: impl FnOnce(Trial) -> TrialEnd,
    ) -> Option<TrialEnd> {
        match std::mem::take(self) {
            Self::OnTrial(trial) if trial.is_over_before(next) => Some(end(*trial)),
            other => {
                *self = other;
                None
            }
        }
    }
}
