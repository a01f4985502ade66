//! The places of queries that run at once.

use super::{Deadline, QueryError};
use crate::telemetry::Metrics;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of places, and a line before them.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    running: Gauge,
    waiting: Gauge,
}

/// The place of one query; free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    _running: Counted,
}

/// Raises a gauge by one for as long as it lives.
#[derive(Debug)]
struct Counted(Gauge);

// === impl Places ===

impl Places {
    pub(super) fn new(count: usize, metrics: &Metrics) -> Self {
        Self {
            free: Arc::new(Semaphore::new(count)),
            running: metrics.queries_running.clone(),
            waiting: metrics.queries_waiting.clone(),
        }
    }

    /// Waits for a place, in the order of asking.
    pub(super) async fn take(&self, deadline: &Deadline) -> Result<Place, QueryError> {
        let waiting = Counted::new(&self.waiting);
        let permit = deadline.limit("query queue", Arc::clone(&self.free).acquire_owned()).await?;
        drop(waiting);
        let permit = permit.map_err(|_closed| QueryError::NoAnswer)?;
        Ok(Place { _permit: permit, _running: Counted::new(&self.running) })
    }
}

// === impl Counted ===

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
