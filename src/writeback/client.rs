//! One request to the target and its outcome.

use super::{
    config::Config,
    outcome::{RetryCause, SendOutcome, classify},
};
use crate::client::{Client, SendError, TlsError};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body_util::Full;
use jiff::Timestamp;

const VERSION_HEADER: HeaderName = HeaderName::from_static("x-prometheus-remote-write-version");
const RETRY_ATTEMPT: HeaderName = HeaderName::from_static("retry-attempt");

/// The most that is read of an answer. A longer one costs its connection.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// The way to one target.
#[derive(Debug)]
pub(super) struct Target {
    client: Client,
    url: Uri,
    headers: HeaderMap,
    retry_on_http_429: bool,
}

// === impl Target ===

impl Target {
    pub(super) fn new(config: &Config) -> Result<Self, TlsError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("snappy"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(VERSION_HEADER, HeaderValue::from_static("0.1.0"));
        Ok(Self {
            client: Client::new(&config.client, 1)?,
            url: config.client.url().clone(),
            headers,
            retry_on_http_429: config.queue.retry_on_http_429,
        })
    }

    /// Sends a body; `attempt` is 0 the first time and counts the repeats.
    pub(super) async fn send(&self, body: Bytes, attempt: u32) -> SendOutcome {
        let answer = match self.client.send(self.request(body, attempt)).await {
            Ok(answer) => answer,
            Err(cause) => return SendOutcome::Retry { after: None, cause: cause.into() },
        };
        let head = answer.head.clone();
        // The status alone decides; a body that breaks off or never ends changes nothing.
        let text = answer.text(MAX_ANSWER_BYTES).await;
        classify(head.status, &head.headers, &text, self.retry_on_http_429, Timestamp::now())
    }

    fn request(&self, body: Bytes, attempt: u32) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        if attempt > 0 {
            request.headers_mut().insert(RETRY_ATTEMPT, attempt.into());
        }
        request
    }
}

// === impl RetryCause ===

impl From<SendError> for RetryCause {
    fn from(error: SendError) -> Self {
        Self::NoAnswer(error)
    }
}
