//! Why the past cannot be read, and whether it is worth asking again.

use crate::{
    client::SendError,
    wire::{WireError, read::ReadError},
};
use http::StatusCode;
use std::time::Duration;

/// Why a request for the past failed.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// No answer.
    #[error(transparent)]
    NoAnswer(#[from] SendError),
    /// An answer that says no.
    #[error("the store answered {status}: {text:?}{}", hint(*.status, .text))]
    Status {
        /// The status.
        status: StatusCode,
        /// What it says, bounded.
        text: String,
        /// When to come again, if it said so.
        after: Option<Duration>,
    },
    /// An answer that is none to what was asked.
    #[error("the store's answer cannot be read: {0}")]
    Read(#[from] ReadError),
    /// An answer to a query that is none.
    #[error("the store's answer cannot be read: {0}")]
    Json(String),
    /// A kind of body that was not asked for.
    #[error("the store answered with {0:?}, which is no answer of remote read; check url and api")]
    ContentType(String),
    /// More than fits.
    #[error("the store has more than {limit} {what} between {from} and {until}; raise max_samples")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// The range asked for, Unix milliseconds.
        from: i64,
        /// Its end.
        until: i64,
    },
    /// The task that asked broke off.
    #[error("reading broke off: {0}")]
    Broken(String),
}

/// What to do about a refusal, where that is known.
fn hint(status: StatusCode, text: &str) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "; check basic_auth or authorization",
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            "; check url, and write api: query for a store without remote read, such as VictoriaMetrics"
        }
        // VictoriaMetrics' words.
        _ if text.contains("unsupported path") => "; write api: query for a store without remote read",
        _ if status.is_redirection() => "; redirects are not followed: set url to where it points",
        _ => "",
    }
}

// === impl HistoryError ===

impl HistoryError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            // A frame that arrived damaged, or a stream that broke off: what is stored may well be sound.
            Self::Read(error) => matches!(error, ReadError::Checksum { .. } | ReadError::EndInFrame { .. }),
            _ => false,
        }
    }

    /// Whether a shorter range may succeed.
    #[must_use]
    pub fn is_too_much(&self) -> bool {
        match self {
            Self::TooMuch { .. } => true,
            Self::Read(error) => matches!(
                error,
                ReadError::FrameTooLarge { .. }
                    | ReadError::TooMany { .. }
                    | ReadError::Wire(
                        WireError::TooMany { .. }
                            | WireError::CompressedTooLarge { .. }
                            | WireError::DecodedTooLarge { .. }
                    )
            ),
            // Prometheus: "exceeded sample limit"; Thanos, Mimir and VictoriaMetrics: "... limit ...".
            Self::Status { status, text, .. } => status.is_client_error() && text.contains("limit"),
            _ => false,
        }
    }

    /// When the store asked to come again.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { after, .. } => *after,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, text: &str) -> HistoryError {
        let status = StatusCode::from_u16(code).unwrap();
        HistoryError::Status { status, text: text.to_owned(), after: None }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let text = status(400, "unsupported path requested: \"/api/v1/read\"").to_string();
        assert!(text.contains("api: query"), "{text}");
        assert!(status(401, "").to_string().contains("basic_auth"));
    }

    #[test]
    fn what_may_pass_is_told_from_what_is_too_much_and_from_what_is_wrong() {
        let kinds = [
            (status(503, "busy"), (true, false)),
            (status(429, "slow down"), (true, false)),
            (status(400, "exceeded sample limit (50000000)"), (false, true)),
            (status(404, "404 page not found"), (false, false)),
            (HistoryError::NoAnswer(SendError::TimedOut(Duration::from_secs(1))), (true, false)),
            (
                HistoryError::Read(ReadError::Checksum { offset: 0, bytes: 1, expected: 1, found: 2 }),
                (true, false),
            ),
            (HistoryError::Json("no".to_owned()), (false, false)),
        ];
        for (error, kind) in kinds {
            assert_eq!((error.may_pass(), error.is_too_much()), kind, "{error}");
        }
    }
}
