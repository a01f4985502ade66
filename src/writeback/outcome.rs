//! What an answer means for the batch that was sent.

use crate::client::{SendError, bounded_text, parse_retry_after};
use http::{
    HeaderMap, StatusCode,
    header::{LOCATION, RETRY_AFTER},
};
use jiff::Timestamp;
use std::{borrow::Cow, time::Duration};

/// The most of a target's text that reaches a log line.
const MAX_TEXT_BYTES: usize = 1024;

/// What became of one request.
#[derive(Debug, PartialEq)]
pub(super) enum SendOutcome {
    /// The target has the samples.
    Delivered,
    /// It may take them later.
    Retry {
        /// When, if the target said.
        after: Option<Duration>,
        cause: RetryCause,
    },
    /// It will never take them.
    Rejected {
        status: StatusCode,
        /// The target's words, bounded.
        body: String,
        /// What to do about it, where that is known.
        hint: Option<Cow<'static, str>>,
    },
}

/// Why a request is to be repeated.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum RetryCause {
    #[error("the target answered {status}: {body:?}")]
    Status { status: StatusCode, body: String },
    #[error(transparent)]
    NoAnswer(SendError),
}

/// Judges an answer by the rules of Remote-Write 1.0: 2xx is final and good, 5xx and (if wished) 429
/// are temporary, everything else is final and bad.
pub(super) fn classify(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    retry_on_http_429: bool,
    now: Timestamp,
) -> SendOutcome {
    if status.is_success() {
        return SendOutcome::Delivered;
    }
    let text = bounded_text(body, MAX_TEXT_BYTES);
    if status.is_server_error() || (retry_on_http_429 && status == StatusCode::TOO_MANY_REQUESTS) {
        let after = headers.get(RETRY_AFTER).and_then(|value| parse_retry_after(value, now));
        return SendOutcome::Retry { after, cause: RetryCause::Status { status, body: text } };
    }
    SendOutcome::Rejected { status, hint: hint(status, headers, &text), body: text }
}

/// What the person who reads the log can do.
fn hint(status: StatusCode, headers: &HeaderMap, body: &str) -> Option<Cow<'static, str>> {
    // Prometheus without the flag answers 404 (older versions 400) and names the flag in its text.
    if body.to_ascii_lowercase().contains("remote write receiver") || body.contains("remote-write-receiver") {
        return Some("start the target Prometheus with --web.enable-remote-write-receiver".into());
    }
    if status.is_redirection() {
        let location = headers
            .get(LOCATION)
            .map(|value| bounded_text(value.as_bytes(), MAX_TEXT_BYTES))
            .unwrap_or_default();
        return Some(format!("redirects are not followed: set url to where it points, {location:?}").into());
    }
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "check basic_auth or authorization",
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            "check the path of url: Prometheus takes writes at /api/v1/write"
        }
        StatusCode::PAYLOAD_TOO_LARGE => "lower queue_config.max_samples_per_send",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "the target must accept Remote-Write 1.0 with snappy",
        _ => return None,
    };
    Some(hint.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn judge(status: u16, body: &str) -> SendOutcome {
        let status = StatusCode::from_u16(status).unwrap();
        classify(status, &HeaderMap::new(), body.as_bytes(), true, Timestamp::UNIX_EPOCH)
    }

    fn hint_of(status: u16, body: &str) -> String {
        match judge(status, body) {
            SendOutcome::Rejected { hint, .. } => hint.unwrap_or_default().into_owned(),
            other => panic!("{status} is {other:?}"),
        }
    }

    #[test]
    fn a_429_is_final_when_so_configured() {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let outcome = classify(status, &HeaderMap::new(), b"", false, Timestamp::UNIX_EPOCH);
        assert!(matches!(outcome, SendOutcome::Rejected { .. }));
        assert!(matches!(judge(429, ""), SendOutcome::Retry { after: None, .. }));
    }

    #[test]
    fn retry_after_is_read_from_temporary_answers() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("7"))]);
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let outcome = classify(status, &headers, b"busy", true, Timestamp::UNIX_EPOCH);
        let cause = RetryCause::Status { status, body: "busy".into() };
        assert_eq!(outcome, SendOutcome::Retry { after: Some(Duration::from_secs(7)), cause });
    }

    #[test]
    fn common_mistakes_get_a_hint() {
        let disabled = "remote write receiver needs to be enabled with --web.enable-remote-write-receiver";
        assert!(hint_of(404, disabled).contains("--web.enable-remote-write-receiver"));
        assert!(hint_of(400, disabled).contains("--web.enable-remote-write-receiver"));
        assert!(hint_of(404, "404 page not found").contains("/api/v1/write"));
        assert!(hint_of(401, "").contains("basic_auth"));
        assert!(hint_of(415, "").contains("1.0"));
        assert_eq!(hint_of(400, "out of order sample"), "");
    }

    #[test]
    fn the_hint_of_a_redirect_names_the_place() {
        let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static("/elsewhere"))]);
        let outcome = classify(StatusCode::FOUND, &headers, b"", true, Timestamp::UNIX_EPOCH);
        let SendOutcome::Rejected { hint: Some(hint), .. } = outcome else { panic!("{outcome:?}") };
        assert!(hint.contains("/elsewhere"), "{hint}");
    }

    proptest! {
        /// For every status: 2xx is delivered, 5xx and 429 are repeated, the rest is rejected.
        #[test]
        fn the_status_decides(status in 200_u16..600) {
            let outcome = judge(status, "text");
            match status {
                200..300 => prop_assert_eq!(outcome, SendOutcome::Delivered),
                429 | 500.. => prop_assert!(matches!(outcome, SendOutcome::Retry { .. }), "{status}"),
                _ => prop_assert!(matches!(outcome, SendOutcome::Rejected { .. }), "{status}"),
            }
        }
    }
}
