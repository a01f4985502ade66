//! Requests from pages of other origins. What the API reads is open to whoever reaches the port, so any
//! origin may ask, as with Prometheus' own default.

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderValue, header};

const HEADERS: HeaderValue = HeaderValue::from_static("Accept, Authorization, Content-Type, Origin");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, OPTIONS");
const EXPOSED: HeaderValue = HeaderValue::from_static("Date");

/// Adds the headers that let a page read the answer.
pub(super) async fn allow(request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin.filter(|origin| !origin.is_empty()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}
