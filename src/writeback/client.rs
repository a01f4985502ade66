//! One request to the target and its outcome.

use super::{
    config::Config,
    credentials::Credentials,
    outcome::{RetryCause, SendOutcome, classify},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT},
};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use jiff::Timestamp;
use std::{error::Error, time::Duration};
use tokio::time::{Instant, timeout_at};

const VERSION_HEADER: HeaderName = HeaderName::from_static("x-prometheus-remote-write-version");
const RETRY_ATTEMPT: HeaderName = HeaderName::from_static("retry-attempt");

/// The most that is read of an answer. A longer one costs its connection.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// A client for one target; keeps its connection open between requests.
#[derive(Debug)]
pub(super) struct Client {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    url: http::Uri,
    headers: HeaderMap,
    credentials: Option<Credentials>,
    timeout: Duration,
    retry_on_http_429: bool,
}

// === impl Client ===

impl Client {
    pub(super) fn new(config: &Config) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(1)
            .build(connector);
        let mut headers = config.headers.clone();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("snappy"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(VERSION_HEADER, HeaderValue::from_static("0.1.0"));
        let user_agent = concat!("emberwatch/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(user_agent));
        Self {
            http,
            url: config.url.clone(),
            headers,
            credentials: config.credentials.clone(),
            timeout: config.remote_timeout,
            retry_on_http_429: config.queue.retry_on_http_429,
        }
    }

    /// Sends a body; `attempt` is 0 the first time and counts the repeats.
    pub(super) async fn send(&self, body: Bytes, attempt: u32) -> SendOutcome {
        let request = match self.request(body, attempt).await {
            Ok(request) => request,
            Err(cause) => return SendOutcome::Retry { after: None, cause },
        };
        let deadline = Instant::now() + self.timeout;
        let (head, body) = match timeout_at(deadline, self.http.request(request)).await {
            Ok(Ok(response)) => response.into_parts(),
            Ok(Err(error)) => {
                return SendOutcome::Retry { after: None, cause: RetryCause::Transport(chain(&error)) };
            }
            Err(_) => return SendOutcome::Retry { after: None, cause: RetryCause::TimedOut(self.timeout) },
        };
        // The status alone decides; a body that breaks off or never ends changes nothing.
        let mut text = Vec::new();
        let _ = timeout_at(deadline, read_bounded(body, &mut text)).await;
        classify(head.status, &head.headers, &text, self.retry_on_http_429, Timestamp::now())
    }

    async fn request(&self, body: Bytes, attempt: u32) -> Result<Request<Full<Bytes>>, RetryCause> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        if attempt > 0 {
            request.headers_mut().insert(RETRY_ATTEMPT, attempt.into());
        }
        if let Some(authorization) = self.authorization().await? {
            request.headers_mut().insert(AUTHORIZATION, authorization);
        }
        Ok(request)
    }

    async fn authorization(&self) -> Result<Option<HeaderValue>, RetryCause> {
        let Some(credentials) = self.credentials.clone() else { return Ok(None) };
        // The secret may be in a file on a slow disk.
        let header = tokio::task::spawn_blocking(move || credentials.header()).await;
        match header {
            Ok(Ok(header)) => Ok(Some(header)),
            Ok(Err(error)) => Err(RetryCause::Credentials(error.to_string())),
            Err(error) => Err(RetryCause::Credentials(error.to_string())),
        }
    }
}

/// Reads until the end, an error, or [`MAX_ANSWER_BYTES`]; a body read to its end frees the connection for
/// the next request.
async fn read_bounded(mut body: Incoming, into: &mut Vec<u8>) {
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data() {
            let room = MAX_ANSWER_BYTES - into.len();
            into.extend(data.iter().take(room));
            if data.len() > room {
                return;
            }
        }
    }
}

/// An error with its causes: hyper's own text alone says only "client error (Connect)".
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
