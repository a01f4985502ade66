//! The path that both versions share: from the parts of a series to the sink.

use super::{
    InvalidHistogram, InvalidReason, Limits, MessageType, MetricMetadata, WireError, WriteSummary, histogram,
    protobuf::Damage, write_v1, write_v2,
};
use crate::series::{HistogramSample, InvalidLabels, LabelSetBuilder, METRIC_NAME, Sample};

/// Most bytes of metadata that a request may hand on: a hundred times what an exporter says of itself.
const MAX_METADATA_BYTES: usize = 4 << 20;

/// No limit goes beyond this: the canonical form holds parts up to 2 MiB.
const MAX_LABEL_BYTES: usize = 1 << 20;

/// Decodes requests, one after the other, with buffers that it keeps.
#[derive(Debug, Default)]
pub struct Decoder {
    scratch: Scratch,
}

#[derive(Debug, Default)]
struct Scratch {
    /// Canonical labels of the series at hand.
    text: String,
    samples: Vec<Sample>,
    histograms: Vec<HistogramSample>,
    parts: histogram::Parts,
}

/// Where what is decoded goes. A closure of the form of [`Self::series`] is one that needs no metadata.
pub trait Sink {
    /// A series: canonical labels, samples, native histograms, at least one of either.
    fn series(&mut self, labels: &str, samples: &[Sample], histograms: &[HistogramSample]);

    /// What the sender says of a metric family. In 2.0 it comes with every series; here it only comes again
    /// where the series before was of another family.
    fn metadata(&mut self, metadata: MetricMetadata<'_>) {
        let _ = metadata;
    }
}

impl<F: FnMut(&str, &[Sample], &[HistogramSample])> Sink for F {
    #[inline]
    fn series(&mut self, labels: &str, samples: &[Sample], histograms: &[HistogramSample]) {
        self(labels, samples, histograms);
    }
}

/// One request on its way: the walks call it part by part.
pub(super) struct Request<'body, 'call, S> {
    limits: &'call Limits,
    sink: &'call mut S,
    scratch: &'call mut Scratch,
    labels: LabelSetBuilder<'body>,
    fault: Option<Fault>,
    /// Empty where there is none.
    metric_name: &'body str,
    /// Native histograms of this series that contradict themselves, and how the first one does.
    invalid_histograms: u64,
    histogram_fault: Option<InvalidHistogram>,
    /// Entries and samples seen in this request, valid or not.
    series_seen: usize,
    samples_seen: usize,
    label_bytes: usize,
    histogram_bytes: usize,
    metadata_bytes: usize,
    pub(super) summary: WriteSummary,
}

/// Why a series is left out, with the numbers that prove it.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("a label name or value is not UTF-8")]
    Utf8,
    #[error("more than {limit} labels")]
    TooManyLabels { limit: usize },
    #[error("a label name has {bytes} bytes, at most {limit} are taken")]
    LabelNameTooLong { bytes: usize, limit: usize },
    #[error("a label value has {bytes} bytes, at most {limit} are taken")]
    LabelValueTooLong { bytes: usize, limit: usize },
    #[error(transparent)]
    Labels(#[from] InvalidLabels),
    #[error("no metric name")]
    MissingMetricName,
    #[error("neither samples nor histograms nor exemplars")]
    NoSamples,
}

// === impl Decoder ===

impl Decoder {
    /// Decodes one decompressed message and hands every valid series to `sink`, in the order of the
    /// wire: its labels in canonical form (see [`crate::series::LabelSet`]), its samples and its native
    /// histograms, at least one of either. The same series may come several times.
    ///
    /// # Errors
    /// When the structure is damaged, a reference points nowhere, or a count is over its limit. Then
    /// nothing of the request may be taken: **the caller must drop what the sink has got so far.**
    pub fn decode(
        &mut self,
        message: MessageType,
        body: &[u8],
        limits: &Limits,
        sink: &mut impl Sink,
    ) -> Result<WriteSummary, WireError> {
        let mut request = Request::new(limits, &mut self.scratch, sink);
        match message {
            MessageType::V1 => write_v1::walk(body, &mut request)?,
            MessageType::V2 => write_v2::walk(body, &mut request)?,
        }
        Ok(request.summary)
    }

    /// Bytes of memory held between requests; bounded by [`Limits`].
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        let Scratch { text, samples, histograms, parts } = &self.scratch;
        text.capacity()
            + samples.capacity() * size_of::<Sample>()
            + histograms.capacity() * size_of::<HistogramSample>()
            + parts.capacity_bytes()
    }
}

