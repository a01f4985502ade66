//! Samples on their way from a decoder to the window store.

use super::Sample;

/// Series and samples of one request, flat in three buffers that are reused: a decoder fills it, a
/// shard empties it, and no sample costs an allocation.
#[derive(Debug, Default)]
pub struct SampleBatch {
    /// Canonical label texts, one after the other.
    text: String,
    samples: Vec<Sample>,
    entries: Vec<EntryRange>,
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
}

impl SampleBatch {
    /// Adds a series by its canonical label text and hash.
    pub fn push(&mut self, hash: u128, labels: &str, samples: impl IntoIterator<Item = Sample>) {
        self.text.push_str(labels);
        self.samples.extend(samples);
        self.entries.push(EntryRange { hash, text_end: self.text.len(), samples_end: self.samples.len() });
    }

    /// The series with their samples, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = SeriesEntry<'_>> {
        let mut text_start = 0;
        let mut samples_start = 0;
        self.entries.iter().map(move |entry| {
            let labels = &self.text[text_start..entry.text_end];
            let samples = &self.samples[samples_start..entry.samples_end];
            (text_start, samples_start) = (entry.text_end, entry.samples_end);
            SeriesEntry { hash: entry.hash, labels, samples }
        })
    }

    /// Number of series entries (a series may have several).
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The newest timestamp of all samples.
    #[must_use]
    pub fn newest(&self) -> Option<super::TimestampMs> {
        self.samples.iter().map(|sample| sample.timestamp).max()
    }

    /// The oldest timestamp of all samples.
    #[must_use]
    pub fn oldest(&self) -> Option<super::TimestampMs> {
        self.samples.iter().map(|sample| sample.timestamp).min()
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Number of samples.
    #[must_use]
    pub fn sample_count(&self) -> usize {
        self.samples.len()
    }

    /// Forgets the content and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.samples.clear();
        self.entries.clear();
    }

    /// Bytes of memory held, used or not.
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        self.text.capacity()
            + self.samples.capacity() * size_of::<Sample>()
            + self.entries.capacity() * size_of::<EntryRange>()
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
}
