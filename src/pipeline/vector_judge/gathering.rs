//! What is gathered to train on, kept over a restart, and what is known of the model that came of it.

use super::VectorJudge;
use crate::{
    model::Model,
    pipeline::{
        drift::DriftFigures,
        training::{F1Source, Trainer},
    },
    train::{GatherUpdate, Gathered},
};

impl VectorJudge {
    /// Whether less is kept to train on than the entities should have, because there is no room for more.
    #[must_use]
    pub fn is_short_of_room(&self) -> bool {
        self.trainer.as_ref().is_some_and(Trainer::is_short_of_room)
    }

    /// Begins with what was gathered before, and from now on notes what [`Self::take_update`] is to tell.
    pub fn keep(&mut self, gathered: Gathered) {
        if let Some(trainer) = &mut self.trainer {
            trainer.keep(gathered);
        }
    }

    /// What was gathered since this was last asked, or with `everything` all that there is, so that it can be given to [`Self::keep`]
    /// after a restart; none where nothing is gathered or kept.
    pub fn take_update(&mut self, everything: bool) -> Option<GatherUpdate> {
        let is_settled = self.succession.is_idle();
        self.trainer.as_mut()?.take_update(everything, is_settled)
    }

    /// How far the inputs have moved from the training of the model in use, as of the end of the last hour; none where that cannot be said (yet).
    #[must_use]
    pub fn drift(&self) -> Option<&DriftFigures> {
        self.drift.figures()
    }

    /// The F1 of the model in use: against the alerts in the stream of the last while, once there are enough, or else of its validation.
    #[must_use]
    pub fn f1(&self, live: &Model) -> Option<(f64, F1Source)> {
        let of_alerts = self.live_f1.f1().map(|f1| (f1, F1Source::Alerts));
        of_alerts.or_else(|| {
            let counts = live.training().validation.as_ref().map(|validation| validation.counts);
            let counts = counts.filter(|counts| counts.incidents > 0);
            counts.map(|counts| (counts.f1_score(), F1Source::Validation))
        })
    }
}