// === impl Request ===

impl<'body, 'call, S: Sink> Request<'body, 'call, S> {
    fn new(limits: &'call Limits, scratch: &'call mut Scratch, sink: &'call mut S) -> Self {
        Self {
            limits,
            sink,
            scratch,
            labels: LabelSetBuilder::default(),
            fault: None,
            metric_name: "",
            invalid_histograms: 0,
            histogram_fault: None,
            series_seen: 0,
            samples_seen: 0,
            label_bytes: 0,
            histogram_bytes: 0,
            metadata_bytes: 0,
            summary: WriteSummary::default(),
        }
    }

    pub(super) fn limits(&self) -> &'call Limits {
        self.limits
    }

    pub(super) fn begin_series(&mut self) -> Result<(), WireError> {
        self.series_seen += 1;
        if self.series_seen > self.limits.max_series {
            return Err(WireError::TooMany { what: "series", limit: self.limits.max_series });
        }
        self.labels.clear();
        self.fault = None;
        self.metric_name = "";
        self.invalid_histograms = 0;
        self.histogram_fault = None;
        self.scratch.samples.clear();
        self.scratch.histograms.clear();
        Ok(())
    }

    /// A label of the series; `None` stands for bytes that are not UTF-8. The first fault of a series
    /// is kept, and labels after it are of no interest.
    #[inline]
    pub(super) fn label(&mut self, name: Option<&'body str>, value: Option<&'body str>) {
        if self.fault.is_some() {
            return;
        }
        let (Some(name), Some(value)) = (name, value) else {
            self.fault = Some(Fault::Utf8);
            return;
        };
        if let Err(fault) = check_label(self.limits, self.labels.labels().len(), name, value) {
            self.fault = Some(fault);
            return;
        }
        if name == METRIC_NAME {
            self.metric_name = value;
        }
        self.labels.push(name, value);
    }

    #[inline]
    pub(super) fn sample(&mut self, timestamp: i64, value: f64) -> Result<(), WireError> {
        self.count_sample()?;
        self.scratch.samples.push(Sample::new(timestamp, value));
        Ok(())
    }

    pub(super) fn histogram(&mut self, message: &[u8], n_fields: u32) -> Result<(), WireError> {
        self.count_sample()?;
        let Scratch { histograms, parts, .. } = &mut *self.scratch;
        match histogram::read(message, n_fields, parts).map_err(|damage| damaged("Histogram", damage))? {
            Ok(sample) => {
                self.histogram_bytes += sample.size_bytes();
                if self.histogram_bytes > self.limits.max_histogram_bytes {
                    let limit = self.limits.max_histogram_bytes;
                    return Err(WireError::TooMany { what: "bytes of native histograms", limit });
                }
                histograms.push(sample);
            }
            Err(fault) => {
                self.invalid_histograms += 1;
                self.histogram_fault.get_or_insert(fault);
            }
        }
        Ok(())
    }

    #[inline]
    fn count_sample(&mut self) -> Result<(), WireError> {
        self.samples_seen += 1;
        if self.samples_seen > self.limits.max_samples {
            return Err(WireError::TooMany { what: "samples", limit: self.limits.max_samples });
        }
        Ok(())
    }

    /// The metric name of the series at hand; `None` where it has none, or a fault.
    pub(super) fn metric_name(&self) -> Option<&'body str> {
        (self.fault.is_none() && !self.metric_name.is_empty()).then_some(self.metric_name)
    }

    /// Hands on what is said of a family, as far as its texts are no longer than label values and the request
    /// has not said too much already.
    pub(super) fn metadata(&mut self, metadata: MetricMetadata<'_>) {
        let MetricMetadata { family, unit, help, .. } = metadata;
        let bytes = family.len() + unit.len() + help.len();
        let is_long = bytes > self.limits.max_label_value_bytes.min(MAX_LABEL_BYTES);
        if is_long || self.metadata_bytes + bytes > MAX_METADATA_BYTES {
            self.summary.metadata_dropped += 1;
        } else if !family.is_empty() {
            self.metadata_bytes += bytes;
            self.sink.metadata(metadata);
        }
    }

    /// Makes the series at hand invalid if it has neither samples nor histograms.
    pub(super) fn refuse_without_samples(&mut self) {
        if self.sample_count() == 0 {
            self.fault.get_or_insert(Fault::NoSamples);
        }
    }

    /// Hands the series to the sink, or counts why not.
    pub(super) fn end_series(&mut self) -> Result<(), WireError> {
        self.scratch.text.clear();
        match self.finish_labels() {
            Ok(()) => self.emit(),
            Err(fault) => self.leave_out(&fault),
        }
        // A kept buffer must not keep histograms alive.
        self.scratch.histograms.clear();
        // In 2.0 a few bytes of references can stand for megabytes of text.
        self.label_bytes += self.scratch.text.len();
        if self.label_bytes > self.limits.max_label_bytes {
            return Err(WireError::TooMany { what: "bytes of labels", limit: self.limits.max_label_bytes });
        }
        Ok(())
    }

    /// Samples and histograms of the series at hand, valid or not.
    fn sample_count(&self) -> u64 {
        (self.scratch.samples.len() + self.scratch.histograms.len()) as u64 + self.invalid_histograms
    }

    fn finish_labels(&mut self) -> Result<(), Fault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        self.labels.finish(&mut self.scratch.text)?;
        if self.metric_name.is_empty() { Err(Fault::MissingMetricName) } else { Ok(()) }
    }

    fn emit(&mut self) {
        let Scratch { text, samples, histograms, .. } = &*self.scratch;
        let summary = &mut self.summary;
        summary.series += 1;
        if !samples.is_empty() || !histograms.is_empty() {
            summary.samples += samples.len() as u64;
            summary.histograms += histograms.len() as u64;
            self.sink.series(text, samples, histograms);
        }
        self.count_invalid_histograms();
    }

    fn count_invalid_histograms(&mut self) {
        let labels = &self.labels;
        for _ in 0..self.invalid_histograms {
            let fault = self.histogram_fault;
            self.summary.invalid.add(InvalidReason::Histogram, 1, || {
                let text = fault.map(|fault| fault.to_string()).unwrap_or_default();
                describe(labels, &text)
            });
        }
    }

    #[cold]
    fn leave_out(&mut self, fault: &Fault) {
        let lost = self.sample_count();
        let labels = &self.labels;
        self.summary.invalid.add(fault.reason(), lost, || describe(labels, &fault.to_string()));
    }
}

