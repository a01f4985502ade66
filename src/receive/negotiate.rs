//! Which message a request holds, by its headers.

use crate::wire::MessageType;
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName},
};

/// What is asked for is not what we speak.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found}; send Remote-Write 1.0 (Content-Type: application/x-protobuf) or 2.0 (Content-Type: \
         application/x-protobuf;proto=io.prometheus.write.v2.Request), with Content-Encoding: snappy"
)]
pub(super) struct UnsupportedMedia {
    found: String,
}

/// The message type that the headers name. Absent headers mean 1.0 and snappy, as in Prometheus; the
/// version header decides nothing.
pub(super) fn message_type(headers: &HeaderMap) -> Result<MessageType, UnsupportedMedia> {
    match single(headers, &CONTENT_ENCODING)? {
        None => {}
        Some(encoding) if encoding.trim().eq_ignore_ascii_case("snappy") => {}
        Some(encoding) => return Err(unsupported("content encoding", encoding)),
    }
    match single(headers, &CONTENT_TYPE)? {
        None => Ok(MessageType::V1),
        Some(text) => parse_content_type(text).ok_or_else(|| unsupported("content type", text)),
    }
}

/// The only value of a header.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, UnsupportedMedia> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(UnsupportedMedia { found: format!("{name} is given more than once") });
    }
    match first.map(|value| value.to_str()) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => Err(UnsupportedMedia { found: format!("{name} is not text") }),
    }
}

fn unsupported(what: &str, text: &str) -> UnsupportedMedia {
    let head: String = text.chars().take(100).collect();
    UnsupportedMedia { found: format!("unsupported {what} {head:?}") }
}

/// Reads `application/x-protobuf` with an optional `proto` parameter, in every form that RFC 9110
/// (5.6.6, 8.3.1) allows: any case of type and parameter name, blanks around `;`, quoted values.
fn parse_content_type(text: &str) -> Option<MessageType> {
    let end = text.find(';').unwrap_or(text.len());
    let (media_type, mut rest) = text.split_at(end);
    if !media_type.trim().eq_ignore_ascii_case("application/x-protobuf") {
        return None;
    }
    let mut proto = None;
    while let Some(after) = rest.strip_prefix(';') {
        let after = after.trim_start_matches([' ', '\t']);
        if after.is_empty() || after.starts_with(';') {
            // RFC 9110 allows empty parameters: `type/subtype; ;a=b;`.
            rest = after;
            continue;
        }
        let (name, value) = after.split_once('=')?;
        let value_and_rest = parse_value(value)?;
        rest = value_and_rest.1.trim_start_matches([' ', '\t']);
        if !is_token(name) || (!rest.is_empty() && !rest.starts_with(';')) {
            return None;
        }
        // A second `proto` could be read either way by a proxy and by us.
        if name.eq_ignore_ascii_case("proto") && proto.replace(value_and_rest.0).is_some() {
            return None;
        }
    }
    match proto.as_deref() {
        None | Some("prometheus.WriteRequest") => Some(MessageType::V1),
        Some("io.prometheus.write.v2.Request") => Some(MessageType::V2),
        Some(_) => None,
    }
}

/// A token or a quoted string, and what follows it.
fn parse_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        return is_token(token).then(|| (token.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

fn is_token(text: &str) -> bool {
    let special = |b: u8| b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || special(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_messages_are_known_in_every_form_of_rfc_9110() {
        use MessageType::{V1, V2};
        for (text, expected) in [
            ("application/x-protobuf", Some(V1)),
            ("Application/X-Protobuf", Some(V1)),
            ("application/x-protobuf;", Some(V1)),
            ("application/x-protobuf;proto=prometheus.WriteRequest", Some(V1)),
            ("application/x-protobuf;proto=io.prometheus.write.v2.Request", Some(V2)),
            ("application/x-protobuf ; proto=io.prometheus.write.v2.Request", Some(V2)),
            ("application/x-protobuf; PROTO=\"io.prometheus.write.v2.Request\"", Some(V2)),
            ("application/x-protobuf;proto=\"io.prometheus.write.v2\\.Request\"", Some(V2)),
            ("application/x-protobuf; charset=utf-8; proto=io.prometheus.write.v2.Request", Some(V2)),
            ("application/x-protobuf;;proto=io.prometheus.write.v2.Request;", Some(V2)),
            ("application/x-protobuf;note=\"; proto=x\"", Some(V1)),
            ("application/x-protobuf;proto=io.prometheus.write.V2.Request", None),
            ("application/x-protobuf;proto=", None),
            ("application/x-protobuf;proto", None),
            ("application/x-protobuf;proto=\"open", None),
            ("application/x-protobuf;proto =io.prometheus.write.v2.Request", None),
            (
                "application/x-protobuf;proto=prometheus.WriteRequest;proto=io.prometheus.write.v2.Request",
                None,
            ),
            ("application/json", None),
            ("", None),
        ] {
            assert_eq!(parse_content_type(text), expected, "{text:?}");
        }
    }

    proptest! {
        /// For all header texts, parsing neither panics nor takes an unknown message for a known one.
        #[test]
        fn no_text_panics(text in "(application/x-protobuf)?[;= \"\\\\a-zA-Z.0-9]{0,40}") {
            if parse_content_type(&text) == Some(MessageType::V2) {
                prop_assert!(text.contains("io.prometheus.write.v2.Request") || text.contains('\\'));
            }
        }
    }
}
