//! Sends the fleet's samples by Remote-Write 1.0, in order, over one kept-alive connection.
//!
//! Obeys the receiver: on 503 and 429 it waits as long as `Retry-After` says and repeats the same
//! request, on other 5xx and on connection errors it backs off as Prometheus does (30 ms, doubling to
//! 5 s). Nothing overtakes a request that is being repeated. Any other answer than 2xx ends the demo:
//! the demo's samples are valid, so the receiver is wrong.

use super::message;
use crate::simulate::fleet::Scraped;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::time::Duration;

/// Samples in one request at most: Prometheus' `max_samples_per_send`.
pub const MAX_SAMPLES_PER_SEND: usize = 2_000;

const MIN_BACKOFF: Duration = Duration::from_millis(30);
const MAX_BACKOFF: Duration = Duration::from_secs(5);
/// Longest wait that a receiver can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);
/// Repeats of one request before the demo gives up: about a minute of backing off.
const MAX_RETRIES: u32 = 20;
/// Bytes of an answer that are read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Why the samples could not be delivered.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The request could not be built.
    #[error("cannot build a request to {url}")]
    Request {
        /// Where it should have gone.
        url: Uri,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The receiver refused the samples for good.
    #[error("the receiver answered {status} to {samples} samples: {text}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Samples in the request.
        samples: usize,
        /// What it said.
        text: String,
    },
    /// The receiver could not be reached, or was overloaded, too often in a row.
    #[error("gave up after {MAX_RETRIES} repeats: {last}")]
    GaveUp {
        /// The last answer or error.
        last: String,
    },
}

/// The sending end of a Remote-Write connection.
#[derive(Debug)]
pub struct Sender {
    client: Client<HttpConnector, Full<Bytes>>,
    url: Uri,
    sent_samples: u64,
    retries: u64,
}

/// What to do after one attempt.
enum Attempt {
    Delivered,
    Retry { after: Option<Duration>, why: String },
    Refused { status: StatusCode, text: String },
}

// === impl Sender ===

impl Sender {
    /// A sender to the Remote-Write endpoint at `url`.
    #[must_use]
    pub fn new(url: Uri) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, url, sent_samples: 0, retries: 0 }
    }

    /// Delivers `samples` in order, in requests of at most [`MAX_SAMPLES_PER_SEND`].
    ///
    /// # Errors
    /// When the receiver refuses them or stays out of reach.
    pub async fn send(&mut self, samples: &[Scraped]) -> Result<(), SendError> {
        for part in samples.chunks(MAX_SAMPLES_PER_SEND) {
            let body = message::encode(part).map_err(|error| self.cannot_build(error))?;
            self.deliver(&body, part.len()).await?;
            self.sent_samples += part.len() as u64;
        }
        Ok(())
    }

    /// Samples delivered so far.
    #[must_use]
    pub fn sent_samples(&self) -> u64 {
        self.sent_samples
    }

    /// Requests repeated so far.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.retries
    }

    async fn deliver(&mut self, body: &Bytes, samples: usize) -> Result<(), SendError> {
        let mut backoff = MIN_BACKOFF;
        let mut last = String::new();
        for _ in 0..=MAX_RETRIES {
            match self.attempt(body).await? {
                Attempt::Delivered => return Ok(()),
                Attempt::Refused { status, text } => {
                    return Err(SendError::Refused { status, samples, text });
                }
                Attempt::Retry { after, why } => {
                    tokio::time::sleep(after.unwrap_or(backoff)).await;
                    backoff = (backoff * 2).min(MAX_BACKOFF);
                    self.retries += 1;
                    last = why;
                }
            }
        }
        Err(SendError::GaveUp { last })
    }

    async fn attempt(&self, body: &Bytes) -> Result<Attempt, SendError> {
        let request = Request::post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .header(header::CONTENT_ENCODING, "snappy")
            .header(header::USER_AGENT, concat!("emberwatch-demo/", env!("CARGO_PKG_VERSION")))
            .header("X-Prometheus-Remote-Write-Version", "0.1.0")
            .body(Full::new(body.clone()))
            .map_err(|error| self.cannot_build(error))?;
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) => return Ok(Attempt::Retry { after: None, why: error.to_string() }),
        };
        let (head, body) = response.into_parts();
        // Read to the end, or the connection is not used again.
        let text = match Limited::new(body, MAX_ANSWER_BYTES).collect().await {
            Ok(body) => String::from_utf8_lossy(&body.to_bytes()).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        let status = head.status;
        Ok(if status.is_success() {
            Attempt::Delivered
        } else if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            Attempt::Retry { after: retry_after(&head.headers), why: format!("{status} {text}") }
        } else {
            Attempt::Refused { status, text }
        })
    }

    fn cannot_build(&self, source: impl std::error::Error + Send + Sync + 'static) -> SendError {
        SendError::Request { url: self.url.clone(), source: Box::new(source) }
    }
}

/// `Retry-After` in seconds; the form with a date is not used between demo and sidecar.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}
