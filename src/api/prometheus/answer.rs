//! The envelope around every answer.

use super::json::push_string;
use crate::{promql::ParseError, query::QueryError};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

/// Said where `limit` cut an answer off.
const TRUNCATED: &str = "results truncated due to limit";

/// An answer: data, or why there is none.
pub(super) type Answer = Result<Data, Failure>;

/// The data of an answer.
#[derive(Debug)]
pub(super) struct Data {
    json: String,
    truncated: bool,
}

/// Why there is no data.
#[derive(Debug)]
pub(super) struct Failure {
    error_type: ErrorType,
    text: String,
}

#[derive(Clone, Copy, Debug)]
enum ErrorType {
    BadData,
    Execution,
    Timeout,
    Internal,
}

// === impl Data ===

impl Data {
    /// Data that is JSON already.
    pub(super) fn new(json: String) -> Self {
        Self { json, truncated: false }
    }

    /// The same, with a warning where a limit has cut it off.
    pub(super) fn limited(json: String, truncated: bool) -> Self {
        Self { json, truncated }
    }
}

impl IntoResponse for Data {
    fn into_response(self) -> Response {
        let mut body = String::with_capacity(self.json.len() + 100);
        body.push_str(r#"{"status":"success","data":"#);
        body.push_str(&self.json);
        if self.truncated {
            body.push_str(r#","warnings":["#);
            push_string(&mut body, TRUNCATED);
            body.push(']');
        }
        body.push('}');
        with_body(StatusCode::OK, body)
    }
}

// === impl Failure ===

impl Failure {
    /// A request that is wrong.
    pub(super) fn bad_data(text: impl Into<String>) -> Self {
        Self { error_type: ErrorType::BadData, text: text.into() }
    }

    /// A parameter that is wrong.
    pub(super) fn parameter(name: &str, reason: &str) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {reason}"))
    }

    /// What is wrong with an expression, in one line and with its place, as Prometheus says it.
    pub(super) fn parse_reason(error: &ParseError) -> String {
        let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        format!("{}:{}: parse error: {}{hint}", error.line(), error.column(), error.message())
    }

    /// A request that is right and cannot be carried out.
    pub(super) fn execution(text: impl Into<String>) -> Self {
        Self { error_type: ErrorType::Execution, text: text.into() }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        let error_type = match error {
            QueryError::TimedOut(_) => ErrorType::Timeout,
            QueryError::TooManySamples | QueryError::Failed(_) => ErrorType::Execution,
            QueryError::Broken(_) | QueryError::NoAnswer => ErrorType::Internal,
        };
        Self { error_type, text: error.to_string() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (word, status) = match self.error_type {
            ErrorType::BadData => ("bad_data", StatusCode::BAD_REQUEST),
            ErrorType::Execution => ("execution", StatusCode::UNPROCESSABLE_ENTITY),
            ErrorType::Timeout => ("timeout", StatusCode::SERVICE_UNAVAILABLE),
            ErrorType::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR),
        };
        let mut body = format!(r#"{{"status":"error","errorType":"{word}","error":"#);
        push_string(&mut body, &self.text);
        body.push('}');
        with_body(status, body)
    }
}

fn with_body(status: StatusCode, body: String) -> Response {
    let content_type = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}
