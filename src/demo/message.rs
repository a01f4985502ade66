//! Remote-Write 1.0 bodies, both ways, by the generated types: plain and independent of the decoder
//! that the sidecar uses.

use crate::{
    series::{InvalidLabels, LabelSet},
    simulate::fleet::Scraped,
    wire::{
        Limits, WireError, decompress,
        reference::v1::{Label, Sample, TimeSeries, WriteRequest},
    },
};
use bytes::Bytes;
use prost::Message;

/// Why a body is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidBody {
    /// It is not one snappy block of acceptable size.
    #[error(transparent)]
    Compression(#[from] WireError),
    /// It is not a message.
    #[error(transparent)]
    Message(#[from] prost::DecodeError),
    /// A series has no valid labels.
    #[error(transparent)]
    Labels(#[from] InvalidLabels),
}

/// A body with one series entry for each sample, as Prometheus sends them.
pub(super) fn encode(samples: &[Scraped]) -> Result<Bytes, snap::Error> {
    let message = WriteRequest { timeseries: samples.iter().map(series).collect(), ..Default::default() };
    Ok(snap::raw::Encoder::new().compress_vec(&message.encode_to_vec())?.into())
}

fn series(scraped: &Scraped) -> TimeSeries {
    let labels = scraped.labels.iter();
    let labels = labels.map(|label| Label { name: label.name.to_owned(), value: label.value.to_owned() });
    let sample = Sample { value: scraped.sample.value, timestamp: scraped.sample.timestamp.0 };
    TimeSeries { labels: labels.collect(), samples: vec![sample], ..Default::default() }
}

/// The samples of a body, in order.
pub(super) fn decode(body: &[u8]) -> Result<Vec<Scraped>, InvalidBody> {
    let mut message = Vec::new();
    decompress(body, &Limits::default(), &mut message)?;
    let mut scraped = Vec::new();
    for series in WriteRequest::decode(message.as_slice())?.timeseries {
        let pairs = series.labels.iter().map(|label| (label.name.as_str(), label.value.as_str()));
        let labels = LabelSet::from_pairs(pairs)?;
        scraped.extend(series.samples.iter().map(|sample| Scraped {
            labels: labels.clone(),
            sample: crate::series::Sample::new(sample.timestamp, sample.value),
        }));
    }
    Ok(scraped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{METRIC_NAME, STALE_NAN};

    #[test]
    fn samples_come_back_as_they_were_to_the_last_bit() {
        let labels = LabelSet::from_pairs([(METRIC_NAME, "up"), ("instance", "node-01")]).unwrap();
        let scraped =
            |at, value| Scraped { labels: labels.clone(), sample: crate::series::Sample::new(at, value) };
        let sent = [scraped(-1, 0.1), scraped(0, 0.0), scraped(i64::MAX, STALE_NAN)];
        let back = decode(&encode(&sent).unwrap()).unwrap();
        let bits = |samples: &[Scraped]| -> Vec<_> {
            let part = |s: &Scraped| (s.labels.clone(), s.sample.timestamp, s.sample.value.to_bits());
            samples.iter().map(part).collect()
        };
        assert_eq!(bits(&back), bits(&sent));
    }

    #[test]
    fn what_is_not_a_message_is_refused() {
        assert!(matches!(decode(b""), Err(InvalidBody::Compression(_))));
        let not_a_message = snap::raw::Encoder::new().compress_vec(&[0xff]).unwrap();
        assert!(matches!(decode(&not_a_message), Err(InvalidBody::Message(_))));
    }
}
