//! Remote read, `POST /api/v1/read`: the samples of the windows and the program's own series, as they are held, for
//! Prometheus to query as if they were its own.
//!
//! ```text
//! body -> ReadRequest -> Reading -- SAMPLES -------------> one message, snappy
//!                                \- STREAMED_XOR_CHUNKS -> frames, made while they are sent
//! ```
//!
//! It follows `storage/remote/read_handler.go` of Prometheus 3: the first form that both sides know, an answer of samples
//! bounded in its samples, one of chunks never held as a whole. What a client does wrong is answered by 400 and a line of
//! text. An answer is whole or broken off, so that no client takes a part for the whole.
//!
//! Series are found and shown by the labels that they are held with. Only their order goes by what a Prometheus with the
//! same `external_labels` makes of them (`docs/decisions/030-remote-read-by-the-labels-held.md`).

mod stream;

use crate::{
    query::{Engine, QueryError, Reading, SelectedSeries, Selection},
    series::{LabelMatcher, MatchOp},
    telemetry::{FormLabel, Metrics},
    wire::{
        Limits,
        read::{ReadError, ReadQuery, ReadRequest, ResponseType, SamplesResponse, write_chunked},
    },
};
use axum::{
    Router,
    body::{self, Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
    routing::post,
};
use http::{StatusCode, header};
use std::{sync::Arc, time::Duration};
use tokio::task::{JoinError, spawn_blocking};

/// Most bytes of a body, compressed and unpacked. Prometheus' requests have some hundred bytes; a list of all instances
/// in a regular expression some ten thousand.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Longest time for a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

const SAMPLES_TYPE: &str = "application/x-protobuf";

const CHUNKS_TYPE: &str = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";

/// The route, which reads series through `engine` for Prometheus servers with these external labels.
pub fn router(engine: Arc<Engine>, external_labels: Vec<(String, String)>, metrics: Arc<Metrics>) -> Router {
    let reader = Reader { engine, external_labels: external_labels.into(), metrics };
    Router::new().route("/api/v1/read", post(read)).with_state(reader)
}

#[derive(Clone)]
struct Reader {
    engine: Arc<Engine>,
    external_labels: Arc<[(String, String)]>,
    metrics: Arc<Metrics>,
}

/// Why a request is not answered.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the body has more than {MAX_BODY_BYTES} bytes, or broke off: {0}")]
    Body(axum::Error),
    #[error("the body did not arrive within {} s", BODY_TIMEOUT.as_secs())]
    TooSlow,
    #[error(transparent)]
    Wire(#[from] ReadError),
    #[error(
        "none of the accepted response types {0:?} is known here; known are SAMPLES (0) and STREAMED_XOR_CHUNKS (1)"
    )]
    NoKnownForm(Vec<ResponseType>),
    #[error(
        "the answer has more than {limit} samples (--query.max-samples; sixteen bytes of labels or of a histogram count as \
         one); ask for fewer series or less time, or accept STREAMED_XOR_CHUNKS, which has no such limit"
    )]
    TooManySamples { limit: usize },
    #[error(transparent)]
    Query(QueryError),
    #[error("unexpected error: {0}")]
    Broken(#[from] JoinError),
}

async fn read(State(reader): State<Reader>, body: Body) -> Result<Response, Refusal> {
    let request = request(body).await?;
    let Some(form) = request.response_type() else { return Err(Refusal::NoKnownForm(request.accepted)) };
    let queries = request.queries.len();
    let selections = request.queries.into_iter().map(|query| reader.selection(query)).collect();
    let reading = reader.engine.read(selections).await.map_err(|error| reader.refusal(error))?;
    let answer = match form {
        ResponseType::StreamedChunks => reader.chunks(reading).await,
        ResponseType::Samples | ResponseType::Other(_) => reader.samples(queries, reading).await,
    };
    let form = FormLabel { form: word(form) };
    reader.metrics.read_queries.get_or_create(&form).inc_by(queries as u64);
    answer
}

