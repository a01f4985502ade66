//! The task that owns one shard of series.

use super::board::{ProgressBoard, ShardReport};
use crate::{
    pipeline::LeafMemory,
    promql::LeafMatrix,
    shards::{Append, Appended, Evaluate, Evaluated, Mailbox, ShardMessage},
    window::Store,
};
use std::sync::Arc;
use tokio::time::Instant;

/// Looks of a leaf at a series before waiting appends are served: about a millisecond.
const SLICE: usize = 1_000;

/// Appends that are served before the evaluation goes on, however fast they come.
const MAX_BETWEEN_SLICES: usize = 32;

/// A shard of series, and what it tells of itself.
struct Shard {
    number: usize,
    store: Store,
    memory: LeafMemory,
    last_arrival: Option<Instant>,
    board: Arc<ProgressBoard>,
}

/// Serves the mailbox of shard number `shard` until every sender is gone.
///
/// Nobody else touches `store`: no lock on the path of a sample.
pub(super) async fn run_shard(shard: usize, store: Store, mut mailbox: Mailbox, board: Arc<ProgressBoard>) {
    let mut shard = Shard { number: shard, store, memory: LeafMemory::default(), last_arrival: None, board };
    // A message that had to wait until a step was evaluated.
    let mut held = None;
    loop {
        let message = match held.take() {
            Some(message) => message,
            None => match mailbox.recv().await {
                Some(message) => message,
                None => return,
            },
        };
        match message {
            ShardMessage::Append(append) => shard.append(append),
            ShardMessage::Evaluate(evaluate) => held = shard.evaluate(evaluate, &mut mailbox).await,
            ShardMessage::BeginStep { next } => shard.store.begin_step(next),
            // These change nothing that there would be to report.
            ShardMessage::Read(read) => {
                read.serve(&shard.store);
                continue;
            }
            ShardMessage::NextAfter { at, reply } => {
                _ = reply.send(shard.store.next_after(at));
                continue;
            }
        }
        shard.report();
    }
}

// === impl Shard ===

impl Shard {
    fn append(&mut self, append: Append) {
        let counts = self.store.append(&append.batch, append.now);
        self.last_arrival = self.last_arrival.max(Some(append.arrival));
        // A reply that nobody waits for is no error: the client went away, or the process stops.
        _ = append.reply.send(Appended { counts, batch: append.batch });
    }

    /// Evaluates a step slice by slice, so that senders do not wait for all of it: in between, what is
    /// newer than the step is appended, which the step does not see. Everything else waits, and what
    /// comes behind it; the first such message is returned.
    async fn evaluate(
        &mut self,
        Evaluate { at, table, reply }: Evaluate,
        mailbox: &mut Mailbox,
    ) -> Option<ShardMessage> {
        let mut held = None;
        let mut evaluation = table.begin(&mut self.store, at, &self.memory);
        let leaves = loop {
            if let Some(leaves) = evaluation.advance(&self.store, SLICE) {
                break leaves;
            }
            // Other tasks of this thread first: they bring what is to be appended.
            tokio::task::yield_now().await;
            let mut served = 0;
            while held.is_none()
                && served < MAX_BETWEEN_SLICES
                && let Some(message) = mailbox.try_recv()
            {
                match message {
                    ShardMessage::Append(append)
                        if append.batch.oldest().is_some_and(|oldest| oldest > at) =>
                    {
                        self.append(append);
                        self.report();
                    }
                    other => held = Some(other),
                }
                served += 1;
            }
        };
        self.memory.keep(&leaves);
        self.store.mark_evaluated(at);
        let empty = leaves.iter().all(LeafMatrix::is_empty);
        let next_sample = empty.then(|| self.store.next_after(at)).flatten();
        _ = reply.send(Evaluated { leaves, next_sample });
        held
    }

    fn report(&self) {
        let (series, bytes) = (self.store.series_count(), self.store.bytes());
        let progress = self.store.progress();
        let report = ShardReport { progress, series, bytes, last_arrival: self.last_arrival };
        self.board.publish(self.number, report);
    }
}
