//! The listening socket: HTTP/1.1 and HTTP/2 (prior knowledge) on one port.
//!
//! It promises that a client which stalls costs one of [`Config::max_connections`] places for a
//! bounded time and nothing else, and that a shutdown ends within [`Config::drain_timeout`]:
//! requests in flight are answered, idle connections closed, the rest cut.

mod address;

mod first_request;

pub use address::{InvalidAddress, ListenAddress};

use crate::telemetry::Metrics;
use axum::Router;
use first_request::FirstRequest;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tower::ServiceExt as _;

/// Wait after the system refused to accept: it is out of descriptors or memory, and asking again at
/// once would only spin.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Settings of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Most connections at once; further ones wait to be accepted. Prometheus allows 512.
    pub max_connections: usize,
    /// Longest time a request head may take, and longest pause between two requests of a connection.
    pub header_timeout: Duration,
    /// Pause after which an HTTP/2 connection is asked whether it lives.
    pub keep_alive_interval: Duration,
    /// Longest time a shutdown waits for requests in flight.
    pub drain_timeout: Duration,
}

impl Default for Config {
    /// A scrape interval is a minute at most in practice, and a kept connection must survive it.
    fn default() -> Self {
        Self {
            max_connections: 512,
            header_timeout: Duration::from_secs(90),
            keep_alive_interval: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Accepts connections and serves `routes` until `shutdown` is ready; then drains and returns.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    config: Config,
    metrics: Arc<Metrics>,
    shutdown: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(config.max_connections));
    let builder = connection_builder(config);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
        };
        // Ended tasks leave their result in the set: take it, or the set grows.
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, place)) => {
                connections.spawn(connection(stream, place, &routes, &builder, &graceful, config, &metrics));
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection; trying again");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(config.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            open = connections.len(),
            "requests still in flight at the end of the drain time; cut"
        );
    }
    connections.shutdown().await;
}

/// Waits for a place before it accepts, so that what is too many waits in the system's queue.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Answers are small and written at once: waiting for more only delays them.
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

fn connection_builder(config: Config) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(config.header_timeout);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(config.keep_alive_interval);
    builder
}

/// The task of one connection.
fn connection(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    routes: &Router,
    builder: &auto::Builder<TokioExecutor>,
    graceful: &GracefulShutdown,
    config: Config,
    metrics: &Arc<Metrics>,
) -> impl Future<Output = ()> + Send + 'static {
    let first_request = FirstRequest::default();
    let seen = first_request.clone();
    let service = routes.clone().map_request(move |request: http::Request<Incoming>| {
        seen.arrived();
        request.map(axum::body::Body::new)
    });
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let serving = graceful.watch(serving.into_owned());
    let open = metrics.http_connections.clone();
    async move {
        open.inc();
        tokio::select! {
            ended = serving => if let Err(error) = ended {
                tracing::debug!(error, "connection ended early");
            },
            // hyper limits the time for a request head, but not for the bytes before it, by which the
            // version of HTTP is told.
            () = first_request.missing_after(config.header_timeout) => {}
        }
        open.dec();
        drop(place);
    }
}
