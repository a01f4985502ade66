//! Samples by remote read: chunks where the store has them, else samples.

use super::{
    HistoryError,
    reader::{Asking, Found, accepted},
};
use crate::{
    client::Answer,
    series::{LabelMatcher, TimestampMs},
    wire::{
        Limits,
        read::{ChunkedReader, ReadError, ReadQuery, ReadRequest, ReadSeries, ResponseType, read_samples},
    },
};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body_util::Full;
use std::{ops::RangeInclusive, sync::atomic::Ordering};

const PATH: &str = "/api/v1/read";
const VERSION_HEADER: HeaderName = HeaderName::from_static("x-prometheus-remote-read-version");

/// One request for all of `selectors`.
pub(super) async fn read(
    asking: &Asking,
    selectors: &[Vec<LabelMatcher>],
    range: &RangeInclusive<TimestampMs>,
    hash_seed: u64,
) -> Result<Found, HistoryError> {
    let queries: Vec<ReadQuery> = selectors
        .iter()
        .map(|matchers| ReadQuery {
            start: *range.start(),
            end: *range.end(),
            matchers: matchers.clone(),
            hints: None,
        })
        .collect();
    if !asking.samples_only.load(Ordering::Relaxed) {
        let accepted = vec![ResponseType::StreamedChunks, ResponseType::Samples];
        match ask(asking, &queries, accepted, range, hash_seed).await {
            // The store can unpack them itself.
            Err(HistoryError::Read(error)) if error.is_of_newer_chunks() => {
                asking.samples_only.store(true, Ordering::Relaxed);
                tracing::info!(%error, "the store has chunks that are not known here: asking it for samples");
            }
            answered => return answered,
        }
    }
    ask(asking, &queries, vec![ResponseType::Samples], range, hash_seed).await
}

async fn ask(
    asking: &Asking,
    queries: &[ReadQuery],
    forms: Vec<ResponseType>,
    range: &RangeInclusive<TimestampMs>,
    hash_seed: u64,
) -> Result<Found, HistoryError> {
    let body = ReadRequest { queries: queries.to_vec(), accepted: forms }.encode()?;
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = asking.config.endpoint(PATH);
    let headers = request.headers_mut();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("snappy"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    headers.insert(VERSION_HEADER, HeaderValue::from_static("0.1.0"));
    let mut answer = accepted(asking.client.send(request).await?).await?;
    let kind = answer.head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().to_owned();
    let limits = asking.limits();
    let mut found = Found::default();
    if kind.starts_with("application/x-streamed-protobuf") {
        let mut reader = ChunkedReader::new(queries, &limits);
        while let Some(bytes) = answer.next().await? {
            reader.read(&bytes, &mut |series| found.take(series, hash_seed))?;
            if found.counts.samples > limits.max_samples as u64 {
                return Err(asking.too_much(range));
            }
        }
        reader.finish(&mut |series| found.take(series, hash_seed))?;
    } else if kind.starts_with("application/x-protobuf") {
        let body = whole(answer, &limits).await?;
        let mut sink = |series: ReadSeries<'_>| found.take(series, hash_seed);
        let invalid = read_samples(&body, queries, &limits, &mut sink)?;
        found.counts.left_out = invalid.total();
    } else {
        return Err(HistoryError::ContentType(kind));
    }
    Ok(found)
}

/// A body as one piece.
async fn whole(mut answer: Answer, limits: &Limits) -> Result<Vec<u8>, HistoryError> {
    let mut body = Vec::new();
    while let Some(bytes) = answer.next().await? {
        body.extend_from_slice(&bytes);
        if body.len() > limits.max_compressed_bytes {
            let limit = limits.max_compressed_bytes;
            return Err(ReadError::TooMany { what: "bytes", limit }.into());
        }
    }
    Ok(body)
}
