//! From a drift that was seen to the training for it: rows of the new normal must be there first.

use super::Drifted;
use crate::{
    model::MIN_ENTITY_ROWS,
    series::TimestampMs,
    train::{NEW_NORMAL_MS, Reservoir},
};

/// No longer is it waited for rows of everybody: entities that come and go never have enough.
const LONGEST_WAIT_MS: i64 = 86_400_000;

/// Of ten entities so many must have enough.
const READY_IN_TEN: usize = 9;

/// A drift that is to be trained for.
#[derive(Debug)]
pub(super) struct Adaption {
    /// What has drifted.
    pub(super) drifted: Drifted,
    /// The begin of what is taken for the new normal.
    pub(super) since: TimestampMs,
    seen_at: TimestampMs,
}

// === impl Adaption ===

impl Adaption {
    pub(super) fn new(at: TimestampMs, drifted: Drifted) -> Self {
        Self { since: drifted.since, drifted, seen_at: at }
    }

    /// What is older is not trained on any more.
    pub(super) fn oldest(&self) -> TimestampMs {
        self.since.plus_ms(-NEW_NORMAL_MS)
    }

    /// Whether most of the entities have rows enough to be known, as [`TrainingRows::since`](crate::train::TrainingRows::since) will
    /// choose them: a large fleet keeps few of each hour.
    pub(super) fn is_ready(&self, at: TimestampMs, rows: &Reservoir) -> bool {
        if at.since_ms(self.seen_at) >= LONGEST_WAIT_MS {
            return true;
        }
        let present = rows.counts_around(self.oldest(), self.since).filter(|(_, new)| *new > 0);
        let (mut all, mut ready) = (0, 0);
        for (old, new) in present {
            all += 1;
            ready += usize::from(new + old.min(new) >= MIN_ENTITY_ROWS);
        }
        all > 0 && ready * 10 >= all * READY_IN_TEN
    }
}
