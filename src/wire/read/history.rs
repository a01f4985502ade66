//! What is read of one series: cut to the range asked for, put in order, each instant once.

use super::ReadError;
use crate::{
    series::{HistogramSample, Sample, TimestampMs},
    wire::Limits,
};
use std::ops::RangeInclusive;

/// Samples and native histograms of one series, from chunks that may overlap and reach beyond the range.
///
/// It holds no more than [`Limits::max_samples`] of both together and [`Limits::max_histogram_bytes`].
#[derive(Debug)]
pub struct History {
    range: RangeInclusive<TimestampMs>,
    max_samples: usize,
    max_histogram_bytes: usize,
    samples: Vec<Sample>,
    histograms: Vec<HistogramSample>,
    histogram_bytes: usize,
}

// === impl History ===

impl History {
    /// A history without samples that will keep those in `range`.
    #[must_use]
    pub fn new(range: RangeInclusive<TimestampMs>, limits: &Limits) -> Self {
        Self {
            range,
            max_samples: limits.max_samples,
            max_histogram_bytes: limits.max_histogram_bytes,
            samples: Vec::new(),
            histograms: Vec::new(),
            histogram_bytes: 0,
        }
    }

    /// Whether a sample at this time is kept.
    #[must_use]
    pub fn wants(&self, timestamp: TimestampMs) -> bool {
        self.range.contains(&timestamp)
    }

    /// Adds a sample, in any order, if it is in the range.
    ///
    /// # Errors
    /// When there are too many.
    #[inline]
    pub fn add_sample(&mut self, sample: Sample) -> Result<(), ReadError> {
        if self.wants(sample.timestamp) {
            self.check_room()?;
            self.samples.push(sample);
        }
        Ok(())
    }

    /// Adds a native histogram, in any order, if it is in the range.
    ///
    /// # Errors
    /// When there are too many, or they are too large.
    pub fn add_histogram(&mut self, histogram: HistogramSample) -> Result<(), ReadError> {
        if self.wants(histogram.timestamp) {
            self.check_room()?;
            self.histogram_bytes += histogram.size_bytes();
            if self.histogram_bytes > self.max_histogram_bytes {
                let limit = self.max_histogram_bytes;
                return Err(ReadError::TooMany { what: "bytes of native histograms", limit });
            }
            self.histograms.push(histogram);
        }
        Ok(())
    }

    /// The samples and histograms by time, each instant once in either: of several, that which was added first.
    pub fn merged(&mut self) -> (&[Sample], &[HistogramSample]) {
        merge(&mut self.samples, |sample| sample.timestamp);
        merge(&mut self.histograms, |sample| sample.timestamp);
        (&self.samples, &self.histograms)
    }

    /// Forgets what it holds, keeps the memory, and begins with another range.
    pub fn restart(&mut self, range: RangeInclusive<TimestampMs>) {
        self.range = range;
        self.samples.clear();
        self.histograms.clear();
        self.histogram_bytes = 0;
    }

    #[inline]
    fn check_room(&self) -> Result<(), ReadError> {
        if self.samples.len() + self.histograms.len() >= self.max_samples {
            return Err(ReadError::TooMany { what: "samples", limit: self.max_samples });
        }
        Ok(())
    }
}

fn merge<S>(samples: &mut Vec<S>, time: impl Fn(&S) -> TimestampMs) {
    // As a rule chunks follow each other.
    if !samples.is_sorted_by(|a, b| time(a) < time(b)) {
        samples.sort_by_key(&time);
        samples.dedup_by_key(|sample| time(sample));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::NativeHistogram;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn history(range: RangeInclusive<i64>, limits: &Limits) -> History {
        History::new(TimestampMs(*range.start())..=TimestampMs(*range.end()), limits)
    }

    #[test]
    fn a_history_has_an_end() {
        let limits = Limits { max_samples: 2, ..Limits::for_reading() };
        let mut full = history(0..=9, &limits);
        full.add_sample(Sample::new(1, 1.0)).unwrap();
        full.add_histogram(HistogramSample::new(1, NativeHistogram::default())).unwrap();
        let error = full.add_sample(Sample::new(2, 1.0)).unwrap_err();
        assert_eq!(error.to_string(), "a series has more than 2 samples");
        // What is not wanted is not counted.
        full.add_sample(Sample::new(10, 1.0)).unwrap();
        full.restart(TimestampMs(0)..=TimestampMs(9));
        assert!(full.merged().0.is_empty());

        let histogram = HistogramSample::new(1, NativeHistogram::default());
        let limits = Limits { max_histogram_bytes: histogram.size_bytes(), ..Limits::for_reading() };
        let mut full = history(0..=9, &limits);
        full.add_histogram(histogram.clone()).unwrap();
        assert!(full.add_histogram(histogram).is_err());
    }

    proptest! {
        /// D5: for all samples in any order, those in the range remain, by time, and of each instant the first.
        #[test]
        fn d5_a_history_is_a_map_from_time_to_the_first_value(
            samples in prop::collection::vec((-20..20_i64, any::<f64>()), 0..60),
            from in -20..20_i64,
            length in 0..30_i64,
        ) {
            let mut merged = history(from..=from + length, &Limits::for_reading());
            let mut expected = BTreeMap::new();
            for (timestamp, value) in samples {
                merged.add_sample(Sample::new(timestamp, value)).unwrap();
                let histogram = NativeHistogram { sum: value, ..NativeHistogram::default() };
                merged.add_histogram(HistogramSample::new(timestamp, histogram)).unwrap();
                if (from..=from + length).contains(&timestamp) {
                    expected.entry(timestamp).or_insert(value.to_bits());
                }
            }
            let expected: Vec<_> = expected.into_iter().collect();
            let (samples, histograms) = merged.merged();
            let samples: Vec<_> = samples.iter().map(|s| (s.timestamp.0, s.value.to_bits())).collect();
            let histograms: Vec<_> =
                histograms.iter().map(|h| (h.timestamp.0, h.histogram.sum.to_bits())).collect();
            prop_assert_eq!(samples, &expected[..]);
            prop_assert_eq!(histograms, expected);
        }
    }
}
