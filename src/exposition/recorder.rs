//! Samples in any order, on their way into a recording.

use super::recording::{Recorded, RecordedSeries, Recording};
use crate::series::{LabelMatcher, Labels, Sample, series_hash};
use hashbrown::HashTable;

/// What a series takes beside its samples and labels, in bytes, generously.
const SERIES_BYTES: usize = 128;

/// Takes samples of the series that are wanted, as many as fit.
///
/// Memory is 16 bytes a sample, up to twice as much while it grows. A series is charged like the samples that its labels would have room for.
#[derive(Debug)]
pub struct Recorder {
    wanted: Vec<Vec<LabelMatcher>>,
    max_samples: usize,
    hash_seed: u64,
    /// Of the series that are wanted, by their hashes: where they are.
    places: HashTable<usize>,
    series: Vec<RecordedSeries>,
    /// Samples, and what is charged for the series.
    charged: usize,
    read: u64,
}

/// There is no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there are more than {max_samples} samples of {series} series to keep (a series counts as one sample per 16 bytes of its labels)"
)]
pub struct TooManySamples {
    /// How many fit.
    pub max_samples: usize,
    /// Series so far.
    pub series: usize,
}

// === impl Recorder ===

impl Recorder {
    /// For the series of which all matchers of one of the lists hold. `hash_seed` is that of the batches.
    #[must_use]
    pub fn new(wanted: Vec<Vec<LabelMatcher>>, max_samples: usize, hash_seed: u64) -> Self {
        let (places, series) = (HashTable::new(), Vec::new());
        Self { wanted, max_samples, hash_seed, places, series, charged: 0, read: 0 }
    }

    /// Takes a sample of the series with this canonical label text.
    ///
    /// # Errors
    /// When no more fit.
    pub fn take(&mut self, labels: &str, sample: Sample) -> Result<(), TooManySamples> {
        self.read += 1;
        let hash = series_hash(labels, self.hash_seed);
        let is_it = |place: &usize| self.series[*place].labels.as_ref() == labels;
        let place = match self.places.find(hash as u64, is_it) {
            Some(place) => *place,
            None if !is_selected(labels, &self.wanted) => return Ok(()),
            None => self.begin(labels, hash),
        };
        self.charged += 1;
        if self.charged > self.max_samples {
            return Err(TooManySamples { max_samples: self.max_samples, series: self.series.len() });
        }
        self.series[place].samples.push(sample);
        Ok(())
    }

    /// All that was taken, by time.
    #[must_use]
    pub fn finish(self) -> Recording {
        let mut counts =
            Recorded { read: self.read, series: self.series.len() as u64, ..Recorded::default() };
        let mut series = self.series;
        for own in &mut series {
            // Stable: of those at the same time the first stays the first.
            own.samples.sort_by_key(|sample| sample.timestamp);
            own.samples.dedup_by(|next, first| {
                let is_repeated = next.timestamp == first.timestamp;
                if is_repeated && next.value.to_bits() == first.value.to_bits() {
                    counts.repeated += 1;
                } else if is_repeated {
                    counts.conflicting += 1;
                }
                is_repeated
            });
            own.samples.shrink_to_fit();
            counts.kept += own.samples.len() as u64;
        }
        Recording::new(series, counts)
    }

    fn begin(&mut self, labels: &str, hash: u128) -> usize {
        let place = self.series.len();
        let series = &mut self.series;
        series.push(RecordedSeries { labels: labels.into(), hash, samples: Vec::new() });
        self.places.insert_unique(hash as u64, place, |place| series[*place].hash as u64);
        self.charged += (labels.len() + SERIES_BYTES).div_ceil(size_of::<Sample>());
        place
    }
}

/// Whether all matchers of one of the lists hold.
pub(super) fn is_selected(labels: &str, selectors: &[Vec<LabelMatcher>]) -> bool {
    let value = |name: &str| {
        let found = Labels::of_canonical_text(labels).find(|label| label.name == name);
        found.map_or("", |label| label.value)
    };
    let holds = |matcher: &LabelMatcher| matcher.matches_value(value(matcher.name()));
    selectors.iter().any(|matchers| matchers.iter().all(holds))
}
