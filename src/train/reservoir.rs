//! A bounded sample of rows, even over entities and over time.

use super::changes::{ChangeNotes, Columns, note_gone};
use crate::{
    features::Inputs,
    model::MIN_ENTITY_ROWS,
    series::{LabelSet, TimestampMs, values_of},
};
use ndarray::{Array2, Axis};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BinaryHeap},
};

const DAY_MS: i64 = 86_400_000;

/// How much a reservoir keeps, and how it chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReservoirSettings {
    /// Most rows kept, shared among the entities.
    pub max_rows: usize,
    /// Most rows kept whatever the entities may keep: where there is no room for more.
    pub most_rows: usize,
    /// Rows that each entity of the latest step may keep even when they are more than `max_rows`
    /// together: without them nobody knows what is ordinary for it.
    pub min_entity_rows: usize,
    /// Length of a stratum: rows of an entity are thinned where a stratum holds the most.
    pub stratum_ms: i64,
    /// Source of the choice.
    pub seed: u64,
}

impl Default for ReservoirSettings {
    /// 50,000 rows, enough for a tail of one in a million and 25 MB with 10 features; for each entity
    /// as many as it takes to be scaled by itself; hour by hour.
    fn default() -> Self {
        Self {
            max_rows: 50_000,
            most_rows: usize::MAX,
            min_entity_rows: MIN_ENTITY_ROWS,
            stratum_ms: 3_600_000,
            seed: 42,
        }
    }
}

/// A seeded sample of input rows: bounded, and even over entities and over time.
///
/// When there are too many rows, the entity with the most gives one up: of the stratum in which it
/// has the most, the row with the last place in a lottery that is drawn from the seed, the entity
/// and the time. So what is kept of a stratum is a uniform sample of it, a busy day cannot push out a
/// quiet one, and an entity that is new keeps all it has until it has its share.
///
/// When the shares become too small, the entities that have been silent for longest are forgotten.
#[derive(Clone, Debug)]
pub struct Reservoir {
    settings: ReservoirSettings,
    pub(super) entities: BTreeMap<LabelSet, EntityRows>,
    pub(super) len: usize,
    pub(super) present: Present,
    /// Where somebody wants to know what changes.
    pub(super) changes: Option<ChangeNotes>,
}

/// How many entities there are: the most of a step of this day or the day before, so that a step at which most of them are
/// missing costs nobody the rows of days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// A day, as days since 1970 in UTC.
    pub day: i64,
    /// The most entities of a step on it.
    pub today: usize,
    /// The same of the day before.
    pub day_before: usize,
}

/// The rows of one entity, ascending by time, never none.
pub(super) type EntityRows = Vec<KeptRow>;

#[derive(Clone, Debug)]
pub(super) struct KeptRow {
    pub(super) at: TimestampMs,
    pub(super) columns: Columns,
}

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

// === impl TrainingRows ===

impl TrainingRows {
    /// At most `most` of the rows: those with the first places in a lottery drawn from `seed`.
    pub(super) fn drawn(&self, most: usize, seed: u64) -> Cow<'_, Self> {
        if self.at.len() <= most {
            return Cow::Borrowed(self);
        }
        let lot = |row: &usize| (xxhash_rust::xxh3::xxh3_64_with_seed(&row.to_le_bytes(), seed), *row);
        let mut chosen: Vec<usize> = (0..self.at.len()).collect();
        chosen.select_nth_unstable_by_key(most, lot);
        chosen.truncate(most);
        chosen.sort_unstable();
        Cow::Owned(Self {
            entities: self.entities.clone(),
            at: chosen.iter().map(|row| self.at[*row]).collect(),
            entity_of: chosen.iter().map(|row| self.entity_of[*row]).collect(),
            values: self.values.select(Axis(0), &chosen),
        })
    }
}

// === impl Reservoir ===

impl Reservoir {
    /// An empty reservoir.
    #[must_use]
    pub fn new(settings: ReservoirSettings) -> Self {
        Self { settings, entities: BTreeMap::new(), len: 0, present: Present::default(), changes: None }
    }

