//! The faults of the demo and when they happen: the ground truth that alarms are judged against.

use crate::{
    series::TimestampMs,
    simulate::fault::{Fault, FaultKind, Strength},
};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;

const MINUTE_MS: i64 = 60_000;

/// Quiet time before the first fault: room for the sidecar to finish fitting while data goes on.
const FIRST_FAULT_AFTER_MS: i64 = 45 * MINUTE_MS;

/// Quiet time after the last fault has begun: the longest fault and its grace still fit in.
const LAST_FAULT_BEFORE_MS: i64 = 150 * MINUTE_MS;

/// A node that had a fault has none again for so long after it, so that alarms belong to one fault.
const RECOVERY_MS: i64 = 120 * MINUTE_MS;

/// What the demo injects, at full strength.
pub const KINDS: [FaultKind; 5] = [
    FaultKind::CpuRunaway,
    FaultKind::MemoryLeak,
    FaultKind::DiskFilling,
    FaultKind::NetworkDrop,
    FaultKind::LatencyRise,
];

/// Minutes to full strength, and the least and most minutes a fault lasts in all: short, for a demo of two days.
fn minutes(kind: FaultKind) -> (i64, i64, i64) {
    match kind {
        FaultKind::CpuRunaway => (5, 40, 60),
        FaultKind::MemoryLeak => (75, 85, 100),
        FaultKind::DiskFilling => (60, 70, 90),
        FaultKind::NetworkDrop => (1, 30, 45),
        FaultKind::LatencyRise => (3, 30, 45),
        FaultKind::SlowDisk | FaultKind::TrafficSurge | FaultKind::CrashLoop => (2, 30, 45),
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
            kinds.extend(KINDS);
            kinds.shuffle(&mut rng);
        }
        let jitter_ms = (rng.random::<f64>() * 0.4 * slot_ms as f64) as i64;
        let start = first.plus_ms(slot as i64 * slot_ms + jitter_ms);
        let free: Vec<usize> = (0..n_nodes).filter(|node| free_from[*node] <= start).collect();
        let (Some(kind), false) = (kinds.pop(), free.is_empty()) else { continue };
        let node = free[rng.random_range(0..free.len())];
        let (ramp, shortest, longest) = minutes(kind);
        let end = start.plus_ms(rng.random_range(shortest..=longest) * MINUTE_MS);
        free_from[node] = end.plus_ms(RECOVERY_MS);
        faults.push(Fault { node, kind, strength: Strength::Strong, start, end, ramp_ms: ramp * MINUTE_MS });
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR_MS: i64 = 60 * MINUTE_MS;

    #[test]
    fn a_day_on_ten_nodes_holds_ten_faults_two_of_each_kind() {
        let faults = schedule(1, 10, 10, TimestampMs(0), TimestampMs(24 * HOUR_MS));
        for kind in KINDS {
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
