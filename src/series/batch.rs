//! Samples on their way from a decoder to the window store.

use super::{HistogramSample, Sample, TimestampMs};

/// Series and samples of one request, flat in buffers that are reused: a decoder fills it, a shard empties
/// it, and no sample costs an allocation. Native histograms lie beside them, listed by entry, so that a request
/// without any pays nothing for them.
#[derive(Debug, Default)]
pub struct SampleBatch {
    /// Canonical label texts, one after the other.
    text: String,
    samples: Vec<Sample>,
    entries: Vec<EntryRange>,
    histograms: Vec<HistogramSample>,
    /// The entries that have histograms, ascending.
    histogram_entries: Vec<HistogramRange>,
}

#[derive(Clone, Copy, Debug)]
struct HistogramRange {
    entry: usize,
    histograms_end: usize,
}

#[derive(Clone, Copy, Debug)]
struct EntryRange {
    hash: u128,
    text_end: usize,
    samples_end: usize,
}

/// One series of a batch with its samples.
#[derive(Clone, Copy, Debug)]
pub struct SeriesEntry<'a> {
    /// Hash of `labels`: the same for equal label sets within one process.
    pub hash: u128,
    /// Canonical label text, as [`super::LabelSet::canonical_text`].
    pub labels: &'a str,
    /// Samples in the order of arrival.
    pub samples: &'a [Sample],
    /// Native histograms in the order of arrival.
    pub histograms: &'a [HistogramSample],
}

impl SampleBatch {
    /// Adds a series by its canonical label text and hash.
    pub fn push(&mut self, hash: u128, labels: &str, samples: impl IntoIterator<Item = Sample>) {
        self.text.push_str(labels);
        self.samples.extend(samples);
        self.entries.push(EntryRange { hash, text_end: self.text.len(), samples_end: self.samples.len() });
    }

    /// Adds a series with native histograms beside its samples.
    pub fn push_with_histograms(
        &mut self,
        hash: u128,
        labels: &str,
        samples: impl IntoIterator<Item = Sample>,
        histograms: impl IntoIterator<Item = HistogramSample>,
    ) {
        let entry = self.entries.len();
        self.push(hash, labels, samples);
        self.histograms.extend(histograms);
        self.histogram_entries.push(HistogramRange { entry, histograms_end: self.histograms.len() });
    }

    /// The series with their samples, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = SeriesEntry<'_>> {
        let mut text_start = 0;
        let mut samples_start = 0;
        let mut histograms_start = 0;
        let mut with_histograms = self.histogram_entries.iter().peekable();
        self.entries.iter().enumerate().map(move |(index, entry)| {
            let labels = &self.text[text_start..entry.text_end];
            let samples = &self.samples[samples_start..entry.samples_end];
            (text_start, samples_start) = (entry.text_end, entry.samples_end);
            let mut histograms: &[HistogramSample] = &[];
            if let Some(range) = with_histograms.next_if(|range| range.entry == index) {
                histograms = &self.histograms[histograms_start..range.histograms_end];
                histograms_start = range.histograms_end;
            }
            SeriesEntry { hash: entry.hash, labels, samples, histograms }
        })
    }

    /// Number of series entries (a series may have several).
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The newest timestamp of all samples and histograms.
    #[must_use]
    pub fn newest(&self) -> Option<TimestampMs> {
        let samples = self.samples.iter().map(|sample| sample.timestamp);
        samples.chain(self.histograms.iter().map(|sample| sample.timestamp)).max()
    }

    /// The oldest timestamp of all samples and histograms.
    #[must_use]
    pub fn oldest(&self) -> Option<super::TimestampMs> {
        let histograms = self.histograms.iter().map(|sample| sample.timestamp);
        self.samples.iter().map(|sample| sample.timestamp).chain(histograms).min()
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Number of samples and histograms.
    #[must_use]
    pub fn sample_count(&self) -> usize {
        self.samples.len() + self.histograms.len()
    }

    /// Forgets the content and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.samples.clear();
        self.entries.clear();
        self.histograms.clear();
        self.histogram_entries.clear();
    }

    /// Bytes of memory held, used or not.
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        self.text.capacity()
            + self.samples.capacity() * size_of::<Sample>()
            + self.entries.capacity() * size_of::<EntryRange>()
            + self.histograms.capacity() * size_of::<HistogramSample>()
            + self.histograms.iter().map(HistogramSample::size_bytes).sum::<usize>()
            + self.histogram_entries.capacity() * size_of::<HistogramRange>()
    }
}

/// The identity of a series inside this process: XXH3-128 of its canonical label text.
///
/// `seed` is drawn once per process, so that nobody who controls label values can aim for a collision.
#[must_use]
pub fn series_hash(canonical_text: &str, seed: u64) -> u128 {
    xxhash_rust::xxh3::xxh3_128_with_seed(canonical_text.as_bytes(), seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::NativeHistogram;

    #[test]
    fn gives_back_what_was_pushed() {
        let mut batch = SampleBatch::default();
        batch.push(1, "ab", [Sample::new(1, 1.0), Sample::new(2, 2.0)]);
        batch.push(2, "", []);
        batch.push(3, "cde", [Sample::new(3, 3.0)]);
        let seen: Vec<_> = batch.iter().map(|e| (e.hash, e.labels.to_owned(), e.samples.len())).collect();
        assert_eq!(seen, [(1, "ab".to_owned(), 2), (2, String::new(), 0), (3, "cde".to_owned(), 1)]);
        assert_eq!((batch.len(), batch.sample_count()), (3, 3));
    }

    #[test]
    fn histograms_stay_with_their_series() {
        let histogram = |timestamp| HistogramSample::new(timestamp, NativeHistogram::default());
        let mut batch = SampleBatch::default();
        batch.push(1, "a", [Sample::new(1, 1.0)]);
        batch.push_with_histograms(2, "b", [], [histogram(2), histogram(3)]);
        batch.push(3, "c", []);
        batch.push_with_histograms(4, "d", [Sample::new(4, 1.0)], [histogram(9)]);
        let times = |e: SeriesEntry<'_>| e.histograms.iter().map(|h| h.timestamp.0).collect::<Vec<_>>();
        assert_eq!(batch.iter().map(times).collect::<Vec<_>>(), [vec![], vec![2, 3], vec![], vec![9]]);
        assert_eq!((batch.newest(), batch.sample_count()), (Some(TimestampMs(9)), 5));
        batch.clear();
        assert!(batch.is_empty() && batch.newest().is_none());
    }
}
