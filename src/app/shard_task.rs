//! The task that owns one shard of series.

use super::board::{ProgressBoard, ShardReport};
use crate::{
    promql::LeafMatrix,
    shards::{Appended, Evaluated, ShardMessage},
    window::Store,
};
use std::sync::Arc;
use tokio::{sync::mpsc, time::Instant};

/// Serves the mailbox of shard number `shard` until every sender is gone.
///
/// Nobody else touches `store`: no lock on the path of a sample.
pub(super) async fn run_shard(
    shard: usize,
    mut store: Store,
    mut mailbox: mpsc::Receiver<ShardMessage>,
    board: Arc<ProgressBoard>,
) {
    let mut last_arrival: Option<Instant> = None;
    while let Some(message) = mailbox.recv().await {
        // A reply that nobody waits for is no error: the client went away, or the process stops.
        match message {
            ShardMessage::Append(append) => {
                let counts = store.append(&append.batch, append.now);
                last_arrival = last_arrival.max(Some(append.arrival));
                _ = append.reply.send(Appended { counts, batch: append.batch });
            }
            ShardMessage::Evaluate(evaluate) => {
                let leaves = evaluate.table.evaluate(&mut store, evaluate.at);
                store.mark_evaluated(evaluate.at);
                let empty = leaves.iter().all(LeafMatrix::is_empty);
                let next_sample = empty.then(|| store.next_after(evaluate.at)).flatten();
                _ = evaluate.reply.send(Evaluated { leaves, next_sample });
            }
            ShardMessage::BeginStep { next } => store.begin_step(next),
        }
        let (series, bytes) = (store.series_count(), store.bytes());
        board.publish(shard, ShardReport { progress: store.progress(), series, bytes, last_arrival });
    }
}
