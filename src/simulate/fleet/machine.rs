//! One machine and the service on it: from load and faults to what the machine then does.
//!
//! Everything follows from the requests that arrive: they take CPU, move bytes, write logs, and wait
//! the longer the busier the machine is. A fault changes one cause; the rest follows.

use super::{
    pattern::{Bursts, Drift, NightlyJob, Rhythm},
    routine::{Chores, Role},
};
use crate::{series::TimestampMs, simulate::fault::Effects};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

pub(super) const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// Bytes per second that the disk reads or writes at most.
const DISK_BYTES_PER_SECOND: f64 = 250e6;
/// Bytes of log that one request leaves.
const LOG_BYTES_PER_REQUEST: f64 = 400.0;
/// Share of the logs that stays on the disk when they are rotated.
const LOGS_KEPT: f64 = 0.2;
/// Bytes of one request, and of its answer.
const REQUEST_BYTES: f64 = 1_400.0;
const RESPONSE_BYTES: f64 = 9_000.0;
/// Share of the traffic that a network drop takes at full strength.
const DROPPED: f64 = 0.92;
/// Times as long as usual that a request takes on top, at full strength of a latency rise.
const SLOWER: f64 = 5.0;
/// Times the usual load that comes on top at full strength of a traffic surge.
const SURGE: f64 = 2.0;
/// Load beyond which requests are turned away, as a share of what the machine can carry.
const MOST_LOAD: f64 = 0.97;
/// Of a disk that is slow at full strength: share of CPU time spent waiting for it, processes that hang on it, and times
/// as long as usual that a request takes on top.
const SLOW_DISK_IOWAIT: f64 = 0.2;
const SLOW_DISK_BLOCKED: f64 = 4.0;
const SLOW_DISK_WAIT: f64 = 2.0;
/// Share of CPU time that filling the caches takes after a start.
const WARMING: f64 = 0.25;
/// Bytes that one request reads from the disk.
const READ_BYTES_PER_REQUEST: f64 = 3e3;
/// Requests wait at most as if the machine were so busy: the service sheds load beyond.
const QUEUEING_LIMIT: f64 = 0.93;

/// Size and habits of a machine; does not change while it lives.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) cores: usize,
    pub(super) memory_bytes: f64,
    pub(super) root_bytes: f64,
    pub(super) data_bytes: f64,
    /// Requests per second that keep every core busy.
    requests_per_second: f64,
    /// Median seconds of a request on an idle machine.
    service_seconds: f64,
    memory_base: f64,
    root_base: f64,
    data_base: f64,
    read_bytes_per_request: f64,
    rhythm: Rhythm,
    backup: NightlyJob,
}

/// What a machine does during one scrape interval. Shares are of the whole, rates per second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Conditions {
    pub(super) requests: f64,
    pub(super) error_ratio: f64,
    pub(super) median_seconds: f64,
    /// Share of CPU time that is not idle and not waiting for the disk.
    pub(super) busy: f64,
    pub(super) iowait: f64,
    /// Share of CPU time of low-priority work; part of `busy`.
    pub(super) nice: f64,
    /// Processes that run or want to.
    pub(super) runnable: f64,
    /// Bytes of memory that processes hold for themselves.
    pub(super) anonymous_bytes: f64,
    pub(super) root_used_bytes: f64,
    pub(super) data_used_bytes: f64,
    pub(super) disk_utilisation: f64,
    pub(super) read_bytes: f64,
    pub(super) written_bytes: f64,
    pub(super) receive_bytes: f64,
    pub(super) transmit_bytes: f64,
}

/// When a scrape interval ends, how long it was, and what comes to the machine from outside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    pub(super) at: TimestampMs,
    pub(super) elapsed_s: f64,
    pub(super) effects: Effects,
    pub(super) chores: Chores,
}

/// What changes from interval to interval.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    slow: Drift,
    fast: Drift,
    work: Drift,
    memory: Drift,
    latency: Drift,
    bursts: Bursts,
    /// Bytes of log since they were last rotated.
    log_bytes: f64,
    /// Share of the root file system that a fault has filled.
    filled: f64,
    /// Load as the memory sees it: sessions outlive requests.
    sessions: f64,
}

// === impl Machine ===

