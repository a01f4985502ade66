//! Requests: everything but values and timestamps is encoded once.

use crate::fleet::{Fleet, Kind};
use anyhow::Result;
use emberwatch::wire::{
    MessageType,
    reference::{v1, v2},
};
use prost::{
    Message as _,
    encoding::{WireType, encode_key, encode_varint},
};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::{collections::BTreeMap, ops::Range};

/// A request of some series, one sample each.
#[derive(Debug)]
pub(crate) struct Request {
    message: MessageType,
    /// The symbol table, 2.0 only.
    head: Vec<u8>,
    series: Vec<Series>,
    rng: Xoshiro256PlusPlus,
    /// The bytes before compression, kept for their memory.
    bytes: Vec<u8>,
    encoder: snap::raw::Encoder,
}

#[derive(Debug)]
struct Series {
    /// Its message but for the sample.
    encoded: Box<[u8]>,
    kind: Kind,
    value: f64,
}

// === impl Request ===

impl Request {
    /// The request of the series numbered `range`.
    pub(crate) fn new(message: MessageType, fleet: &Fleet, range: Range<usize>) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(range.start as u64);
        let mut symbols = BTreeMap::from([(String::new(), 0)]);
        let series = range.map(|n| {
            let (labels, kind) = fleet.series(n);
            let encoded = match message {
                MessageType::V1 => series_v1(labels),
                MessageType::V2 => series_v2(labels, kind, &mut symbols),
            };
            let value = match kind {
                Kind::Counter => f64::from(rng.random_range(0..100_000_000)) / 100.0,
                Kind::Gauge => f64::from(rng.next_u32()) * 4.0,
                Kind::Constant => f64::from(n % 3 == 0),
            };
            Series { encoded: encoded.into(), kind, value }
        });
        let series = series.collect();
        let mut table = vec![String::new(); symbols.len()];
        for (symbol, place) in symbols {
            table[place as usize] = symbol;
        }
        let head = match message {
            MessageType::V1 => Vec::new(),
            MessageType::V2 => v2::Request { symbols: table, timeseries: Vec::new() }.encode_to_vec(),
        };
        Self { message, head, series, rng, bytes: Vec::new(), encoder: snap::raw::Encoder::new() }
    }

    /// Samples in it.
    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }

    /// The body of the next scrape, at `timestamp`.
    pub(crate) fn next_body(&mut self, timestamp: i64) -> Result<Vec<u8>> {
        self.bytes.clear();
        self.bytes.extend_from_slice(&self.head);
        let (field, sample_field) = match self.message {
            MessageType::V1 => (1, 2),
            MessageType::V2 => (5, 2),
        };
        let mut sample = Vec::new();
        for series in &mut self.series {
            series.value = moved(series.value, series.kind, &mut self.rng);
            sample.clear();
            // Both versions have the same sample: the value is field 1, the timestamp field 2.
            let encoded = v1::Sample { value: series.value, timestamp };
            prost::encoding::message::encode(sample_field, &encoded, &mut sample);
            encode_key(field, WireType::LengthDelimited, &mut self.bytes);
            encode_varint((series.encoded.len() + sample.len()) as u64, &mut self.bytes);
            self.bytes.extend_from_slice(&series.encoded);
            self.bytes.extend_from_slice(&sample);
        }
        Ok(self.encoder.compress_vec(&self.bytes)?)
    }
}

fn series_v1(labels: Vec<(&'static str, String)>) -> Vec<u8> {
    let labels = labels.into_iter().map(|(name, value)| v1::Label { name: name.to_owned(), value });
    v1::TimeSeries { labels: labels.collect(), ..v1::TimeSeries::default() }.encode_to_vec()
}

fn series_v2(
    labels: Vec<(&'static str, String)>,
    kind: Kind,
    symbols: &mut BTreeMap<String, u32>,
) -> Vec<u8> {
    let mut place = |symbol: String| {
        let next = symbols.len() as u32;
        *symbols.entry(symbol).or_insert(next)
    };
    let labels_refs = labels.into_iter().flat_map(|(name, value)| [place(name.to_owned()), place(value)]);
    let labels_refs = labels_refs.collect();
    let metadata =
        v2::Metadata { r#type: if kind == Kind::Counter { 1 } else { 2 }, help_ref: 0, unit_ref: 0 };
    v2::TimeSeries { labels_refs, metadata: Some(metadata), ..v2::TimeSeries::default() }.encode_to_vec()
}

/// The value at the next scrape.
fn moved(value: f64, kind: Kind, rng: &mut Xoshiro256PlusPlus) -> f64 {
    match kind {
        Kind::Counter => (value * 100.0 + f64::from(rng.random_range(0..1_500))).round() / 100.0,
        Kind::Gauge => (value + f64::from(rng.random_range(-2_000_000..2_000_000))).max(0.0),
        Kind::Constant => value,
    }
}
