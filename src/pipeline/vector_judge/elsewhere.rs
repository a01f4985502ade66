//! What comes from elsewhere than from this detector's own stream: rows that another one gathered, models to be tried.

use super::{VectorJudge, past};
use crate::{
    model::Model,
    pipeline::{detector::DetectorSettings, learned::Learned, training::Trainer, trial::Exam},
    series::TimestampMs,
};
use std::sync::Arc;

impl VectorJudge {
    /// What it gathered for training, and for holding models against, with its settings.
    pub(in crate::pipeline) fn into_gathered(self) -> (DetectorSettings, Option<Trainer>, Option<Exam>) {
        (self.settings, self.trainer, self.exam)
    }

    /// Takes over what another one gathered that has the same settings.
    pub(in crate::pipeline) fn take_learned(&mut self, learned: Learned) {
        if let Some(trainer) = &mut self.trainer {
            trainer.join(learned.trainer);
        }
        if let (Some(exam), Some(other)) = (&mut self.exam, learned.exam) {
            exam.join(other);
        }
    }

    /// Tries a model that did not come of a training here, from step `at` on. Gives it back where it is to be used from that step on, else it
    /// is on trial as after [`Self::deliver`].
    ///
    /// # Errors
    /// With the model, where another one is being fitted or tried: that one first.
    pub fn nominate(
        &mut self,
        candidate: Arc<Model>,
        live: Option<&Model>,
        at: TimestampMs,
    ) -> Result<Option<Arc<Model>>, Arc<Model>> {
        if !self.succession.is_idle() {
            return Err(candidate);
        }
        let trial_ms = self.settings.training.as_ref().map_or(0, |training| training.trial_ms);
        Ok(self.succession.begin(candidate, live, at, trial_ms, past(&self.settings)))
    }
}
