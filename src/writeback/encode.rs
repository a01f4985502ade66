//! Steps to the body of a Remote-Write 1.0 request: `prometheus.WriteRequest`, snappy block format.

use super::StepSeries;
use crate::{
    series::LabelSet,
    wire::reference::v1::{Label, Sample, TimeSeries, WriteRequest},
};
use bytes::Bytes;
use prost::Message;
use std::collections::BTreeMap;

/// Encodes steps as one request body.
///
/// A series that occurs in several steps is written once, with its samples in the order of the
/// steps. Label sets are sorted and free of repeats and empty values by construction.
pub(super) fn encode(steps: &[StepSeries]) -> Result<Bytes, snap::Error> {
    let message = write_request(steps).encode_to_vec();
    Ok(snap::raw::Encoder::new().compress_vec(&message)?.into())
}

fn write_request(steps: &[StepSeries]) -> WriteRequest {
    let mut series: BTreeMap<&LabelSet, Vec<Sample>> = BTreeMap::new();
    for step in steps {
        for (labels, value) in &step.series {
            series.entry(labels).or_default().push(Sample { value: *value, timestamp: step.at.0 });
        }
    }
    let timeseries = series.into_iter().map(|(labels, samples)| TimeSeries {
        labels: wire_labels(labels),
        samples,
        ..TimeSeries::default()
    });
    WriteRequest { timeseries: timeseries.collect(), ..WriteRequest::default() }
}

fn wire_labels(labels: &LabelSet) -> Vec<Label> {
    let owned = labels.iter().map(|label| Label { name: label.name.into(), value: label.value.into() });
    owned.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{STALE_NAN, TimestampMs};

    fn labels(instance: &str) -> LabelSet {
        LabelSet::from_pairs([("instance", instance), ("__name__", "s")]).unwrap()
    }

    /// Worked out by hand from the protobuf encoding and the field numbers of the specification:
    /// `s{instance="a"}` = 1.0 at 1000 ms.
    #[test]
    fn the_bytes_are_those_of_the_specification() {
        let steps = [StepSeries { at: TimestampMs(1000), series: vec![(labels("a"), 1.0)] }];
        let body = encode(&steps).unwrap();
        let message = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
        let mut expected = vec![0x0a, 44];
        expected.extend(b"\x0a\x0d\x0a\x08__name__\x12\x01s");
        expected.extend(b"\x0a\x0d\x0a\x08instance\x12\x01a");
        expected.extend([0x12, 12, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 0xe8, 0x07]);
        assert_eq!(message, expected);
    }

    #[test]
    fn a_series_of_several_steps_is_written_once_in_the_order_of_time() {
        let step = |at, series| StepSeries { at: TimestampMs(at), series };
        let steps = [
            step(1, vec![(labels("a"), 0.1), (labels("b"), 0.2)]),
            step(2, vec![(labels("a"), STALE_NAN), (labels("b"), 0.3)]),
        ];
        let request = write_request(&steps);
        let seen: Vec<_> = request
            .timeseries
            .iter()
            .map(|series| {
                let samples = series.samples.iter().map(|s| (s.timestamp, s.value.to_bits()));
                (series.labels[1].value.clone(), samples.collect::<Vec<_>>())
            })
            .collect();
        let expected = [
            ("a".to_owned(), vec![(1, 0.1_f64.to_bits()), (2, 0x7ff0_0000_0000_0002)]),
            ("b".to_owned(), vec![(1, 0.2_f64.to_bits()), (2, 0.3_f64.to_bits())]),
        ];
        assert_eq!(seen, expected);
    }
}
