//! Decoding in one call, with results that can be compared.

use emberwatch::{
    series::LabelSet,
    wire::{Decoder, Limits, MessageType, WireError, WriteSummary},
};

/// What the sink got: canonical labels, and timestamps with the bits of the values.
pub(crate) type Series = (String, Vec<(i64, u64)>);

pub(crate) fn decode_within(
    message: MessageType,
    body: &[u8],
    limits: &Limits,
) -> Result<(Vec<Series>, WriteSummary), WireError> {
    let mut series = Vec::new();
    let summary = Decoder::default().decode(message, body, limits, &mut |labels, samples| {
        assert!(!samples.is_empty(), "the sink is promised at least one sample");
        let samples = samples.iter().map(|sample| (sample.timestamp.0, sample.value.to_bits())).collect();
        series.push((labels.to_owned(), samples));
    })?;
    Ok((series, summary))
}

pub(crate) fn expected(pairs: &[(&str, &str)], samples: &[(i64, f64)]) -> Series {
    let labels = LabelSet::from_pairs(pairs.iter().copied()).expect("labels of a test are valid");
    let samples = samples.iter().map(|(timestamp, value)| (*timestamp, value.to_bits())).collect();
    (labels.canonical_text().to_owned(), samples)
}
