//! What a detector has gathered that only listened: to train on, and to hold models against.

use super::{
    training::{Trainer, TrainingJob, version},
    trial::Exam,
    vector_judge::VectorJudge,
};
use crate::series::TimestampMs;

/// What one detector gathered from a past that it was not there for, to be taken over by the one that judges now
/// ([`Evaluator::take_learned`](super::Evaluator::take_learned)).
#[derive(Debug)]
pub struct Learned {
    pub(super) trainer: Trainer,
    pub(super) exam: Option<Exam>,
}

// === impl Learned ===

impl Learned {
    /// What `judge` gathered, and the job of a model on it as of step `at`; none where it does not train.
    pub(super) fn of(judge: VectorJudge, at: TimestampMs) -> Option<(Self, TrainingJob)> {
        let (settings, trainer, exam) = judge.into_gathered();
        let trainer = trainer?;
        let version = version("history", at);
        let job =
            trainer.first_job(at, version, &settings.schema, settings.thresholds, settings.forget_after);
        Some((Self { trainer, exam }, job))
    }
}
