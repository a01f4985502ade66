//! The receiving end of a shard.

use super::{Read, ShardMessage};
use tokio::sync::mpsc;

/// What comes in for one shard, in two lanes: messages, and reads of queries.
///
/// A read is taken only when no message waits, so that no number of queries can hold up samples, and
/// it takes no place from them. Under a load of samples that never pauses, queries run into their
/// timeouts instead.
#[derive(Debug)]
pub struct Mailbox {
    pub(super) messages: mpsc::Receiver<ShardMessage>,
    pub(super) reads: mpsc::Receiver<Read>,
}

// === impl Mailbox ===

impl Mailbox {
    /// The next message; `None` when every sender is gone.
    pub async fn recv(&mut self) -> Option<ShardMessage> {
        tokio::select! {
            biased;
            message = self.messages.recv() => message,
            Some(read) = self.reads.recv() => Some(ShardMessage::Read(read)),
        }
    }

    /// A message that waits already; reads are left to wait.
    #[must_use]
    pub fn try_recv(&mut self) -> Option<ShardMessage> {
        self.messages.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        promql::Budget,
        series::TimestampMs,
        shards::{Question, Read, SeriesQuestion, ShardMessage, Shards},
        window::Cursor,
    };
    use std::sync::Arc;
    use tokio::sync::oneshot;

    fn read() -> Read {
        let all = SeriesQuestion { any_of: Vec::new(), from: TimestampMs::MIN, until: TimestampMs::MAX };
        let (reply, _) = oneshot::channel();
        Read {
            question: Arc::new(Question::Series(all)),
            from: Cursor::default(),
            budget: Budget::unlimited(),
            reply,
        }
    }

    /// For a lane full of reads, a message that comes last is served first, and finds its place free.
    #[tokio::test]
    async fn no_message_waits_behind_a_read() {
        let (shards, mut mailboxes) = Shards::new(1, 1, 0);
        let lane = shards.reads().next().unwrap();
        let mut reads = 0;
        while lane.try_send(read()).is_ok() {
            reads += 1;
        }
        let next = TimestampMs(1);
        shards.reserve([0]).unwrap().remove(0).send(ShardMessage::BeginStep { next });
        let mailbox = &mut mailboxes[0];
        assert!(matches!(mailbox.recv().await, Some(ShardMessage::BeginStep { .. })));
        for _ in 0..reads {
            assert!(matches!(mailbox.recv().await, Some(ShardMessage::Read(_))));
        }
        drop(shards);
        assert!(mailbox.recv().await.is_none());
    }
}
