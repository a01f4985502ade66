//! The comparison of the walk with the reference, for fuzzing and property tests.

use super::{
    Decoded, Refusal,
    decode::{self, histogram_text},
};
use crate::{
    series::{HistogramSample, LabelSet, Sample},
    wire::{Damage, Decoder, InvalidReason, Limits, MessageType, WireError, WriteSummary},
};

/// Decodes `body` both ways and says where the answers differ; `None` when they agree.
///
/// Two differences are wanted, and only those are let pass:
/// - text that is not UTF-8: prost refuses the request, the walk leaves out the series and counts it;
/// - groups in unknown fields: prost skips them, the walk refuses.
#[must_use]
pub fn disagreement(message: MessageType, body: &[u8]) -> Option<String> {
    let limits = Limits {
        max_series: usize::MAX,
        max_samples: usize::MAX,
        max_symbols: usize::MAX,
        max_label_bytes: usize::MAX,
        max_histogram_bytes: usize::MAX,
        ..Limits::default()
    };
    let walked = walk(message, body, &limits);
    let decoded = decode::decode(message, body, &limits);
    match (walked, decoded) {
        (Ok((walked, _)), Ok(decoded)) if walked == decoded => None,
        (Ok((_, summary)), Err(Refusal::Damaged(_))) if summary.invalid.count(InvalidReason::Utf8) > 0 => {
            None
        }
        (Err(WireError::Damaged { damage: Damage::Group { .. }, .. }), Ok(_)) => None,
        (Err(_), Err(_)) => None,
        (walked, decoded) => Some(format!("the walk gives {walked:?}, the reference {decoded:?}")),
    }
}

/// The walk's answer in the form of the reference.
fn walk(message: MessageType, body: &[u8], limits: &Limits) -> Result<(Decoded, WriteSummary), WireError> {
    let mut series = Vec::new();
    let summary = Decoder::default().decode(
        message,
        body,
        limits,
        &mut |labels: &str, samples: &[Sample], histograms: &[HistogramSample]| {
            let samples = samples.iter().map(|sample| (sample.timestamp.0, sample.value.to_bits())).collect();
            let histograms = histograms.iter().map(histogram_text).collect();
            series.push((LabelSet::from_canonical(labels), samples, histograms));
        },
    )?;
    let counts = [summary.series, summary.samples, summary.histograms, summary.exemplars, summary.metadata];
    let invalid = summary.invalid.iter().map(|(reason, count, _)| (reason, count)).collect();
    let decoded = Decoded { series, counts, invalid, invalid_samples: summary.invalid.samples() };
    Ok((decoded, summary))
}
