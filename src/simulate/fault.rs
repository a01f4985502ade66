//! What goes wrong, how badly, and what it does at an instant.

use crate::series::TimestampMs;
use std::fmt;

const MINUTE_MS: i64 = 60_000;

/// Distance of two starts of a process that fails again and again: Kubernetes' back-off between restarts ends at
/// five minutes.
const CRASH_CYCLE_MS: i64 = 5 * MINUTE_MS;
/// Share of a cycle for which a process is away at full strength.
const CRASH_AWAY: f64 = 0.9;
/// How long a process fills its caches after a start.
const WARMING_MS: i64 = MINUTE_MS;

/// What goes wrong: a cause, not what it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// A process takes the CPU time that is idle: load rises, requests queue.
    ///
    /// `StressChaos` of Chaos Mesh, `node-cpu-hog` of LitmusChaos, CPU of RCAEval (Pham et al. 2025).
    CpuRunaway,
    /// A process grows at an even pace, then is killed.
    ///
    /// Jindal et al., Online Memory Leak Detection in the Cloud-based Infrastructures, 2021; MEM of RCAEval, `node-memory-hog` of LitmusChaos.
    MemoryLeak,
    /// Something writes to the root file system at an even pace, then it is cleaned.
    ///
    /// `disk-fill` of LitmusChaos; full disks among the causes of outages in Gunawi et al., Why Does the Cloud Stop
    /// Computing?, SoCC 2016.
    DiskFilling,
    /// The disk is alive and slow: it is busy with little, and everything waits for it.
    ///
    /// Gunawi et al., Fail-Slow at Scale, FAST 2018; Lu et al., Perseus, FAST 2023; `IOChaos` of Chaos Mesh.
    SlowDisk,
    /// A share of the traffic no longer reaches the node, at once.
    ///
    /// Alquraan et al., An Analysis of Network-Partitioning Failures in Cloud Systems, OSDI 2018; LOSS of RCAEval; network
    /// cards of Fail-Slow at Scale.
    NetworkDrop,
    /// Far more requests than usual: up within minutes, a plateau, and down again.
    ///
    /// Jung, Krishnamurthy, Rabinovich, Flash Crowds and Denial of Service Attacks, WWW 2002; the triggers of Bronson et al.,
    /// Metastable Failures in Distributed Systems, HotOS 2021.
    TrafficSurge,
    /// What the service depends on has become slow: requests take longer, some fail, the machine itself is well.
    ///
    /// Huang et al., Gray Failure, HotOS 2017; dependencies among the causes in Ghosh et al., How to Fight Production
    /// Incidents?, SoCC 2022; DELAY of RCAEval.
    LatencyRise,
    /// The service dies soon after each start and is started again: a train of outages, each followed by a rush to
    /// fill its caches.
    ///
    /// `CrashLoopBackOff` of Kubernetes; `container-kill` of LitmusChaos; bad releases and configurations lead the causes in
    /// Ghosh et al. 2022 and Gunawi et al. 2016.
    CrashLoop,
}

/// How much of what it could take a fault takes. Of the machine, not of what anybody sees of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// A quarter.
    Weak,
    /// Half.
    Medium,
    /// All.
    Strong,
}

/// One injected fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Index of the node in the fleet.
    pub node: usize,
    /// What goes wrong.
    pub kind: FaultKind,
    /// How badly.
    pub strength: Strength,
    /// First instant with an effect.
    pub start: TimestampMs,
    /// First instant without one.
    pub end: TimestampMs,
    /// Milliseconds from the start to full effect; it grows linearly.
    pub ramp_ms: i64,
}

/// The effects of all faults on one node at one instant, each from 0 (none) to 1 (all that it could take).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Effects {
    /// Share of the idle CPU time that a process takes.
    pub cpu: f64,
    /// Share of the free memory that a leak has taken.
    pub memory: f64,
    /// Share of the free room of the root file system that is filled.
    pub disk: f64,
    /// Share of the idle time of the disk that is lost.
    pub slow_disk: f64,
    /// Network drop.
    pub network: f64,
    /// Traffic surge.
    pub surge: f64,
    /// Latency rise.
    pub latency: f64,
    /// Whether the service is away.
    pub away: bool,
    /// Whether the service has just come back.
    pub warming: bool,
}

// === impl FaultKind ===

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::CpuRunaway,
        Self::MemoryLeak,
        Self::DiskFilling,
        Self::SlowDisk,
        Self::NetworkDrop,
        Self::TrafficSurge,
        Self::LatencyRise,
        Self::CrashLoop,
    ];
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CpuRunaway => "CPU runaway",
            Self::MemoryLeak => "memory leak",
            Self::DiskFilling => "disk filling",
            Self::SlowDisk => "slow disk",
            Self::NetworkDrop => "network drop",
            Self::TrafficSurge => "traffic surge",
            Self::LatencyRise => "latency rise",
            Self::CrashLoop => "crash loop",
        })
    }
}

// === impl Strength ===

impl Strength {
    /// Every strength, the weakest first.
    pub const ALL: [Self; 3] = [Self::Weak, Self::Medium, Self::Strong];

