//! The contract of the decoder, written down on the generated types.
//!
//! Everything is owned and nothing is clever: whole message first, then series by series, rule by
//! rule. No limits but the number of labels and their lengths.

use super::{histogram, v1, v2};
use crate::{
    series::{HistogramSample, InvalidLabels, LabelSet},
    wire::{InvalidReason, Limits, MessageType},
};
use prost::Message;
use std::collections::BTreeMap;

/// What a request holds, by the reference.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// What the sink gets, call by call.
    pub series: Vec<DecodedSeries>,
    /// Number of series, samples, histograms, exemplars and metadata entries, as in
    /// [`crate::wire::WriteSummary`].
    pub counts: [u64; 5],
    /// How often each reason occurred.
    pub invalid: BTreeMap<InvalidReason, u64>,
    /// Samples and histograms not taken.
    pub invalid_samples: u64,
}

/// One call of the sink: values as bits, and histograms as text, so that NaNs can be compared.
pub type DecodedSeries = (LabelSet, Vec<(i64, u64)>, Vec<String>);

/// Why the reference refuses a request.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// prost cannot read it.
    #[error(transparent)]
    Damaged(#[from] prost::DecodeError),
    /// A symbol does not exist.
    #[error("symbol {0} does not exist")]
    SymbolReference(u32),
    /// A name without value.
    #[error("odd number of label references")]
    OddReferences,
}

/// A series of either version, symbols replaced by their text.
struct Series {
    labels: Vec<(String, String)>,
    samples: Vec<(i64, u64)>,
    histograms: Vec<v1::Histogram>,
    must_have_samples: bool,
}

/// Decodes `body` by way of the generated types.
///
/// # Errors
/// When prost refuses the bytes, or a symbol reference is wrong.
pub fn decode(message: MessageType, body: &[u8], limits: &Limits) -> Result<Decoded, Refusal> {
    let mut decoded = Decoded::default();
    match message {
        MessageType::V1 => {
            let request = v1::WriteRequest::decode(body)?;
            decoded.counts[4] = request.metadata.len() as u64;
            for series in request.timeseries {
                decoded.counts[3] += series.exemplars.len() as u64;
                decoded.take(plain_v1(series), limits);
            }
        }
        MessageType::V2 => {
            let request = v2::Request::decode(body)?;
            for series in request.timeseries {
                decoded.counts[3] += series.exemplars.len() as u64;
                decoded.counts[4] += u64::from(series.metadata.is_some());
                decoded.take(plain_v2(series, &request.symbols)?, limits);
            }
        }
    }
    Ok(decoded)
}

fn plain_v1(series: v1::TimeSeries) -> Series {
    Series {
        labels: series.labels.into_iter().map(|label| (label.name, label.value)).collect(),
        samples: series
            .samples
            .into_iter()
            .map(|sample| (sample.timestamp, sample.value.to_bits()))
            .collect(),
        histograms: series.histograms,
        must_have_samples: false,
    }
}

fn plain_v2(series: v2::TimeSeries, symbols: &[String]) -> Result<Series, Refusal> {
    let labels = resolve(&series.labels_refs, symbols)?;
    for exemplar in &series.exemplars {
        resolve(&exemplar.labels_refs, symbols)?;
    }
    if let Some(metadata) = series.metadata {
        for reference in [metadata.help_ref, metadata.unit_ref] {
            if reference != 0 && reference as usize >= symbols.len() {
                return Err(Refusal::SymbolReference(reference));
            }
        }
    }
    // Fields 1 to 16 are the same in both versions, so the bytes of one are the other.
    let histograms = series.histograms.iter().map(|h| v1::Histogram::decode(&*h.encode_to_vec()));
    Ok(Series {
        labels,
        samples: series
            .samples
            .into_iter()
            .map(|sample| (sample.timestamp, sample.value.to_bits()))
            .collect(),
        histograms: histograms.collect::<Result<_, _>>()?,
        must_have_samples: series.exemplars.is_empty(),
    })
}

fn resolve(references: &[u32], symbols: &[String]) -> Result<Vec<(String, String)>, Refusal> {
    let symbol = |index: u32| symbols.get(index as usize).cloned().ok_or(Refusal::SymbolReference(index));
    if !references.len().is_multiple_of(2) {
        return Err(Refusal::OddReferences);
    }
    references.chunks_exact(2).map(|pair| Ok((symbol(pair[0])?, symbol(pair[1])?))).collect()
}

// === impl Decoded ===

impl Decoded {
    fn take(&mut self, series: Series, limits: &Limits) {
        match label_set(&series, limits) {
            Ok(labels) => self.take_valid(&labels, series),
            Err(reason) => {
                self.invalid_samples += (series.samples.len() + series.histograms.len()) as u64;
                *self.invalid.entry(reason).or_default() += 1;
            }
        }
    }

    fn take_valid(&mut self, labels: &LabelSet, series: Series) {
        self.counts[0] += 1;
        self.counts[1] += series.samples.len() as u64;
        let (valid, invalid): (Vec<_>, Vec<_>) =
            series.histograms.iter().partition(|h| histogram::is_valid(h));
        self.counts[2] += valid.len() as u64;
        if !invalid.is_empty() {
            *self.invalid.entry(InvalidReason::Histogram).or_default() += invalid.len() as u64;
            self.invalid_samples += invalid.len() as u64;
        }
        let histograms: Vec<_> = valid.into_iter().map(|h| histogram_text(&histogram::build(h))).collect();
        if !series.samples.is_empty() || !histograms.is_empty() {
            self.series.push((labels.clone(), series.samples, histograms));
        }
    }
}

/// All of a histogram; every NaN but the stale marker reads the same.
pub(super) fn histogram_text(sample: &HistogramSample) -> String {
    format!("{} {:?}", sample.histogram.is_stale_marker(), sample)
}

fn label_set(series: &Series, limits: &Limits) -> Result<LabelSet, InvalidReason> {
    for (index, (name, value)) in series.labels.iter().enumerate() {
        if index >= limits.max_labels_per_series {
            return Err(InvalidReason::TooManyLabels);
        }
        if name.len() > limits.max_label_name_bytes {
            return Err(InvalidReason::LabelNameTooLong);
        }
        if value.len() > limits.max_label_value_bytes {
            return Err(InvalidReason::LabelValueTooLong);
        }
    }
    if series.must_have_samples && series.samples.is_empty() && series.histograms.is_empty() {
        return Err(InvalidReason::NoSamples);
    }
    let labels =
        LabelSet::from_pairs(series.labels.iter().map(|(n, v)| (n, v))).map_err(|error| match error {
            InvalidLabels::EmptyName { .. } => InvalidReason::EmptyLabelName,
            InvalidLabels::Repeated { .. } => InvalidReason::RepeatedLabelName,
            InvalidLabels::TooLong { .. } => InvalidReason::LabelValueTooLong,
        })?;
    if labels.metric_name().is_empty() { Err(InvalidReason::MissingMetricName) } else { Ok(labels) }
}
