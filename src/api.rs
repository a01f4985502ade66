//! The endpoints beside the receiver, HTTP and gRPC: operation and reading.
//!
//! | route | answer |
//! |---|---|
//! | `GET /` | what is here, in words |
//! | `GET /metrics` | all metrics |
//! | `GET /-/healthy` | 200 while the process lives |
//! | `GET /-/ready` | 200 when it takes and judges data, else 503 |
//! | `POST /-/reload`, `PUT` | reloads the models; 403 unless `--web.enable-lifecycle` |
//! | `GET /api/v1/anomalies` | the anomalies of the last evaluated step, as JSON |
//! | `GET /api/v1/incidents` | the incidents that are open, and the last that ended |
//! | `GET /api/v1/detectors` | the detectors: their models, why they train, drift, F1 |
//! | `GET`, `POST /api/v1/maintenance`, `DELETE /api/v1/maintenance/<id>` | planned work, listed, begun and ended |
//! | [`prometheus`] | the series, by Prometheus' HTTP API |
//! | [`read`] | the series, by remote read |
//! | `emberwatch.v1.Anomalies/List`, `emberwatch.v1.Incidents/List` | anomalies and incidents by gRPC |
//! | `grpc.health.v1.Health` | `SERVING` when it takes and judges data, else `NOT_SERVING` |
//!
//! Handlers read shared state and pass requests on.

mod anomalies;

mod detectors;

mod envelope;

pub mod grpc;

mod lifecycle;

mod maintenance;

pub mod prometheus;

pub mod read;

use crate::{
    maintenance::Registry,
    telemetry::{self, Exposition, HandlerCodeLabels, HandlerLabel, Metrics},
};
pub use anomalies::{
    AnomalyReport, AnomalySnapshot, ContributionReport, MaintenanceReport, StartReport, ViolationReport,
};
use anomalies::{anomalies, incidents};
use arc_swap::ArcSwap;
use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get},
};
pub use detectors::{DetectorReport, DriftReport, F1Report, ModelReport, TrainingReport};
use http::{HeaderMap, StatusCode, header};
pub use lifecycle::{Readiness, ReloadRequest, ReloadResult};
use std::{any::Any, sync::Arc, time::Instant};
use tokio::sync::mpsc;
use tower_http::catch_panic::CatchPanicLayer;

const INDEX: &str = "\
Emberwatch: anomaly detection for Prometheus

POST /api/v1/write       Remote-Write receiver, 1.0 and 2.0
GET  /api/v1/anomalies   current anomalies, as JSON
GET  /api/v1/incidents   incidents, open and ended
GET  /api/v1/detectors   models in use, why they train, drift, F1
GET  /api/v1/maintenance planned work; POST begins it, DELETE /api/v1/maintenance/<id> ends it
GET  /api/v1/query       Prometheus' HTTP API: also query_range, series, labels,
                         label/<name>/values, metadata, status/buildinfo
POST /api/v1/read        Remote read: windows and scores, for a Prometheus
GET  /metrics            metrics of this process
GET  /-/healthy          200 while the process lives
GET  /-/ready            200 when it is ready
POST /-/reload           reload the models (needs --web.enable-lifecycle)

gRPC, on the same port: emberwatch.v1.Anomalies, emberwatch.v1.Incidents, grpc.health.v1.Health
";

/// What the handlers read.
#[derive(Clone, Debug)]
pub struct Api {
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// Whether the process is ready; whoever wires it sets it.
    pub readiness: Readiness,
    /// What the last evaluated step found; whoever evaluates swaps it.
    pub anomalies: Arc<ArcSwap<AnomalySnapshot>>,
    /// The detectors after the last evaluated step; whoever evaluates swaps it.
    pub detectors: Arc<ArcSwap<Vec<DetectorReport>>>,
    /// Planned work.
    pub maintenance: Arc<Registry>,
    /// Where reloads are asked for; `None` when they are not enabled.
    pub reload: Option<mpsc::Sender<ReloadRequest>>,
}

/// The routes of this module, and what answers where no route is.
pub fn router(api: Api) -> Router {
    let grpc = grpc::routes(&api);
    let maintenance = Router::new()
        .route("/api/v1/maintenance", get(maintenance::list).post(maintenance::add))
        .route("/api/v1/maintenance/{window}", delete(maintenance::end))
        .with_state(Arc::clone(&api.maintenance));
    Router::new()
        .route("/", get(async || INDEX))
        .route("/metrics", get(metrics))
        .route("/-/healthy", get(async || "Emberwatch is healthy.\n"))
        .route("/-/ready", get(lifecycle::ready))
        .route("/-/reload", axum::routing::post(lifecycle::reload).put(lifecycle::reload))
        .route("/api/v1/anomalies", get(anomalies))
        .route("/api/v1/incidents", get(incidents))
        .route("/api/v1/detectors", get(detectors::list))
        .with_state(api)
        .merge(maintenance)
        .merge(grpc)
        .fallback(grpc::unknown_path)
}

/// What goes around all routes of the process: counts and times each request, and turns a panic of a
/// handler into a 500 that is counted.
pub fn instrument(routes: Router, metrics: &Arc<Metrics>) -> Router {
    let panics = metrics.http_panics.clone();
    let answer_panic = move |cause: Box<dyn Any + Send>| {
        panics.inc();
        tracing::error!(cause = panic_text(&*cause), "a request handler panicked; answered 500");
        (StatusCode::INTERNAL_SERVER_ERROR, "internal error\n").into_response()
    };
    routes
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(middleware::from_fn_with_state(Arc::clone(metrics), count_request))
}

async fn count_request(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    // The route, not the path: a client cannot make new label values.
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str);
    let handler = route.to_owned();
    let response = next.run(request).await;
    let elapsed = started.elapsed().as_secs_f64();
    metrics.http_request_duration.get_or_create(&HandlerLabel { handler: handler.clone() }).observe(elapsed);
    let labels = HandlerCodeLabels { handler, code: response.status().as_u16() };
    metrics.http_requests.get_or_create(&labels).inc();
    response
}

async fn metrics(State(api): State<Api>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = Exposition::for_accept(accept);
    match telemetry::encode(&api.metrics, format) {
        Ok(text) => ([(header::CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// The text a panic was raised with.
fn panic_text(cause: &(dyn Any + Send)) -> &str {
    let owned = cause.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("not text")
}
