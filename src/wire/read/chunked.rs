//! Answers with chunks: a stream of frames, each a `prometheus.ChunkedReadResponse`.

use super::{
    Chunk, FrameReader, History, ReadError, ReadQuery, ReadSeries, chunk::chunks, samples::label_messages,
    write_frame,
};
use crate::{
    series::{HistogramSample, LabelSetBuilder, Labels, METRIC_NAME, Sample, TimestampMs},
    wire::{
        InvalidCounts, Limits,
        decoder::{Fault, check_label, describe},
        protobuf::{Fields, Value},
        reference::v1,
        write_v1::read_label,
    },
};
use prost::{Message, encoding::message};
use std::ops::RangeInclusive;

/// Bytes of a frame's labels and chunks, beyond which it gets no more chunks; that of Prometheus.
const FRAME_BYTES: usize = 1 << 20;

/// Reads a stream as it comes and hands out series that are whole.
///
/// A series may be spread over frames that follow each other; it is whole when the next one begins. No more than one
/// series and one frame are held.
#[derive(Debug)]
pub struct ChunkedReader {
    limits: Limits,
    ranges: Vec<RangeInclusive<TimestampMs>>,
    frames: FrameReader,
    series: Option<(usize, String)>,
    history: History,
}

// === impl ChunkedReader ===

impl ChunkedReader {
    /// A reader at the start of the answer to `queries`. Of the limits, those of a message hold for a frame, and those of
    /// samples and histograms for a series.
    #[must_use]
    pub fn new(queries: &[ReadQuery], limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            ranges: queries.iter().map(ReadQuery::range).collect(),
            frames: FrameReader::new(limits.max_decoded_bytes),
            series: None,
            history: History::new(TimestampMs(0)..=TimestampMs(0), limits),
        }
    }

    /// Takes the next bytes of the stream and hands every series that they complete to `sink`.
    ///
    /// # Errors
    /// When the stream is damaged, or breaks a rule or a limit. Nothing of the answer may be taken then: **the caller must
    /// drop what the sink has got so far.**
    pub fn read(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(ReadSeries<'_>)) -> Result<(), ReadError> {
        let mut assembly = Assembly {
            limits: &self.limits,
            ranges: &self.ranges,
            series: &mut self.series,
            history: &mut self.history,
        };
        while let Some(frame) = self.frames.next(&mut bytes)? {
            assembly.read_frame(frame, sink)?;
        }
        Ok(())
    }

    /// Ends the stream and hands out the last series.
    ///
    /// # Errors
    /// When the stream ends inside a frame.
    pub fn finish(mut self, sink: &mut impl FnMut(ReadSeries<'_>)) -> Result<(), ReadError> {
        self.frames.finish()?;
        hand_out(&mut self.series, &mut self.history, sink);
        Ok(())
    }
}

/// What a frame is added to.
struct Assembly<'r> {
    limits: &'r Limits,
    ranges: &'r [RangeInclusive<TimestampMs>],
    /// The query and the labels of the series at hand.
    series: &'r mut Option<(usize, String)>,
    history: &'r mut History,
}

impl Assembly<'_> {
    fn read_frame(&mut self, frame: &[u8], sink: &mut impl FnMut(ReadSeries<'_>)) -> Result<(), ReadError> {
        // The query may stand behind the series.
        let query = self.query(frame)?;
        for_each_message("ChunkedReadResponse", frame, 1, |series| {
            let labels = read_labels(series, self.limits)?;
            if self.series.as_ref().is_none_or(|(of, known)| *of != query || *known != labels) {
                hand_out(self.series, self.history, sink);
                *self.series = Some((query, labels));
                self.history
                    .restart(self.ranges.get(query).cloned().unwrap_or(TimestampMs(1)..=TimestampMs(0)));
            }
            for_each_message("ChunkedSeries", series, 2, |chunk| read_chunk(chunk)?.decode(self.history))
        })
    }

    fn query(&self, frame: &[u8]) -> Result<usize, ReadError> {
        let mut index = 0;
        let damaged = |damage| ReadError::damaged("ChunkedReadResponse", damage);
        let mut fields = Fields::new(frame);
        while let Some(field) = fields.next().map_err(damaged)? {
            match (field.number, field.value) {
                (2, Value::Varint(number)) => index = number as i64,
                (2, _) => return Err(damaged(field.wrong_type())),
                _ => {}
            }
        }
        let queries = self.ranges.len();
        let known = usize::try_from(index).ok().filter(|index| *index < queries);
        known.ok_or(ReadError::QueryIndex { index, queries })
    }
}

