//! A bounded sample of rows, even over time.

use crate::{
    features::Inputs,
    series::{LabelSet, TimestampMs},
};
use ndarray::Array2;
use std::collections::BTreeMap;

/// How much a reservoir keeps, and how it chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReservoirSettings {
    /// Most rows kept.
    pub max_rows: usize,
    /// Length of a stratum: rows are thinned where a stratum holds the most.
    pub stratum_ms: i64,
    /// Source of the choice.
    pub seed: u64,
}

impl Default for ReservoirSettings {
    /// 50,000 rows, hour by hour: enough for a tail of one in a million, and 25 MB with 10 features.
    fn default() -> Self {
        Self { max_rows: 50_000, stratum_ms: 3_600_000, seed: 42 }
    }
}

/// A seeded sample of input rows: bounded, and even over time.
///
/// Every row has a fixed place in a lottery, drawn from the seed, its entity and its time. When there are
/// too many rows, the stratum with the most gives up its row with the last place. So what is kept of a
/// stratum is a uniform sample of it, and a busy day cannot push out a quiet one.
#[derive(Clone, Debug)]
pub struct Reservoir {
    settings: ReservoirSettings,
    strata: BTreeMap<i64, BTreeMap<RowKey, Box<[f64]>>>,
    len: usize,
}

/// Place in the lottery, then what makes the row unique.
type RowKey = (u64, TimestampMs, LabelSet);

/// Rows to train on, ascending by time, then entity.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingRows {
    /// The entities among them, ascending.
    pub entities: Vec<LabelSet>,
    /// For each row its time.
    pub at: Vec<TimestampMs>,
    /// For each row its index in `entities`.
    pub entity_of: Vec<usize>,
    /// Row x column of [`Inputs`].
    pub values: Array2<f64>,
}

// === impl Reservoir ===

impl Reservoir {
    /// An empty reservoir.
    #[must_use]
    pub fn new(settings: ReservoirSettings) -> Self {
        Self { settings, strata: BTreeMap::new(), len: 0 }
    }

    /// Takes the warm rows of `inputs` for which `keep` holds (false for rows inside an incident); gives
    /// how many were considered. A row that was offered before is replaced.
    pub fn offer(&mut self, inputs: &Inputs, mut keep: impl FnMut(usize) -> bool) -> usize {
        let stratum = inputs.at.0.div_euclid(self.settings.stratum_ms.max(1));
        let mut offered = 0;
        for (row, entity) in inputs.entities.iter().enumerate() {
            if !(inputs.warm[row] && keep(row)) {
                continue;
            }
            offered += 1;
            let key = (self.place(entity, inputs.at), inputs.at, entity.clone());
            let columns: Box<[f64]> = inputs.values.row(row).iter().copied().collect();
            if self.strata.entry(stratum).or_default().insert(key, columns).is_none() {
                self.len += 1;
            }
            if self.len > self.settings.max_rows {
                self.thin();
            }
        }
        offered
    }

    /// Forgets rows before `oldest`.
    pub fn forget_before(&mut self, oldest: TimestampMs) {
        for stratum in self.strata.values_mut() {
            stratum.retain(|(_, at, _), _| *at >= oldest);
        }
        self.strata.retain(|_, stratum| !stratum.is_empty());
        self.len = self.strata.values().map(BTreeMap::len).sum();
    }

    /// Number of rows kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The rows kept, to train on.
    #[must_use]
    pub fn rows(&self) -> TrainingRows {
        let mut rows: Vec<(TimestampMs, &LabelSet, &[f64])> = self
            .strata
            .values()
            .flat_map(|stratum| stratum.iter().map(|((_, at, entity), columns)| (*at, entity, &**columns)))
            .collect();
        rows.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        let mut entities: Vec<LabelSet> = rows.iter().map(|(_, entity, _)| (*entity).clone()).collect();
        entities.sort_unstable();
        entities.dedup();
        let n_columns = rows.first().map_or(0, |(_, _, columns)| columns.len());
        let mut values = Array2::from_elem((rows.len(), n_columns), f64::NAN);
        for (mut into, (_, _, columns)) in values.rows_mut().into_iter().zip(&rows) {
            into.iter_mut().zip(*columns).for_each(|(into, value)| *into = *value);
        }
        TrainingRows {
            at: rows.iter().map(|(at, _, _)| *at).collect(),
            // Every entity was just put into the list.
            entity_of: rows.iter().map(|(_, e, _)| entities.binary_search(e).unwrap_or(0)).collect(),
            entities,
            values,
        }
    }

    fn place(&self, entity: &LabelSet, at: TimestampMs) -> u64 {
        let text = entity.canonical_text().as_bytes();
        let own = xxhash_rust::xxh3::xxh3_64_with_seed(text, self.settings.seed);
        xxhash_rust::xxh3::xxh3_64_with_seed(&at.0.to_le_bytes(), own)
    }

    /// Gives up one row of the fullest stratum, the oldest of them.
    fn thin(&mut self) {
        let fullest = self.strata.iter().rev().max_by_key(|(_, stratum)| stratum.len()).map(|(key, _)| *key);
        let stratum = fullest.and_then(|key| self.strata.get_mut(&key));
        if stratum.is_some_and(|stratum| stratum.pop_last().is_some()) {
            self.len -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inputs(minute: i64, entities: usize) -> Inputs {
        let name = |n: usize| LabelSet::from_pairs([("instance", format!("{n}"))]).unwrap();
        Inputs {
            at: TimestampMs(minute * 60_000),
            entities: (0..entities).map(name).collect(),
            values: Array2::from_elem((entities, 1), minute as f64),
            present: Array2::zeros((entities, 1)),
            filled_steps: vec![1; entities],
            warm: vec![true; entities],
        }
    }

    fn reservoir(max_rows: usize) -> Reservoir {
        Reservoir::new(ReservoirSettings { max_rows, ..ReservoirSettings::default() })
    }

    #[test]
    fn a_busy_hour_does_not_push_out_quiet_ones() {
        let mut kept = reservoir(60);
        for minute in 0..60 {
            kept.offer(&inputs(minute, 20), |_| true);
        }
        for minute in 60..180 {
            kept.offer(&inputs(minute, 1), |_| true);
        }
        let rows = kept.rows();
        let in_hour = |hour: i64| rows.at.iter().filter(|at| at.0 / 3_600_000 == hour).count();
        assert_eq!([in_hour(0), in_hour(1), in_hour(2)], [20, 20, 20]);
    }

    #[test]
    fn cold_and_excluded_rows_stay_out() {
        let mut kept = reservoir(10);
        let mut cold = inputs(1, 3);
        cold.warm[0] = false;
        assert_eq!(kept.offer(&cold, |row| row != 1), 1);
        assert_eq!(kept.rows().entities, [cold.entities[2].clone()]);
    }

    proptest! {
        /// For all streams, a reservoir keeps at most its bound, rows ascending, and the same ones again
        /// when they are offered again.
        #[test]
        fn bounded_sorted_and_repeatable(steps in prop::collection::vec(1_usize..6, 0..80), max in 1_usize..40) {
            let run = || {
                let mut kept = reservoir(max);
                for (minute, entities) in steps.iter().enumerate() {
                    kept.offer(&inputs(minute as i64 * 7, *entities), |_| true);
                }
                kept
            };
            let rows = run().rows();
            prop_assert_eq!(rows.at.len(), steps.iter().sum::<usize>().min(max));
            let keys: Vec<_> = rows.at.iter().zip(&rows.entity_of).collect();
            prop_assert!(keys.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(rows, run().rows());
        }
    }
}