    /// Takes the warm rows of `inputs` for which `keep` holds (false for rows inside an incident); gives
    /// how many were considered. A row that was offered before is replaced.
    pub fn offer(&mut self, inputs: &Inputs, mut keep: impl FnMut(usize) -> bool) -> usize {
        let offered: Vec<usize> =
            (0..inputs.entities.len()).filter(|row| inputs.warm[*row] && keep(*row)).collect();
        let entities: Vec<LabelSet> = offered.iter().map(|row| inputs.entities[*row].clone()).collect();
        for (row, own) in offered.iter().zip(values_of(&mut self.entities, &entities, Vec::new)) {
            let values = inputs.values.row(*row);
            let columns = values.as_slice().map_or_else(|| values.iter().copied().collect(), Columns::from);
            let kept = KeptRow { at: inputs.at, columns };
            match own.binary_search_by_key(&inputs.at, |kept| kept.at) {
                Ok(same) => own[same] = kept,
                Err(place) => {
                    own.insert(place, kept);
                    self.len += 1;
                }
            }
        }
        if let Some(changes) = &mut self.changes {
            entities.iter().for_each(|entity| changes.note(entity, inputs.at));
        }
        self.present.note(inputs.at, inputs.entities.len());
        self.thin();
        if let Some(changes) = &mut self.changes {
            changes.bound(self.len);
        }
        offered.len()
    }

    /// Forgets rows before `oldest`.
    pub fn forget_before(&mut self, oldest: TimestampMs) {
        self.entities.retain(|entity, own| {
            let gone = own.drain(..own.partition_point(|kept| kept.at < oldest));
            note_gone(&mut self.changes, entity, gone);
            !own.is_empty()
        });
        self.len = self.entities.values().map(Vec::len).sum();
    }

    /// Forgets the rows from `at` on.
    pub fn forget_from(&mut self, at: TimestampMs) {
        self.entities.retain(|entity, own| {
            let gone = own.drain(own.partition_point(|kept| kept.at < at)..);
            note_gone(&mut self.changes, entity, gone);
            !own.is_empty()
        });
        self.len = self.entities.values().map(Vec::len).sum();
    }

    /// Takes the rows of an entity from `since` on out again, and gives how many there were. The rows that were given up for
    /// them do not come back.
    pub fn take_back(&mut self, entity: &LabelSet, since: TimestampMs) -> usize {
        let Some(own) = self.entities.get_mut(entity) else { return 0 };
        let gone = own.drain(own.partition_point(|kept| kept.at < since)..);
        let taken = note_gone(&mut self.changes, entity, gone);
        if own.is_empty() {
            self.entities.remove(entity);
        }
        self.len -= taken;
        taken
    }

