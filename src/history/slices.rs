//! A long range, slice by slice.

use super::{
    HistoryError,
    reader::{Counts, Reader},
};
use crate::series::{LabelMatcher, SampleBatch, TimestampMs};
use std::{ops::RangeInclusive, sync::Arc};
use tokio::sync::mpsc;

/// The first slice: short, for nobody knows yet how much there is.
const FIRST_MS: i64 = 2 * 60_000;

/// The longest slice: Prometheus' blocks are as long.
const LONGEST_MS: i64 = 2 * 3_600_000;

/// A slice with so many of the samples that it may hold is followed by one of twice the length.
const ROOM_FOR_MORE: u64 = 3;

/// What is read of one slice.
#[derive(Debug)]
pub struct Slice {
    /// Its first and its last instant.
    pub range: RangeInclusive<TimestampMs>,
    /// The samples and native histograms.
    pub batch: SampleBatch,
    /// How much it is.
    pub counts: Counts,
}

/// Reads a range in slices, the oldest first, each as long as fits.
#[derive(Debug)]
pub struct Slices {
    reader: Reader,
    selectors: Arc<[Vec<LabelMatcher>]>,
    next: TimestampMs,
    until: TimestampMs,
    width: Width,
}

/// How long the next slice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Width {
    ms: i64,
    max_samples: u64,
}

// === impl Slices ===

impl Slices {
    /// The slices of `range` of the series that one of `selectors` selects.
    #[must_use]
    pub fn new(
        reader: Reader,
        selectors: Arc<[Vec<LabelMatcher>]>,
        range: RangeInclusive<TimestampMs>,
    ) -> Self {
        let width = Width { ms: FIRST_MS, max_samples: reader.max_samples() };
        Self { reader, selectors, next: *range.start(), until: *range.end(), width }
    }

    /// The next slice; `None` when the range is read. After an error the same slice is next.
    ///
    /// # Errors
    /// When the store cannot be read, or has too much even of the shortest slice.
    pub async fn next(&mut self) -> Result<Option<Slice>, HistoryError> {
        while self.next <= self.until {
            let end = self.next.plus_ms(self.width.ms - 1).min(self.until);
            let range = self.next..=end;
            match self.reader.read(&self.selectors, range.clone()).await {
                Ok(found) => {
                    self.next = end.plus_ms(1);
                    self.width.grow(found.counts.samples);
                    return Ok(Some(Slice { range, batch: found.batch, counts: found.counts }));
                }
                Err(error) if error.is_too_much() && self.width.shrink(end.since_ms(*range.start())) => {
                    tracing::debug!(%error, ms = self.width.ms, "a slice of history is too large, cutting it in half");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

impl Slices {
    /// The same by a task of its own, which reads a slice ahead of the one that is worked on. It ends after the last slice, after an
    /// error, and when nobody receives.
    #[must_use]
    pub fn read_ahead(mut self) -> mpsc::Receiver<Result<Slice, HistoryError>> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Some(slice) = self.next().await.transpose() {
                let failed = slice.is_err();
                if sender.send(slice).await.is_err() || failed {
                    return;
                }
            }
        });
        receiver
    }
}

// === impl Width ===

impl Width {
    fn grow(&mut self, samples: u64) {
        if samples.saturating_mul(ROOM_FOR_MORE) <= self.max_samples {
            self.ms = (self.ms * 2).min(LONGEST_MS);
        }
    }

    /// Whether there is a shorter slice than one of `length_ms`, which was too long.
    fn shrink(&mut self, length_ms: i64) -> bool {
        self.ms = ((length_ms + 1) / 2).max(1);
        length_ms > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// For all densities, slices stay within what they may hold after the first that fitted, and become as long as fits.
        #[test]
        fn slices_become_as_long_as_fits(per_ms in 1_u64..1_000, max_samples in 1_000_u64..10_000_000) {
            let mut width = Width { ms: FIRST_MS, max_samples };
            for _ in 0..40 {
                let samples = per_ms * width.ms as u64;
                if samples > max_samples {
                    prop_assert!(width.shrink(width.ms - 1));
                } else {
                    width.grow(samples);
                }
            }
            let samples = per_ms * width.ms as u64;
            prop_assert!(samples <= max_samples);
            prop_assert!(samples * 2 * (ROOM_FOR_MORE + 1) > max_samples || width.ms == LONGEST_MS, "{width:?}");
        }
    }

    #[test]
    fn the_shortest_slice_is_a_millisecond() {
        let mut width = Width { ms: 2, max_samples: 1 };
        assert!(width.shrink(1));
        assert_eq!(width.ms, 1);
        assert!(!width.shrink(0));
    }
}
