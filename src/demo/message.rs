//! Remote-Write 1.0 messages as the demo's two ends use them.

use crate::series::{InvalidLabels, LabelSet, Sample};

/// `prometheus.WriteRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) timeseries: Vec<TimeSeries>,
}

/// `prometheus.TimeSeries`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(super) samples: Vec<WireSample>,
}

/// `prometheus.Label`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Label {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

/// `prometheus.Sample`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct WireSample {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
    #[prost(int64, tag = "2")]
    pub(super) timestamp: i64,
}

impl TimeSeries {
    /// One sample of one series, as Prometheus sends it.
    pub(super) fn of(labels: &LabelSet, sample: Sample) -> Self {
        let label = |label: crate::series::LabelRef<'_>| Label {
            name: label.name.to_owned(),
            value: label.value.to_owned(),
        };
        Self {
            labels: labels.iter().map(label).collect(),
            samples: vec![WireSample { value: sample.value, timestamp: sample.timestamp.0 }],
        }
    }

    /// The label set of the series.
    pub(super) fn label_set(&self) -> Result<LabelSet, InvalidLabels> {
        LabelSet::from_pairs(self.labels.iter().map(|label| (label.name.as_str(), label.value.as_str())))
    }
}
