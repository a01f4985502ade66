//! The envelope around every answer.

use super::json::{push_list, push_string};
use crate::{
    promql::{Annotations, ParseError},
    query::QueryError,
};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use std::fmt::Write as _;

/// Most warnings, and most infos, of an answer.
const MOST_SHOWN: usize = 10;

/// Said where `limit` cut an answer off.
const TRUNCATED: &str = "results truncated due to limit";

/// An answer: data, or why there is none.
pub(super) type Answer = Result<Data, Failure>;

/// The data of an answer.
#[derive(Debug)]
pub(super) struct Data {
    json: String,
    annotations: Annotations,
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
        Self { json, annotations: Annotations::default() }
    }

    /// The same, with a warning where a limit has cut it off.
    pub(super) fn limited(json: String, truncated: bool) -> Self {
        let warnings = if truncated { vec![TRUNCATED.to_owned()] } else { Vec::new() };
        Self { json, annotations: Annotations { warnings, infos: Vec::new() } }
    }

    /// The same, with what an evaluation said.
    pub(super) fn annotated(mut self, annotations: Annotations) -> Self {
        let Annotations { warnings, infos } = annotations;
        self.annotations.warnings.extend(warnings);
        self.annotations.infos.extend(infos);
        self
    }
}

impl IntoResponse for Data {
    fn into_response(self) -> Response {
        let mut body = String::with_capacity(self.json.len() + 100);
        body.push_str(r#"{"status":"success","data":"#);
        body.push_str(&self.json);
        push_annotations(&mut body, "warning", &self.annotations.warnings);
        push_annotations(&mut body, "info", &self.annotations.infos);
        body.push('}');
        with_body(StatusCode::OK, body)
    }
}

/// The first [`MOST_SHOWN`], and how many more there are.
fn push_annotations(body: &mut String, kind: &str, texts: &[String]) {
    if texts.is_empty() {
        return;
    }
    let omitted = texts.len().saturating_sub(MOST_SHOWN);
    let more = (omitted > 0).then(|| format!("{omitted} more {kind} annotations omitted"));
    let _ = write!(body, ",\"{kind}s\":");
    push_list(body, texts.iter().take(MOST_SHOWN).chain(&more), |body, text| push_string(body, text));
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