/// Regular expressions are compiled, so it is read on a thread of its own.
async fn request(body: Body) -> Result<ReadRequest, Refusal> {
    let arriving = tokio::time::timeout(BODY_TIMEOUT, body::to_bytes(body, MAX_BODY_BYTES));
    let body = arriving.await.map_err(|_| Refusal::TooSlow)?.map_err(Refusal::Body)?;
    let limits = Limits { max_decoded_bytes: MAX_BODY_BYTES, ..Limits::default() };
    Ok(spawn_blocking(move || ReadRequest::decode(&body, &limits)).await??)
}

// === impl Reader ===

impl Reader {
    /// Hints are left aside: what becomes of the samples is the client's matter. An external label that is asked for will
    /// be taken off.
    fn selection(&self, query: ReadQuery) -> Selection {
        let is_asked_for = |(name, value): &&(String, String)| {
            let asks = |m: &LabelMatcher| m.op() == MatchOp::Equal && m.name() == name && m.value() == value;
            query.matchers.iter().any(asks)
        };
        let taken_off = self.external_labels.iter().filter(is_asked_for).map(|(name, _)| name.clone());
        Selection { range: query.range(), taken_off: taken_off.collect(), matchers: query.matchers }
    }

    async fn samples(&self, queries: usize, mut reading: Reading) -> Result<Response, Refusal> {
        let series = reading.read_all().await.map_err(|error| self.refusal(error))?;
        self.count(ResponseType::Samples, &series);
        let body = spawn_blocking(move || encode_samples(queries, series)).await??;
        let headers = [(header::CONTENT_TYPE, SAMPLES_TYPE), (header::CONTENT_ENCODING, "snappy")];
        Ok((headers, body).into_response())
    }

    /// The first frames are made before the head of the answer is sent, so that the most common errors have a status.
    async fn chunks(&self, mut reading: Reading) -> Result<Response, Refusal> {
        let first = self.frames(&mut reading).await?;
        let body = stream::body(first, reading, self.clone());
        Ok(([(header::CONTENT_TYPE, CHUNKS_TYPE)], body).into_response())
    }

    /// The next frames; none when all were made.
    async fn frames(&self, reading: &mut Reading) -> Result<Bytes, Refusal> {
        let batch = reading.next_batch().await.map_err(|error| self.refusal(error))?;
        self.count(ResponseType::StreamedChunks, &batch);
        Ok(spawn_blocking(move || encode_frames(&batch)).await?)
    }

    fn count(&self, form: ResponseType, series: &[SelectedSeries]) {
        let samples = series.iter().map(|series| series.held.samples.len() + series.held.histograms.len());
        let form = FormLabel { form: word(form) };
        self.metrics.read_samples.get_or_create(&form).inc_by(samples.sum::<usize>() as u64);
    }

    fn refusal(&self, error: QueryError) -> Refusal {
        match error {
            QueryError::TooManySamples => Refusal::TooManySamples { limit: self.engine.limits().max_samples },
            error => Refusal::Query(error),
        }
    }
}

/// The form as a label value.
fn word(form: ResponseType) -> &'static str {
    match form {
        ResponseType::StreamedChunks => "chunks",
        ResponseType::Samples | ResponseType::Other(_) => "samples",
    }
}

/// One result a query, also where nothing was found.
fn encode_samples(queries: usize, series: Vec<SelectedSeries>) -> Result<Vec<u8>, ReadError> {
    let mut response = SamplesResponse::default();
    let mut series = series.into_iter().peekable();
    for query in 0..queries {
        response.begin_result();
        while let Some(SelectedSeries { labels, held, .. }) =
            series.next_if(|series| series.selection == query)
        {
            response.push(labels.iter(), &held.samples, &held.histograms);
        }
    }
    response.encode()
}

fn encode_frames(batch: &[SelectedSeries]) -> Bytes {
    let mut frames = Vec::new();
    for SelectedSeries { selection, labels, held } in batch {
        write_chunked(*selection, labels.iter(), &held.samples, &held.histograms, &mut frames);
    }
    frames.into()
}

// === impl Refusal ===

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Query(QueryError::TimedOut(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Query(QueryError::Broken(_) | QueryError::NoAnswer) | Self::Broken(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Query(QueryError::TooManySamples | QueryError::Failed(_))
            | Self::Body(_)
            | Self::TooSlow
            | Self::Wire(_)
            | Self::NoKnownForm(_)
            | Self::TooManySamples { .. } => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status(), format!("{self}\n")).into_response()
    }
}
