//! From a value to its rank among thresholds.

/// Buckets that the range of the thresholds is cut into.
const BUCKETS: usize = 512;

/// One threshold in so many may lie outside the even buckets, at each end; 0 for none. Thresholds
/// crowd where the rows do; a few far ones must not push all others into one bucket.
const CLIPS: [usize; 5] = [0, 100, 50, 25, 8];

/// Steps of a search that no bucket exceeds: 2^16 thresholds.
const MAX_STEPS: u32 = 16;

/// Sorted thresholds, and where among them to look for a value: an even bucket first, then a search
/// of as many steps as the fullest bucket needs, always the same number, so nothing is mispredicted.
///
/// A value's bucket is found by one subtraction and one multiplication, which round upwards and
/// downwards but never change the order of two values. So thresholds in lower buckets are below
/// the value and those in higher ones are not: the rank is exact.
#[derive(Clone, Debug)]
pub(super) struct Ranker {
    low: f32,
    /// Buckets a unit; 0 where there is only one.
    scale: f32,
    /// Number of thresholds in the buckets below each.
    starts: Box<[u16; BUCKETS]>,
    /// Ascending, then infinity, which no value is above: the end of every search.
    thresholds: Vec<f32>,
    steps: u32,
}

// === impl Ranker ===

impl Ranker {
    /// `thresholds` ascend, without repeats, at most [`super::MAX_THRESHOLDS`].
    pub(super) fn new(thresholds: &[f32]) -> Self {
        let outside = CLIPS.iter().map(|clip| thresholds.len().checked_div(*clip).unwrap_or(0));
        let rankers = outside.map(|outside| Self::clipped(thresholds, outside));
        // Never the fallback: there are some clips.
        rankers.min_by_key(|ranker| ranker.steps).unwrap_or_else(|| Self::clipped(thresholds, 0))
    }

    /// With `outside` thresholds beyond the even buckets at each end.
    fn clipped(thresholds: &[f32], outside: usize) -> Self {
        let inside = thresholds.get(outside..thresholds.len() - outside).unwrap_or(&[]);
        let (low, scale) = match inside {
            [first, .., last] if (last - first).is_finite() => {
                (*first, (BUCKETS - 1) as f32 / (last - first))
            }
            _ => (0.0, 0.0),
        };
        // Denormal distances have an infinite inverse.
        let scale = if scale.is_finite() { scale } else { 0.0 };
        let mut starts = Box::new([0; BUCKETS]);
        for threshold in thresholds {
            starts[usize::from(bucket(*threshold, low, scale))] += 1;
        }
        let fullest = usize::from(starts.iter().copied().max().unwrap_or(0));
        let mut below = 0;
        for start in starts.iter_mut() {
            (below, *start) = (below + *start, below);
        }
        let steps = (fullest + 1).next_power_of_two().ilog2();
        let thresholds = thresholds.iter().copied().chain([f32::INFINITY]).collect();
        Self { low, scale, starts, thresholds, steps }
    }

    /// For each value the number of thresholds below it; none are below NaN.
    pub(super) fn rank<const N: usize>(&self, values: &[f32; N], into: &mut [u16; N]) {
        match self.steps {
            0..=2 => self.search::<2, N>(values, into),
            3 => self.search::<3, N>(values, into),
            4 => self.search::<4, N>(values, into),
            5 => self.search::<5, N>(values, into),
            6 => self.search::<6, N>(values, into),
            _ => self.search::<MAX_STEPS, N>(values, into),
        }
    }

    fn search<const STEPS: u32, const N: usize>(&self, values: &[f32; N], into: &mut [u16; N]) {
        for (into, value) in into.iter_mut().zip(values) {
            *into = bucket(*value, self.low, self.scale);
        }
        let last = self.thresholds.len() - 1;
        for (rank, value) in into.iter_mut().zip(values) {
            let mut below = usize::from(self.starts[usize::from(*rank) & (BUCKETS - 1)]);
            for step in (0..STEPS).rev().map(|step| 1 << step) {
                let threshold = self.thresholds[(below + step - 1).min(last)];
                below += if threshold < *value { step } else { 0 };
            }
            *rank = below as u16;
        }
    }
}

fn bucket(value: f32, low: f32, scale: f32) -> u16 {
    // NaN becomes 0 here. By way of i32, which vector registers can do.
    (((value - low) * scale).max(0.0).min((BUCKETS - 1) as f32)) as i32 as u16
}

#[cfg(test)]
mod tests {
    use super::{super::ROWS, *};
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = f32> {
        prop_oneof![
            4 => -10.0_f32..10.0,
            1 => prop::num::f32::ANY,
            1 => prop::sample::select(vec![0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN_POSITIVE]),
        ]
    }

    proptest! {
        /// For all thresholds and values, the rank is the number of thresholds below the value.
        #[test]
        fn ranks_equal_a_count(
            thresholds in prop::collection::vec(value(), 0..700), values in prop::collection::vec(value(), ROWS),
        ) {
            let mut thresholds: Vec<f32> = thresholds.into_iter().filter(|t| !t.is_nan()).collect();
            thresholds.sort_unstable_by(f32::total_cmp);
            thresholds.dedup();
            // Values that are thresholds too.
            let mut values: [f32; ROWS] = values.try_into().unwrap();
            values.iter_mut().step_by(5).zip(thresholds.iter().step_by(3)).for_each(|(value, t)| *value = *t);
            let mut ranks = [0; ROWS];
            Ranker::new(&thresholds).rank(&values, &mut ranks);
            for (value, rank) in values.iter().zip(ranks) {
                prop_assert_eq!(usize::from(rank), thresholds.iter().filter(|t| *t < value).count(), "{}", value);
            }
        }
    }

    /// Most thresholds within a millionth of the range of all: no even bucket tells them apart.
    #[test]
    fn crowded_thresholds_are_told_apart() {
        let mut thresholds: Vec<f32> = (0..300_u16).map(|n| 1.0 + f32::from(n) * 1e-6).collect();
        thresholds.extend([1e9, 2e9]);
        let ranker = Ranker::new(&thresholds);
        let mut values = [0.0; ROWS];
        values[..4].copy_from_slice(&[1.0, 1.0 + 150.5e-6, 1.5e9, 3e9]);
        let mut ranks = [0; ROWS];
        ranker.rank(&values, &mut ranks);
        assert_eq!(ranks[..5], [0, 151, 301, 302, 0]);
    }
}
