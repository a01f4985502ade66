//! Remote-Write messages of both versions, from plain descriptions.

use emberwatch::wire::reference::{v1, v2};
use prost::Message as _;

/// 2023-11-14T22:13:20Z.
pub(crate) const T: i64 = 1_700_000_000_000;

/// One series of a test: labels and samples (timestamp, value).
pub(crate) type Described<'a> = (&'a [(&'a str, &'a str)], &'a [(i64, f64)]);

pub(crate) fn v1_request(series: &[Described<'_>]) -> Vec<u8> {
    let timeseries = series.iter().map(|(labels, samples)| v1_series(labels, samples)).collect();
    v1::WriteRequest { timeseries, metadata: Vec::new() }.encode_to_vec()
}

pub(crate) fn v1_series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> v1::TimeSeries {
    let label = |(name, value): &(&str, &str)| v1::Label { name: (*name).into(), value: (*value).into() };
    let sample = |(timestamp, value): &(i64, f64)| v1::Sample { value: *value, timestamp: *timestamp };
    v1::TimeSeries {
        labels: labels.iter().map(label).collect(),
        samples: samples.iter().map(sample).collect(),
        ..v1::TimeSeries::default()
    }
}

pub(crate) fn v2_request(series: &[Described<'_>]) -> Vec<u8> {
    let mut request = v2::Request { symbols: vec![String::new()], timeseries: Vec::new() };
    for (labels, samples) in series {
        let series = v2_series(&mut request.symbols, labels, samples);
        request.timeseries.push(series);
    }
    request.encode_to_vec()
}

pub(crate) fn v2_series(
    symbols: &mut Vec<String>,
    labels: &[(&str, &str)],
    samples: &[(i64, f64)],
) -> v2::TimeSeries {
    let mut labels_refs = Vec::new();
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        let known = symbols.iter().position(|symbol| symbol == text);
        labels_refs.push(known.unwrap_or(symbols.len()) as u32);
        if known.is_none() {
            symbols.push((*text).to_owned());
        }
    }
    let sample = |(timestamp, value): &(i64, f64)| v2::Sample {
        value: *value,
        timestamp: *timestamp,
        ..v2::Sample::default()
    };
    v2::TimeSeries { labels_refs, samples: samples.iter().map(sample).collect(), ..v2::TimeSeries::default() }
}

/// An integer histogram with one observation in one bucket.
pub(crate) fn v2_histogram(timestamp: i64) -> v2::Histogram {
    v2::Histogram {
        count: Some(v2::histogram::Count::CountInt(1)),
        zero_count: Some(v2::histogram::ZeroCount::ZeroCountInt(0)),
        sum: 1.5,
        positive_spans: vec![v2::BucketSpan { offset: 0, length: 1 }],
        positive_deltas: vec![1],
        timestamp,
        ..v2::Histogram::default()
    }
}