fn hand_out(
    series: &mut Option<(usize, String)>,
    history: &mut History,
    sink: &mut impl FnMut(ReadSeries<'_>),
) {
    if let Some((query, labels)) = series.take() {
        let (samples, histograms) = history.merged();
        ReadSeries { query, labels: &labels, samples, histograms }.hand_to(sink);
    }
}

/// Calls `each` with every embedded message of one field.
pub(super) fn for_each_message<'a>(
    message: &'static str,
    bytes: &'a [u8],
    number: u32,
    mut each: impl FnMut(&'a [u8]) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let damaged = |damage| ReadError::damaged(message, damage);
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next().map_err(damaged)? {
        match field.value {
            Value::Bytes(embedded) if field.number == number => each(embedded)?,
            _ if field.number == number => return Err(damaged(field.wrong_type())),
            _ => {}
        }
    }
    Ok(())
}

/// The labels of a `ChunkedSeries` in canonical form.
fn read_labels(series: &[u8], limits: &Limits) -> Result<String, ReadError> {
    let mut labels = LabelSetBuilder::default();
    let mut fault = None;
    for_each_message("ChunkedSeries", series, 1, |label| {
        let label = read_label(label).map_err(|damage| ReadError::damaged("Label", damage))?;
        if fault.is_none() {
            fault = add_label(&mut labels, label, limits).err();
        }
        Ok(())
    })?;
    let mut text = String::new();
    let finished = fault.map_or_else(|| labels.finish(&mut text).map_err(Fault::from), Err);
    let has_name =
        || labels.labels().iter().any(|label| label.name == METRIC_NAME && !label.value.is_empty());
    match finished.and_then(|()| if has_name() { Ok(()) } else { Err(Fault::MissingMetricName) }) {
        Ok(()) => Ok(text),
        Err(fault) => {
            let mut invalid = InvalidCounts::default();
            invalid.add(fault.reason(), 0, || describe(&labels, &fault.to_string()));
            Err(ReadError::Invalid(Box::new(invalid)))
        }
    }
}

fn add_label<'a>(
    labels: &mut LabelSetBuilder<'a>,
    label: (Option<&'a str>, Option<&'a str>),
    limits: &Limits,
) -> Result<(), Fault> {
    let (Some(name), Some(value)) = label else { return Err(Fault::Utf8) };
    check_label(limits, labels.labels().len(), name, value)?;
    labels.push(name, value);
    Ok(())
}

pub(super) fn read_chunk(message: &[u8]) -> Result<Chunk<'_>, ReadError> {
    let mut chunk = Chunk::default();
    let damaged = |damage| ReadError::damaged("Chunk", damage);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next().map_err(damaged)? {
        match (field.number, field.value) {
            (1, Value::Varint(start)) => chunk.start = TimestampMs(start as i64),
            (2, Value::Varint(end)) => chunk.end = TimestampMs(end as i64),
            // As every enum field, cut to 32 bits.
            (3, Value::Varint(number)) => chunk.encoding = number as i32,
            (4, Value::Bytes(data)) => chunk.data = data,
            (1..=4, _) => return Err(damaged(field.wrong_type())),
            _ => {}
        }
    }
    Ok(chunk)
}

/// Appends the frames of one series of the answer to `into`: `query` is the place of the query, samples and histograms are
/// each sorted by time. Series come sorted by their labels, query by query.
///
/// A series without either has no frames.
pub fn write_chunked(
    query: usize,
    labels: Labels<'_>,
    samples: &[Sample],
    histograms: &[HistogramSample],
    into: &mut Vec<u8>,
) {
    let series = v1::ChunkedSeries { labels: label_messages(labels), chunks: Vec::new() };
    let label_bytes = series.encoded_len();
    let mut response = v1::ChunkedReadResponse { chunked_series: vec![series], query_index: query as i64 };
    let mut chunks = chunks(samples, histograms).peekable();
    let mut bytes = label_bytes;
    while let Some(chunk) = chunks.next() {
        let chunk = v1::Chunk {
            min_time_ms: chunk.start.0,
            max_time_ms: chunk.end.0,
            r#type: chunk.encoding.number(),
            data: chunk.data,
        };
        bytes += message::encoded_len(2, &chunk);
        let Some(series) = response.chunked_series.first_mut() else { return };
        series.chunks.push(chunk);
        if bytes >= FRAME_BYTES || chunks.peek().is_none() {
            write_frame(&response.encode_to_vec(), into);
            response.chunked_series.iter_mut().for_each(|series| series.chunks.clear());
            bytes = label_bytes;
        }
    }
}
