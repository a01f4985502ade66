//! Readiness and reload.

use super::Api;
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

/// How a reload ended: done, or what was wrong; then the old state stays.
pub type ReloadResult = Result<(), String>;

/// A request to reload the models, with the place for its result.
pub type ReloadRequest = oneshot::Sender<ReloadResult>;

/// Whether the process takes and judges data. Clones share the state; it starts as not ready.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<watch::Sender<bool>>);

// === impl Readiness ===

impl Readiness {
    /// Sets the state: ready once windows, models and config are loaded, no longer when the process
    /// begins to shut down.
    pub fn set(&self, ready: bool) {
        self.0.send_replace(ready);
    }

    /// The state.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.0.borrow()
    }

    /// The state as it changes.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}

pub(super) async fn ready(State(api): State<Api>) -> Response {
    if api.readiness.is_ready() {
        "Emberwatch is ready.\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "starting or shutting down\n").into_response()
    }
}

pub(super) async fn reload(State(api): State<Api>) -> Response {
    let Some(reload) = &api.reload else {
        let text = "reloading over HTTP is off; start with --web.enable-lifecycle, or send SIGHUP\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    };
    let (reply, result) = oneshot::channel();
    if reload.send(reply).await.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n").into_response();
    }
    match result.await {
        Ok(Ok(())) => StatusCode::OK.into_response(),
        Ok(Err(reason)) => {
            let text = format!("reload failed, the old state stays: {reason}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n").into_response(),
    }
}