// === impl Fault ===

impl Fault {
    pub(super) fn reason(&self) -> InvalidReason {
        match self {
            Self::Utf8 => InvalidReason::Utf8,
            Self::TooManyLabels { .. } => InvalidReason::TooManyLabels,
            Self::LabelNameTooLong { .. } => InvalidReason::LabelNameTooLong,
            // The bound of the canonical form, which `MAX_LABEL_BYTES` keeps out of reach.
            Self::LabelValueTooLong { .. } | Self::Labels(InvalidLabels::TooLong { .. }) => {
                InvalidReason::LabelValueTooLong
            }
            Self::Labels(InvalidLabels::EmptyName { .. }) => InvalidReason::EmptyLabelName,
            Self::Labels(InvalidLabels::Repeated { .. }) => InvalidReason::RepeatedLabelName,
            Self::MissingMetricName => InvalidReason::MissingMetricName,
            Self::NoSamples => InvalidReason::NoSamples,
        }
    }
}

/// An error of the structure, with the message it was found in.
#[cold]
pub(super) fn damaged(message: &'static str, damage: Damage) -> WireError {
    WireError::Damaged { message, damage }
}

/// Checks one more label of a series that has `labels` of them.
#[inline]
pub(super) fn check_label(limits: &Limits, labels: usize, name: &str, value: &str) -> Result<(), Fault> {
    let limit = limits.max_labels_per_series;
    if labels >= limit {
        return Err(Fault::TooManyLabels { limit });
    }
    let limit = limits.max_label_name_bytes.min(MAX_LABEL_BYTES);
    if name.len() > limit {
        return Err(Fault::LabelNameTooLong { bytes: name.len(), limit });
    }
    let limit = limits.max_label_value_bytes.min(MAX_LABEL_BYTES);
    if value.len() > limit {
        return Err(Fault::LabelValueTooLong { bytes: value.len(), limit });
    }
    Ok(())
}

/// Names a series in an error text; short, whatever its labels are.
pub(super) fn describe(labels: &LabelSetBuilder<'_>, fault: &str) -> String {
    let labels = labels.labels();
    let metric = labels.iter().find(|label| label.name == METRIC_NAME).map_or("", |label| label.value);
    let metric: String = metric.chars().take(64).collect();
    format!("series {metric:?} with {} labels: {fault}", labels.len())
}
