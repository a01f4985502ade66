//! When which fault happens where, so that every kind at every strength is judged equally often.

use super::fault::{Fault, FaultKind, Strength};
use crate::series::TimestampMs;
use rand::{Rng, RngExt, SeedableRng, seq::SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;

const MINUTE_MS: i64 = 60_000;

/// Quiet time on a node around a fault: what is seen late of one fault is not taken for the next.
const RECOVERY_MS: i64 = 180 * MINUTE_MS;

/// Number of faults of [`balanced`].
pub const BALANCED_FAULTS: usize = FaultKind::ALL.len() * Strength::ALL.len();

/// Every kind at every strength once, spread over the nodes between `from` and `until`, in order of their start.
///
/// Nodes get equally many, give or take one, and each node's time is cut into as many equal slots as it has faults: the
/// start within its slot, the length, and which fault comes where are drawn. A node has one fault at a time and at
/// least three hours between two. Empty where the time is too short for that, or there is no node.
#[must_use]
pub fn balanced(seed: u64, n_nodes: usize, from: TimestampMs, until: TimestampMs) -> Vec<Fault> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0xba1a_9ced);
    let mut dealt: Vec<(FaultKind, Strength)> = FaultKind::ALL
        .into_iter()
        .flat_map(|kind| Strength::ALL.into_iter().map(move |strength| (kind, strength)))
        .collect();
    dealt.shuffle(&mut rng);
    let mut faults = Vec::with_capacity(dealt.len());
    for node in 0..n_nodes {
        let own: Vec<_> = dealt.iter().skip(node).step_by(n_nodes).copied().collect();
        let slot_ms = until.since_ms(from) / own.len().max(1) as i64;
        for (slot, (kind, strength)) in own.into_iter().enumerate() {
            let course = Course::draw(kind, &mut rng);
            let room_ms = slot_ms - course.length_ms - RECOVERY_MS;
            if room_ms <= 0 {
                return Vec::new();
            }
            let offset_ms = slot as i64 * slot_ms + rng.random_range(0..room_ms);
            let start = from.plus_ms(offset_ms);
            let end = start.plus_ms(course.length_ms);
            faults.push(Fault { node, kind, strength, start, end, ramp_ms: course.ramp_ms });
        }
    }
    faults.sort_by_key(|fault| (fault.start, fault.node));
    faults
}

/// How one fault goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Course {
    length_ms: i64,
    ramp_ms: i64,
}

// === impl Course ===

impl Course {
    /// Draws the length, short ones as likely as long ones on a logarithmic scale.
    fn draw(kind: FaultKind, rng: &mut impl Rng) -> Self {
        let (shortest, longest) = minutes(kind);
        let length = (shortest as f64) * (longest as f64 / shortest as f64).powf(rng.random::<f64>());
        let length_ms = length.round() as i64 * MINUTE_MS;
        let ramp_ms = match kind {
            FaultKind::MemoryLeak | FaultKind::DiskFilling => length_ms,
            FaultKind::TrafficSurge => length_ms / 4,
            FaultKind::CpuRunaway | FaultKind::SlowDisk | FaultKind::LatencyRise => 2 * MINUTE_MS,
            FaultKind::NetworkDrop | FaultKind::CrashLoop => 0,
        };
        Self { length_ms, ramp_ms }
    }
}

/// Fewest and most minutes that a fault lasts: what grows grows for hours, what breaks at once is mended within two.
fn minutes(kind: FaultKind) -> (i64, i64) {
    match kind {
        FaultKind::MemoryLeak => (120, 480),
        FaultKind::DiskFilling => (60, 360),
        FaultKind::CpuRunaway
        | FaultKind::SlowDisk
        | FaultKind::NetworkDrop
        | FaultKind::TrafficSurge
        | FaultKind::LatencyRise
        | FaultKind::CrashLoop => (10, 120),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

    #[test]
    fn too_short_a_time_holds_no_fault() {
        assert!(balanced(1, 6, TimestampMs(0), TimestampMs(DAY_MS / 2)).is_empty());
        assert!(balanced(1, 0, TimestampMs(0), TimestampMs(DAY_MS)).is_empty());
    }

    proptest! {
        /// For all seeds, every kind at every strength happens once, inside the time, apart on a node, on all
        /// nodes equally often.
        #[test]
        fn every_fault_happens_once_and_apart(seed: u64, nodes in 1_usize..=8) {
            // Twelve hours a fault: the longest fits in with its quiet time.
            let per_node = BALANCED_FAULTS.div_ceil(nodes);
            let until = TimestampMs(per_node as i64 * DAY_MS / 2);
            let faults = balanced(seed, nodes, TimestampMs(0), until);
            let distinct: BTreeSet<_> = faults.iter().map(|fault| (fault.kind, fault.strength)).collect();
            prop_assert_eq!((faults.len(), distinct.len()), (BALANCED_FAULTS, BALANCED_FAULTS));
            prop_assert!(faults.is_sorted_by_key(|fault| fault.start));
            for node in 0..nodes {
                let own: Vec<_> = faults.iter().filter(|fault| fault.node == node).collect();
                prop_assert!(own.len() == per_node || own.len() + 1 == per_node);
                prop_assert!(own.iter().all(|fault| fault.start.0 >= 0 && fault.end <= until));
                prop_assert!(own.windows(2).all(|pair| pair[1].start.since_ms(pair[0].end) >= RECOVERY_MS));
            }
        }
    }
}
