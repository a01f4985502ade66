//! The faults of the demo and when they happen: the ground truth that alarms are judged against.

use crate::series::TimestampMs;
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::fmt;

const MINUTE_MS: i64 = 60_000;

/// Quiet time before the first fault: room for the sidecar to finish fitting while data goes on.
const FIRST_FAULT_AFTER_MS: i64 = 45 * MINUTE_MS;

/// Quiet time after the last fault has begun: the longest fault and its grace still fit in.
const LAST_FAULT_BEFORE_MS: i64 = 150 * MINUTE_MS;

/// A node that had a fault has none again for so long after it, so that alarms belong to one fault.
const RECOVERY_MS: i64 = 120 * MINUTE_MS;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// A process takes every core: load rises, requests queue.
    CpuRunaway,
    /// A process grows until hardly any memory is available, then is killed.
    MemoryLeak,
    /// Something writes to the root file system until it is almost full, then it is cleaned.
    DiskFilling,
    /// Nine tenths of the traffic no longer reach the node.
    NetworkDrop,
    /// What the service depends on has become slow: requests take several times as long, some fail.
    LatencyRise,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::CpuRunaway, Self::MemoryLeak, Self::DiskFilling, Self::NetworkDrop, Self::LatencyRise];

    /// Minutes to full strength, and the least and most minutes the fault lasts in all.
    fn minutes(self) -> (i64, i64, i64) {
        match self {
            Self::CpuRunaway => (5, 40, 60),
            Self::MemoryLeak => (75, 85, 100),
            Self::DiskFilling => (60, 70, 90),
            Self::NetworkDrop => (1, 30, 45),
            Self::LatencyRise => (3, 30, 45),
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CpuRunaway => "CPU runaway",
            Self::MemoryLeak => "memory leak",
            Self::DiskFilling => "disk filling",
            Self::NetworkDrop => "network drop",
            Self::LatencyRise => "latency rise",
        })
    }
}

/// One injected fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Index of the node in the fleet.
    pub node: usize,
    /// What goes wrong.
    pub kind: FaultKind,
    /// First instant with an effect.
    pub start: TimestampMs,
    /// First instant without one.
    pub end: TimestampMs,
    /// Milliseconds from the start to full strength; the effect grows linearly.
    pub ramp_ms: i64,
}

impl Fault {
    /// Strength at an instant, from 0 (none) to 1 (full).
    #[must_use]
    pub fn level(&self, at: TimestampMs) -> f64 {
        if at < self.start || at >= self.end {
            return 0.0;
        }
        (at.since_ms(self.start) as f64 / self.ramp_ms.max(1) as f64).min(1.0)
    }
}

/// The strengths of all faults on one node at one instant, each from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Effects {
    /// CPU runaway.
    pub cpu: f64,
    /// Memory leak.
    pub memory: f64,
    /// Disk filling.
    pub disk: f64,
    /// Network drop.
    pub network: f64,
    /// Latency rise.
    pub latency: f64,
}

impl Effects {
    /// What `faults` (of one node) do at an instant.
    #[must_use]
    pub fn at(faults: &[Fault], at: TimestampMs) -> Self {
        let mut effects = Self::default();
        for fault in faults {
            let level = match fault.kind {
                FaultKind::CpuRunaway => &mut effects.cpu,
                FaultKind::MemoryLeak => &mut effects.memory,
                FaultKind::DiskFilling => &mut effects.disk,
                FaultKind::NetworkDrop => &mut effects.network,
                FaultKind::LatencyRise => &mut effects.latency,
            };
            *level = level.max(fault.level(at));
        }
        effects
    }
}

/// Spreads `n_faults` faults over the nodes between `from` and `until`, in order of their start.
///
/// Kinds take turns in shuffled order; a node has one fault at a time, with two hours between two.
/// Fewer are returned when they do not fit.
#[must_use]
pub fn schedule(
    seed: u64,
    n_nodes: usize,
    n_faults: usize,
    from: TimestampMs,
    until: TimestampMs,
) -> Vec<Fault> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0xfa17);
    let first = from.plus_ms(FIRST_FAULT_AFTER_MS);
    let span_ms = until.since_ms(first) - LAST_FAULT_BEFORE_MS;
    if n_faults == 0 || n_nodes == 0 || span_ms < 0 {
        return Vec::new();
    }
    let slot_ms = span_ms / n_faults as i64;
    let mut free_from = vec![TimestampMs::MIN; n_nodes];
    let mut faults = Vec::with_capacity(n_faults);
    let mut kinds: Vec<FaultKind> = Vec::new();
    for slot in 0..n_faults {
        if kinds.is_empty() {
            kinds.extend(FaultKind::ALL);
            kinds.shuffle(&mut rng);
        }
        let jitter_ms = (rng.random::<f64>() * 0.4 * slot_ms as f64) as i64;
        let start = first.plus_ms(slot as i64 * slot_ms + jitter_ms);
        let free: Vec<usize> = (0..n_nodes).filter(|node| free_from[*node] <= start).collect();
        let (Some(kind), false) = (kinds.pop(), free.is_empty()) else { continue };
        let node = free[rng.random_range(0..free.len())];
        let (ramp, shortest, longest) = kind.minutes();
        let end = start.plus_ms(rng.random_range(shortest..=longest) * MINUTE_MS);
        free_from[node] = end.plus_ms(RECOVERY_MS);
        faults.push(Fault { node, kind, start, end, ramp_ms: ramp * MINUTE_MS });
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR_MS: i64 = 60 * MINUTE_MS;

    #[test]
    fn a_fault_grows_linearly_and_ends_at_once() {
        let fault = Fault {
            node: 0,
            kind: FaultKind::MemoryLeak,
            start: TimestampMs(1_000),
            end: TimestampMs(9_000),
            ramp_ms: 4_000,
        };
        let levels = [999, 1_000, 2_000, 5_000, 8_999, 9_000].map(|at| fault.level(TimestampMs(at)));
        assert_eq!(levels, [0.0, 0.0, 0.25, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn a_day_on_ten_nodes_holds_ten_faults_two_of_each_kind() {
        let faults = schedule(1, 10, 10, TimestampMs(0), TimestampMs(24 * HOUR_MS));
        for kind in FaultKind::ALL {
            assert_eq!(faults.iter().filter(|fault| fault.kind == kind).count(), 2, "{kind}");
        }
    }

    #[test]
    fn too_short_a_time_holds_no_fault() {
        assert!(schedule(1, 10, 10, TimestampMs(0), TimestampMs(3 * HOUR_MS)).is_empty());
    }

    proptest! {
        /// For all seeds and sizes, faults lie inside the given time, in order, one at a time a node.
        #[test]
        fn faults_stay_inside_and_apart(seed: u64, nodes in 1_usize..12, n in 0_usize..40, hours in 0_i64..60) {
            let until = TimestampMs(hours * HOUR_MS);
            let faults = schedule(seed, nodes, n, TimestampMs(0), until);
            prop_assert!(faults.len() <= n);
            prop_assert!(faults.is_sorted_by_key(|fault| fault.start));
            for (i, fault) in faults.iter().enumerate() {
                prop_assert!(fault.node < nodes && fault.start.0 >= FIRST_FAULT_AFTER_MS && fault.end <= until);
                prop_assert!(fault.ramp_ms <= fault.end.since_ms(fault.start));
                for later in faults[i + 1..].iter().filter(|later| later.node == fault.node) {
                    prop_assert!(later.start.since_ms(fault.end) >= RECOVERY_MS);
                }
            }
        }
    }
}
