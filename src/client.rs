//! Requests to other servers: where they are, who we are to them, how long it may take.
//!
//! What write-back and history share, in the words of Prometheus' own configuration (`headers`, `basic_auth`,
//! `authorization`, `tls_config`, `remote_timeout`). It sends one request and gives the answer; what an answer means, and
//! whether to ask again, is the caller's business ([`Backoff`] says when).
//!
//! It does not follow redirects, speaks HTTP/1.1 only, and reads the files of `tls_config` once, when the client is made; those of secrets
//! are read again for every request.

mod backoff;

mod config;

mod credentials;

mod tls;

pub use backoff::{Backoff, parse_retry_after};
pub use config::{Config, InvalidConfig, Settings};
pub use credentials::{Credentials, Secret, SecretSource};
pub use tls::{TlsError, TlsSettings};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response,
    header::{AUTHORIZATION, USER_AGENT},
};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::{error::Error, time::Duration};
use tokio::time::{Instant, timeout_at};

/// A client for one server; keeps its connections open between requests.
#[derive(Clone, Debug)]
pub struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    headers: HeaderMap,
    credentials: Option<Credentials>,
    timeout: Duration,
}

/// Why there is no answer. Each may be gone when the request is repeated.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum SendError {
    /// It took longer than the timeout.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// Connecting, TLS or HTTP failed.
    #[error("{0}")]
    Transport(String),
    /// The file of a secret cannot be read, or holds what no header can.
    #[error("no credentials: {0}")]
    Credentials(String),
}

/// An answer whose body is still to be read, until a deadline.
#[derive(Debug)]
pub struct Answer {
    /// Status and headers.
    pub head: http::response::Parts,
    body: Incoming,
    timeout: Duration,
    deadline: Instant,
}

// === impl Client ===

impl Client {
    /// A client that keeps up to `connections` connections for later requests.
    ///
    /// # Errors
    /// When a file of `tls_config` cannot be used.
    pub fn new(config: &Config, connections: usize) -> Result<Self, TlsError> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(connections)
            .build(tls::connector(&config.tls, config.is_https(), tcp)?);
        let mut headers = config.headers.clone();
        headers
            .insert(USER_AGENT, HeaderValue::from_static(concat!("emberwatch/", env!("CARGO_PKG_VERSION"))));
        Ok(Self { http, headers, credentials: config.credentials.clone(), timeout: config.remote_timeout })
    }

    /// Sends a request, with the configured headers beside its own, and waits for the head of the answer. The timeout holds for the
    /// answer as a whole.
    ///
    /// # Errors
    /// When there is no answer in time.
    pub async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Answer, SendError> {
        let mut headers = self.headers.clone();
        headers.extend(std::mem::take(request.headers_mut()));
        if let Some(authorization) = self.authorization().await? {
            headers.insert(AUTHORIZATION, authorization);
        }
        *request.headers_mut() = headers;
        let deadline = Instant::now() + self.timeout;
        match timeout_at(deadline, self.http.request(request)).await {
            Ok(Ok(response)) => {
                let (head, body) = Response::into_parts(response);
                Ok(Answer { head, body, timeout: self.timeout, deadline })
            }
            Ok(Err(error)) => Err(SendError::Transport(chain(&error))),
            Err(_) => Err(SendError::TimedOut(self.timeout)),
        }
    }

    async fn authorization(&self) -> Result<Option<HeaderValue>, SendError> {
        let Some(credentials) = self.credentials.clone() else { return Ok(None) };
        // The secret may be in a file on a slow disk.
        match tokio::task::spawn_blocking(move || credentials.header()).await {
            Ok(Ok(header)) => Ok(Some(header)),
            Ok(Err(error)) => Err(SendError::Credentials(error.to_string())),
            Err(error) => Err(SendError::Credentials(error.to_string())),
        }
    }
}

// === impl Answer ===

impl Answer {
    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// When it breaks off or takes too long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, SendError> {
        loop {
            match timeout_at(self.deadline, self.body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Ok(Some(Err(error))) => return Err(SendError::Transport(chain(&error))),
                Err(_) => return Err(SendError::TimedOut(self.timeout)),
            }
        }
    }

    /// The first `most` bytes of the body, for a message: it may end early or break off. A body read to its end frees the
    /// connection for the next request; of a longer one the connection is given up.
    pub async fn text(mut self, most: usize) -> Vec<u8> {
        let mut text = Vec::new();
        while let Ok(Some(data)) = self.next().await {
            let room = most - text.len();
            text.extend(data.iter().take(room));
            if data.len() > room {
                break;
            }
        }
        text
    }
}

/// The first `most` bytes of a text, without a broken character at the cut and white space around.
#[must_use]
pub fn bounded_text(body: &[u8], most: usize) -> String {
    let head = body.get(..most).unwrap_or(body);
    let text = String::from_utf8_lossy(head);
    // Only a cut makes a broken character our own doing.
    let text = if head.len() < body.len() { text.trim_end_matches('\u{fffd}') } else { &text };
    text.trim().to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        let text = "é".repeat(100);
        let odd = format!("x{text}");
        assert_eq!(bounded_text(text.as_bytes(), 100), "é".repeat(50));
        assert_eq!(bounded_text(odd.as_bytes(), 100), format!("x{}", "é".repeat(49)));
    }
}
