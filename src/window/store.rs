//! The series of one shard and their windows.

use super::{
    append::{AppendCounts, AppendOutcome},
    chunks::Room,
    selectors::{Reading, SelectorIndex},
    series::{Series, SeriesView},
};
use crate::series::{LabelMatcher, LabelSet, SampleBatch, SeriesEntry, TimestampMs, is_stale_marker};
use hashbrown::HashTable;
use std::ops::Range;

/// Place of a series in its shard.
pub(super) type SeriesId = u32;

/// Limits of one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How far before the last evaluated step samples are kept: the longest range plus offset of
    /// any expression.
    pub retention_ms: i64,
    /// Samples further ahead of the wall clock are refused (Prometheus' own bound is ten minutes).
    pub max_ahead_ms: i64,
    /// Most series held at once; further ones are refused and counted.
    pub max_series: usize,
    /// Most bytes held by labels and windows together.
    pub max_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            retention_ms: 5 * 60_000,
            max_ahead_ms: 10 * 60_000,
            max_series: 1_000_000,
            max_bytes: 2 << 30,
        }
    }
}

/// How far the data of a store has come towards the step it waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Series that a detector reads, that were alive at the last step, and that have no sample at
    /// or after the awaited step yet.
    pub behind: usize,
    /// Newest timestamp of any series that a detector reads.
    pub newest: Option<TimestampMs>,
    /// Oldest first timestamp among them: where the first step can be.
    pub oldest: Option<TimestampMs>,
}

/// The windows of one shard. See the module for what it promises.
#[derive(Debug)]
pub struct Store {
    config: Config,
    by_hash: HashTable<SeriesId>,
    slots: Vec<Option<Series>>,
    free: Vec<SeriesId>,
    selectors: SelectorIndex,
    /// The step being waited for, once there is one.
    awaited: Option<TimestampMs>,
    /// The last evaluated step: what arrives at or before it is late.
    evaluated: Option<TimestampMs>,
    progress: Progress,
    /// How often series were dropped.
    drops: u32,
    bytes: usize,
    /// Where the series of the batch at hand are; kept for its memory.
    places: Vec<Option<SeriesId>>,
}

/// Where a reader goes on that looks at the series bit by bit, and which of them it is to see: those of its first
/// look, but never a series that was dropped and made again since, which it may have seen before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    place: usize,
    /// Drops before the first look.
    era: Option<u32>,
}

/// What holds for every sample of a batch.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    keep_from: TimestampMs,
    too_far: TimestampMs,
    evaluated: Option<TimestampMs>,
}

/// What a series costs beside its label text and its samples: its slot, its table entry, its places
/// in selector lists, the header of the shared label text.
const SERIES_OVERHEAD_BYTES: usize = size_of::<Option<Series>>() + 48;

// === impl Store ===

impl Store {
    /// An empty store that files its series under `selectors` (each a list of matchers that must all hold).
    #[must_use]
    pub fn new(config: Config, selectors: Vec<Vec<LabelMatcher>>) -> Self {
        Self {
            config,
            by_hash: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            selectors: SelectorIndex::new(selectors),
            awaited: None,
            evaluated: None,
            progress: Progress::default(),
            drops: 0,
            bytes: 0,
            places: Vec::new(),
        }
    }

    /// The same, where the selectors at these places read *aside*: from whatever sends, also from what no detector looks at. Their
    /// series say nothing of how far the data has come, and no step waits for one that brings less than a sample a step.
    #[must_use]
    pub fn read_aside(mut self, selectors: impl IntoIterator<Item = usize>) -> Self {
        selectors.into_iter().for_each(|selector| self.selectors.set_aside(selector));
        self
    }

    /// Takes a batch; `now` is the wall clock, for the bound on the future.
    pub fn append(&mut self, batch: &SampleBatch, now: TimestampMs) -> AppendCounts {
        let mut counts = AppendCounts::default();
        let bounds = Bounds {
            keep_from: self.keep_from(),
            too_far: now.plus_ms(self.config.max_ahead_ms),
            evaluated: self.evaluated,
        };
        // All look-ups first: each waits for memory, and so they wait together.
        let mut places = std::mem::take(&mut self.places);
        places.clear();
        places.extend(batch.iter().map(|entry| self.find(entry.hash)));
        for (entry, place) in batch.iter().zip(&places) {
            self.append_entry(entry, *place, &bounds, &mut counts);
        }
        self.places = places;
        counts
    }

