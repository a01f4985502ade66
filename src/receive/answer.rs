//! What a sender is told.

use super::{BodyError, OwnOutput, Refusal};
use crate::{
    window::AppendCounts,
    wire::{InvalidCounts, MessageType, WireError},
};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, RETRY_AFTER},
};
use std::{fmt::Write as _, time::Duration};

const SAMPLES_WRITTEN: HeaderName = HeaderName::from_static("x-prometheus-remote-write-samples-written");
const HISTOGRAMS_WRITTEN: HeaderName =
    HeaderName::from_static("x-prometheus-remote-write-histograms-written");
const EXEMPLARS_WRITTEN: HeaderName = HeaderName::from_static("x-prometheus-remote-write-exemplars-written");

/// What the `Written` headers of 2.0 say. Exemplars are never written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    samples: u64,
    histograms: u64,
}

/// An answer before it knows the version of the protocol.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    text: String,
    written: Written,
    retry_after: Option<Duration>,
}

// === impl Written ===

impl Written {
    /// From what the windows took; own output counts as written.
    pub(super) fn new(counts: &AppendCounts, own: OwnOutput) -> Self {
        let histograms = counts.histograms_written;
        Self {
            samples: counts.written().saturating_sub(histograms) + own.samples,
            histograms: histograms + own.histograms,
        }
    }
}

// === impl Answer ===

impl Answer {
    /// 204 when everything was written, else 400 with the counts and reasons; what is valid has been
    /// written in either case, and a sender does not repeat a 400.
    pub(super) fn of(invalid: &InvalidCounts, counts: &AppendCounts, written: Written) -> Self {
        let refused: u64 = counts.refused().iter().map(|(_, count)| count).sum();
        if invalid.is_empty() && refused == 0 {
            return Self { status: StatusCode::NO_CONTENT, text: String::new(), written, retry_after: None };
        }
        let mut text = String::from("the rest was written, but ");
        if refused > 0 {
            // Writing to a String cannot fail.
            let _ = write!(text, "{refused} samples were refused:");
            for (reason, count) in counts.refused().into_iter().filter(|(_, count)| *count > 0) {
                let _ = write!(text, " {reason} ({count})");
            }
        }
        if !invalid.is_empty() {
            let separator = if refused > 0 { "; " } else { "" };
            let _ = write!(text, "{separator}{invalid}");
        }
        Self { status: StatusCode::BAD_REQUEST, text, written, retry_after: None }
    }

    /// The answer to a request of which nothing was written.
    pub(super) fn refused(refusal: &Refusal, retry_after: Duration) -> Self {
        let status = status(refusal);
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(retry_after);
        Self { status, text: refusal.to_string(), written: Written::default(), retry_after }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The HTTP response; the `Written` headers belong to 2.0 alone.
    pub(super) fn into_response(self, message: Option<MessageType>) -> Response {
        let mut response = match self.text.is_empty() {
            true => Response::new(Body::empty()),
            false => (self.text + "\n").into_response(),
        };
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if message == Some(MessageType::V2) {
            headers.insert(SAMPLES_WRITTEN, self.written.samples.into());
            headers.insert(HISTOGRAMS_WRITTEN, self.written.histograms.into());
            headers.insert(EXEMPLARS_WRITTEN, 0.into());
        }
        if let Some(retry_after) = self.retry_after {
            headers.insert(RETRY_AFTER, retry_after.as_secs().max(1).into());
        }
        if self.status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("snappy"));
        }
        response
    }
}

/// 4xx means never send this again, 5xx send it again: only our own lack of room is a 5xx.
fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Media(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::Body(BodyError::TooLarge { .. }) | Refusal::Wire(WireError::CompressedTooLarge { .. }) => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        Refusal::Body(BodyError::TooSlow { .. }) => StatusCode::REQUEST_TIMEOUT,
        Refusal::Body(BodyError::Broken(_)) | Refusal::Wire(_) => StatusCode::BAD_REQUEST,
        Refusal::Body(BodyError::NoMemory { .. }) | Refusal::NoPlace(_) | Refusal::Ended => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}
