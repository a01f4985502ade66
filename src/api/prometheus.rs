//! The part of Prometheus' HTTP API that reads series, so that Grafana, `promtool query` and every other
//! client can use this process as a Prometheus.
//!
//! | route | answer |
//! |---|---|
//! | `GET`, `POST /api/v1/query` | an expression at one time |
//! | `GET`, `POST /api/v1/query_range` | an expression over time |
//! | `GET`, `POST /api/v1/series` | the series that match selectors |
//! | `GET`, `POST /api/v1/labels` | label names |
//! | `GET /api/v1/label/<name>/values` | the values of a label |
//! | `GET /api/v1/metadata` | types, units and help texts of metrics |
//! | `GET /api/v1/status/buildinfo` | the version whose API this is |
//!
//! It follows `web/api/v1/api.go` of Prometheus 3: parameters, the order in which they are checked, status
//! codes, error types, the form of the JSON. `docs/api.md` lists what differs;
//! `tests/it/query_api.rs` holds it against a real Prometheus.

mod answer;

mod cors;

mod escaping;

mod expression;

mod form;

mod json;

mod listing;

mod metadata;

mod number;

mod parameters;

use crate::{metadata::MetadataStore, query::Engine, series::TimestampMs};
use answer::{Answer, Data};
use axum::{
    Router,
    handler::Handler,
    middleware,
    routing::{MethodRouter, get},
};
use http::{HeaderValue, StatusCode, header};
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// The version of Prometheus whose API this is: clients choose by it what they ask for.
const API_VERSION: &str = "3.5.0";

/// The routes that read series through `engine`, and what is said of metrics from `metadata`.
pub fn router(engine: Arc<Engine>, metadata: Arc<MetadataStore>) -> Router {
    Router::new()
        .route("/api/v1/query", get_or_post(expression::query))
        .route("/api/v1/query_range", get_or_post(expression::query_range))
        .route("/api/v1/series", get_or_post(listing::series))
        .route("/api/v1/labels", get_or_post(listing::labels))
        .route("/api/v1/label/{name}/values", get_only(listing::label_values))
        .route("/api/v1/status/buildinfo", get_only(build_info))
        .with_state(engine)
        .route("/api/v1/metadata", get_only(metadata::metadata))
        .with_state(metadata)
        .layer(middleware::from_fn(cors::allow))
}

/// What a handler may share with others.
trait State: Clone + Send + Sync + 'static {}

impl<S: Clone + Send + Sync + 'static> State for S {}

fn get_or_post<T: 'static, S: State>(handler: impl Handler<T, S>) -> MethodRouter<S> {
    refusing_head(get(handler.clone()).post(handler), "GET, OPTIONS, POST")
}

fn get_only<T: 'static, S: State>(handler: impl Handler<T, S>) -> MethodRouter<S> {
    refusing_head(get(handler), "GET, OPTIONS")
}

/// As in Prometheus: no `HEAD`, and an `OPTIONS` that says nothing but what the headers say.
fn refusing_head<S: State>(routes: MethodRouter<S>, allowed: &'static str) -> MethodRouter<S> {
    let refused = (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, HeaderValue::from_static(allowed))]);
    routes.head(async move || refused).options(async || StatusCode::NO_CONTENT)
}

async fn build_info() -> Answer {
    let revision = concat!("emberwatch ", env!("CARGO_PKG_VERSION"));
    Ok(Data::new(format!(
        r#"{{"version":"{API_VERSION}","revision":"{revision}","branch":"","buildUser":"","buildDate":"","goVersion":""}}"#
    )))
}

/// Now, for a query that names no time. A clock before 1970 reads as 1970.
fn wall_clock() -> TimestampMs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