    fn append_entry(
        &mut self,
        entry: SeriesEntry<'_>,
        place: Option<SeriesId>,
        bounds: &Bounds,
        counts: &mut AppendCounts,
    ) {
        // An earlier entry of this batch may have made the series.
        let mut id = place.or_else(|| self.find(entry.hash));
        for sample in entry.samples {
            let outcome = match self.accept(entry, sample.timestamp, bounds, &mut id, counts) {
                Ok(id) => {
                    let stale = is_stale_marker(sample.value);
                    let append = |series: &mut Series, room| series.append(*sample, room);
                    self.append_with(id, sample.timestamp, stale, bounds, counts, append)
                }
                Err(refused) => refused,
            };
            counts.count(outcome);
        }
        for sample in entry.histograms {
            let outcome = match self.accept(entry, sample.timestamp, bounds, &mut id, counts) {
                Ok(id) => {
                    let stale = sample.histogram.is_stale_marker();
                    let append = |series: &mut Series, room| series.append_histogram(sample, room);
                    self.append_with(id, sample.timestamp, stale, bounds, counts, append)
                }
                Err(refused) => refused,
            };
            counts.count_histogram(outcome);
        }
    }

    /// The series that takes a sample of this time. A series is made by its first acceptable sample, never
    /// by a refused one.
    #[inline]
    fn accept(
        &mut self,
        entry: SeriesEntry<'_>,
        timestamp: TimestampMs,
        bounds: &Bounds,
        id: &mut Option<SeriesId>,
        counts: &mut AppendCounts,
    ) -> Result<SeriesId, AppendOutcome> {
        if timestamp > bounds.too_far {
            return Err(AppendOutcome::TooFarInFuture);
        }
        if timestamp < bounds.keep_from {
            return Err(AppendOutcome::TooOld);
        }
        let found = id.map_or_else(|| self.create(entry, counts), Ok)?;
        *id = Some(found);
        Ok(found)
    }

    #[inline]
    fn append_with(
        &mut self,
        id: SeriesId,
        timestamp: TimestampMs,
        stale: bool,
        bounds: &Bounds,
        counts: &mut AppendCounts,
        append: impl FnOnce(&mut Series, Room) -> AppendOutcome,
    ) -> AppendOutcome {
        let Some(series) = self.slots[id as usize].as_mut() else {
            // `find` and `create` only return filled slots.
            debug_assert!(false, "empty slot {id}");
            return AppendOutcome::SeriesLimit;
        };
        let held = series.window_bytes();
        let room = Room { keep_from: bounds.keep_from, may_grow: self.bytes <= self.config.max_bytes };
        let outcome = append(series, room);
        self.bytes = self.bytes + series.window_bytes() - held;
        if matches!(outcome, AppendOutcome::Appended | AppendOutcome::OutOfOrder) {
            counts.stale_markers += u64::from(stale);
            if series.reading == Reading::Awaited {
                // Late for a score; a series that no detector reads is not waited for, so never late.
                counts.late += u64::from(bounds.evaluated.is_some_and(|step| timestamp <= step));
                self.progress.newest = self.progress.newest.max(Some(timestamp));
            }
            let ended = stale && outcome == AppendOutcome::Appended;
            if series.behind && (ended || self.awaited.is_some_and(|step| timestamp >= step)) {
                series.behind = false;
                self.progress.behind -= 1;
            }
        }
        outcome
    }

    fn find(&self, hash: u128) -> Option<SeriesId> {
        let slots = &self.slots;
        let same = |id: &SeriesId| slots[*id as usize].as_ref().is_some_and(|s| s.hash == hash);
        self.by_hash.find(hash as u64, same).copied()
    }

    fn create(
        &mut self,
        entry: SeriesEntry<'_>,
        counts: &mut AppendCounts,
    ) -> Result<SeriesId, AppendOutcome> {
        if self.series_count() >= self.config.max_series {
            return Err(AppendOutcome::SeriesLimit);
        }
        let cost = SERIES_OVERHEAD_BYTES + entry.labels.len();
        if self.bytes + cost > self.config.max_bytes {
            return Err(AppendOutcome::BytesLimit);
        }
        let id = self.free.pop().unwrap_or(self.slots.len() as SeriesId);
        let labels = LabelSet::from_canonical(entry.labels);
        let reading = self.selectors.insert(id, &labels);
        let wanted = reading == Reading::Awaited;
        // A series that appears while a step is awaited is waited for as well: its samples up to
        // the step may still be on their way.
        let behind = wanted && self.awaited.is_some();
        self.progress.behind += usize::from(behind);
        let times = entry.samples.iter().map(|s| s.timestamp);
        let times = times.chain(entry.histograms.iter().map(|s| s.timestamp));
        if wanted && let Some(first) = times.min() {
            self.progress.oldest = Some(self.progress.oldest.map_or(first, |oldest| oldest.min(first)));
        }
        let series = Series::new(entry.hash, labels, self.drops, reading, behind);
        if id as usize == self.slots.len() {
            self.slots.push(Some(series));
        } else {
            self.slots[id as usize] = Some(series);
        }
        let slots = &self.slots;
        let rehash = |id: &SeriesId| slots[*id as usize].as_ref().map_or(0, |s| s.hash as u64);
        self.by_hash.insert_unique(entry.hash as u64, id, rehash);
        self.bytes += cost;
        counts.series_created += 1;
        Ok(id)
    }

