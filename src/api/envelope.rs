//! The envelope of Prometheus' HTTP API, around the answers that are the sidecar's own.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Serialize;

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Envelope<T> {
    Success {
        data: T,
    },
    Error {
        #[serde(rename = "errorType")]
        error_type: &'static str,
        error: String,
    },
}

/// 200 with what was asked for.
pub(super) fn success(data: impl Serialize) -> Response {
    Json(Envelope::Success { data }).into_response()
}

/// Another status with what is wrong.
pub(super) fn failure(status: StatusCode, error_type: &'static str, error: String) -> Response {
    (status, Json(Envelope::<()>::Error { error_type, error })).into_response()
}
