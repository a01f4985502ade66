//! What a trainer has gathered, given away to be kept, and taken back after a restart.

use super::Trainer;
use crate::{
    series::TimestampMs,
    train::{GatherState, GatherUpdate, Gathered},
};

// === impl Trainer ===

impl Trainer {
    /// Begins with what was gathered before a restart, and from now on notes what [`Self::take_update`] is to tell.
    pub(in crate::pipeline) fn keep(&mut self, gathered: Gathered) {
        let GatherState { first, last_job, not_before, .. } = gathered.state;
        self.first = first;
        self.last_job = last_job;
        self.not_before = not_before.unwrap_or(TimestampMs::MIN);
        self.reservoir.restore(gathered);
        self.reservoir.note_changes();
    }

    /// What was gathered since this was last asked, or with `everything` all that there is; none where nothing is kept.
    ///
    /// `is_settled` says that the last model is in use or given up. One under way is lost with the process: then
    /// it is as if it had not been asked for, so that it is asked for again.
    pub(in crate::pipeline) fn take_update(
        &mut self,
        everything: bool,
        is_settled: bool,
    ) -> Option<GatherUpdate> {
        let changes = self.reservoir.take_changes(everything)?;
        let state = GatherState {
            first: self.first,
            last_job: if is_settled { self.last_job } else { self.job_before },
            not_before: Some(self.not_before).filter(|at| *at > TimestampMs::MIN),
            present: self.reservoir.present(),
        };
        let n_entities = self.reservoir.entities().count();
        Some(GatherUpdate { changes, state, n_rows: self.reservoir.len(), n_entities })
    }

    /// Whether less is kept than the entities should have, because there is no room for more.
    pub(in crate::pipeline) fn is_short_of_room(&self) -> bool {
        self.reservoir.is_short_of_room()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        calibrate::Thresholds,
        features::{FeatureColumn, FeatureMatrix, FeatureSchema, FeatureWindows, SchemaSettings},
        pipeline::{TrainingPolicy, TrainingTriggers, training::Noticed},
        score::iforest::Hyperparams,
        series::LabelSet,
        train::EntityChanges,
    };
    use ndarray::Array2;

    const MINUTE_MS: i64 = 60_000;

    fn schema() -> FeatureSchema {
        FeatureSchema::new(SchemaSettings {
            step_ms: MINUTE_MS,
            window_steps: 2,
            features: vec![FeatureColumn { name: "f".to_owned(), expression: "f".to_owned() }],
            ..SchemaSettings::default()
        })
        .unwrap()
    }

    fn trainer() -> Trainer {
        Trainer::new(TrainingPolicy {
            warm_up_ms: 30 * MINUTE_MS,
            max_rows: 2_000,
            most_rows: usize::MAX,
            trial_ms: 0,
            retention_ms: i64::MAX / 2,
            triggers: TrainingTriggers::default(),
            hyperparams: Hyperparams { n_trees: 10, ..Hyperparams::default() },
            contamination: 0.0,
        })
    }

    /// Gathers the steps of three entities, and gives the first at which a model is due.
    fn run(trainer: &mut Trainer, steps: std::ops::Range<i64>) -> Option<i64> {
        let (schema, mut windows) = (schema(), FeatureWindows::new(&schema()));
        let mut due = None;
        for step in steps {
            let at = TimestampMs(step * MINUTE_MS);
            let name = |n: i64| LabelSet::from_pairs([("instance", n.to_string())]).unwrap();
            let values = Array2::from_shape_fn((3, 1), |(n, _)| ((step * 7 + n as i64) % 11) as f64);
            let matrix =
                FeatureMatrix { at, entities: (0..3).map(name).collect(), values, ambiguous: vec![0] };
            trainer.gather(&windows.push(&matrix).unwrap(), |_| true);
            let job = trainer.due(at, None, &schema, Thresholds::default(), None, &Noticed::default());
            due = due.or(job.map(|_| step));
        }
        due
    }

    /// All that a trainer told from when it began to be kept, as it would be read back.
    fn told(update: GatherUpdate) -> Gathered {
        assert!(update.changes.is_complete);
        let rows = update.changes.entities.into_iter();
        let rows = rows.map(|EntityChanges { entity, rows, .. }| (entity, rows)).collect();
        Gathered { rows, state: update.state }
    }

    #[test]
    fn nothing_is_told_unless_it_is_kept() {
        let mut trainer = trainer();
        run(&mut trainer, 0..10);
        assert_eq!(trainer.take_update(true, true), None);
    }

    /// 128 steps make an entity known; 100 of them lie before the restart.
    #[test]
    fn after_a_restart_the_next_model_comes_when_it_would_have_come() {
        let mut undisturbed = trainer();
        let due = run(&mut undisturbed, 0..400);
        let mut before = trainer();
        before.keep(Gathered::default());
        assert_eq!(run(&mut before, 0..100), None);
        let mut after = trainer();
        after.keep(told(before.take_update(true, true).unwrap()));
        assert_eq!((run(&mut after, 100..400), due), (due, Some(128)));
        // A window of two steps is warm with the first.
        assert_eq!(after.row_count(), undisturbed.row_count());
    }

    /// Nobody will ever hear of the model that was being fitted.
    #[test]
    fn a_model_that_a_restart_broke_off_is_asked_for_again() {
        let mut trainer = trainer();
        trainer.keep(Gathered::default());
        assert_eq!(run(&mut trainer, 0..130), Some(128));
        let [under_way, in_use] =
            [false, true].map(|is_settled| trainer.take_update(true, is_settled).unwrap().state);
        assert_eq!((under_way.last_job, in_use.last_job), (None, Some(TimestampMs(128 * MINUTE_MS))));
        assert_eq!(under_way.first, Some(TimestampMs(0)));
    }
}
