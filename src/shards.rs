//! The mailboxes of the shard tasks.
//!
//! Each shard of series is owned by one task; whoever wants something of it sends a message and waits
//! for the reply. Mailboxes are bounded, and a request that concerns several shards reserves its
//! places in all of them before it sends to any: it is taken whole or refused whole. Queries have a
//! lane of their own, see [`Mailbox`].

mod mailbox;

mod read;

use crate::{
    pipeline::LeafTable,
    promql::LeafMatrix,
    series::{SampleBatch, TimestampMs},
    window::AppendCounts,
};
pub use mailbox::Mailbox;
pub use read::{Finding, HeldSamples, Piece, Question, Read, SamplesQuestion, SeriesQuestion};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// What a shard task is asked to do.
#[derive(Debug)]
pub enum ShardMessage {
    /// Append a batch to the windows.
    Append(Append),
    /// Evaluate the leaves of all features at a step, and count what arrives for it from now on as late.
    Evaluate(Evaluate),
    /// Start to wait for a step.
    BeginStep {
        /// The step.
        next: TimestampMs,
    },
    /// Look at some series for a query.
    Read(Read),
    /// Say when the earliest sample after an instant is.
    NextAfter {
        /// The instant.
        at: TimestampMs,
        /// Where the answer goes.
        reply: oneshot::Sender<Option<TimestampMs>>,
    },
}

/// A batch for the windows of one shard.
#[derive(Debug)]
pub struct Append {
    /// The samples, all of series that belong to this shard.
    pub batch: SampleBatch,
    /// The wall clock when the request had arrived.
    pub now: TimestampMs,
    /// The same moment on the monotonic clock: where the latency of a score is measured from.
    pub arrival: Instant,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Appended>,
}

/// The answer to [`Append`].
#[derive(Debug)]
pub struct Appended {
    /// What became of the samples.
    pub counts: AppendCounts,
    /// The batch, for its memory to be used again.
    pub batch: SampleBatch,
}

/// A step to evaluate.
#[derive(Debug)]
pub struct Evaluate {
    /// The step.
    pub at: TimestampMs,
    /// What to evaluate.
    pub table: Arc<LeafTable>,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Evaluated>,
}

/// The answer to [`Evaluate`].
#[derive(Debug)]
pub struct Evaluated {
    /// One vector a leaf of the table.
    pub leaves: Vec<LeafMatrix>,
    /// Where every leaf is empty: the earliest sample after the step.
    pub next_sample: Option<TimestampMs>,
}

/// Why nothing could be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// The mailbox of a shard is full.
    #[error("shard {shard} has {waiting} messages waiting")]
    Full {
        /// Number of the shard.
        shard: usize,
        /// Messages in its mailbox.
        waiting: usize,
    },
    /// The windows hold samples far ahead of the step that is evaluated, and these are ahead too.
    #[error("the samples are {lead_ms} ms ahead of the step that is being evaluated")]
    TooFarAhead {
        /// How far.
        lead_ms: i64,
    },
    /// The windows are being filled with the past: what comes now would be ahead of it.
    #[error("the windows are being filled from history")]
    Filling,
    /// A shard task has ended: the process is shutting down.
    #[error("shard {shard} has ended")]
    Ended {
        /// Number of the shard.
        shard: usize,
    },
}

/// The sending ends of all mailboxes. Clones share them.
#[derive(Clone, Debug)]
pub struct Shards {
    mailboxes: Arc<[mpsc::Sender<ShardMessage>]>,
    reads: Arc<[mpsc::Sender<Read>]>,
    hash_seed: u64,
    lead: Arc<Lead>,
}

/// How far the samples held may run ahead of the step that is waited for. In live operation it is
/// seconds; while a backlog is worked through one connection can be far ahead of another, or all of
/// them ahead of the evaluation, and the windows would have to hold all of it.
const MAX_LEAD_MS: i64 = 15 * 60_000;

/// Reads that may wait for one shard; further readers wait in line. A query has one under way at a time.
const READ_CAPACITY: usize = 16;

/// How far evaluation and data have come; both in Unix milliseconds.
#[derive(Debug)]
struct Lead {
    awaited: AtomicI64,
    newest: AtomicI64,
    filling: AtomicBool,
}

/// A reserved place in the mailbox of one shard; dropped unused, it is free again.
pub type Place<'a> = mpsc::Permit<'a, ShardMessage>;

// === impl Shards ===