    /// Says that step `at` has been evaluated: what arrives at or before it is late from now on.
    pub fn mark_evaluated(&mut self, at: TimestampMs) {
        self.evaluated = Some(at);
    }

    /// Starts to wait for step `next`; drops the series that have left the windows.
    ///
    /// Awaited are the series that some detector reads (those read aside, where they come at every step), that have not ended, and that had reached
    /// the last evaluated step: a series that fell silent delays one step at the most.
    pub fn begin_step(&mut self, next: TimestampMs) {
        self.awaited = Some(next);
        self.progress.behind = 0;
        let (keep_from, evaluated) = (self.keep_from(), self.evaluated);
        let mut gone = Vec::new();
        for (id, slot) in self.slots.iter_mut().enumerate() {
            let Some(series) = slot else { continue };
            let held = series.window_bytes();
            series.trim_histograms(keep_from);
            self.bytes = self.bytes + series.window_bytes() - held;
            let Some((newest, ended)) = series.newest().filter(|(newest, _)| *newest >= keep_from) else {
                gone.push(id as SeriesId);
                continue;
            };
            series.behind = series.is_awaited(evaluated, next)
                && newest < next
                && !ended
                && evaluated.is_none_or(|evaluated| newest >= evaluated);
            self.progress.behind += usize::from(series.behind);
        }
        self.evict(gone);
    }

    fn evict(&mut self, gone: Vec<SeriesId>) {
        if gone.is_empty() {
            return;
        }
        self.drops = self.drops.wrapping_add(1);
        for id in &gone {
            if let Some(series) = self.slots[*id as usize].take() {
                let found = self.by_hash.find_entry(series.hash as u64, |other| other == id);
                if let Ok(entry) = found {
                    entry.remove();
                }
                self.bytes -=
                    SERIES_OVERHEAD_BYTES + series.labels.canonical_text().len() + series.window_bytes();
            }
        }
        let slots = &self.slots;
        self.selectors.remove(|id| slots[id as usize].is_none());
        self.free.extend(gone);
    }

    /// Brings the selector lists into label order; call once before [`Self::select`]ing for a step.
    pub fn prepare(&mut self) {
        let slots = &self.slots;
        // Lists hold filled slots only; an empty one would sort first and be skipped by `select`.
        let empty = LabelSet::empty();
        self.selectors.sort(|id| slots[id as usize].as_ref().map_or(&empty, |s| &s.labels));
    }

    /// The series at these places of the list of registered selector number `selector`, by ascending labels
    /// (after [`Self::prepare`]). Series that are made after that stand behind all that were there; only
    /// [`Self::begin_step`] takes any away.
    pub fn select(&self, selector: usize, places: Range<usize>) -> impl Iterator<Item = SeriesView<'_>> {
        let keep_from = self.keep_from();
        let ids = self.selectors.ids(selector);
        let ids = &ids[places.start.min(ids.len())..places.end.min(ids.len())];
        ids.iter()
            .filter_map(move |id| self.slots[*id as usize].as_ref().map(|series| series.view(keep_from)))
    }

    /// How many series registered selector number `selector` has.
    #[must_use]
    pub fn selected_count(&self, selector: usize) -> usize {
        self.selectors.ids(selector).len()
    }

    /// The series from `cursor` on, each with where to go on to look at it: a reader can stop and go on later. The
    /// default cursor is the beginning. A series keeps its place as long as it is held.
    pub fn series_from(&self, cursor: Cursor) -> impl Iterator<Item = (Cursor, SeriesView<'_>)> {
        let keep_from = self.keep_from();
        let era = cursor.era.unwrap_or(self.drops);
        let slots = self.slots.iter().enumerate().skip(cursor.place);
        slots.filter_map(move |(place, slot)| {
            let series = slot.as_ref().filter(|series| !series.is_younger_than(era))?;
            Some((Cursor { place, era: Some(era) }, series.view(keep_from)))
        })
    }

    /// The series with this hash, if it is held.
    #[must_use]
    pub fn series(&self, hash: u128) -> Option<SeriesView<'_>> {
        let series = self.slots.get(self.find(hash)? as usize)?.as_ref()?;
        Some(series.view(self.keep_from()))
    }

    /// The earliest sample after `at` of any series that a detector reads.
    #[must_use]
    pub fn next_after(&self, at: TimestampMs) -> Option<TimestampMs> {
        let keep_from = self.keep_from();
        let wanted = self.slots.iter().flatten().filter(|series| series.reading == Reading::Awaited);
        wanted.filter_map(|series| series.view(keep_from).first_after(at)).min()
    }

    /// How far the data has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Number of series held.
    #[must_use]
    pub fn series_count(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Bytes held by labels and windows, as counted for the limit.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Samples before this are outside every window.
    fn keep_from(&self) -> TimestampMs {
        self.evaluated.map_or(TimestampMs::MIN, |step| step.plus_ms(-self.config.retention_ms))
    }
}
