//! The recent evidence of the entities that a model scores.

use super::{MemberKind, scaling::MIN_ENTITY_ROWS};
use crate::{
    calibrate::{Memory, Recent},
    series::{LabelSet, TimestampMs},
};
use std::collections::{BTreeMap, VecDeque};

/// Steps over which a raw score is held.
pub(super) const HELD_STEPS: usize = 5;

/// What the entities of a detector showed lately, see [`Recent`]. It belongs to one model, whose evidence it is. The next
/// one begins with what it says itself of the rows that it was trained on, of entities that had enough of them.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// None: nothing is remembered, and evidence is that of the training alone.
    memory: Option<Memory>,
    /// The model that gave the evidence: its version and when it was trained.
    of: Option<(String, TimestampMs)>,
    entities: BTreeMap<LabelSet, Entity>,
}

#[derive(Clone, Debug)]
struct Entity {
    last: TimestampMs,
    /// How often it was judged.
    judged: usize,
    /// A memory for each kind of evidence.
    recent: Vec<Recent>,
    /// Raw scores of the last steps, oldest first; at most [`HELD_STEPS`].
    raw: VecDeque<(TimestampMs, f64)>,
}

// === impl Past ===

impl Past {
    /// No past: every row is judged by the training alone.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// An empty past that fades as `memory` says.
    #[must_use]
    pub fn new(memory: Memory) -> Self {
        Self { memory: Some(memory), ..Self::default() }
    }

    /// Bytes that one entity takes: a memory for each member of a model. A model that was trained here has as many again.
    #[must_use]
    pub fn bytes_an_entity() -> usize {
        let held = HELD_STEPS * size_of::<(TimestampMs, f64)>();
        size_of::<Entity>() + MemberKind::ALL.len() * size_of::<Recent>() + held
    }

    /// Forgets the entities that were not judged since `oldest`.
    pub fn forget_before(&mut self, oldest: TimestampMs) {
        self.entities.retain(|_, entity| entity.last >= oldest);
    }

    /// Forgets one entity.
    pub fn forget(&mut self, entity: &LabelSet) {
        self.entities.remove(entity);
    }

    /// Number of entities that are remembered.
    #[must_use]
    pub fn entity_count(&self) -> usize {
        self.entities.len()
    }

    /// Begins a step of this model; `of_training` is what it says of the rows that it was trained on.
    pub(super) fn begin(&mut self, version: &str, created_at: TimestampMs, of_training: &Self) {
        if self.of.as_ref().is_some_and(|(of, at)| of == version && *at == created_at) {
            return;
        }
        self.of = Some((version.to_owned(), created_at));
        self.entities.clear();
        if let Some(memory) = self.memory {
            // A few rows that stand for days say too little: one strange one among them would be a tenth of all.
            let known = of_training.entities.iter().filter(|(_, known)| known.judged >= MIN_ENTITY_ROWS);
            self.entities.extend(known.map(|(entity, known)| (entity.clone(), known.in_steps_of(memory))));
        }
    }

    /// Turns the evidence that `entity` gives at the step `at`, in factors of ten, into what remains of it beside
    /// its recent past, and remembers it.
    pub(crate) fn judge(&mut self, entity: &LabelSet, at: TimestampMs, evidence: &mut [f64]) {
        let Some(memory) = self.memory else { return };
        if !self.entities.contains_key(entity) {
            let recent = vec![Recent::new(memory); evidence.len()];
            self.entities
                .insert(entity.clone(), Entity { last: at, judged: 0, recent, raw: VecDeque::new() });
        }
        let Some(entity) = self.entities.get_mut(entity) else { return };
        entity.last = at;
        entity.judged += 1;
        for (evidence, recent) in evidence.iter_mut().zip(&mut entity.recent) {
            *evidence = recent.judge(*evidence, at);
        }
    }

