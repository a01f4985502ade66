//! Feature vectors of the past, as a detector would have seen them.

use super::{
    detector::Detector,
    evaluator::Evaluator,
    leaves::{LeafMemory, LeafTable},
};
use crate::{
    features::FeatureMatrix,
    series::{LabelMatcher, SampleBatch, TimestampMs},
    window::{self, AppendCounts, Store},
};

/// The windows and expressions of one detector, without a judge behind them.
///
/// It takes samples in any order that the windows take, and gives the vectors of each step once all samples up to it are there, which
/// the caller knows. Its memory is that of the windows.
#[derive(Debug)]
pub struct Extraction {
    store: Store,
    memory: LeafMemory,
    table: LeafTable,
    evaluator: Evaluator,
    step_ms: i64,
    next: TimestampMs,
}

/// The vectors of one step.
#[derive(Debug)]
pub struct Vectors {
    /// Entity by feature.
    pub matrix: FeatureMatrix,
    /// Features that have no value at this step, each with the reason.
    pub failed: Vec<(String, String)>,
}

// === impl Extraction ===

impl Extraction {
    /// The vectors from the first step on that is not before `from`. The retention is what the detector's expressions look back on,
    /// whatever `window` says.
    #[must_use]
    pub fn new(detector: Detector, window: window::Config, from: TimestampMs) -> Self {
        let step_ms = detector.settings.schema.step_ms();
        let (evaluator, table) = Evaluator::new(vec![detector]);
        let config = window::Config { retention_ms: table.retention_ms(), ..window };
        let mut store = Store::new(config, table.selectors()).read_aside(table.aside());
        let down = from.align_down(step_ms);
        let next = if down == from { down } else { down.plus_ms(step_ms) };
        store.begin_step(next);
        Self { store, memory: LeafMemory::default(), table, evaluator, step_ms, next }
    }

    /// The series that it wants: of each list all matchers hold.
    #[must_use]
    pub fn selectors(&self) -> Vec<Vec<LabelMatcher>> {
        self.table.selectors()
    }

    /// The oldest samples that matter.
    #[must_use]
    pub fn wants_from(&self) -> TimestampMs {
        self.next.plus_ms(-self.table.retention_ms())
    }

    /// The step whose vectors come next.
    #[must_use]
    pub fn next_step(&self) -> TimestampMs {
        self.next
    }

    /// Takes samples.
    pub fn append(&mut self, batch: &SampleBatch) -> AppendCounts {
        // What a store took is not of the future.
        self.store.append(batch, TimestampMs::MAX)
    }

    /// The vectors of the next step, unless it is after `until`, up to which all samples are there.
    pub fn vectors(&mut self, until: TimestampMs) -> Option<Vectors> {
        let at = self.next;
        if at > until {
            return None;
        }
        let leaves = self.table.evaluate(&mut self.store, at, &mut self.memory);
        let leaves = self.evaluator.gather(vec![leaves]);
        let vectors = self.evaluator.vectors(&leaves, at).next();
        self.store.mark_evaluated(at);
        self.next = at.plus_ms(self.step_ms);
        self.store.begin_step(self.next);
        vectors.map(|(matrix, failed)| Vectors { matrix, failed })
    }
}
