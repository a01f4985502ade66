//! One node of the fleet: a machine, its service, its scrapes, and now and then a restart.

use super::{
    NodeView, Scraped,
    exporter::NodeExporter,
    machine::{Circumstances, Conditions, Machine, Workload},
    registry::Registry,
    routine::{Chores, Routine},
    web::{self, WebService},
};
use crate::{
    series::{METRIC_NAME, STALE_NAN, Sample, TimestampMs},
    simulate::fault::{Effects, Fault},
};
use rand::{RngExt, SeedableRng};
use rand_distr::Exp1;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Mean time between two reboots of one machine.
const REBOOT_GAP_S: f64 = 8.0 * 86_400.0;
/// Mean time between two releases of the service, each of which restarts it.
const RELEASE_GAP_S: f64 = 2.0 * 86_400.0;
/// How long a machine is away when it reboots.
const REBOOT_MS: i64 = 80_000;
/// No reboot so close to a fault: what is judged is the fault.
const REBOOT_CLEARANCE_MS: i64 = 2 * 3_600_000;
/// Scrapes run at most so late.
const MAX_JITTER_MS: i64 = 20;

#[derive(Debug)]
pub(super) struct Node {
    instance: String,
    machine: Machine,
    workload: Workload,
    exporter: NodeExporter,
    web: WebService,
    faults: Vec<Fault>,
    routine: Option<Routine>,
    rng: Xoshiro256PlusPlus,
    /// Milliseconds into each scrape interval at which this node is scraped.
    offset_ms: i64,
    scraped_at: TimestampMs,
    now: Conditions,
    next_reboot: TimestampMs,
    next_release: TimestampMs,
    /// While the machine is away.
    back_at: Option<TimestampMs>,
    /// Whether the service was away at the last scrape.
    was_away: bool,
    /// Whether the series of the exporter, and those of the service, were ended by stale markers.
    stale: [bool; 2],
}

impl Node {
    pub(super) fn new(
        index: usize,
        seed: u64,
        start: TimestampMs,
        offset_ms: i64,
        faults: Vec<Fault>,
        routine: Option<Routine>,
    ) -> Self {
        // A stream of its own for every node: its samples do not depend on how many others there are.
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        for _ in 0..index {
            rng.jump();
        }
        let mut machine = Machine::draw(index, &mut rng);
        if let Some(routine) = &routine {
            machine.adopt(routine.role());
        }
        let workload = Workload::new(&machine, start, &mut rng);
        let instance = format!("node-{:02}", index + 1);
        let uptime_ms = (rng.random_range(3.0..40.0) * 86_400_000.0) as i64;
        let mut node = Self {
            exporter: NodeExporter::new(&instance, &machine, start.plus_ms(-uptime_ms)),
            web: WebService::new(&instance, start.plus_ms(-uptime_ms)),
            instance,
            machine,
            workload,
            faults,
            routine,
            offset_ms,
            scraped_at: start.plus_ms(offset_ms),
            now: Conditions::default(),
            next_reboot: start,
            next_release: start,
            back_at: None,
            was_away: false,
            stale: [false; 2],
            rng,
        };
        node.next_reboot = node.later(start, REBOOT_GAP_S);
        node.next_release = node.later(start, RELEASE_GAP_S);
        node
    }

    pub(super) fn n_series(&self) -> usize {
        self.exporter.registry.len() + self.web.registry.len()
    }