    /// The mean of `raw` and the largest raw score of the last [`HELD_STEPS`] steps, this one among them: what was
    /// strange a moment ago has not become ordinary. Of an entity that is not remembered, `raw` itself.
    pub(crate) fn hold(&mut self, entity: &LabelSet, at: TimestampMs, raw: f64) -> f64 {
        let (Some(memory), Some(entity)) = (self.memory, self.entities.get_mut(entity)) else { return raw };
        let oldest = at.plus_ms(-memory.steps_ms(HELD_STEPS - 1));
        entity.raw.push_back((at, raw));
        while entity.raw.front().is_some_and(|(at, _)| *at < oldest) {
            entity.raw.pop_front();
        }
        let largest = entity.raw.iter().map(|(_, raw)| *raw).fold(raw, f64::max);
        0.5 * (raw + largest)
    }
}

// === impl Entity ===

impl Entity {
    fn in_steps_of(&self, memory: Memory) -> Self {
        let recent = self.recent.iter().map(|recent| recent.clone().in_steps_of(memory)).collect();
        Self { last: self.last, judged: self.judged, recent, raw: VecDeque::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_raw_score_is_held_for_five_steps_and_no_longer() {
        let entity = LabelSet::empty();
        let mut past = Past::new(Memory::new(Duration::from_secs(3_600), 1_000));
        let raw_at = |second: i64| if second == 0 { 4.0 } else { 1.0 };
        let mut held = |second: i64| {
            let at = TimestampMs(1_000 * second);
            past.judge(&entity, at, &mut [0.0]);
            past.hold(&entity, at, raw_at(second))
        };
        let seen: Vec<f64> = (0..6).map(&mut held).collect();
        assert_eq!(seen, [4.0, 2.5, 2.5, 2.5, 2.5, 1.0]);
    }

    /// Every tenth step was a training row, and each was far out: so what is far out is ordinary already.
    #[test]
    fn a_new_model_begins_with_what_it_says_of_its_training() {
        const STEP_MS: i64 = 60_000;
        let fade = Duration::from_secs(3 * 86_400);
        let (restless, unknown) = (LabelSet::from_pairs([("instance", "a")]).unwrap(), LabelSet::empty());
        let mut of_training = Past::new(Memory::new(fade, 10 * STEP_MS));
        let (rows, last) = (6 * 24 * 3, TimestampMs(6 * 24 * 3 * 10 * STEP_MS));
        for row in 1..=rows {
            of_training.judge(&restless, TimestampMs(row * 10 * STEP_MS), &mut [3.0]);
        }
        let mut past = Past::new(Memory::new(fade, STEP_MS));
        past.begin("first", last, &of_training);
        let mut said = |entity: &LabelSet, minutes: i64| {
            let mut evidence = [3.0];
            past.judge(entity, last.plus_ms(minutes * STEP_MS), &mut evidence);
            evidence[0]
        };
        assert!(said(&restless, 1) < 0.5, "three days of it");
        assert!(said(&unknown, 1) > 2.99, "of this one there is nothing");
        // An hour later the tail is drawn anew, in steps: the hour weighs as much as it is long.
        assert!(said(&restless, 61) < 0.5);
        assert_eq!(past.entity_count(), 2);
        past.begin("first", last, &Past::none());
        assert_eq!(past.entity_count(), 2, "the same model goes on");
        past.begin("second", last, &Past::none());
        assert_eq!(past.entity_count(), 0, "another one that was not trained here knows nothing");
    }

    #[test]
    fn a_gap_ends_what_is_held_and_without_a_memory_nothing_is() {
        let entity = LabelSet::empty();
        let mut past = Past::new(Memory::new(Duration::from_secs(3_600), 1_000));
        for (second, raw, expected) in [(0, 4.0, 4.0), (4, 1.0, 2.5), (60, 1.0, 1.0)] {
            let at = TimestampMs(1_000 * second);
            past.judge(&entity, at, &mut [0.0]);
            assert_eq!(past.hold(&entity, at, raw), expected, "second {second}");
        }
        let mut none = Past::none();
        none.judge(&entity, TimestampMs(0), &mut [0.0]);
        assert_eq!(none.hold(&entity, TimestampMs(0), 4.0), 4.0);
        assert_eq!(none.hold(&entity, TimestampMs(1_000), 1.0), 1.0);
    }
}