impl Machine {
    /// The `index`-th machine of a fleet.
    pub(super) fn draw(index: usize, rng: &mut impl Rng) -> Self {
        let cores = [4, 8, 4, 6][index % 4];
        let mut between = |low: f64, high: f64| low + (high - low) * rng.random::<f64>();
        Self {
            cores,
            memory_bytes: [8.0, 16.0, 16.0, 32.0][index % 4] * GIB,
            root_bytes: [40.0, 80.0, 60.0][index % 3] * GIB,
            data_bytes: [200.0, 500.0][index % 2] * GIB,
            requests_per_second: cores as f64 * between(50.0, 90.0),
            service_seconds: between(0.020, 0.060),
            memory_base: between(0.25, 0.40),
            root_base: between(0.30, 0.50),
            data_base: between(0.40, 0.65),
            read_bytes_per_request: READ_BYTES_PER_REQUEST,
            rhythm: Rhythm {
                peak_hour: between(13.0, 16.5),
                peak: between(0.35, 0.55),
                night: between(0.18, 0.30),
                weekend: between(0.65, 0.80),
            },
            backup: NightlyJob { start_s: between(1.0, 3.5) * 3600.0, length_s: between(20.0, 35.0) * 60.0 },
        }
    }

    /// Takes on what the machines of a role have in common.
    pub(super) fn adopt(&mut self, role: Role) {
        match role {
            Role::Web => {}
            // Most of the memory is its cache, and other regions' nights are its days.
            Role::Database => {
                self.memory_base += 0.25;
                self.read_bytes_per_request *= 20.0;
                self.rhythm.night = 0.55;
            }
            // Works day and night, mostly in jobs.
            Role::Batch => {
                self.rhythm.night = 0.8;
                self.rhythm.weekend = 1.0;
                self.rhythm.peak *= 0.5;
            }
        }
    }

    /// What the machine does in one scrape interval.
    pub(super) fn advance(
        &self,
        workload: &mut Workload,
        around: &Circumstances,
        rng: &mut impl Rng,
    ) -> Conditions {
        let Circumstances { at, elapsed_s, effects, chores } = *around;
        let arriving = workload.load(self.rhythm.at(at), elapsed_s, rng) * chores.load;
        let reaching = arriving * (1.0 + SURGE * effects.surge) * (1.0 - DROPPED * effects.network);
        let load = if effects.away { 0.0 } else { reaching };
        let backup = self.backup.intensity(at);
        let requests = load * self.requests_per_second;
        let mut now = Conditions { requests, nice: 0.06 * backup, ..Conditions::default() };
        self.memory(workload, around, load, rng, &mut now);
        self.disk(workload, around, backup, &mut now);
        self.processor(workload, around, load, rng, &mut now);
        self.service(workload, around, load, rng, &mut now);
        let reach = 1.0 - DROPPED * effects.network;
        now.receive_bytes = requests * REQUEST_BYTES + 15e3 * reach;
        now.transmit_bytes = requests * RESPONSE_BYTES + (20e3 + 12e6 * backup) * reach;
        now
    }

    /// Bytes of log on a machine that has long been running, at the midnight `at`: so that the first day
    /// looks like the others.
    fn logged_since_rotation(&self, at: TimestampMs) -> f64 {
        let minutes = 24 * 60;
        let logged_from = |from: i64| -> f64 {
            let load: f64 = (from..minutes).map(|minute| self.rhythm.at(at.plus_ms(minute * 60_000))).sum();
            60.0 * load * self.requests_per_second * LOG_BYTES_PER_REQUEST
        };
        // Day after day the same amount comes and the same share stays: a geometric series.
        let kept = LOGS_KEPT / (1.0 - LOGS_KEPT) * logged_from(0);
        kept + logged_from((self.backup.start_s / 60.0) as i64)
    }

    fn memory(
        &self,
        workload: &mut Workload,
        around: &Circumstances,
        load: f64,
        rng: &mut impl Rng,
        now: &mut Conditions,
    ) {
        let Circumstances { elapsed_s, effects, .. } = *around;
        let remember = (-elapsed_s / 900.0).exp();
        workload.sessions = workload.sessions * remember + load * (1.0 - remember);
        let usual = self.memory_base + 0.2 * workload.sessions + workload.memory.advance(elapsed_s, rng);
        let usual = usual.clamp(0.05, 0.80);
        now.anonymous_bytes = self.memory_bytes * (usual + effects.memory * (0.95 - usual));
    }

