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

    /// A message that waits already.
    #[must_use]
    pub fn try_recv(&mut self) -> Option<ShardMessage> {
        self.messages.try_recv().ok().or_else(|| self.reads.try_recv().ok().map(ShardMessage::Read))
    }
}
