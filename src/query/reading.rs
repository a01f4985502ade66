//! Reads the samples of series as they are held, in the order of labels, a batch at a time.
//!
//! Shards keep their series in no order, so a selection is read in two passes: first the labels of all its series are
//! listed and sorted, then their samples are fetched in that order, from each shard as many series as a piece holds. What
//! is in memory at once is the list, a piece of each shard, and the batch.

use super::{
    Engine, QueryError,
    gather::{Deadline, gather},
    label_sets,
    place::Place,
};
use crate::{
    promql::Budget,
    series::{LabelMatcher, LabelSet, Sample, TimestampMs, series_hash},
    shards::{Finding, HeldSamples, Question, Read, SamplesQuestion, SeriesQuestion, Shards},
    window::Cursor,
};
use std::{collections::VecDeque, iter::Enumerate, ops::RangeInclusive, slice, sync::Arc, vec};
use tokio::sync::{mpsc, oneshot};

/// Most series that a shard is asked for at once.
const MAX_ASKED: usize = 256;

/// Bytes beyond which a batch takes no further series.
const MAX_BATCH_BYTES: usize = 1 << 20;

/// Which series are read, and how much of them.
#[derive(Clone, Debug)]
pub struct Selection {
    /// All hold for each series.
    pub matchers: Vec<LabelMatcher>,
    /// The time, both ends included.
    pub range: RangeInclusive<TimestampMs>,
    /// Labels that the order of the series does not go by: a reader that takes them off merges what it gets by the others.
    /// All series have them, with one value each.
    pub taken_off: Vec<String>,
}

/// A series that was read. It has a sample of either kind.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectedSeries {
    /// Place of the selection in the list of them.
    pub selection: usize,
    /// Its identity.
    pub labels: LabelSet,
    /// What it holds in the range of the selection.
    pub held: HeldSamples,
}

/// Reads the series of some selections: one selection after the other, in each the series in the order of their labels, each
/// series once.
///
/// As long as it lives it has a place among the queries that run, and the time that a query has.
#[derive(Debug)]
pub struct Reading {
    shards: Vec<Shards>,
    max_samples: usize,
    deadline: Deadline,
    selections: Enumerate<vec::IntoIter<Selection>>,
    current: Option<Listed>,
    _place: Place,
}

/// The series of a selection that are still to be read.
#[derive(Debug)]
struct Listed {
    selection: usize,
    range: RangeInclusive<TimestampMs>,
    /// By labels, each with the number of its lane.
    series: vec::IntoIter<(LabelSet, usize)>,
    lanes: Vec<Lane>,
}

/// One shard, asked for its series in the order in which they are needed.
#[derive(Debug)]
struct Lane {
    reads: mpsc::Sender<Read>,
    /// Series that it has not been asked for.
    wanted: VecDeque<u128>,
    /// What it said of the series before those.
    held: VecDeque<HeldSamples>,
}

// === impl Engine ===

impl Engine {
    /// Begins to read when there is a place.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn read(&self, selections: Vec<Selection>) -> Result<Reading, QueryError> {
        let deadline = Deadline::after(self.limits.timeout);
        let place = self.places.take(&deadline).await?;
        Ok(Reading {
            shards: self.shards.clone(),
            max_samples: self.limits.max_samples,
            deadline,
            selections: selections.into_iter().enumerate(),
            current: None,
            _place: place,
        })
    }
}

// === impl Reading ===

