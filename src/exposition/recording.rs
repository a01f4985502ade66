//! Samples of a limited past, by series and by time.

use super::recorder::is_selected;
use crate::series::{LabelMatcher, Sample, SampleBatch, TimestampMs};
use std::ops::RangeInclusive;

/// So many samples a slice has on average.
const SAMPLES_A_SLICE: i128 = 500_000;

/// A recorded past.
#[derive(Debug)]
pub struct Recording {
    /// In the order in which they were met; those of each ascend in time.
    series: Vec<RecordedSeries>,
    counts: Recorded,
}

/// One series.
#[derive(Debug)]
pub(super) struct RecordedSeries {
    pub(super) labels: Box<str>,
    pub(super) hash: u128,
    pub(super) samples: Vec<Sample>,
}

/// What became of the samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// All there were, of any series.
    pub read: u64,
    /// Series that were wanted.
    pub series: u64,
    /// Their samples.
    pub kept: u64,
    /// The same sample again: left out.
    pub repeated: u64,
    /// Another value at a time at which the series has one: the first one stays, this one was left out.
    pub conflicting: u64,
}

// === impl Recording ===

impl Recording {
    pub(super) fn new(series: Vec<RecordedSeries>, counts: Recorded) -> Self {
        Self { series, counts }
    }

    /// What became of the samples.
    #[must_use]
    pub fn counts(&self) -> &Recorded {
        &self.counts
    }

    /// The times of the first and of the last sample; none of an empty recording.
    #[must_use]
    pub fn range(&self) -> Option<RangeInclusive<TimestampMs>> {
        let first =
            self.series.iter().filter_map(|series| series.samples.first()).map(|sample| sample.timestamp);
        let last =
            self.series.iter().filter_map(|series| series.samples.last()).map(|sample| sample.timestamp);
        Some(first.min()?..=last.max()?)
    }

    /// What there is in `range` of the series that one of `selectors` selects, slice by slice, the oldest first. Each slice has its range;
    /// together they are all of `range`.
    pub fn slices(
        &self,
        selectors: &[Vec<LabelMatcher>],
        range: RangeInclusive<TimestampMs>,
    ) -> impl Iterator<Item = (RangeInclusive<TimestampMs>, SampleBatch)> {
        let selected: Vec<&RecordedSeries> =
            self.series.iter().filter(|series| is_selected(&series.labels, selectors)).collect();
        let (recorded, width_ms) = (self.range(), self.slice_ms());
        let (mut next, until) = (Some(*range.start()), *range.end());
        std::iter::from_fn(move || {
            let from = next.filter(|from| *from <= until)?;
            let end = match &recorded {
                // What lies before and behind the samples is one slice, however long it is.
                Some(recorded) if from < *recorded.start() => recorded.start().plus_ms(-1),
                Some(recorded) if from <= *recorded.end() => from.plus_ms(width_ms - 1),
                _ => until,
            };
            let slice = from..=end.min(until);
            next = (*slice.end() < until).then(|| slice.end().plus_ms(1));
            let mut batch = SampleBatch::default();
            for series in &selected {
                let samples = series.within(&slice);
                if !samples.is_empty() {
                    batch.push(series.hash, &series.labels, samples.iter().copied());
                }
            }
            Some((slice, batch))
        })
    }

    /// How long a slice is, in milliseconds.
    fn slice_ms(&self) -> i64 {
        let all_ms = self.range().map_or(0, |range| range.end().since_ms(*range.start()));
        let ms = i128::from(all_ms) * SAMPLES_A_SLICE / i128::from(self.counts.kept.max(1));
        i64::try_from(ms).unwrap_or(all_ms).clamp(1_000, all_ms.max(1_000))
    }
}

// === impl RecordedSeries ===

impl RecordedSeries {
    fn within(&self, range: &RangeInclusive<TimestampMs>) -> &[Sample] {
        let from = self.samples.partition_point(|sample| sample.timestamp < *range.start());
        let until = self.samples.partition_point(|sample| sample.timestamp <= *range.end());
        &self.samples[from..until.max(from)]
    }
}
