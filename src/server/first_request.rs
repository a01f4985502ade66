//! Whether a connection has sent any request yet.

use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// Tells the task of a connection that a first request head has come. Clones share the state.
#[derive(Clone, Debug, Default)]
pub(super) struct FirstRequest(Arc<Notify>);

// === impl FirstRequest ===

impl FirstRequest {
    /// Notes a request; the first one counts.
    pub(super) fn arrived(&self) {
        self.0.notify_one();
    }

    /// Ready when `timeout` has passed without any request, and never when one came in time.
    pub(super) async fn missing_after(self, timeout: Duration) {
        if tokio::time::timeout(timeout, self.0.notified()).await.is_ok() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_connection_without_request_runs_into_the_timeout() {
        let (silent, busy) = (FirstRequest::default(), FirstRequest::default());
        busy.arrived();
        tokio::select! {
            biased;
            () = busy.missing_after(Duration::ZERO) => panic!("a request had come"),
            () = silent.missing_after(Duration::ZERO) => {}
        }
    }
}
