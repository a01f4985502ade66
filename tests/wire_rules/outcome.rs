//! Decoding in one call, with results that can be compared.

use emberwatch::{
    series::{HistogramSample, LabelSet, Sample},
    wire::{Decoder, Limits, MessageType, WireError, WriteSummary},
};

/// What the sink got: canonical labels, and timestamps with the bits of the values.
pub(crate) type Series = (String, Vec<(i64, u64)>);

/// The native histograms that the sink got, by canonical labels.
pub(crate) type SeriesHistograms = (String, Vec<HistogramSample>);

pub(crate) fn decode_within(
    message: MessageType,
    body: &[u8],
    limits: &Limits,
) -> Result<(Vec<Series>, WriteSummary), WireError> {
    decode_all(message, body, limits).map(|(series, _, summary)| (series, summary))
}

pub(crate) fn decode_histograms(message: MessageType, body: &[u8]) -> Vec<SeriesHistograms> {
    decode_all(message, body, &Limits::default()).expect("the body of a test is sound").1
}

fn decode_all(
    message: MessageType,
    body: &[u8],
    limits: &Limits,
) -> Result<(Vec<Series>, Vec<SeriesHistograms>, WriteSummary), WireError> {
    let (mut series, mut with_histograms) = (Vec::new(), Vec::new());
    let mut sink = |labels: &str, samples: &[Sample], histograms: &[HistogramSample]| {
        assert!(samples.len() + histograms.len() > 0, "the sink is promised at least one of either");
        if !samples.is_empty() {
            let samples = samples.iter().map(|sample| (sample.timestamp.0, sample.value.to_bits())).collect();
            series.push((labels.to_owned(), samples));
        }
        if !histograms.is_empty() {
            with_histograms.push((labels.to_owned(), histograms.to_vec()));
        }
    };
    let summary = Decoder::default().decode(message, body, limits, &mut sink)?;
    Ok((series, with_histograms, summary))
}

pub(crate) fn expected(pairs: &[(&str, &str)], samples: &[(i64, f64)]) -> Series {
    let labels = LabelSet::from_pairs(pairs.iter().copied()).expect("labels of a test are valid");
    let samples = samples.iter().map(|(timestamp, value)| (*timestamp, value.to_bits())).collect();
    (labels.canonical_text().to_owned(), samples)
}