impl Reading {
    /// The next series, about a mebibyte of them; none when all were read.
    ///
    /// # Errors
    /// When it takes too long, or a single series has more samples than a query may hold. The reading is of no use then.
    pub async fn next_batch(&mut self) -> Result<Vec<SelectedSeries>, QueryError> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < MAX_BATCH_BYTES
            && let Some(series) = self.next().await?
        {
            bytes += series.size_bytes();
            batch.push(series);
        }
        Ok(batch)
    }

    /// All series that are left.
    ///
    /// # Errors
    /// As [`Self::next_batch`], and when together they have more samples than a query may hold; sixteen bytes of labels count
    /// as one.
    pub async fn read_all(&mut self) -> Result<Vec<SelectedSeries>, QueryError> {
        let (mut all, mut points) = (Vec::new(), 0_usize);
        while let Some(series) = self.next().await? {
            points = points.saturating_add(series.points());
            if points > self.max_samples {
                return Err(QueryError::TooManySamples);
            }
            all.push(series);
        }
        Ok(all)
    }

    /// What `work` gives, unless the time of the reading is over before.
    ///
    /// # Errors
    /// When it is.
    pub async fn within_time<T>(
        &self,
        stage: &'static str,
        work: impl Future<Output = T>,
    ) -> Result<T, QueryError> {
        self.deadline.limit(stage, work).await
    }

    async fn next(&mut self) -> Result<Option<SelectedSeries>, QueryError> {
        loop {
            let Some(listed) = &mut self.current else {
                let Some((number, selection)) = self.selections.next() else { return Ok(None) };
                self.current = Some(self.list(number, selection).await?);
                continue;
            };
            let Some((labels, lane)) = listed.series.next() else {
                self.current = None;
                continue;
            };
            let held = listed.lanes[lane].next(&listed.range, &self.deadline, self.max_samples).await?;
            // Its samples may have left the windows since it was listed.
            if !held.is_empty() {
                return Ok(Some(SelectedSeries { selection: listed.selection, labels, held }));
            }
        }
    }

    /// Lists the series of a selection and sorts them, on a thread of its own.
    async fn list(&self, number: usize, selection: Selection) -> Result<Listed, QueryError> {
        let Selection { matchers, range, taken_off } = selection;
        let mut found = Vec::with_capacity(self.shards.len());
        for shards in &self.shards {
            let (any_of, from, until) = (vec![matchers.clone()], *range.start(), *range.end());
            let questions = vec![Question::Series(SeriesQuestion { any_of, from, until })];
            let shards = slice::from_ref(shards);
            let findings = gather(shards, questions, &self.deadline, self.max_samples).await?;
            found.push((shards[0].clone(), label_sets(findings)));
        }
        let order = move || Listed::new(number, range, &taken_off, found);
        tokio::task::spawn_blocking(order).await.map_err(QueryError::Broken)
    }
}

// === impl SelectedSeries ===

impl SelectedSeries {
    /// What it counts in the budget of a query: labels cost memory as samples do, and may be all there is.
    fn points(&self) -> usize {
        self.held.points() + self.labels.canonical_text().len().div_ceil(size_of::<Sample>())
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.labels.canonical_text().len() + self.held.size_bytes()
    }
}

// === impl Listed ===

impl Listed {
    fn new(
        selection: usize,
        range: RangeInclusive<TimestampMs>,
        taken_off: &[String],
        found: Vec<(Shards, Vec<LabelSet>)>,
    ) -> Self {
        let mut lanes: Vec<Lane> = Vec::new();
        let mut series = Vec::new();
        for (shards, labels) in found {
            let first = lanes.len();
            lanes.extend(shards.reads().cloned().map(Lane::new));
            series.extend(labels.into_iter().map(|labels| {
                let hash = series_hash(labels.canonical_text(), shards.hash_seed());
                (labels, hash, first + shards.shard_of(hash))
            }));
        }
        if taken_off.is_empty() {
            series.sort_unstable_by(|(a, ..), (b, ..)| a.cmp(b));
        } else {
            let is_left = |name: &str| taken_off.iter().all(|taken| taken != name);
            series.sort_by_cached_key(|(labels, ..)| labels.filtered(|label| is_left(label.name)));
        }
        let assign = |(labels, hash, lane): (LabelSet, u128, usize)| {
            lanes[lane].wanted.push_back(hash);
            (labels, lane)
        };
        let series: Vec<_> = series.into_iter().map(assign).collect();
        Self { selection, range, series: series.into_iter(), lanes }
    }
}

// === impl Lane ===

impl Lane {
    fn new(reads: mpsc::Sender<Read>) -> Self {
        Self { reads, wanted: VecDeque::new(), held: VecDeque::new() }
    }

    /// The samples of the next series of this shard.
    async fn next(
        &mut self,
        range: &RangeInclusive<TimestampMs>,
        deadline: &Deadline,
        max_samples: usize,
    ) -> Result<HeldSamples, QueryError> {
        if self.held.is_empty() {
            let series: Vec<u128> = self.wanted.iter().take(MAX_ASKED).copied().collect();
            let question = Arc::new(Question::Samples(SamplesQuestion { series, range: range.clone() }));
            let budget = Budget::new(max_samples, deadline.expired());
            let (reply, answer) = oneshot::channel();
            let read = Read { question, from: Cursor::default(), budget, reply };
            let asking = async {
                self.reads.send(read).await.map_err(|_| QueryError::NoAnswer)?;
                answer.await.map_err(|_| QueryError::NoAnswer)
            };
            let piece = deadline.limit("query execution", asking).await??;
            if let Finding::Samples(held) = piece.finding? {
                self.wanted.drain(..held.len().min(self.wanted.len()));
                self.held = held.into();
            }
        }
        self.held.pop_front().ok_or(QueryError::NoAnswer)
    }
}