    /// Lives until the scrape of the interval that begins at `interval_start` and adds its samples; `rush` is the load
    /// that comes to all nodes, as a multiple of the usual. What ends in a `blind` round, which nobody sees, is ended in the next.
    pub(super) fn scrape(
        &mut self,
        interval_start: TimestampMs,
        rush: f64,
        blind: bool,
        into: &mut Vec<Scraped>,
    ) {
        let jitter_ms = self.rng.random_range(0..=MAX_JITTER_MS);
        let at = interval_start.plus_ms(self.offset_ms + jitter_ms);
        let elapsed_s = at.since_ms(self.scraped_at).max(1) as f64 / 1000.0;
        self.scraped_at = at;
        let effects = Effects::at(&self.faults, at);
        let chores =
            self.routine.as_mut().map_or(Chores::NONE, |routine| routine.advance(at, elapsed_s, rush));
        // Also while it is away: the world goes on, and the noise does not depend on a reboot.
        let around = Circumstances { at, elapsed_s, effects, chores };
        self.now = self.machine.advance(&mut self.workload, &around, &mut self.rng);
        self.restarts(at, chores.release, self.was_away && !effects.away);
        self.was_away = effects.away;
        let up = self.back_at.is_none();
        if up {
            self.exporter.record(&self.machine, &self.now, elapsed_s, &mut self.rng);
            self.web.record(&self.now, elapsed_s, &mut self.rng);
        }
        let reached = up && !chores.unreachable;
        self.exporter.set_up(reached);
        self.web.set_up(reached && !effects.away);
        let targets =
            [(&mut self.exporter.registry, reached), (&mut self.web.registry, reached && !effects.away)];
        for ((registry, reached), stale) in targets.into_iter().zip(&mut self.stale) {
            let ended = if blind { Vec::new() } else { registry.take_ended() };
            let ended = ended.into_iter().filter(|_| !*stale);
            let marker = Sample { timestamp: at, value: STALE_NAN };
            into.extend(ended.map(|labels| Scraped { labels, sample: marker }));
            // A failed scrape, as Prometheus records it: every series ends, only `up` goes on, at zero.
            let marker = (!*stale).then_some(STALE_NAN);
            let recorded = |name: &str, value| if reached || name == "up" { Some(value) } else { marker };
            expose(registry, at, recorded, into);
            *stale = !reached;
        }
    }

    /// Reboots and releases; `release` and `restart` where the service is released or restarts in any case.
    fn restarts(&mut self, at: TimestampMs, release: bool, restart: bool) {
        if self.back_at.is_some_and(|back_at| back_at <= at) {
            self.back_at = None;
            self.exporter.reboot(at);
            self.web.restart(at);
        }
        if release || at >= self.next_release {
            self.web.release(at);
        } else if restart {
            self.web.restart(at);
        }
        if at >= self.next_release {
            self.next_release = self.later(at, RELEASE_GAP_S);
        }
        if at >= self.next_reboot {
            self.next_reboot = self.later(at, REBOOT_GAP_S);
            if !self.fault_near(at) {
                self.back_at = Some(at.plus_ms(REBOOT_MS));
            }
        }
    }

    fn fault_near(&self, at: TimestampMs) -> bool {
        self.faults.iter().any(|fault| {
            at.since_ms(fault.start) > -REBOOT_CLEARANCE_MS && at.since_ms(fault.end) < REBOOT_CLEARANCE_MS
        })
    }

    fn later(&mut self, at: TimestampMs, mean_gap_s: f64) -> TimestampMs {
        let gaps: f64 = self.rng.sample(Exp1);
        at.plus_ms((gaps * mean_gap_s * 1000.0) as i64)
    }

    pub(super) fn view(&self) -> NodeView {
        let up = self.back_at.is_none();
        NodeView {
            instance: self.instance.clone(),
            up,
            cpu: self.now.busy,
            memory: self.now.anonymous_bytes / self.machine.memory_bytes,
            disk: self.now.root_used_bytes / self.machine.root_bytes,
            network_bytes: self.now.receive_bytes + self.now.transmit_bytes,
            p95_seconds: web::quantile(0.95, self.now.median_seconds),
        }
    }
}

/// Adds the series of `registry`; `value` may change a value or leave the series out.
fn expose(
    registry: &Registry,
    at: TimestampMs,
    value: impl Fn(&str, f64) -> Option<f64>,
    into: &mut Vec<Scraped>,
) {
    for (labels, present) in registry.iter() {
        let name = labels.get(METRIC_NAME).unwrap_or_default();
        if let Some(value) = value(name, present) {
            into.push(Scraped { labels: labels.clone(), sample: Sample { timestamp: at, value } });
        }
    }
}