    /// Takes the rows of another one, where it has none of that entity and time itself.
    pub fn join(&mut self, other: Self) {
        for (entity, rows) in other.entities {
            let own = self.entities.entry(entity).or_default();
            for row in rows {
                if let Err(place) = own.binary_search_by_key(&row.at, |kept| kept.at) {
                    own.insert(place, row);
                    self.len += 1;
                }
            }
        }
        self.present = self.present.max(other.present);
        self.thin();
        if let Some(changes) = &mut self.changes {
            changes.note_all();
        }
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

    /// The entities of which rows are kept, ascending, each with how many.
    pub fn entities(&self) -> impl Iterator<Item = (&LabelSet, usize)> {
        self.entities.iter().map(|(entity, own)| (entity, own.len()))
    }

    /// For each entity that is kept how many of its rows are from `begin` up to `since`, and from there on.
    pub fn counts_around(
        &self,
        begin: TimestampMs,
        since: TimestampMs,
    ) -> impl Iterator<Item = (usize, usize)> {
        self.entities.values().map(move |own| {
            let before = |at: TimestampMs| own.partition_point(|kept| kept.at < at);
            (before(since) - before(begin.min(since)), own.len() - before(since))
        })
    }

    /// The rows kept, to train on.
    #[must_use]
    pub fn rows(&self) -> TrainingRows {
        let mut rows: Vec<(TimestampMs, usize, &[f64])> = self
            .entities
            .values()
            .enumerate()
            .flat_map(|(entity, own)| own.iter().map(move |kept| (kept.at, entity, &*kept.columns)))
            .collect();
        rows.sort_unstable_by_key(|(at, entity, _)| (*at, *entity));
        let n_columns = rows.first().map_or(0, |(_, _, columns)| columns.len());
        let mut values = Array2::from_elem((rows.len(), n_columns), f64::NAN);
        for (mut into, (_, _, columns)) in values.rows_mut().into_iter().zip(&rows) {
            into.iter_mut().zip(*columns).for_each(|(into, value)| *into = *value);
        }
        TrainingRows {
            entities: self.entities.keys().cloned().collect(),
            at: rows.iter().map(|(at, _, _)| *at).collect(),
            entity_of: rows.iter().map(|(_, entity, _)| *entity).collect(),
            values,
        }
    }

    /// Whether there is room for fewer rows than the entities that there are should have.
    #[must_use]
    pub fn is_short_of_room(&self) -> bool {
        self.wanted_rows() > self.settings.most_rows
    }

    fn wanted_rows(&self) -> usize {
        let ReservoirSettings { max_rows, min_entity_rows, .. } = self.settings;
        max_rows.max(self.present.most().saturating_mul(min_entity_rows))
    }

    /// Gives up what is too much for the entities that there are.
    fn thin(&mut self) {
        let ReservoirSettings { most_rows, min_entity_rows, stratum_ms, seed, .. } = self.settings;
        let max_rows = self.wanted_rows().min(most_rows);
        if self.len <= max_rows {
            return;
        }
        // Those that are there share what there is.
        self.forget_silent((max_rows / min_entity_rows.max(1)).max(self.present.most()));
        let mut all: Vec<(&LabelSet, &mut EntityRows)> = self.entities.iter_mut().collect();
        // The entity with the most rows first, of equal ones the last.
        let mut by_size: BinaryHeap<(usize, usize)> =
            all.iter().enumerate().map(|(entity, (_, own))| (own.len(), entity)).collect();
        while self.len > max_rows
            && let Some((size, entity)) = by_size.pop()
        {
            let (labels, own) = &mut all[entity];
            let given_up = own.remove(row_to_give_up(labels, own, stratum_ms, seed));
            note_gone(&mut self.changes, labels, [given_up]);
            self.len -= 1;
            by_size.push((size - 1, entity));
        }
        // With fewer rows than entities some are left without.
        self.entities.retain(|_, own| !own.is_empty());
    }

    /// Forgets the entities whose last row is oldest, until there are at most `most`.
    fn forget_silent(&mut self, most: usize) {
        let excess = self.entities.len().saturating_sub(most.max(1));
        if excess == 0 {
            return;
        }
        let mut last: Vec<(Option<TimestampMs>, LabelSet)> = self
            .entities
            .iter()
            .map(|(entity, own)| (own.last().map(|kept| kept.at), entity.clone()))
            .collect();
        last.sort_unstable();
        for (_, entity) in &last[..excess] {
            let own = self.entities.remove(entity).unwrap_or_default();
            self.len -= note_gone(&mut self.changes, entity, own);
        }
    }
}

// === impl Present ===

impl Present {
    fn note(&mut self, at: TimestampMs, count: usize) {
        // Where nobody is, the sender is away, and the days do not count.
        if count == 0 {
            return;
        }
        let day = at.0.div_euclid(DAY_MS);
        if day != self.day {
            self.day_before = if day == self.day + 1 { self.today } else { 0 };
            (self.day, self.today) = (day, 0);
        }
        self.today = self.today.max(count);
    }

    fn most(&self) -> usize {
        self.today.max(self.day_before)
    }

    /// The later of two; of the same day the one with more.
    fn max(self, other: Self) -> Self {
        if (self.day, self.today) >= (other.day, other.today) { self } else { other }
    }
}

/// Which of `rows`, of which there is at least one: of the stratum with the most, the oldest of them,
/// the row with the last place in the lottery.
fn row_to_give_up(entity: &LabelSet, rows: &[KeptRow], stratum_ms: i64, seed: u64) -> usize {
    let stratum = |row: &KeptRow| row.at.0.div_euclid(stratum_ms.max(1));
    let (mut begin, mut fullest) = (0, 0..0);
    for own in rows.chunk_by(|a, b| stratum(a) == stratum(b)) {
        if own.len() > fullest.len() {
            fullest = begin..begin + own.len();
        }
        begin += own.len();
    }
    let own_seed = xxhash_rust::xxh3::xxh3_64_with_seed(entity.canonical_text().as_bytes(), seed);
    let place = |row: &usize| xxhash_rust::xxh3::xxh3_64_with_seed(&rows[*row].at.0.to_le_bytes(), own_seed);
    fullest.max_by_key(place).unwrap_or(0)
}

#[cfg(test)]
mod tests;
