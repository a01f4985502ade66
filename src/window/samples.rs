//! How a reader sees the samples of one series.

use super::chunks::Chunks;
use crate::series::{Sample, TimestampMs};

/// The samples of one series, sorted by time, stale markers among them.
///
/// Readers say which stretch of time they want, so that what lies outside it is not unpacked.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    held: Held<'a>,
    /// Samples before this have left the window, whether their memory has been used again or not.
    keep_from: TimestampMs,
}

#[derive(Clone, Copy, Debug)]
enum Held<'a> {
    Plain(&'a [Sample]),
    Packed(&'a Chunks),
}

// === impl Samples ===

impl<'a> Samples<'a> {
    pub(super) fn new(chunks: &'a Chunks, keep_from: TimestampMs) -> Self {
        Self { held: Held::Packed(chunks), keep_from }
    }

    /// The samples with `after < timestamp <= until`: a PromQL range, open at its left end as in
    /// Prometheus 3. `scratch` holds them where they are not kept as such; what it held is lost.
    #[must_use]
    pub fn between<'s>(
        &self,
        after: TimestampMs,
        until: TimestampMs,
        scratch: &'s mut Vec<Sample>,
    ) -> &'s [Sample]
    where
        'a: 's,
    {
        let Some(from) = self.earliest(after) else { return &[] };
        match self.held {
            Held::Plain(samples) => {
                let end = samples.partition_point(|s| s.timestamp <= until);
                let start = samples[..end].partition_point(|s| s.timestamp < from);
                &samples[start..end]
            }
            Held::Packed(chunks) => {
                scratch.clear();
                chunks.copy(from, until, scratch);
                scratch
            }
        }
    }

    /// The newest sample with `timestamp <= until`.
    #[must_use]
    pub fn newest_until(&self, until: TimestampMs) -> Option<Sample> {
        match self.held {
            Held::Plain(samples) => {
                samples[..samples.partition_point(|s| s.timestamp <= until)].last().copied()
            }
            Held::Packed(chunks) => chunks.newest_between(self.keep_from, until),
        }
    }

    /// The time of the oldest sample with `timestamp > after`.
    #[must_use]
    pub fn first_after(&self, after: TimestampMs) -> Option<TimestampMs> {
        let from = self.earliest(after)?;
        match self.held {
            Held::Plain(samples) => {
                samples.get(samples.partition_point(|s| s.timestamp < from)).map(|s| s.timestamp)
            }
            Held::Packed(chunks) => chunks.first_from(from),
        }
    }

    /// The earliest time after `after` that is in the window.
    fn earliest(&self, after: TimestampMs) -> Option<TimestampMs> {
        after.0.checked_add(1).map(|from| self.keep_from.max(TimestampMs(from)))
    }
}

/// Samples that are sorted by time, one a timestamp.
impl<'a> From<&'a [Sample]> for Samples<'a> {
    fn from(sorted: &'a [Sample]) -> Self {
        Self { held: Held::Plain(sorted), keep_from: TimestampMs::MIN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_open_at_the_left() {
        let samples: Vec<_> = (0..5).map(|t| Sample::new(t * 10, 0.0)).collect();
        let times = |after, until| {
            let samples = Samples::from(samples.as_slice());
            let range = samples.between(TimestampMs(after), TimestampMs(until), &mut Vec::new()).to_vec();
            range.iter().map(|s| s.timestamp.0).collect::<Vec<_>>()
        };
        assert_eq!(times(10, 30), [20, 30]);
        assert_eq!(times(-1, 5), [0]);
        assert!(times(40, 99).is_empty());
    }
}
