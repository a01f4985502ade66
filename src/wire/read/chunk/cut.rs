//! Where one chunk ends and the next begins when a series is written.
//!
//! A chunk has samples of one kind, at most [`MAX_SAMPLES`]. Histograms of one chunk have one layout; those of a
//! counter only grow, since readers take it that no counter was reset within a chunk.

use super::{ChunkEncoding, EncodedChunk, histograms, layout::Layout, tally::Integer, xor, xor::XorFloat};
use crate::{
    series::{Bucket, HistogramSample, NativeHistogram, ResetHint, Sample, TimestampMs},
    wire::{
        histogram::MAX_BUCKETS,
        read::buckets::{is_integer, spans},
    },
};
use std::collections::BTreeSet;

/// Samples of a chunk, as in Prometheus' storage.
const MAX_SAMPLES: usize = 120;

/// The chunks of a series whose samples and histograms are each sorted by time; they come sorted by time and do not
/// overlap.
pub(in crate::wire::read) fn chunks<'a>(
    samples: &'a [Sample],
    histograms: &'a [HistogramSample],
) -> impl Iterator<Item = EncodedChunk> + 'a {
    let (mut samples, mut histograms) = (samples, histograms);
    std::iter::from_fn(move || {
        let (next_sample, next_histogram) = (samples.first(), histograms.first());
        let samples_first = match (next_sample, next_histogram) {
            (Some(sample), Some(histogram)) => sample.timestamp <= histogram.timestamp,
            (None, None) => return None,
            (sample, _) => sample.is_some(),
        };
        Some(if samples_first {
            let until = next_histogram.map(|histogram| histogram.timestamp);
            take_samples(&mut samples, until)
        } else {
            take_histograms(&mut histograms, next_sample.map(|sample| sample.timestamp))
        })
    })
}

fn take_samples(samples: &mut &[Sample], until: Option<TimestampMs>) -> EncodedChunk {
    let before = |sample: &&Sample| until.is_none_or(|until| sample.timestamp <= until);
    let (taken, rest) = samples.split_at(samples.iter().take(MAX_SAMPLES).take_while(before).count());
    *samples = rest;
    let times = taken.iter().map(|sample| sample.timestamp);
    EncodedChunk::new(ChunkEncoding::Xor, times, xor::encode(taken))
}

fn take_histograms(histograms: &mut &[HistogramSample], until: Option<TimestampMs>) -> EncodedChunk {
    let mut run = Run::default();
    let near = histograms.iter().take(MAX_SAMPLES);
    let near = near.take_while(|sample| until.is_none_or(|until| sample.timestamp < until));
    let number = near.map_while(|sample| run.take(&sample.histogram).then_some(())).count();
    let (taken, rest) = histograms.split_at(number);
    *histograms = rest;
    let times = taken.iter().map(|sample| sample.timestamp);
    let indices = run.indices.each_ref().map(|indices| indices.iter().copied().collect());
    let layout = run.layout();
    let (encoding, data) = if run.is_integer {
        (ChunkEncoding::Histogram, histograms::encode::<Integer>(taken, &layout, &indices))
    } else {
        (ChunkEncoding::FloatHistogram, histograms::encode::<XorFloat>(taken, &layout, &indices))
    };
    EncodedChunk::new(encoding, times, data)
}

/// Histograms that can stand in one chunk.
#[derive(Default)]
struct Run<'a> {
    last: Option<&'a NativeHistogram>,
    /// The first that is no stale marker, which as any other has the layout.
    first: Option<&'a NativeHistogram>,
    is_integer: bool,
    /// Indices of the buckets of any, for values above zero and below.
    indices: [BTreeSet<i32>; 2],
}

// === impl Run ===

impl<'a> Run<'a> {
    /// Takes one more histogram if it fits; a single one always does.
    fn take(&mut self, histogram: &'a NativeHistogram) -> bool {
        let is_stale = histogram.is_stale_marker();
        let is_integer = is_stale || is_integer(histogram);
        match self.last {
            None => self.is_integer = is_integer,
            Some(_) if is_stale => {}
            Some(last) => {
                let same_kind = is_integer == self.is_integer && !last.is_stale_marker();
                if !same_kind || !follows(histogram, last) || !self.has_room_for(histogram) {
                    return false;
                }
            }
        }
        for (indices, side) in self.indices.iter_mut().zip([&histogram.positive, &histogram.negative]) {
            indices.extend(side.iter().map(|bucket| bucket.index));
        }
        if !is_stale {
            self.first.get_or_insert(histogram);
        }
        self.last = Some(histogram);
        true
    }

    /// Whether the chunk has no more buckets than a reader takes with those of `histogram` as well.
    fn has_room_for(&self, histogram: &NativeHistogram) -> bool {
        self.indices.iter().zip([&histogram.positive, &histogram.negative]).all(|(indices, side)| {
            let new = side.iter().filter(|bucket| !indices.contains(&bucket.index)).count();
            indices.len() + new <= MAX_BUCKETS
        })
    }

    fn layout(&self) -> Layout {
        let Some(first) = self.first else { return Layout::default() };
        Layout {
            schema: first.schema,
            zero_threshold: first.zero_threshold,
            spans: self.indices.each_ref().map(|indices| spans(indices.iter().copied())),
            custom_bounds: first.custom_bounds.clone(),
        }
    }
}

/// Whether a histogram has the layout of the one before, and does not fall below it if it is a counter.
fn follows(histogram: &NativeHistogram, before: &NativeHistogram) -> bool {
    let is_gauge = |h: &NativeHistogram| h.reset_hint == ResetHint::Gauge;
    let same_kind = is_gauge(histogram) == is_gauge(before)
        && histogram.schema == before.schema
        && histogram.zero_threshold.to_bits() == before.zero_threshold.to_bits()
        && histogram.same_bounds(before);
    let is_reset = || {
        histogram.reset_hint == ResetHint::Yes
            || histogram.count < before.count
            || histogram.zero_count < before.zero_count
            || falls(&histogram.positive, &before.positive)
            || falls(&histogram.negative, &before.negative)
    };
    same_kind && (is_gauge(histogram) || !is_reset())
}

/// Whether any bucket holds less than before; those that are not listed hold nothing.
fn falls(buckets: &[Bucket], before: &[Bucket]) -> bool {
    let count = |buckets: &[Bucket], index: i32| {
        let place = buckets.binary_search_by_key(&index, |bucket| bucket.index);
        place.ok().and_then(|place| buckets.get(place)).map_or(0.0, |bucket| bucket.count)
    };
    let fell = |index: i32| count(buckets, index) < count(before, index);
    buckets.iter().chain(before).any(|bucket| fell(bucket.index))
}
