//! One series and its window.

use super::{
    append::AppendOutcome,
    chunks::{Chunks, Room},
    histograms::Histograms,
    samples::Samples,
    selectors::Reading,
};
use crate::series::{HistogramSample, LabelSet, Sample, TimestampMs, is_stale_marker};

/// One series as a reader sees it.
#[derive(Clone, Copy, Debug)]
pub struct SeriesView<'a> {
    /// Its identity.
    pub labels: &'a LabelSet,
    /// Its float samples.
    pub samples: Samples<'a>,
    /// Its native histograms, sorted by time; no float sample has the time of one.
    pub histograms: &'a [HistogramSample],
}

/// A series of a store.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) hash: u128,
    pub(super) labels: LabelSet,
    chunks: Chunks,
    /// Only series that got one pay for them.
    histograms: Option<Box<Histograms>>,
    /// How often series had been dropped when this one was made.
    era: u32,
    /// Who reads it.
    pub(super) reading: Reading,
    /// Whether the awaited step waits for it.
    pub(super) behind: bool,
}

// === impl SeriesView ===

impl SeriesView<'_> {
    /// The time of the oldest sample of either kind with `timestamp > after`.
    #[must_use]
    pub fn first_after(&self, after: TimestampMs) -> Option<TimestampMs> {
        let next = self.histograms.partition_point(|sample| sample.timestamp <= after);
        let histogram = self.histograms.get(next).map(|sample| sample.timestamp);
        self.samples.first_after(after).into_iter().chain(histogram).min()
    }
}

// === impl Series ===

impl Series {
    pub(super) fn new(hash: u128, labels: LabelSet, era: u32, reading: Reading, behind: bool) -> Self {
        Self { hash, labels, chunks: Chunks::default(), histograms: None, era, reading, behind }
    }

    /// Whether it was made after a drop that came later than `era`. The count wraps around; no reader lives through
    /// half of it.
    pub(super) fn is_younger_than(&self, era: u32) -> bool {
        self.era != era && self.era.wrapping_sub(era) < u32::MAX / 2
    }

    pub(super) fn view(&self, keep_from: TimestampMs) -> SeriesView<'_> {
        let histograms = self.histograms.as_ref().map_or(&[][..], |histograms| histograms.from(keep_from));
        SeriesView { labels: &self.labels, samples: Samples::new(&self.chunks, keep_from), histograms }
    }

    #[inline]
    pub(super) fn append(&mut self, sample: Sample, room: Room) -> AppendOutcome {
        let Some(histograms) = &self.histograms else { return self.chunks.append(sample, room) };
        if histograms.has(sample.timestamp) {
            return AppendOutcome::Conflict;
        }
        let newest = histograms.newest().map(|newest| newest.timestamp);
        in_order(self.chunks.append(sample, room), sample.timestamp, newest)
    }

    pub(super) fn append_histogram(&mut self, sample: &HistogramSample, room: Room) -> AppendOutcome {
        self.trim_histograms(room.keep_from);
        if self.chunks.newest_between(sample.timestamp, sample.timestamp).is_some() {
            return AppendOutcome::Conflict;
        }
        if !room.may_grow {
            return AppendOutcome::BytesLimit;
        }
        let newest = self.chunks.newest().map(|newest| newest.timestamp);
        in_order(self.histograms.get_or_insert_default().append(sample), sample.timestamp, newest)
    }

    /// Drops the histograms before `keep_from`; old floats go when new ones come.
    pub(super) fn trim_histograms(&mut self, keep_from: TimestampMs) {
        if let Some(histograms) = &mut self.histograms {
            histograms.trim(keep_from);
            if histograms.newest().is_none() {
                self.histograms = None;
            }
        }
    }

    /// When the newest sample is, and whether it ends the series.
    pub(super) fn newest(&self) -> Option<(TimestampMs, bool)> {
        let float = self.chunks.newest().map(|s| (s.timestamp, is_stale_marker(s.value)));
        let histogram = self.histograms.as_ref().and_then(|histograms| histograms.newest());
        float.max(histogram.map(|s| (s.timestamp, s.histogram.is_stale_marker())))
    }

    /// Whether the step from `evaluated` to `next` has reason to wait for it: a detector needs it, or it brought a sample in
    /// each of the last two steps, so that it will soon bring another one.
    pub(super) fn is_awaited(&self, evaluated: Option<TimestampMs>, next: TimestampMs) -> bool {
        match (self.reading, evaluated) {
            (Reading::Awaited, _) => true,
            (Reading::Aside, Some(evaluated)) => {
                let before = evaluated.plus_ms(-next.since_ms(evaluated));
                self.chunks.newest_between(before, evaluated.plus_ms(-1)).is_some()
            }
            _ => false,
        }
    }

    /// Bytes of memory its samples hold.
    #[inline]
    pub(super) fn window_bytes(&self) -> usize {
        self.chunks.capacity_bytes() + self.histograms.as_ref().map_or(0, |h| h.capacity_bytes())
    }
}

/// The newest of its kind is not in order when the other kind is further on.
fn in_order(outcome: AppendOutcome, at: TimestampMs, other: Option<TimestampMs>) -> AppendOutcome {
    if outcome == AppendOutcome::Appended && other.is_some_and(|other| at < other) {
        return AppendOutcome::OutOfOrder;
    }
    outcome
}
