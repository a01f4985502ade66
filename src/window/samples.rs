//! How a reader sees the samples of one series.

use super::ring::slice_between;
use crate::series::{Sample, TimestampMs};

/// The samples of one series, sorted by time, stale markers among them.
///
/// Readers say which stretch of time they want, so that what lies outside it need not be unpacked.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    open: &'a [Sample],
}

// === impl Samples ===

impl<'a> Samples<'a> {
    /// The samples with `after < timestamp <= until`: a PromQL range, open at its left end as in
    /// Prometheus 3. `scratch` holds them where they are not kept as such; what it held is lost.
    #[must_use]
    pub fn between<'s>(
        &self,
        after: TimestampMs,
        until: TimestampMs,
        _scratch: &'s mut Vec<Sample>,
    ) -> &'s [Sample]
    where
        'a: 's,
    {
        slice_between(self.open, after, until)
    }

    /// The newest sample with `timestamp <= until`.
    #[must_use]
    pub fn newest_until(&self, until: TimestampMs) -> Option<Sample> {
        self.open[..self.open.partition_point(|s| s.timestamp <= until)].last().copied()
    }

    /// The time of the oldest sample with `timestamp > after`.
    #[must_use]
    pub fn first_after(&self, after: TimestampMs) -> Option<TimestampMs> {
        self.open.get(self.open.partition_point(|s| s.timestamp <= after)).map(|s| s.timestamp)
    }
}

/// Samples that are sorted by time, one a timestamp.
impl<'a> From<&'a [Sample]> for Samples<'a> {
    fn from(sorted: &'a [Sample]) -> Self {
        Self { open: sorted }
    }
}
