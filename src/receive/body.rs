//! Reads a request body within three bounds: its own size, all bodies together, time.

use axum::{body::Body, extract::Request};
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use prometheus_client::metrics::gauge::Gauge;
use std::{sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit stands for: a slow sender of a small body holds little.
const PERMIT_BYTES: usize = 4096;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("body has more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("body did not arrive within {} s", timeout.as_secs_f64())]
    TooSlow { timeout: Duration },
    #[error("body broke off: {0}")]
    Broken(#[source] axum::Error),
    #[error("overloaded: bodies of {limit} bytes are being read; repeat the request")]
    NoMemory { limit: usize },
}

/// The budget of bytes for all bodies in flight.
#[derive(Debug)]
pub(super) struct PendingBytes {
    permits: Arc<Semaphore>,
    limit: usize,
    gauge: Gauge,
}

/// A body, accounted for until it is dropped.
#[derive(Debug)]
pub(super) struct PendingBody {
    bytes: Vec<u8>,
    permits: Option<OwnedSemaphorePermit>,
    gauge: Gauge,
}

/// Reads the body of `request`, at most `limit` bytes.
pub(super) async fn read(
    request: Request,
    limit: usize,
    timeout: Duration,
    pending: &PendingBytes,
) -> Result<PendingBody, BodyError> {
    let claimed =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if claimed.is_some_and(|claimed| claimed > limit as u64) {
        return Err(BodyError::TooLarge { limit });
    }
    let reading = read_all(request.into_body(), limit, pending);
    tokio::time::timeout(timeout, reading).await.unwrap_or(Err(BodyError::TooSlow { timeout }))
}

async fn read_all(mut body: Body, limit: usize, pending: &PendingBytes) -> Result<PendingBody, BodyError> {
    let mut read = PendingBody { bytes: Vec::new(), permits: None, gauge: pending.gauge.clone() };
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else { continue };
        if read.bytes.len() + data.len() > limit {
            return Err(BodyError::TooLarge { limit });
        }
        pending.account(&mut read, data.len())?;
        read.bytes.extend_from_slice(&data);
    }
    Ok(read)
}

// === impl PendingBytes ===

impl PendingBytes {
    pub(super) fn new(limit: usize, gauge: Gauge) -> Self {
        let permits = (limit / PERMIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(permits)), limit, gauge }
    }

    /// Takes the permits that `body` needs to grow by `bytes`.
    fn account(&self, body: &mut PendingBody, bytes: usize) -> Result<(), BodyError> {
        let held: usize = body.permits.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = (body.bytes.len() + bytes).div_ceil(PERMIT_BYTES).saturating_sub(held);
        if missing > 0 {
            let missing = u32::try_from(missing).map_err(|_| BodyError::NoMemory { limit: self.limit })?;
            let permits = Arc::clone(&self.permits).try_acquire_many_owned(missing);
            let permits = permits.map_err(|_| BodyError::NoMemory { limit: self.limit })?;
            match &mut body.permits {
                Some(held) => held.merge(permits),
                none => *none = Some(permits),
            }
        }
        self.gauge.inc_by(bytes as i64);
        Ok(())
    }
}

// === impl PendingBody ===

impl PendingBody {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl Drop for PendingBody {
    fn drop(&mut self) {
        self.gauge.dec_by(self.bytes.len() as i64);
    }
}
