//! Reads the samples of series that are named one by one.

use super::MAX_PIECE_TIME;
use crate::{
    promql::{Budget, EvalError},
    series::{HistogramSample, Sample, TimestampMs},
    window::{SeriesView, Store},
};
use std::ops::RangeInclusive;
use tokio::time::Instant;

/// Bytes of samples beyond which a piece takes no further series.
const MAX_PIECE_BYTES: usize = 1 << 20;

/// What some series hold in a stretch of time.
///
/// A piece answers for the first of them, in their order and for one at the least; whoever asked goes on with a
/// question about the rest.
#[derive(Debug)]
pub struct SamplesQuestion {
    /// Their hashes, by [`crate::series::series_hash`].
    pub series: Vec<u128>,
    /// The stretch of time, both ends included.
    pub range: RangeInclusive<TimestampMs>,
}

/// What a series holds, sorted by time, stale markers included. Nothing of a series that is gone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeldSamples {
    /// Its float samples.
    pub samples: Vec<Sample>,
    /// Its native histograms.
    pub histograms: Vec<HistogramSample>,
}

// === impl SamplesQuestion ===

impl SamplesQuestion {
    pub(super) fn look(&self, store: &Store, budget: &mut Budget) -> Result<Vec<HeldSamples>, EvalError> {
        let begun = Instant::now();
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        let mut scratch = Vec::new();
        for hash in &self.series {
            if !pieces.is_empty() && (bytes >= MAX_PIECE_BYTES || begun.elapsed() >= MAX_PIECE_TIME) {
                break;
            }
            let held = store.series(*hash).map(|view| HeldSamples::of(&view, &self.range, &mut scratch));
            let held = held.unwrap_or_default();
            budget.hold(held.points())?;
            bytes += held.size_bytes();
            pieces.push(held);
        }
        Ok(pieces)
    }
}

// === impl HeldSamples ===

impl HeldSamples {
    fn of(view: &SeriesView<'_>, range: &RangeInclusive<TimestampMs>, scratch: &mut Vec<Sample>) -> Self {
        let (from, until) = (*range.start(), *range.end());
        let histograms = &view.histograms[..view.histograms.partition_point(|h| h.timestamp <= until)];
        let histograms = &histograms[histograms.partition_point(|h| h.timestamp < from)..];
        let samples = view.samples.between(from.plus_ms(-1), until, scratch);
        Self { samples: samples.to_vec(), histograms: histograms.to_vec() }
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.histograms.is_empty()
    }

    /// What it counts in the budget of a query: a point for each float, and for sixteen bytes of a histogram.
    #[must_use]
    pub fn points(&self) -> usize {
        self.size_bytes().div_ceil(size_of::<Sample>())
    }

    /// Bytes that its samples take.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let histograms = self.histograms.iter().map(HistogramSample::size_bytes);
        size_of_val(&self.samples[..]) + histograms.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        series::{LabelSet, METRIC_NAME, NativeHistogram, STALE_NAN, SampleBatch, series_hash},
        window,
    };

    const SEED: u64 = 7;

    fn labels(name: &str) -> LabelSet {
        LabelSet::from_pairs([(METRIC_NAME, name)]).unwrap()
    }

    fn hash(name: &str) -> u128 {
        series_hash(labels(name).canonical_text(), SEED)
    }

    fn store(series: &[(&str, Vec<Sample>, Vec<HistogramSample>)]) -> Store {
        let mut store = Store::new(window::Config::default(), Vec::new());
        let mut batch = SampleBatch::default();
        for (name, samples, histograms) in series {
            let text = labels(name);
            let samples = samples.iter().copied();
            batch.push_with_histograms(hash(name), text.canonical_text(), samples, histograms.clone());
        }
        store.append(&batch, TimestampMs(1_000_000));
        store
    }

    fn ask(store: &Store, names: &[&str], range: RangeInclusive<i64>) -> Vec<HeldSamples> {
        let range = TimestampMs(*range.start())..=TimestampMs(*range.end());
        let question = SamplesQuestion { series: names.iter().map(|name| hash(name)).collect(), range };
        question.look(store, &mut Budget::unlimited()).unwrap()
    }

    #[test]
    fn both_ends_are_included_and_stale_markers_are_samples() {
        let histogram = |at| HistogramSample::new(at, NativeHistogram::default());
        let samples = vec![Sample::new(1, 1.0), Sample::new(3, 3.0), Sample::new(5, STALE_NAN)];
        let store = store(&[("a", samples, vec![histogram(2), histogram(4), histogram(6)])]);
        let times = |range| {
            let held = ask(&store, &["a"], range).remove(0);
            let histograms = held.histograms.iter().map(|sample| sample.timestamp.0);
            let mut times: Vec<_> = held.samples.iter().map(|sample| sample.timestamp.0).collect();
            times.extend(histograms);
            times
        };
        assert_eq!(times(1..=6), [1, 3, 5, 2, 4, 6]);
        assert_eq!(times(3..=4), [3, 4]);
        assert_eq!(times(2..=5), [3, 5, 2, 4]);
        assert_eq!(times(i64::MIN..=i64::MAX).len(), 6);
        assert!(times(7..=9).is_empty());
        // A range that ends before it begins holds nothing.
        #[expect(clippy::reversed_empty_ranges, reason = "what a client may ask for")]
        let reversed = times(6..=1);
        assert!(reversed.is_empty());
    }

    #[test]
    fn a_series_that_is_not_held_has_nothing() {
        let store = store(&[("a", vec![Sample::new(1, 1.0)], vec![])]);
        let held = ask(&store, &["gone", "a"], 0..=9);
        assert!(held[0].is_empty());
        assert_eq!(held[1].samples, [Sample::new(1, 1.0)]);
    }

    /// For series that are larger than a piece, each piece is one series; smaller ones come together.
    #[test]
    fn a_piece_is_as_large_as_its_bound_and_one_series_more() {
        let many: Vec<_> = (0..70_000).map(|n| Sample::new(n, n as f64)).collect();
        let one = vec![Sample::new(1, 1.0)];
        let store = store(&[("large", many, vec![]), ("a", one.clone(), vec![]), ("b", one, vec![])]);
        assert_eq!(ask(&store, &["a", "b", "large"], 0..=100_000).len(), 3);
        let pieces = ask(&store, &["large", "a", "b"], 0..=100_000);
        assert_eq!(pieces.iter().map(|held| held.samples.len()).collect::<Vec<_>>(), [70_000]);
    }

    #[test]
    fn samples_are_charged_to_the_budget() {
        let store = store(&[("a", (0..10).map(|n| Sample::new(n, 0.0)).collect(), vec![])]);
        let question = SamplesQuestion { series: vec![hash("a")], range: TimestampMs(0)..=TimestampMs(9) };
        assert!(question.look(&store, &mut Budget::new(10, || false)).is_ok());
        let too_many = question.look(&store, &mut Budget::new(9, || false)).unwrap_err();
        assert!(matches!(too_many, EvalError::TooManyPoints { limit: 9 }), "{too_many}");
        let expired = question.look(&store, &mut Budget::new(10, || true)).unwrap_err();
        assert!(matches!(expired, EvalError::Expired), "{expired}");
    }
}
