//! The repeated fields of a histogram, in lists that are used again.

use super::MAX_BUCKETS;
use crate::series::Bucket;

/// What one walk over a message collects. Each list ends at [`MAX_BUCKETS`]: a histogram with more is refused,
/// and what it would hold is of no interest.
#[derive(Debug, Default)]
pub(in crate::wire) struct Parts {
    pub(super) negative: SideParts,
    pub(super) positive: SideParts,
    pub(super) bounds: Vec<f64>,
}

/// The buckets on one side of zero, integers and floats apart: which of them counts is known at the end.
#[derive(Debug, Default)]
pub(super) struct SideParts {
    /// Index of the first bucket, and number of buckets; spans of none are left out.
    spans: Vec<(i64, u32)>,
    integers: Vec<i64>,
    floats: Vec<f64>,
}

pub(super) fn push_bounded<T>(list: &mut Vec<T>, item: T) {
    if list.len() < MAX_BUCKETS {
        list.push(item);
    }
}

// === impl Parts ===

impl Parts {
    pub(super) fn clear(&mut self) {
        for side in [&mut self.negative, &mut self.positive] {
            side.spans.clear();
            side.integers.clear();
            side.floats.clear();
        }
        self.bounds.clear();
    }

    /// Bytes of memory held.
    pub(in crate::wire) fn capacity_bytes(&self) -> usize {
        let side = |side: &SideParts| {
            side.spans.capacity() * size_of::<(i64, u32)>()
                + (side.integers.capacity() + side.floats.capacity()) * 8
        };
        side(&self.negative) + side(&self.positive) + self.bounds.capacity() * 8
    }
}

// === impl SideParts ===

impl SideParts {
    pub(super) fn push_span(&mut self, first: i128, length: u32) {
        // Beyond 64 bits, like beyond 32, the histogram is refused.
        if let (1.., Ok(first)) = (length, i64::try_from(first)) {
            push_bounded(&mut self.spans, (first, length));
        }
    }

    pub(super) fn push_integer(&mut self, count: i64) {
        push_bounded(&mut self.integers, count);
    }

    pub(super) fn push_float(&mut self, count: f64) {
        push_bounded(&mut self.floats, count);
    }

    /// The buckets, if the rules hold: spans describe as many as there are, and indices have 32 bits.
    pub(super) fn buckets(&self, float: bool) -> Vec<Bucket> {
        let indices = self.spans.iter().flat_map(|(first, length)| {
            let first = *first as i32;
            (0..*length).map(move |at| first.wrapping_add(at as i32))
        });
        let bucket = |(index, count)| Bucket { index, count };
        let mut buckets = Vec::with_capacity(if float { self.floats.len() } else { self.integers.len() });
        if float {
            buckets.extend(indices.zip(self.floats.iter().copied()).map(bucket));
        } else {
            buckets.extend(indices.zip(self.integers.iter().map(|count| *count as f64)).map(bucket));
        }
        buckets
    }
}