    /// The share that is taken.
    #[must_use]
    pub fn share(self) -> f64 {
        match self {
            Self::Weak => 0.25,
            Self::Medium => 0.5,
            Self::Strong => 1.0,
        }
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Weak => "weak",
            Self::Medium => "medium",
            Self::Strong => "strong",
        })
    }
}

// === impl Fault ===

impl Fault {
    /// Effect at an instant, from 0 (none) to the share of its strength. A surge falls as it has risen; everything else
    /// ends at once.
    #[must_use]
    pub fn level(&self, at: TimestampMs) -> f64 {
        if at < self.start || at >= self.end {
            return 0.0;
        }
        let ramped = |elapsed_ms: i64| (elapsed_ms as f64 / self.ramp_ms.max(1) as f64).min(1.0);
        let risen = ramped(at.since_ms(self.start));
        let level = match self.kind {
            FaultKind::TrafficSurge => risen.min(ramped(self.end.since_ms(at))),
            _ => risen,
        };
        self.strength.share() * level
    }

    /// Where a crash loop is in its cycle: away, just back, or neither.
    fn crash(&self, at: TimestampMs) -> (bool, bool) {
        let into_cycle_ms = at.since_ms(self.start) % CRASH_CYCLE_MS;
        let away_ms = (self.strength.share() * CRASH_AWAY * CRASH_CYCLE_MS as f64) as i64;
        let away = into_cycle_ms < away_ms;
        (away, !away && into_cycle_ms - away_ms < WARMING_MS)
    }
}

// === impl Effects ===

impl Effects {
    /// What `faults` (of one node) do at an instant.
    #[must_use]
    pub fn at(faults: &[Fault], at: TimestampMs) -> Self {
        let mut effects = Self::default();
        for fault in faults.iter().filter(|fault| fault.start <= at && at < fault.end) {
            let effect = match fault.kind {
                FaultKind::CpuRunaway => &mut effects.cpu,
                FaultKind::MemoryLeak => &mut effects.memory,
                FaultKind::DiskFilling => &mut effects.disk,
                FaultKind::SlowDisk => &mut effects.slow_disk,
                FaultKind::NetworkDrop => &mut effects.network,
                FaultKind::TrafficSurge => &mut effects.surge,
                FaultKind::LatencyRise => &mut effects.latency,
                FaultKind::CrashLoop => {
                    (effects.away, effects.warming) = fault.crash(at);
                    continue;
                }
            };
            *effect = effect.max(fault.level(at));
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: FaultKind, strength: Strength) -> Fault {
        let (start, end) = (TimestampMs(1_000), TimestampMs(9_000));
        Fault { node: 0, kind, strength, start, end, ramp_ms: 4_000 }
    }

    fn levels<const N: usize>(fault: &Fault, at: [i64; N]) -> [f64; N] {
        at.map(|at| fault.level(TimestampMs(at)))
    }

    #[test]
    fn a_fault_grows_linearly_and_ends_at_once() {
        let leak = fault(FaultKind::MemoryLeak, Strength::Strong);
        assert_eq!(levels(&leak, [999, 1_000, 2_000, 5_000, 8_999, 9_000]), [0.0, 0.0, 0.25, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn a_weak_fault_takes_a_quarter() {
        let leak = fault(FaultKind::MemoryLeak, Strength::Weak);
        assert_eq!(levels(&leak, [2_000, 5_000, 8_999]), [0.0625, 0.25, 0.25]);
    }

    #[test]
    fn a_surge_falls_as_it_has_risen() {
        let surge = fault(FaultKind::TrafficSurge, Strength::Medium);
        assert_eq!(levels(&surge, [1_000, 3_000, 5_000, 7_000, 9_000]), [0.0, 0.25, 0.5, 0.25, 0.0]);
    }

    /// Of five minutes a crash loop of medium strength is away for 135 seconds, then fills its caches for 60.
    #[test]
    fn a_crash_loop_comes_back_for_a_while_in_every_cycle() {
        let mut crash = fault(FaultKind::CrashLoop, Strength::Medium);
        (crash.start, crash.end) = (TimestampMs(0), TimestampMs(60 * MINUTE_MS));
        let states = [0, 134, 135, 194, 195, 299, 300].map(|second| {
            let effects = Effects::at(std::slice::from_ref(&crash), TimestampMs(second * 1000));
            (effects.away, effects.warming)
        });
        let (away, warming, well) = ((true, false), (false, true), (false, false));
        assert_eq!(states, [away, away, warming, warming, well, well, away]);
        assert_eq!(Effects::at(&[crash], TimestampMs(60 * MINUTE_MS)), Effects::default());
    }

    #[test]
    fn of_two_faults_of_a_kind_the_worse_counts() {
        let both = [fault(FaultKind::SlowDisk, Strength::Strong), fault(FaultKind::SlowDisk, Strength::Weak)];
        assert_eq!(Effects::at(&both, TimestampMs(6_000)), Effects { slow_disk: 1.0, ..Effects::default() });
    }
}
