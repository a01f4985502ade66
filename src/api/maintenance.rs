//! `/api/v1/maintenance`: planned work, listed, begun and ended.
//!
//! No flag opens it, as none opens Alertmanager's silences: whoever reaches this port may send samples already. A body must say that it is
//! JSON, which pages of other origins cannot do without being allowed to.

use super::{
    anomalies::{optional_time, time},
    envelope::{failure, success},
};
use crate::{
    maintenance::{Registry, RegistryError, State as Stand, Window, WindowRequest},
    pipeline::{Maintenance, Times},
    series::{LabelMatcher, TimestampMs},
};
use axum::{
    body::{self, Body},
    extract::{Path, Request, State},
    response::Response,
};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Most bytes of a request: its texts and matchers, with room to spare.
const MAX_BODY_BYTES: usize = 16 << 10;

/// Longest time for a request to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// What the list answers with.
#[derive(Serialize)]
struct WindowList {
    windows: Vec<WindowReport>,
}

/// One window. What it has not is left out, but for `open_until`.
#[derive(Serialize)]
struct WindowReport {
    /// Of those that were added.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    name: String,
    /// `config` or `api`.
    source: &'static str,
    #[serde(rename = "match")]
    selector: String,
    /// Of those that come again.
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_time")]
    starts_at: Option<TimestampMs>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_time")]
    ends_at: Option<TimestampMs>,
    state: &'static str,
    /// Null where it is not open.
    #[serde(serialize_with = "optional_time")]
    open_until: Option<TimestampMs>,
    #[serde(flatten)]
    origin: Option<Origin>,
}

/// Where a window that was added comes from.
#[derive(Serialize)]
struct Origin {
    comment: String,
    created_by: String,
    #[serde(serialize_with = "time")]
    created_at: TimestampMs,
}

pub(super) async fn list(State(registry): State<Arc<Registry>>) -> Response {
    let now = now();
    let of_config = registry.of_config().iter().map(|work| WindowReport::new(work, "config", now));
    let added = registry.added(now);
    let windows = of_config.chain(added.iter().map(|window| WindowReport::added(window, now))).collect();
    success(WindowList { windows })
}

pub(super) async fn add(State(registry): State<Arc<Registry>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let request = match read(&head.headers, body).await {
        Ok(request) => request,
        Err((status, error)) => return failure(status, "bad_data", error),
    };
    changed(registry, move |registry, now| registry.add(request, now)).await
}

pub(super) async fn end(State(registry): State<Arc<Registry>>, Path(given): Path<String>) -> Response {
    changed(registry, move |registry, now| registry.end(&given, now)).await
}

/// Makes a change, which waits for the disk, and answers with the window as it is then.
async fn changed(
    registry: Arc<Registry>,
    change: impl FnOnce(&Registry, TimestampMs) -> Result<Window, RegistryError> + Send + 'static,
) -> Response {
    let now = now();
    let done = tokio::task::spawn_blocking(move || change(&registry, now)).await;
    match done {
        Ok(Ok(window)) => success(WindowReport::added(&window, now)),
        Ok(Err(error)) => refusal(&error),
        Err(error) => {
            let text = format!("the change broke off: {error}");
            failure(StatusCode::INTERNAL_SERVER_ERROR, "internal", text)
        }
    }
}

fn refusal(error: &RegistryError) -> Response {
    let (status, error_type) = match error {
        RegistryError::Invalid(_) => (StatusCode::BAD_REQUEST, "bad_data"),
        RegistryError::NameTaken { .. } | RegistryError::Full | RegistryError::OfConfig { .. } => {
            (StatusCode::CONFLICT, "conflict")
        }
        RegistryError::Unknown { .. } => (StatusCode::NOT_FOUND, "not_found"),
        RegistryError::File { .. } => {
            tracing::error!(%error, "a change of the maintenance is refused");
            (StatusCode::INTERNAL_SERVER_ERROR, "internal")
        }
    };
    failure(status, error_type, error.to_string())
}

async fn read(headers: &HeaderMap, body: Body) -> Result<WindowRequest, (StatusCode, String)> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(is_json) {
        let text = "the window is JSON: send it with the header Content-Type: application/json";
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, text.to_owned()));
    }
    let too_slow = |_| {
        let text = format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs());
        (StatusCode::REQUEST_TIMEOUT, text)
    };
    let reading = tokio::time::timeout(BODY_TIMEOUT, body::to_bytes(body, MAX_BODY_BYTES));
    let bytes = reading.await.map_err(too_slow)?.map_err(|error| {
        let text = format!("the body broke off, or has more than {MAX_BODY_BYTES} bytes: {error}");
        (StatusCode::PAYLOAD_TOO_LARGE, text)
    })?;
    serde_json::from_slice(&bytes).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}

// === impl WindowReport ===

impl WindowReport {
    fn new(work: &Maintenance, source: &'static str, now: TimestampMs) -> Self {
        let open_until = work.open_until(now);
        let (schedule, once) = match work.times() {
            Times::Once { from, to } => (None, Some((*from, *to))),
            times @ Times::Recurring(_) => (Some(times.to_string()), None),
        };
        let is_over = once.is_some_and(|(_, to)| to <= now);
        let state = match open_until {
            Some(_) => Stand::Active,
            None if is_over => Stand::Expired,
            None => Stand::Pending,
        };
        Self {
            id: None,
            name: work.name().to_owned(),
            source,
            selector: selector(work.matchers()),
            schedule,
            starts_at: once.map(|(from, _)| from),
            ends_at: once.map(|(_, to)| to),
            state: state.name(),
            open_until,
            origin: None,
        }
    }

    fn added(window: &Window, now: TimestampMs) -> Self {
        let origin = Origin {
            comment: window.comment().to_owned(),
            created_by: window.created_by().to_owned(),
            created_at: window.created_at(),
        };
        Self {
            id: Some(window.id().to_owned()),
            origin: Some(origin),
            ..Self::new(window.work(), "api", now)
        }
    }
}

/// `{instance=~"db.*",job="disk"}`
fn selector(matchers: &[LabelMatcher]) -> String {
    let matchers: Vec<String> = matchers.iter().map(ToString::to_string).collect();
    format!("{{{}}}", matchers.join(","))
}

/// What the clock of the machine says.
fn now() -> TimestampMs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
