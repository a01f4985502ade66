//! Values for features that have none at a step, where the rules ask for some.
//!
//! Only an entity that has a value of some feature gets others filled in: one of which nothing is heard is silent. What
//! is filled in goes into the windows like any other value, so into scores and training; it is said which features it was.

use super::rules::{AppliedRules, OnGap};
use crate::{
    features::FeatureMatrix,
    series::{LabelSet, TimestampMs},
};
use std::collections::BTreeMap;

/// The last values of those features that are held.
#[derive(Debug)]
pub(super) struct GapFiller {
    /// How long a value is held.
    hold_ms: i64,
    entities: BTreeMap<LabelSet, Entity>,
}

#[derive(Debug)]
struct Entity {
    last: TimestampMs,
    /// One for each feature: its last value and when that was seen.
    values: Vec<Option<(TimestampMs, f64)>>,
}

/// A value that was filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filled {
    /// Row of the matrix.
    pub(super) row: usize,
    /// Column of the matrix.
    pub(super) feature: usize,
}

// === impl GapFiller ===

impl GapFiller {
    /// Bytes that one entity takes, where anything is held.
    pub(super) fn bytes_an_entity(n_features: usize) -> usize {
        size_of::<Entity>() + n_features * size_of::<Option<(TimestampMs, f64)>>()
    }

    /// Has seen nothing; holds values for `hold_ms`.
    pub(super) fn new(hold_ms: i64) -> Self {
        Self { hold_ms, entities: BTreeMap::new() }
    }

    /// Forgets one entity.
    pub(super) fn forget(&mut self, entity: &LabelSet) {
        self.entities.remove(entity);
    }

    /// Fills the gaps of a step as the rules ask for it; gives what was filled in, row by row.
    pub(super) fn fill(&mut self, rules: &AppliedRules, matrix: &mut FeatureMatrix) -> Vec<Filled> {
        let mut filled = Vec::new();
        if !rules.fills_gaps() {
            return filled;
        }
        let at = matrix.at;
        for (row, (entity, mut values)) in matrix.entities.iter().zip(matrix.values.rows_mut()).enumerate() {
            if values.iter().all(|value| value.is_nan()) {
                continue;
            }
            let fresh = || Entity { last: at, values: vec![None; values.len()] };
            let known = self.entities.entry(entity.clone()).or_insert_with(fresh);
            known.last = at;
            let places = values.iter_mut().zip(&mut known.values).zip(rules.of(entity));
            for (feature, ((value, held), rules)) in places.enumerate() {
                if !value.is_nan() {
                    *held = Some((at, *value));
                    continue;
                }
                let stands_for_it = match rules.on_gap {
                    OnGap::Ignore => None,
                    OnGap::Zero => Some(0.0),
                    OnGap::Hold => {
                        held.filter(|(seen, _)| at.since_ms(*seen) <= self.hold_ms).map(|(_, last)| last)
                    }
                };
                if let Some(other) = stands_for_it {
                    *value = other;
                    filled.push(Filled { row, feature });
                }
            }
        }
        self.entities.retain(|_, entity| at.since_ms(entity.last) <= self.hold_ms);
        filled
    }
}

#[cfg(test)]
mod tests;
