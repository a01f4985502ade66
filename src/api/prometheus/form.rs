//! The parameters of a request, of its URL and of a form in its body, by the rules of Go's `net/http`.

use axum::{
    body::{self, Body},
    extract::{FromRequest, Request},
};
use http::{Method, header};
use std::{convert::Infallible, time::Duration};

/// Most bytes of a form; Go's own limit.
const MAX_FORM_BYTES: usize = 10 << 20;

/// Longest time for a form to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The parameters of one request: those of the body, then those of the URL.
#[derive(Debug, Default)]
pub(super) struct Form {
    parameters: Vec<(String, String)>,
    /// What could not be read; the rest was.
    fault: Option<String>,
}

// === impl Form ===

impl Form {
    /// The first value of a parameter; empty when it is not given.
    pub(super) fn value(&self, name: &str) -> &str {
        self.parameters.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// All values of a parameter.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.parameters.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What could not be read. Most routes go on with the rest, as Prometheus does.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn read(&mut self, text: &[u8]) {
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            match parameter(pair) {
                Ok(parameter) => self.parameters.push(parameter),
                Err(fault) => self.note(fault),
            }
        }
    }

    /// The first fault is the one that is told.
    fn note(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }
}

impl<S: Sync> FromRequest<S> for Form {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let (head, body) = request.into_parts();
        let mut form = Self::default();
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if head.method == Method::POST && content_type.is_some_and(is_form) {
            match read_body(body).await {
                Ok(bytes) => form.read(&bytes),
                Err(fault) => form.note(fault),
            }
        }
        form.read(head.uri.query().unwrap_or_default().as_bytes());
        Ok(form)
    }
}

fn is_form(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

async fn read_body(body: Body) -> Result<body::Bytes, String> {
    let reading = body::to_bytes(body, MAX_FORM_BYTES);
    let bytes = tokio::time::timeout(BODY_TIMEOUT, reading).await.map_err(|_| "the form took too long")?;
    bytes.map_err(|error| error.to_string())
}

/// `name=value`, both percent-encoded.
fn parameter(pair: &[u8]) -> Result<(String, String), String> {
    if pair.contains(&b';') {
        return Err("invalid semicolon separator in query".to_owned());
    }
    let split = pair.iter().position(|byte| *byte == b'=');
    let (name, value) = split.map_or((pair, &[][..]), |at| (&pair[..at], &pair[at + 1..]));
    Ok((decoded(name)?, decoded(value)?))
}

/// What is not UTF-8 becomes the replacement character, which no expression takes for anything else.
fn decoded(text: &[u8]) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let code = after.get(..2).and_then(hexadecimal).ok_or_else(|| {
                    let head = &after[..after.len().min(2)];
                    format!("invalid URL escape \"%{}\"", String::from_utf8_lossy(head))
                })?;
                bytes.push(code);
                rest = &after[2..];
            }
            byte => bytes.push(*byte),
        }
    }
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let [high, low] = digits else { return None };
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(text: &str) -> Form {
        let mut form = Form::default();
        form.read(text.as_bytes());
        form
    }

    #[test]
    fn parameters_are_decoded_and_may_repeat() {
        let form = form("query=a+%2B%20b&match[]=x&match%5B%5D=y&empty&last=%C3%A4");
        assert_eq!(form.value("query"), "a + b");
        assert_eq!(form.values("match[]").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!((form.value("empty"), form.value("absent"), form.value("last")), ("", "", "ä"));
        assert_eq!(form.fault(), None);
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_told() {
        let broken = form("a=%zz&b=1;c=2&d=3");
        assert_eq!(broken.fault(), Some("invalid URL escape \"%zz\""));
        assert_eq!((broken.value("a"), broken.value("b"), broken.value("d")), ("", "", "3"));
        assert_eq!(form("a=%4").fault(), Some("invalid URL escape \"%4\""));
    }

    proptest! {
        /// For all bytes, reading does not panic.
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            Form::default().read(&bytes);
        }
    }
}
