//! Steps waiting to be sent: a queue with two bounds that forgets its oldest steps.

use super::StepSeries;
use crate::series::{LabelSet, TimestampMs};
use std::collections::VecDeque;

/// How much a [`Queue`] may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) samples: usize,
    pub(super) bytes: usize,
}

/// What a queue gave up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Evicted {
    pub(super) steps: usize,
    pub(super) samples: usize,
}

/// A first-in first-out queue of steps.
///
/// Invariant: `samples` and `bytes` are the sums over `steps`, within `bounds`, and no step is empty.
#[derive(Debug)]
pub(super) struct Queue {
    steps: VecDeque<StepSeries>,
    samples: usize,
    bytes: usize,
    bounds: Bounds,
}

// === impl Queue ===

impl Queue {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { steps: VecDeque::new(), samples: 0, bytes: 0, bounds }
    }

    /// Samples waiting.
    pub(super) fn samples(&self) -> usize {
        self.samples
    }

    /// Adds a step; the oldest steps leave until the rest fits, the new one too if it alone is too large.
    pub(super) fn push(&mut self, step: StepSeries) -> Evicted {
        if !step.series.is_empty() {
            self.samples += step.series.len();
            self.bytes += step_bytes(&step);
            self.steps.push_back(step);
        }
        self.evict_while(|queue| queue.samples > queue.bounds.samples || queue.bytes > queue.bounds.bytes)
    }

    /// Drops the steps before `limit` from the front of the queue.
    pub(super) fn evict_before(&mut self, limit: TimestampMs) -> Evicted {
        self.evict_while(|queue| queue.steps.front().is_some_and(|step| step.at < limit))
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) -> Evicted {
        self.evict_while(|_| true)
    }

    /// Takes the oldest steps, as many whole ones as make at most `max_samples`; of a step that alone
    /// has more, its first `max_samples` series. Empty exactly when the queue is.
    pub(super) fn take(&mut self, max_samples: usize) -> Vec<StepSeries> {
        let mut batch = Vec::new();
        let mut room = max_samples;
        while let Some(step) = self.steps.front()
            && step.series.len() <= room
            && let Some(step) = self.pop()
        {
            room -= step.series.len();
            batch.push(step);
        }
        if batch.is_empty() {
            batch.extend(self.split_front(max_samples));
        }
        batch
    }

    fn split_front(&mut self, max_samples: usize) -> Option<StepSeries> {
        let mut head = self.pop()?;
        let rest = StepSeries { at: head.at, series: head.series.split_off(max_samples) };
        self.samples += rest.series.len();
        self.bytes += step_bytes(&rest);
        self.steps.push_front(rest);
        Some(head)
    }

    fn evict_while(&mut self, too_much: impl Fn(&Self) -> bool) -> Evicted {
        let mut evicted = Evicted::default();
        while too_much(self)
            && let Some(step) = self.pop()
        {
            evicted.steps += 1;
            evicted.samples += step.series.len();
        }
        evicted
    }

    fn pop(&mut self) -> Option<StepSeries> {
        let step = self.steps.pop_front()?;
        self.samples -= step.series.len();
        self.bytes -= step_bytes(&step);
        Some(step)
    }
}

/// Memory of a step, as if it shared no label set with another one (it usually does).
fn step_bytes(step: &StepSeries) -> usize {
    let labels: usize = step.series.iter().map(|(labels, _)| labels.canonical_text().len()).sum();
    labels + step.series.len() * size_of::<(LabelSet, f64)>() + size_of::<StepSeries>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn step(at: i64, series: usize) -> StepSeries {
        let labels = |i: usize| {
            LabelSet::from_pairs([("__name__", "anomaly_score"), ("instance", &format!("n{i:02}"))]).unwrap()
        };
        StepSeries { at: TimestampMs(at), series: (0..series).map(|i| (labels(i), i as f64)).collect() }
    }

    fn queue(samples: usize) -> Queue {
        Queue::new(Bounds { samples, bytes: usize::MAX })
    }

    fn times(batch: &[StepSeries]) -> Vec<i64> {
        batch.iter().map(|step| step.at.0).collect()
    }

    #[test]
    fn a_full_queue_forgets_its_oldest_whole_steps() {
        let mut queue = queue(10);
        for at in 1..=3 {
            assert_eq!(queue.push(step(at, 3)), Evicted::default());
        }
        assert_eq!(queue.push(step(4, 4)), Evicted { steps: 1, samples: 3 });
        assert_eq!(times(&queue.take(100)), [2, 3, 4]);
    }

    #[test]
    fn the_bound_in_bytes_holds_too() {
        let bytes = 2 * step_bytes(&step(0, 5));
        let mut queue = Queue::new(Bounds { samples: usize::MAX, bytes });
        assert_eq!(queue.push(step(1, 5)), Evicted::default());
        assert_eq!(queue.push(step(2, 5)), Evicted::default());
        assert_eq!(queue.push(step(3, 1)), Evicted { steps: 1, samples: 5 });
    }

    #[test]
    fn a_step_larger_than_the_queue_is_dropped_itself() {
        let mut queue = queue(4);
        assert_eq!(queue.push(step(1, 2)), Evicted::default());
        assert_eq!(queue.push(step(2, 5)), Evicted { steps: 2, samples: 7 });
        assert!(queue.take(100).is_empty());
    }

    #[test]
    fn a_batch_is_whole_steps_unless_one_step_is_larger_than_a_batch() {
        let mut queue = queue(100);
        for (at, series) in [(1, 2), (2, 2), (3, 2), (4, 12)] {
            queue.push(step(at, series));
        }
        let sizes: Vec<Vec<usize>> = std::iter::repeat_with(|| queue.take(5))
            .take_while(|batch| !batch.is_empty())
            .map(|batch| batch.iter().map(|step| step.series.len()).collect())
            .collect();
        assert_eq!(sizes, [vec![2, 2], vec![2], vec![5], vec![5], vec![2]]);
    }

    #[test]
    fn steps_older_than_the_age_limit_leave() {
        let mut queue = queue(100);
        for at in 1..=4 {
            queue.push(step(at, 2));
        }
        assert_eq!(queue.evict_before(TimestampMs(3)), Evicted { steps: 2, samples: 4 });
        assert_eq!(times(&queue.take(100)), [3, 4]);
    }

    proptest! {
        /// Whatever is pushed and taken, every sample comes out once, in order, or was evicted, and
        /// the bounds hold after every push.
        #[test]
        fn nothing_is_lost_twice_or_out_of_order(
            sizes in prop::collection::vec(0_usize..8, 0..40),
            capacity in 1_usize..30,
            max_samples in 1_usize..10,
            take_every in 1_usize..6,
        ) {
            let mut queue = queue(capacity);
            let (mut evicted, mut taken) = (0, Vec::new());
            for (i, &size) in sizes.iter().enumerate() {
                evicted += queue.push(step(i as i64, size)).samples;
                prop_assert!(queue.samples() <= capacity);
                if i % take_every == 0 {
                    taken.extend(queue.take(max_samples));
                }
            }
            while queue.samples() > 0 {
                let batch = queue.take(max_samples);
                prop_assert!(!batch.is_empty());
                prop_assert!(batch.iter().map(|step| step.series.len()).sum::<usize>() <= max_samples);
                taken.extend(batch);
            }
            let order: Vec<_> =
                taken.iter().flat_map(|step| step.series.iter().map(|(_, v)| (step.at, *v as i64))).collect();
            prop_assert!(order.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(order.len() + evicted, sizes.iter().sum::<usize>());
            prop_assert_eq!(queue.bytes, 0);
        }
    }
}
