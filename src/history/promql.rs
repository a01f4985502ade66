//! Samples by queries: a range selector, asked as an instant query, gives them as they are stored.
//!
//! `query_range`, which every store has too, evaluates on a grid of instants: it repeats old samples, loses those between two instants and
//! moves all of them in time. A range selector loses only staleness markers and, on VictoriaMetrics, native histograms.

use super::{
    HistoryError,
    reader::{Asking, Found, accepted},
};
use crate::{
    client::Answer,
    series::{LabelMatcher, LabelSet, Sample, TimestampMs},
    wire::read::{History, ReadSeries},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header::CONTENT_TYPE};
use http_body_util::Full;
use serde::{Deserialize, de::IgnoredAny};
use std::{borrow::Cow, collections::BTreeMap, fmt::Write as _, ops::RangeInclusive};

const PATH: &str = "/api/v1/query";

/// What a sample takes as text, labels not counted: time, value, punctuation.
const SAMPLE_BYTES: usize = 48;

/// The part of an answer that says something here.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, rename = "resultType")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    result: Vec<Element<'a>>,
}

#[derive(Deserialize)]
struct Element<'a> {
    #[serde(borrow)]
    metric: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(borrow, default)]
    values: Vec<(f64, Cow<'a, str>)>,
    #[serde(default)]
    histograms: Vec<IgnoredAny>,
}

/// One request for each of `selectors`.
pub(super) async fn read(
    asking: &Asking,
    selectors: &[Vec<LabelMatcher>],
    range: &RangeInclusive<TimestampMs>,
    hash_seed: u64,
) -> Result<Found, HistoryError> {
    let mut found = Found::default();
    for (query, matchers) in selectors.iter().enumerate() {
        let text = selector(matchers, range);
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("query", &text)
            .append_pair("time", &seconds(*range.end()))
            .finish();
        let mut request = Request::new(Full::new(Bytes::from(form)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = asking.config.endpoint(PATH);
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, kind);
        let answer = accepted(asking.client.send(request).await?).await?;
        let body = whole(asking, answer, range).await?;
        take(&body, query, asking, range, &mut found, hash_seed)?;
        if found.counts.samples > asking.config.max_samples as u64 {
            return Err(asking.too_much(range));
        }
    }
    Ok(found)
}

/// A body as one piece; what is longer than all samples allowed could be is too much.
async fn whole(
    asking: &Asking,
    mut answer: Answer,
    range: &RangeInclusive<TimestampMs>,
) -> Result<Vec<u8>, HistoryError> {
    let most = asking.config.max_samples.saturating_mul(SAMPLE_BYTES).max(asking.limits().max_decoded_bytes);
    let mut body = Vec::new();
    while let Some(bytes) = answer.next().await? {
        body.extend_from_slice(&bytes);
        if body.len() > most {
            return Err(asking.too_much(range));
        }
    }
    Ok(body)
}

fn take(
    body: &[u8],
    query: usize,
    asking: &Asking,
    range: &RangeInclusive<TimestampMs>,
    found: &mut Found,
    hash_seed: u64,
) -> Result<(), HistoryError> {
    let unreadable = |error: serde_json::Error| HistoryError::Json(error.to_string());
    let Body { data } = serde_json::from_slice(body).map_err(unreadable)?;
    if data.kind != "matrix" {
        return Err(HistoryError::Json(format!("a range selector gave a {}, not a matrix", data.kind)));
    }
    let mut history = History::new(range.clone(), &asking.limits());
    for element in data.result {
        history.restart(range.clone());
        for (at, value) in &element.values {
            history.add_sample(Sample::new(milliseconds(*at), number(value)?))?;
        }
        let (samples, histograms) = history.merged();
        found.counts.left_out += element.histograms.len() as u64;
        let Ok(labels) = LabelSet::from_pairs(element.metric) else {
            found.counts.left_out += samples.len() as u64;
            continue;
        };
        if !samples.is_empty() {
            let series = ReadSeries { query, labels: labels.canonical_text(), samples, histograms };
            found.take(series, hash_seed);
        }
    }
    Ok(())
}

/// A range selector for the samples of `range`, both ends included. Prometheus 3 leaves out what lies on the early end of a range, so
/// that is a millisecond before; what older ones answer too much is cut off.
fn selector(matchers: &[LabelMatcher], range: &RangeInclusive<TimestampMs>) -> String {
    let mut text = String::from("{");
    for (place, matcher) in matchers.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let name =
            if is_plain(matcher.name()) { Cow::from(matcher.name()) } else { quoted(matcher.name()).into() };
        // Writing to a string does not fail.
        _ = write!(text, "{comma}{name}{}{}", matcher.op().symbol(), quoted(matcher.value()));
    }
    let length_ms = range.end().since_ms(*range.start()).saturating_add(1).max(1);
    _ = write!(text, "}}[{length_ms}ms]");
    text
}

/// A string as PromQL reads it.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// Whether a label name may stand without quotes.
fn is_plain(name: &str) -> bool {
    let mut letters = name.bytes();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
}

/// Seconds as the API takes them.
fn seconds(at: TimestampMs) -> String {
    format!("{}.{:03}", at.0.div_euclid(1000), at.0.rem_euclid(1000))
}

/// Seconds as the API gives them: exact to the millisecond for the next thousands of years.
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

fn number(text: &str) -> Result<f64, HistoryError> {
    // Rust reads Go's "+Inf", "-Inf" and "NaN".
    text.parse().map_err(|_| HistoryError::Json(format!("{text:?} is no number")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::MatchOp;
    use proptest::prelude::*;

    fn range(from: i64, until: i64) -> RangeInclusive<TimestampMs> {
        TimestampMs(from)..=TimestampMs(until)
    }

    #[test]
    fn a_selector_is_written_as_promql_reads_it() {
        let matchers = [
            LabelMatcher::new("__name__", MatchOp::Equal, "up").unwrap(),
            LabelMatcher::new("path", MatchOp::Regex, "a\\.b\"c\n").unwrap(),
            LabelMatcher::new("service.name", MatchOp::NotEqual, "").unwrap(),
        ];
        let text = selector(&matchers, &range(1_000, 61_000));
        let expected = r#"{__name__="up",path=~"a\\.b\"c\n","service.name"!=""}[60001ms]"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn values_are_those_of_go() {
        let values = ["+Inf", "-Inf", "1e+06", "-0", "0.1"].map(|text| number(text).unwrap());
        assert_eq!(values, [f64::INFINITY, f64::NEG_INFINITY, 1e6, 0.0, 0.1]);
        assert!(number("NaN").unwrap().is_nan());
        assert!(number("one").is_err());
    }

    proptest! {
        /// For all instants of the next centuries, what the API says of one is that one again.
        #[test]
        fn times_survive_the_api(at in 0_i64..10_000_000_000_000) {
            let text = seconds(TimestampMs(at));
            prop_assert_eq!(milliseconds(text.parse().unwrap()), at);
        }
    }
}
