//! The samples of one series: contiguous, sorted by time, cheap at both ends.

use super::AppendOutcome;
use crate::series::{Sample, TimestampMs};

/// Samples sorted by time, one a timestamp.
///
/// Samples leave at the front by moving `head`; the hole is closed when it is as large as what is
/// left, so a sample is moved at most once on average and readers always get one slice.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    samples: Vec<Sample>,
    /// Invariant: `head <= samples.len()`.
    head: usize,
}

impl Ring {
    /// Takes a sample to its place in time.
    ///
    /// The newest value is never replaced: the same timestamp is a duplicate, or a conflict when
    /// the value differs (compared by bits, so NaN equals itself).
    pub fn append(&mut self, sample: Sample) -> AppendOutcome {
        let live = &self.samples[self.head..];
        match live.last() {
            Some(newest) if sample.timestamp <= newest.timestamp => self.insert(sample),
            _ => {
                self.samples.push(sample);
                AppendOutcome::Appended
            }
        }
    }

    fn insert(&mut self, sample: Sample) -> AppendOutcome {
        match self.as_slice().binary_search_by_key(&sample.timestamp, |s| s.timestamp) {
            Ok(at) if self.as_slice()[at].value.to_bits() == sample.value.to_bits() => {
                AppendOutcome::Duplicate
            }
            Ok(_) => AppendOutcome::Conflict,
            Err(at) => {
                self.samples.insert(self.head + at, sample);
                AppendOutcome::OutOfOrder
            }
        }
    }

    /// Drops the samples before `keep_from`.
    pub fn trim(&mut self, keep_from: TimestampMs) {
        self.head += self.as_slice().partition_point(|s| s.timestamp < keep_from);
        if self.head * 2 > self.samples.len() {
            self.samples.drain(..self.head);
            self.head = 0;
        }
    }

    /// All samples, oldest first.
    #[must_use]
    pub fn as_slice(&self) -> &[Sample] {
        &self.samples[self.head..]
    }

    /// The newest sample.
    #[must_use]
    pub fn newest(&self) -> Option<Sample> {
        self.as_slice().last().copied()
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        self.samples.capacity() * size_of::<Sample>()
    }
}

/// The samples of `samples` (sorted) with `after < timestamp <= until`: a PromQL range, open at its
/// left end as in Prometheus 3.
#[must_use]
pub fn slice_between(samples: &[Sample], after: TimestampMs, until: TimestampMs) -> &[Sample] {
    let end = samples.partition_point(|s| s.timestamp <= until);
    let start = samples[..end].partition_point(|s| s.timestamp <= after);
    &samples[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// For all sequences of appends and trims, the ring equals a naive sorted map.
        #[test]
        fn ring_equals_naive_map(ops in prop::collection::vec((0i64..60, 0u8..3, prop::bool::weighted(0.1)), 0..200)) {
            let mut ring = Ring::default();
            let mut naive: BTreeMap<i64, u64> = BTreeMap::new();
            for (t, v, trim) in ops {
                if trim {
                    ring.trim(TimestampMs(t));
                    naive.retain(|k, _| *k >= t);
                    continue;
                }
                let newest = naive.keys().next_back().copied();
                let expected = match naive.get(&t) {
                    Some(bits) if *bits == f64::from(v).to_bits() => AppendOutcome::Duplicate,
                    Some(_) => AppendOutcome::Conflict,
                    None if newest.is_some_and(|n| t < n) => AppendOutcome::OutOfOrder,
                    None => AppendOutcome::Appended,
                };
                naive.entry(t).or_insert(f64::from(v).to_bits());
                prop_assert_eq!(ring.append(Sample::new(t, f64::from(v))), expected);
                let seen: Vec<_> = ring.as_slice().iter().map(|s| (s.timestamp.0, s.value.to_bits())).collect();
                prop_assert_eq!(seen, naive.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn ranges_are_open_at_the_left() {
        let samples: Vec<_> = (0..5).map(|t| Sample::new(t * 10, 0.0)).collect();
        let times = |after, until| {
            slice_between(&samples, TimestampMs(after), TimestampMs(until))
                .iter()
                .map(|s| s.timestamp.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(times(10, 30), [20, 30]);
        assert_eq!(times(-1, 5), [0]);
        assert!(times(40, 99).is_empty());
    }
}