impl Shards {
    /// `count` mailboxes for `capacity` messages each, with their receiving ends in shard order.
    ///
    /// `hash_seed` is the seed of [`crate::series::series_hash`] in this process. `count` and
    /// `capacity` must not be 0.
    #[must_use]
    pub fn new(count: usize, capacity: usize, hash_seed: u64) -> (Self, Vec<Mailbox>) {
        debug_assert!(count > 0 && capacity > 0);
        let (mailboxes, messages): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel(capacity)).unzip();
        let (reads, read_ends): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel(READ_CAPACITY)).unzip();
        let receivers = messages
            .into_iter()
            .zip(read_ends)
            .map(|(messages, reads)| Mailbox { messages, reads })
            .collect();
        let lead = Lead {
            awaited: AtomicI64::new(i64::MAX),
            newest: AtomicI64::new(i64::MIN),
            filling: AtomicBool::new(false),
        };
        let lead = Arc::new(lead);
        (Self { mailboxes: mailboxes.into(), reads: reads.into(), hash_seed, lead }, receivers)
    }

    /// Says which step is waited for, and how new the newest sample held of any series is that a
    /// detector reads.
    pub fn set_lead(&self, awaited: TimestampMs, newest: TimestampMs) {
        self.lead.awaited.store(awaited.0, Ordering::Relaxed);
        self.lead.newest.store(newest.0, Ordering::Relaxed);
    }

    /// Says whether the windows are being filled with the past.
    pub fn set_filling(&self, filling: bool) {
        self.lead.filling.store(filling, Ordering::Relaxed);
    }

    /// Whether samples as new as `newest` can be taken now. After a pause of the whole stream they can,
    /// however long it was: what counts is that samples *held* are ahead already.
    ///
    /// # Errors
    /// When evaluation must catch up first, or the past is not in the windows yet.
    pub fn check_lead(&self, newest: TimestampMs) -> Result<(), NoPlace> {
        if self.lead.filling.load(Ordering::Relaxed) {
            return Err(NoPlace::Filling);
        }
        let awaited = self.lead.awaited.load(Ordering::Relaxed);
        let held_ms = self.lead.newest.load(Ordering::Relaxed).saturating_sub(awaited);
        let lead_ms = newest.0.saturating_sub(awaited);
        if held_ms.min(lead_ms) > MAX_LEAD_MS { Err(NoPlace::TooFarAhead { lead_ms }) } else { Ok(()) }
    }

    /// Number of shards.
    #[must_use]
    pub fn count(&self) -> usize {
        self.mailboxes.len()
    }

    /// Seed of the series hashes.
    #[must_use]
    pub fn hash_seed(&self) -> u64 {
        self.hash_seed
    }

    /// The shard that owns a series.
    #[must_use]
    pub fn shard_of(&self, series_hash: u128) -> usize {
        // The high half: the low one places series inside the shard's table.
        ((series_hash >> 64) as u64 % self.mailboxes.len() as u64) as usize
    }

    /// One place in the mailbox of each of `shards`, or none at all.
    ///
    /// # Errors
    /// When one of them has no place left; nothing stays reserved then.
    pub fn reserve(&self, shards: impl IntoIterator<Item = usize>) -> Result<Vec<Place<'_>>, NoPlace> {
        let place = |shard: usize| {
            let mailbox = &self.mailboxes[shard];
            mailbox.try_reserve().map_err(|error| match error {
                mpsc::error::TrySendError::Full(()) => {
                    NoPlace::Full { shard, waiting: mailbox.max_capacity() }
                }
                mpsc::error::TrySendError::Closed(()) => NoPlace::Ended { shard },
            })
        };
        shards.into_iter().map(place).collect()
    }

    /// The sending end of one shard, for messages that may wait for their place.
    #[must_use]
    pub fn mailbox(&self, shard: usize) -> &mpsc::Sender<ShardMessage> {
        &self.mailboxes[shard]
    }

    /// The sending ends of all shards for reads.
    pub fn reads(&self) -> impl Iterator<Item = &mpsc::Sender<Read>> {
        self.reads.iter()
    }

    /// Messages waiting in each mailbox (reserved places included), and how many can.
    pub fn queues(&self) -> impl Iterator<Item = (usize, usize)> {
        self.mailboxes
            .iter()
            .map(|mailbox| (mailbox.max_capacity() - mailbox.capacity(), mailbox.max_capacity()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append() -> ShardMessage {
        let (reply, _) = oneshot::channel();
        ShardMessage::Append(Append {
            batch: SampleBatch::default(),
            now: TimestampMs(0),
            arrival: Instant::now(),
            reply,
        })
    }

    /// For two shards of which one is full, a request for both takes no place in either.
    #[test]
    fn places_are_taken_in_all_shards_or_in_none() {
        let (shards, mut receivers) = Shards::new(2, 1, 0);
        shards.reserve([1]).unwrap().remove(0).send(append());
        let refused = shards.reserve([0, 1]).map(|places| places.len());
        assert_eq!(refused, Err(NoPlace::Full { shard: 1, waiting: 1 }));
        assert_eq!(shards.queues().collect::<Vec<_>>(), [(0, 1), (1, 1)]);
        assert!(receivers[1].try_recv().is_some());
        assert_eq!(shards.reserve([0, 1]).map(|places| places.len()), Ok(2));
    }

    #[test]
    fn samples_far_ahead_wait_only_while_evaluation_lags_behind_what_is_held() {
        let (shards, _receivers) = Shards::new(1, 1, 0);
        let hour = TimestampMs(3_600_000);
        assert_eq!(shards.check_lead(hour), Ok(()), "before the first step");
        shards.set_lead(TimestampMs(0), TimestampMs(-1));
        assert_eq!(shards.check_lead(hour), Ok(()), "the stream had paused");
        shards.set_lead(TimestampMs(0), hour);
        assert_eq!(shards.check_lead(hour), Err(NoPlace::TooFarAhead { lead_ms: 3_600_000 }));
        assert_eq!(shards.check_lead(TimestampMs(1)), Ok(()), "a connection that is behind goes on");
    }

    #[test]
    fn a_shard_that_ended_is_told_from_a_full_one() {
        let (shards, receivers) = Shards::new(1, 1, 0);
        drop(receivers);
        assert_eq!(shards.reserve([0]).map(|places| places.len()), Err(NoPlace::Ended { shard: 0 }));
    }
}