    fn disk(&self, workload: &mut Workload, around: &Circumstances, backup: f64, now: &mut Conditions) {
        let Circumstances { at, elapsed_s, effects, chores } = *around;
        let logged = now.requests * LOG_BYTES_PER_REQUEST;
        workload.log_bytes += logged * elapsed_s;
        if self.backup.begins_between(at.plus_ms(-(elapsed_s * 1000.0) as i64), at) {
            // Logs are rotated before they are saved.
            workload.log_bytes *= LOGS_KEPT;
        }
        let usual = self.root_base + workload.log_bytes / self.root_bytes + chores.root_share;
        let filled = effects.disk * (0.97 - usual).max(0.0);
        let fill_rate = (filled - workload.filled).max(0.0) * self.root_bytes / elapsed_s;
        workload.filled = filled;
        now.root_used_bytes = self.root_bytes * (usual + filled).min(0.99);
        now.data_used_bytes = self.data_bytes * self.data_base;
        // Hardly any memory left: pages are read again and again.
        let thrashing = ((now.anonymous_bytes / self.memory_bytes - 0.90) / 0.05).clamp(0.0, 1.0);
        let asked = now.requests * self.read_bytes_per_request;
        now.read_bytes = asked + 70e6 * backup + 60e6 * thrashing + chores.read_bytes;
        now.written_bytes = 250e3 + logged + fill_rate + chores.written_bytes;
        let busy = 0.01 + 1.5 * (now.read_bytes + now.written_bytes) / DISK_BYTES_PER_SECOND;
        let usual = busy.min(0.98);
        now.disk_utilisation = usual + effects.slow_disk * (0.98 - usual);
        now.iowait = 0.002 + 0.08 * now.disk_utilisation + SLOW_DISK_IOWAIT * effects.slow_disk;
    }

    fn processor(
        &self,
        workload: &mut Workload,
        around: &Circumstances,
        load: f64,
        rng: &mut impl Rng,
        now: &mut Conditions,
    ) {
        let Circumstances { elapsed_s, effects, chores, .. } = *around;
        let cores = self.cores as f64;
        let noise = 1.0 + workload.work.advance(elapsed_s, rng);
        let warming = if effects.warming { WARMING } else { 0.0 };
        let wanted = (load + 0.02) * noise.max(0.2) * chores.work + now.nice + chores.cpu + warming;
        let usual = wanted.min(0.97);
        now.busy = usual + effects.cpu * (0.985 - usual).max(0.0);
        now.iowait = now.iowait.min(1.0 - now.busy);
        let blocked = 4.0 * now.iowait + SLOW_DISK_BLOCKED * effects.slow_disk;
        now.runnable = cores * (wanted + 1.5 * effects.cpu) + blocked;
    }

    fn service(
        &self,
        workload: &mut Workload,
        around: &Circumstances,
        load: f64,
        rng: &mut impl Rng,
        now: &mut Conditions,
    ) {
        let Circumstances { elapsed_s, effects, .. } = *around;
        let used = (now.busy + now.iowait).min(QUEUEING_LIMIT);
        let queueing = 1.0 + 0.6 * used * used / (1.0 - used);
        let drift = workload.latency.advance(elapsed_s, rng);
        let slower = (1.0 + SLOWER * effects.latency) * (1.0 + SLOW_DISK_WAIT * effects.slow_disk);
        let turned_away = 1.0 - MOST_LOAD / load.max(MOST_LOAD);
        now.median_seconds = self.service_seconds * queueing * drift.exp() * slower;
        let failing = 0.03 * effects.latency + 0.05 * effects.network + turned_away;
        now.error_ratio = (0.002 * (1.0 + 3.0 * drift) + failing).clamp(0.0, 1.0);
    }
}

// === impl Workload ===

impl Workload {
    /// The workload of a machine in its first interval.
    pub(super) fn new(machine: &Machine, at: TimestampMs, rng: &mut impl Rng) -> Self {
        let load = machine.rhythm.at(at);
        Self {
            slow: Drift::new(0.06, 1800.0),
            fast: Drift::new(0.04, 120.0),
            work: Drift::new(0.03, 90.0),
            memory: Drift::new(0.008, 1200.0),
            latency: Drift::new(0.06, 120.0),
            bursts: Bursts::new(rng),
            log_bytes: machine.logged_since_rotation(at),
            filled: 0.0,
            sessions: load,
        }
    }

    /// Load of this interval as a share of what the machine can carry.
    fn load(&mut self, expected: f64, elapsed_s: f64, rng: &mut impl Rng) -> f64 {
        let noise = self.slow.advance(elapsed_s, rng) + self.fast.advance(elapsed_s, rng);
        let burst = self.bursts.advance(elapsed_s, rng);
        expected * (1.0 + noise + burst).clamp(0.2, 2.0)
    }
}

/// A count of independent events of which `expected` are due, by the normal approximation: always
/// one draw, so that a fault changes the numbers and not the noise.
pub(super) fn count(expected: f64, rng: &mut impl Rng) -> f64 {
    let deviation: f64 = rng.sample(StandardNormal);
    (expected + expected.max(0.0).sqrt() * deviation).round().max(0.0)
}
