//! How far every shard has come, for the task that decides which step is due.

use crate::{pipeline::merge_progress, window::Progress};
use std::sync::{Mutex, PoisonError};
use tokio::{sync::Notify, time::Instant};

/// What a shard last said of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ShardReport {
    pub(super) progress: Progress,
    pub(super) series: usize,
    pub(super) bytes: usize,
    /// When the newest request that it took had arrived.
    pub(super) last_arrival: Option<Instant>,
}

/// The reports of all shards. Writing one is a copy under a lock that nobody holds for long; it
/// happens once a request, not once a sample.
#[derive(Debug)]
pub(super) struct ProgressBoard {
    reports: Vec<Mutex<ShardReport>>,
    changed: Notify,
}

// === impl ProgressBoard ===

impl ProgressBoard {
    pub(super) fn new(shards: usize) -> Self {
        Self { reports: (0..shards).map(|_| Mutex::default()).collect(), changed: Notify::new() }
    }

    /// Replaces the report of one shard and wakes the reader.
    pub(super) fn publish(&self, shard: usize, report: ShardReport) {
        *self.reports[shard].lock().unwrap_or_else(PoisonError::into_inner) = report;
        self.changed.notify_one();
    }

    /// Completes after the next (or an unseen) [`Self::publish`].
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// All shards together: progress, series and bytes added up, the latest arrival.
    pub(super) fn merged(&self) -> ShardReport {
        let reports: Vec<ShardReport> =
            self.reports.iter().map(|r| *r.lock().unwrap_or_else(PoisonError::into_inner)).collect();
        ShardReport {
            progress: merge_progress(reports.iter().map(|r| r.progress)),
            series: reports.iter().map(|r| r.series).sum(),
            bytes: reports.iter().map(|r| r.bytes).sum(),
            last_arrival: reports.iter().filter_map(|r| r.last_arrival).max(),
        }
    }
}
