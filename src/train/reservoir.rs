//! A bounded sample of rows, even over entities and over time.

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
        Self { max_rows: 50_000, min_entity_rows: MIN_ENTITY_ROWS, stratum_ms: 3_600_000, seed: 42 }
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
    entities: BTreeMap<LabelSet, EntityRows>,
    len: usize,
    present: Present,
}

/// How many entities there are: the most of a step of this day or the day before, so that a step at which most of them are
/// missing costs nobody the rows of days.
#[derive(Clone, Copy, Debug, Default)]
struct Present {
    day: i64,
    today: usize,
    day_before: usize,
}

/// The rows of one entity, ascending by time, never none.
type EntityRows = Vec<KeptRow>;

#[derive(Clone, Debug)]
struct KeptRow {
    at: TimestampMs,
    columns: Box<[f64]>,
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
        Self { settings, entities: BTreeMap::new(), len: 0, present: Present::default() }
    }

    /// Takes the warm rows of `inputs` for which `keep` holds (false for rows inside an incident); gives
    /// how many were considered. A row that was offered before is replaced.
    pub fn offer(&mut self, inputs: &Inputs, mut keep: impl FnMut(usize) -> bool) -> usize {
        let offered: Vec<usize> =
            (0..inputs.entities.len()).filter(|row| inputs.warm[*row] && keep(*row)).collect();
        let entities: Vec<LabelSet> = offered.iter().map(|row| inputs.entities[*row].clone()).collect();
        for (row, own) in offered.iter().zip(values_of(&mut self.entities, &entities, Vec::new)) {
            let kept = KeptRow { at: inputs.at, columns: inputs.values.row(*row).iter().copied().collect() };
            match own.binary_search_by_key(&inputs.at, |kept| kept.at) {
                Ok(same) => own[same] = kept,
                Err(place) => {
                    own.insert(place, kept);
                    self.len += 1;
                }
            }
        }
        self.present.note(inputs.at, inputs.entities.len());
        self.thin();
        offered.len()
    }

    /// Forgets rows before `oldest`.
    pub fn forget_before(&mut self, oldest: TimestampMs) {
        self.entities.retain(|_, own| {
            own.drain(..own.partition_point(|kept| kept.at < oldest));
            !own.is_empty()
        });
        self.len = self.entities.values().map(Vec::len).sum();
    }

    /// Forgets the rows from `at` on.
    pub fn forget_from(&mut self, at: TimestampMs) {
        self.entities.retain(|_, own| {
            own.truncate(own.partition_point(|kept| kept.at < at));
            !own.is_empty()
        });
        self.len = self.entities.values().map(Vec::len).sum();
    }

    /// Takes the rows of an entity from `since` on out again, and gives how many there were. The rows that were given up for
    /// them do not come back.
    pub fn take_back(&mut self, entity: &LabelSet, since: TimestampMs) -> usize {
        let Some(own) = self.entities.get_mut(entity) else { return 0 };
        let taken = own.drain(own.partition_point(|kept| kept.at < since)..).count();
        if own.is_empty() {
            self.entities.remove(entity);
        }
        self.len -= taken;
        taken
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

    /// Gives up what is too much for the entities that there are.
    fn thin(&mut self) {
        let ReservoirSettings { min_entity_rows, stratum_ms, seed, .. } = self.settings;
        let max_rows = self.settings.max_rows.max(self.present.most().saturating_mul(min_entity_rows));
        if self.len <= max_rows {
            return;
        }
        self.forget_silent(max_rows / min_entity_rows.max(1));
        let mut all: Vec<(&LabelSet, &mut EntityRows)> = self.entities.iter_mut().collect();
        // The entity with the most rows first, of equal ones the last.
        let mut by_size: BinaryHeap<(usize, usize)> =
            all.iter().enumerate().map(|(entity, (_, own))| (own.len(), entity)).collect();
        while self.len > max_rows
            && let Some((size, entity)) = by_size.pop()
        {
            let (labels, own) = &mut all[entity];
            own.remove(row_to_give_up(labels, own, stratum_ms, seed));
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
            self.len -= self.entities.remove(entity).map_or(0, |own| own.len());
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inputs(minute: i64, entities: usize) -> Inputs {
        let name = |n: usize| LabelSet::from_pairs([("instance", format!("{n}"))]).unwrap();
        let mut names: Vec<LabelSet> = (0..entities).map(name).collect();
        names.sort();
        Inputs {
            at: TimestampMs(minute * 60_000),
            entities: names,
            values: Array2::from_elem((entities, 1), minute as f64),
            present: Array2::zeros((entities, 1)),
            filled_steps: vec![1; entities],
            warm: vec![true; entities],
        }
    }

    fn reservoir(max_rows: usize) -> Reservoir {
        Reservoir::new(ReservoirSettings { max_rows, min_entity_rows: 1, ..ReservoirSettings::default() })
    }

    fn counts(kept: &Reservoir) -> Vec<usize> {
        kept.entities().map(|(_, rows)| rows).collect()
    }

    #[test]
    fn a_long_day_does_not_push_out_a_short_one() {
        let mut kept = reservoir(30);
        for minute in (0..20).chain(60..180) {
            kept.offer(&inputs(minute, 1), |_| true);
        }
        let rows = kept.rows();
        let in_hour = |hour: i64| rows.at.iter().filter(|at| at.0 / 3_600_000 == hour).count();
        assert_eq!([in_hour(0), in_hour(1), in_hour(2)], [10, 10, 10]);
    }

    #[test]
    fn a_newcomer_keeps_all_it_has_until_it_has_its_share() {
        let mut kept = reservoir(400);
        for minute in 0..1000 {
            kept.offer(&inputs(minute, 3), |_| true);
        }
        for minute in 1000..1090 {
            kept.offer(&inputs(minute, 4), |_| true);
        }
        assert_eq!(counts(&kept), [104, 103, 103, 90]);
        for minute in 1090..1200 {
            kept.offer(&inputs(minute, 4), |_| true);
        }
        assert_eq!(counts(&kept), [100, 100, 100, 100]);
    }

    #[test]
    fn rows_are_counted_around_an_instant() {
        let mut kept = reservoir(1000);
        (0..100).for_each(|minute| _ = kept.offer(&inputs(minute, 2), |row| row == 0 || minute < 20));
        let minute = |minute: i64| TimestampMs(minute * 60_000);
        let counts: Vec<_> = kept.counts_around(minute(10), minute(30)).collect();
        assert_eq!(counts, [(20, 70), (10, 0)]);
    }

    /// A fleet so large that an equal share of the rows would be too few to know anyone.
    #[test]
    fn every_entity_present_may_keep_what_it_takes_to_know_it() {
        let settings =
            ReservoirSettings { max_rows: 100, min_entity_rows: 8, ..ReservoirSettings::default() };
        let mut kept = Reservoir::new(settings);
        for minute in 0..200 {
            kept.offer(&inputs(minute, 50), |_| true);
        }
        assert_eq!(counts(&kept), [8; 50]);
    }

    /// Pods come and go: what is kept does not grow with all that ever were.
    #[test]
    fn those_silent_for_longest_are_forgotten() {
        let settings =
            ReservoirSettings { max_rows: 60, min_entity_rows: 10, ..ReservoirSettings::default() };
        let mut kept = Reservoir::new(settings);
        for minute in 0..400 {
            let mut two = inputs(minute, 2);
            // The second is another one every 20 minutes.
            two.entities[1] =
                LabelSet::from_pairs([("instance", format!("pod {:04}", minute / 20))]).unwrap();
            kept.offer(&two, |_| true);
        }
        let names: Vec<_> = kept.entities().map(|(entity, _)| entity.get("instance").unwrap()).collect();
        assert_eq!(names, ["0", "pod 0015", "pod 0016", "pod 0017", "pod 0018", "pod 0019"]);
        assert_eq!(counts(&kept), [10; 6]);
    }

    /// Not the first ones, nor every tenth, which could be one entity's; in their order, and the same again.
    #[test]
    fn some_rows_are_drawn_from_all() {
        let mut kept = reservoir(1_000);
        for minute in 0..100 {
            kept.offer(&inputs(minute, 10), |_| true);
        }
        let rows = kept.rows();
        let drawn = rows.drawn(200, 7);
        assert_eq!((drawn.at.len(), drawn.entity_of.len(), drawn.values.nrows()), (200, 200, 200));
        assert!(drawn.at.iter().zip(&drawn.entity_of).is_sorted_by(|a, b| a < b));
        let of_entity = |entity| drawn.entity_of.iter().filter(|of| **of == entity).count();
        assert!((0..10).all(|entity| (8..=35).contains(&of_entity(entity))), "even over the entities");
        assert_eq!((&*drawn, &*rows.drawn(5_000, 7)), (&*rows.drawn(200, 7), &rows));
        assert_ne!(rows.drawn(200, 8), drawn);
    }

    #[test]
    fn cold_and_excluded_rows_stay_out() {
        let mut kept = reservoir(10);
        let mut cold = inputs(1, 3);
        cold.warm[0] = false;
        assert_eq!(kept.offer(&cold, |row| row != 1), 1);
        assert_eq!(kept.rows().entities, [cold.entities[2].clone()]);
    }

    /// Forty entities of which half are silent for a step, then all: nobody's rows are given up.
    #[test]
    fn a_step_without_most_of_the_entities_costs_no_rows() {
        let settings = ReservoirSettings { max_rows: 40, min_entity_rows: 8, ..ReservoirSettings::default() };
        let mut kept = Reservoir::new(settings);
        let mut step = |minute, entities| {
            kept.offer(&inputs(minute, entities), |_| true);
            kept.entities().count()
        };
        assert_eq!((0..20).map(|minute| step(minute, 40)).last(), Some(40));
        assert_eq!([step(20, 20), step(21, 0), step(5_000, 0), step(5_001, 40)], [40; 4]);
    }

    #[test]
    fn rows_from_an_instant_on_are_forgotten() {
        let mut kept = reservoir(40);
        for minute in 0..20 {
            kept.offer(&inputs(minute, if minute < 15 { 1 } else { 2 }), |_| true);
        }
        kept.forget_from(TimestampMs(15 * 60_000));
        assert_eq!((counts(&kept), kept.len()), (vec![15], 15), "nobody is kept without rows");
        assert_eq!(kept.rows().at.last(), Some(&TimestampMs(14 * 60_000)));
    }

    #[test]
    fn rows_that_are_taken_back_make_room() {
        let mut kept = reservoir(40);
        for minute in 0..20 {
            kept.offer(&inputs(minute, 2), |_| true);
        }
        let second = inputs(0, 2).entities.remove(1);
        assert_eq!(kept.take_back(&second, TimestampMs(15 * 60_000)), 5);
        assert_eq!((counts(&kept), kept.len()), (vec![20, 15], 35));
        assert_eq!(kept.take_back(&LabelSet::empty(), TimestampMs(0)), 0);
        assert_eq!(kept.take_back(&second, TimestampMs(0)), 15);
        assert_eq!((counts(&kept), kept.len()), (vec![20], 20), "nobody is kept without rows");
    }

    proptest! {
        /// For all streams, a reservoir keeps everything while there is room, then at most its bound (or a row
        /// for each entity of one day); rows ascend, and are the same ones again when they are offered again.
        #[test]
        fn bounded_sorted_and_repeatable(steps in prop::collection::vec(1_usize..6, 1..80), max in 1_usize..40) {
            let run = || {
                let mut kept = reservoir(max);
                for (minute, entities) in steps.iter().enumerate() {
                    kept.offer(&inputs(minute as i64 * 7, *entities), |_| true);
                }
                kept
            };
            let rows = run().rows();
            let (offered, bound) = (steps.iter().sum::<usize>(), max.max(*steps.iter().max().unwrap()));
            prop_assert!(rows.at.len() <= bound && (offered > max || rows.at.len() == offered));
            let keys: Vec<_> = rows.at.iter().zip(&rows.entity_of).collect();
            prop_assert!(keys.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(rows, run().rows());
        }
    }
}
