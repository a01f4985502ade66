//! When rows stand: the step, gaps, rows too many.

use crate::series::TimestampMs;
use std::collections::BTreeMap;

/// Most different distances of two rows that are told apart; further ones count as the nearest of these that is shorter.
const MAX_DISTANCES: usize = 10_000;
/// Most gaps that are named.
const MAX_GAPS: usize = 20;

const HOUR_MS: i64 = 3_600_000;

/// Figures of the times of rows. A row belongs to its entity: rows of different entities are not compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times {
    /// First and last time of any row; none without rows.
    pub range: Option<(TimestampMs, TimestampMs)>,
    /// The most frequent distance of two rows of an entity, in milliseconds; of equally frequent ones the shortest. None without two rows.
    pub step_ms: Option<i64>,
    /// Distances of two rows that are neither the step nor a multiple of it.
    pub off_step: u64,
    /// Rows of an entity with the time of the row before.
    pub repeated: u64,
    /// Rows of an entity with an earlier time than the row before.
    pub backwards: u64,
    /// Of these, rows exactly one hour early but for a step: as local time repeats an hour in autumn.
    pub hour_back: u64,
    /// Rows that could not be read.
    pub unreadable: u64,
    /// Gaps: two rows of an entity at least two steps apart.
    pub gaps: u64,
    /// Rows that the gaps would hold.
    pub missing_rows: u64,
    /// Gaps of exactly one hour and a step: as local time leaves out an hour in spring.
    pub hour_forth: u64,
    /// The longest gaps, the longest first, of equal ones the first.
    pub longest: Vec<Gap>,
    /// How often two rows were so far apart, in milliseconds.
    distances: BTreeMap<i64, u64>,
    /// How often a row lay so far behind the row before it.
    steps_back: BTreeMap<i64, u64>,
}

/// A time without rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Whose.
    pub entity: String,
    /// The last row before it.
    pub from: TimestampMs,
    /// The first row after it.
    pub to: TimestampMs,
}

// === impl Times ===

impl Times {
    pub(super) fn first_of_entity(&mut self, at: TimestampMs) {
        self.range = Some(match self.range {
            Some((first, last)) => (first.min(at), last.max(at)),
            None => (at, at),
        });
    }

    /// Takes the time of a row after the one at `before`; whether it lies after it.
    pub(super) fn follows(&mut self, entity: &str, before: TimestampMs, at: TimestampMs) -> bool {
        self.first_of_entity(at);
        let distance = at.since_ms(before);
        if distance == 0 {
            self.repeated += 1;
        } else if distance < 0 {
            self.backwards += 1;
            count(&mut self.steps_back, -distance);
        } else {
            count(&mut self.distances, distance);
            self.remember(entity, before, at);
        }
        distance > 0
    }

    /// Works out what needs the step.
    pub(super) fn finish(&mut self) {
        let most = self.distances.values().max();
        self.step_ms = self.distances.iter().find(|(_, n)| Some(*n) == most).map(|(distance, _)| *distance);
        let Some(step) = self.step_ms else {
            self.longest.clear();
            return;
        };
        for (distance, n) in &self.distances {
            // A scrape that comes a little late is no gap.
            let steps = (distance + step / 2) / step;
            if steps >= 2 {
                self.gaps += n;
                self.missing_rows += n * (steps - 1) as u64;
            }
            self.off_step += if distance % step == 0 { 0 } else { *n };
            self.hour_forth += if *distance == HOUR_MS + step { *n } else { 0 };
        }
        self.hour_back = self.steps_back.get(&(HOUR_MS - step)).copied().unwrap_or_default();
        self.longest.retain(|gap| gap.to.since_ms(gap.from) + step / 2 >= 2 * step);
    }

    fn remember(&mut self, entity: &str, from: TimestampMs, to: TimestampMs) {
        let length = |gap: &Gap| gap.to.since_ms(gap.from);
        let new = to.since_ms(from);
        if self.longest.len() == MAX_GAPS && self.longest.last().is_some_and(|last| length(last) >= new) {
            return;
        }
        let place = self.longest.partition_point(|gap| length(gap) >= new);
        self.longest.insert(place, Gap { entity: entity.to_owned(), from, to });
        self.longest.truncate(MAX_GAPS);
    }
}

fn count(all: &mut BTreeMap<i64, u64>, key: i64) {
    if all.len() < MAX_DISTANCES || all.contains_key(&key) {
        *all.entry(key).or_default() += 1;
    } else if let Some((_, n)) = all.range_mut(..key).next_back() {
        *n += 1;
    } else if let Some(mut first) = all.first_entry() {
        *first.get_mut() += 1;
    }
}
