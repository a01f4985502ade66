//! The native histograms of one series.

use super::AppendOutcome;
use crate::series::{HistogramSample, TimestampMs};

/// Native histograms sorted by time, one a timestamp.
///
/// They lie beside the float samples of their series, which rarely has both.
#[derive(Clone, Debug, Default)]
pub(super) struct Histograms {
    samples: Vec<HistogramSample>,
    /// Bytes held by `samples`, without the list itself.
    sample_bytes: usize,
}

// === impl Histograms ===

impl Histograms {
    /// Takes a histogram to its place in time; one that is there already is never replaced.
    pub(super) fn append(&mut self, sample: &HistogramSample) -> AppendOutcome {
        let newest = self.newest().map(|newest| newest.timestamp);
        match self.place(sample.timestamp) {
            Ok(at) if self.samples[at].histogram.same_data(&sample.histogram) => AppendOutcome::Duplicate,
            Ok(_) => AppendOutcome::Conflict,
            Err(at) => {
                self.sample_bytes += sample.size_bytes();
                self.samples.insert(at, sample.clone());
                let in_order = newest.is_none_or(|newest| newest < sample.timestamp);
                if in_order { AppendOutcome::Appended } else { AppendOutcome::OutOfOrder }
            }
        }
    }

    /// Drops the histograms before `keep_from`.
    pub(super) fn trim(&mut self, keep_from: TimestampMs) {
        let gone = self.samples.partition_point(|sample| sample.timestamp < keep_from);
        let gone_bytes: usize = self.samples.drain(..gone).map(|sample| sample.size_bytes()).sum();
        self.sample_bytes -= gone_bytes;
    }

    /// Whether there is one at this very time.
    pub(super) fn has(&self, timestamp: TimestampMs) -> bool {
        self.place(timestamp).is_ok()
    }

    /// The histograms from `keep_from` on, oldest first.
    pub(super) fn from(&self, keep_from: TimestampMs) -> &[HistogramSample] {
        &self.samples[self.samples.partition_point(|sample| sample.timestamp < keep_from)..]
    }

    /// The newest one.
    pub(super) fn newest(&self) -> Option<&HistogramSample> {
        self.samples.last()
    }

    /// Bytes of memory held.
    pub(super) fn capacity_bytes(&self) -> usize {
        size_of::<Self>()
            + self.sample_bytes
            + (self.samples.capacity() - self.samples.len()) * size_of::<HistogramSample>()
    }

    fn place(&self, timestamp: TimestampMs) -> Result<usize, usize> {
        // Nearly every histogram is newer than all others.
        match self.samples.last() {
            Some(newest) if newest.timestamp >= timestamp => {
                self.samples.binary_search_by_key(&timestamp, |sample| sample.timestamp)
            }
            _ => Err(self.samples.len()),
        }
    }
}
