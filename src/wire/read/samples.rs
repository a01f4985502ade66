//! Answers with samples: `prometheus.ReadResponse`.
//!
//! A result has the form of a Remote-Write 1.0 request, a list of time series, and is read as one: the same labels,
//! samples, native histograms and limits.

use super::{
    History, ReadError, ReadQuery, ReadSeries,
    buckets::{is_integer, spans},
};
use crate::{
    series::{Bucket, HistogramSample, Labels, NativeHistogram, ResetHint, Sample},
    wire::{
        Decoder, InvalidCounts, Limits, MessageType, decompress,
        protobuf::{Fields, Value},
        reference::v1::{
            self,
            histogram::{Count, ResetHint as WireHint, ZeroCount},
        },
        snappy::compress,
    },
};
use prost::Message;

/// Reads the answer to `queries` from a body, hands every series to `sink`, in the order of the wire, and says what was
/// left out because it breaks a rule: series, and native histograms (those with custom buckets, if a Prometheus up to
/// 3.5 answers: it loses their bounds in this form).
///
/// # Errors
/// When it is not the answer to these queries, or breaks a limit. Nothing of it may be taken then: **the caller must drop
/// what the sink has got so far.**
pub fn read_samples(
    body: &[u8],
    queries: &[ReadQuery],
    limits: &Limits,
    sink: &mut impl FnMut(ReadSeries<'_>),
) -> Result<InvalidCounts, ReadError> {
    let mut message = Vec::new();
    decompress(body, limits, &mut message)?;
    let mut invalid = InvalidCounts::default();
    let mut results = 0;
    let mut decoder = Decoder::default();
    let damaged = |damage| ReadError::damaged("ReadResponse", damage);
    let mut fields = Fields::new(&message);
    while let Some(field) = fields.next().map_err(damaged)? {
        match (field.number, field.value) {
            (1, Value::Bytes(result)) => {
                if let Some(query) = queries.get(results) {
                    invalid.merge(&read_result(result, results, query, limits, &mut decoder, sink)?);
                }
                results += 1;
            }
            (1, _) => return Err(damaged(field.wrong_type())),
            _ => {}
        }
    }
    if results != queries.len() {
        return Err(ReadError::Results { results, queries: queries.len() });
    }
    Ok(invalid)
}

fn read_result(
    result: &[u8],
    index: usize,
    query: &ReadQuery,
    limits: &Limits,
    decoder: &mut Decoder,
    sink: &mut impl FnMut(ReadSeries<'_>),
) -> Result<InvalidCounts, ReadError> {
    let mut history = History::new(query.range(), limits);
    // The decoder has counted the samples of all series already, by the same limits.
    let mut full = Ok(());
    let mut each = |labels: &str, samples: &[Sample], histograms: &[HistogramSample]| {
        history.restart(query.range());
        let added = samples.iter().try_for_each(|sample| history.add_sample(*sample));
        let added =
            added.and_then(|()| histograms.iter().cloned().try_for_each(|h| history.add_histogram(h)));
        if full.is_ok() {
            full = added;
        }
        let (samples, histograms) = history.merged();
        ReadSeries { query: index, labels, samples, histograms }.hand_to(sink);
    };
    let summary = decoder.decode(MessageType::V1, result, limits, &mut each)?;
    full.map(|()| summary.invalid)
}

/// Collects the answer to a request.
#[derive(Debug, Default)]
pub struct SamplesResponse {
    message: v1::ReadResponse,
}

// === impl SamplesResponse ===

impl SamplesResponse {
    /// Begins the result of the next query.
    pub fn begin_result(&mut self) {
        self.message.results.push(v1::QueryResult::default());
    }

    /// Adds a series to the result begun last; its samples and histograms are each sorted by time. In this
    /// form a negative zero becomes zero: what equals zero is not written.
    pub fn push(&mut self, labels: Labels<'_>, samples: &[Sample], histograms: &[HistogramSample]) {
        let Some(result) = self.message.results.last_mut() else { return };
        let sample = |sample: &Sample| v1::Sample { value: sample.value, timestamp: sample.timestamp.0 };
        result.timeseries.push(v1::TimeSeries {
            labels: label_messages(labels),
            samples: samples.iter().map(sample).collect(),
            exemplars: Vec::new(),
            histograms: histograms.iter().map(histogram_message).collect(),
        });
    }

    /// The answer as a body: snappy block format.
    ///
    /// # Errors
    /// When it is larger than snappy can say, 4 GiB.
    pub fn encode(&self) -> Result<Vec<u8>, ReadError> {
        Ok(compress(&self.message.encode_to_vec())?)
    }
}

pub(super) fn label_messages(labels: Labels<'_>) -> Vec<v1::Label> {
    labels.map(|label| v1::Label { name: label.name.to_owned(), value: label.value.to_owned() }).collect()
}

/// Counts as integers where they can be: queries of a Prometheus up to 3.5 fail on floats in this form.
fn histogram_message(sample: &HistogramSample) -> v1::Histogram {
    let histogram: &NativeHistogram = &sample.histogram;
    let reset_hint = match histogram.reset_hint {
        ResetHint::Gauge => WireHint::Gauge,
        // Said of the sample before, which may not be the one before here.
        ResetHint::Unknown | ResetHint::Yes | ResetHint::No => WireHint::Unknown,
    };
    let mut message = v1::Histogram {
        sum: histogram.sum,
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        negative_spans: span_messages(&histogram.negative),
        positive_spans: span_messages(&histogram.positive),
        reset_hint: reset_hint as i32,
        timestamp: sample.timestamp.0,
        custom_values: histogram.custom_bounds.clone(),
        ..v1::Histogram::default()
    };
    if is_integer(histogram) {
        message.count = Some(Count::CountInt(histogram.count as u64));
        message.zero_count = Some(ZeroCount::ZeroCountInt(histogram.zero_count as u64));
        message.negative_deltas = deltas(&histogram.negative);
        message.positive_deltas = deltas(&histogram.positive);
    } else {
        let counts = |buckets: &[Bucket]| buckets.iter().map(|bucket| bucket.count).collect();
        message.count = Some(Count::CountFloat(histogram.count));
        message.zero_count = Some(ZeroCount::ZeroCountFloat(histogram.zero_count));
        message.negative_counts = counts(&histogram.negative);
        message.positive_counts = counts(&histogram.positive);
    }
    message
}

fn span_messages(buckets: &[Bucket]) -> Vec<v1::BucketSpan> {
    let spans = spans(buckets.iter().map(|bucket| bucket.index));
    spans.into_iter().map(|(offset, length)| v1::BucketSpan { offset, length }).collect()
}

/// Whole counts, each as the difference to the one before.
fn deltas(buckets: &[Bucket]) -> Vec<i64> {
    let counts = buckets.iter().map(|bucket| bucket.count as i64);
    let before = std::iter::once(0).chain(counts.clone());
    counts.zip(before).map(|(count, before)| count - before).collect()
}
