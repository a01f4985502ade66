//! The everyday life of production, beside the load of a service: all of it is normal, and much of it looks like trouble.
//!
//! Machines have roles; cron jobs run by the hour, a scrub by the week, batch jobs now and then; releases cost a rush and
//! change what a request costs; load and disk grow; rushes of traffic have no typical size; scrapes fail, and now
//! and then Prometheus itself is away. Nothing here is a fault: an alarm on it is a false one.

use super::pattern::{Drift, second_of_day, weekday};
use crate::series::TimestampMs;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Exp1, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

const MINUTE_MS: i64 = 60_000;
const HOUR_S: f64 = 3_600.0;
const DAY_S: f64 = 86_400.0;

/// What a machine is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Web,
    Database,
    Batch,
}

/// What the routine adds to a machine in one scrape interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chores {
    /// Load as a multiple of the usual.
    pub(super) load: f64,
    /// CPU time of a request as a multiple of the usual.
    pub(super) work: f64,
    /// Share of CPU time.
    pub(super) cpu: f64,
    /// Bytes per second that jobs read from and write to the disk.
    pub(super) read_bytes: f64,
    pub(super) written_bytes: f64,
    /// Share of the root file system that has grown full.
    pub(super) root_share: f64,
    /// Whether a new release of the service starts.
    pub(super) release: bool,
    /// Whether scrapes fail.
    pub(super) unreachable: bool,
}

/// The routine of one machine.
#[derive(Clone, Debug)]
pub(super) struct Routine {
    role: Role,
    rng: Xoshiro256PlusPlus,
    start: TimestampMs,
    cron: Cron,
    /// Second of Sunday at which the weekly scrub begins, and its length.
    scrub: (f64, f64),
    jobs: Episodes,
    job_cpu: f64,
    releases: Episodes,
    work: f64,
    failing_scrapes: Episodes,
    rushes: Rushes,
    load_growth_per_week: f64,
    root_growth_per_day: f64,
}

/// What comes to all nodes of a fleet alike.
#[derive(Clone, Debug)]
pub(super) struct Commons {
    rng: Xoshiro256PlusPlus,
    demand: Drift,
    rushes: Rushes,
    restarts: Episodes,
}

/// A job that runs once an hour.
#[derive(Clone, Debug)]
struct Cron {
    second_of_hour: f64,
    length_s: f64,
    cpu: f64,
    disk_bytes: f64,
    /// How hard it works this hour, as a multiple of the usual.
    effort: f64,
    hour: i64,
}

/// Something that happens at random and lasts a while.
#[derive(Clone, Debug)]
struct Episodes {
    mean_gap_s: f64,
    next: TimestampMs,
    until: TimestampMs,
}

/// Rushes of traffic whose heights have a Pareto tail: most are small, some double the load.
#[derive(Clone, Debug)]
struct Rushes {
    mean_gap_s: f64,
    level: f64,
    fade_s: f64,
    next: TimestampMs,
}

// === impl Chores ===

impl Chores {
    /// No routine at all.
    pub(super) const NONE: Self = Self {
        load: 1.0,
        work: 1.0,
        cpu: 0.0,
        read_bytes: 0.0,
        written_bytes: 0.0,
        root_share: 0.0,
        release: false,
        unreachable: false,
    };
}

// === impl Routine ===

impl Routine {
    const JOB_GAP_S: f64 = 4.0 * HOUR_S;
    const RELEASE_GAP_S: f64 = 2.0 * DAY_S;
    const FAILING_SCRAPE_GAP_S: f64 = 1.5 * DAY_S;

    /// The routine of the `index`-th machine of a fleet.
    pub(super) fn new(index: usize, seed: u64, start: TimestampMs) -> Self {
        let mut rng = stream(seed, index);
        let role = [Role::Web, Role::Database, Role::Batch][index % 3];
        Self {
            role,
            start,
            cron: Cron::draw(&mut rng),
            scrub: (HOUR_S * rng.random_range(0.0..6.0), HOUR_S * rng.random_range(1.0..2.0)),
            jobs: Episodes::new(Self::JOB_GAP_S, start, &mut rng),
            job_cpu: 0.0,
            releases: Episodes::new(Self::RELEASE_GAP_S, start, &mut rng),
            work: 1.0,
            failing_scrapes: Episodes::new(Self::FAILING_SCRAPE_GAP_S, start, &mut rng),
            rushes: Rushes::new(4.0 * HOUR_S, start, &mut rng),
            load_growth_per_week: rng.random_range(0.0..0.04),
            root_growth_per_day: rng.random_range(0.0..0.008),
            rng,
        }
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// What is added in the `elapsed_s` seconds up to `at`; `rush` is the load that comes to all nodes.
    pub(super) fn advance(&mut self, at: TimestampMs, elapsed_s: f64, rush: f64) -> Chores {
        let days = at.since_ms(self.start) as f64 / 1000.0 / DAY_S;
        let mut chores = Chores {
            load: rush
                * (1.0 + self.rushes.advance(at, elapsed_s, &mut self.rng))
                * (1.0 + self.load_growth_per_week * days / 7.0),
            root_share: self.root_growth_per_day * days,
            ..Chores::NONE
        };
        self.regular_jobs(at, &mut chores);
        self.batch_jobs(at, &mut chores);
        self.release(at, &mut chores);
        let (failing, _) =
            self.failing_scrapes.at(at, |rng| rng.random_range(0.5..4.0) * 60.0, &mut self.rng);
        chores.unreachable = failing;
        chores
    }

    fn regular_jobs(&mut self, at: TimestampMs, chores: &mut Chores) {
        let effort = self.cron.effort(at, &mut self.rng);
        chores.cpu += effort * self.cron.cpu;
        chores.read_bytes += effort * self.cron.disk_bytes;
        chores.written_bytes += 0.3 * effort * self.cron.disk_bytes;
        let (begin, length) = self.scrub;
        if weekday(at) == 6 && (begin..begin + length).contains(&second_of_day(at)) {
            chores.cpu += 0.05;
            chores.read_bytes += 90e6;
        }
    }

    fn batch_jobs(&mut self, at: TimestampMs, chores: &mut Chores) {
        if self.role != Role::Batch {
            return;
        }
        // Lengths between ten minutes and an hour and a half, most of them short.
        let length_s = |rng: &mut Xoshiro256PlusPlus| pareto(10.0 * 60.0, 1.3, 90.0 * 60.0, rng);
        let (running, begins) = self.jobs.at(at, length_s, &mut self.rng);
        if begins {
            self.job_cpu = self.rng.random_range(0.2..0.5);
        }
        if running {
            chores.cpu += self.job_cpu;
            chores.read_bytes += 40e6 * self.job_cpu;
            chores.written_bytes += 20e6 * self.job_cpu;
        }
    }

    /// Three minutes of a rush, and from then on a request costs a little more or less.
    fn release(&mut self, at: TimestampMs, chores: &mut Chores) {
        let (rolling, begins) = self.releases.at(at, |_| 180.0, &mut self.rng);
        if begins {
            let change: f64 = self.rng.sample(StandardNormal);
            self.work = (self.work * (0.04 * change).exp()).clamp(0.8, 1.25);
        }
        chores.release = begins;
        chores.cpu += if rolling { 0.12 } else { 0.0 };
        chores.work = self.work;
    }
}

// === impl Commons ===

impl Commons {
    pub(super) fn new(seed: u64, start: TimestampMs) -> Self {
        // Not one of the machines' streams: they jump, this one is seeded elsewhere.
        let mut rng = stream(!seed, 0);
        Self {
            demand: Drift::new(0.05, 2.0 * HOUR_S),
            rushes: Rushes::new(12.0 * HOUR_S, start, &mut rng),
            restarts: Episodes::new(4.0 * DAY_S, start, &mut rng),
            rng,
        }
    }

    /// Load of all nodes as a multiple of the usual, and whether Prometheus is away: nothing is scraped then.
    pub(super) fn advance(&mut self, at: TimestampMs, elapsed_s: f64) -> (f64, bool) {
        let demand = 1.0 + self.demand.advance(elapsed_s, &mut self.rng);
        let rush = 1.0 + self.rushes.advance(at, elapsed_s, &mut self.rng);
        let (away, _) = self.restarts.at(at, |rng| rng.random_range(1.0..4.0) * 60.0, &mut self.rng);
        (demand * rush, away)
    }
}

// === impl Cron ===

impl Cron {
    fn draw(rng: &mut impl Rng) -> Self {
        Self {
            second_of_hour: rng.random_range(0.0..HOUR_S),
            length_s: rng.random_range(60.0..300.0),
            cpu: rng.random_range(0.03..0.12),
            disk_bytes: rng.random_range(5e6..30e6),
            effort: 1.0,
            hour: i64::MIN,
        }
    }

    /// How hard it works at an instant, 0 while it does not run.
    fn effort(&mut self, at: TimestampMs, rng: &mut impl Rng) -> f64 {
        let since = at.seconds() - self.second_of_hour;
        let hour = (since / HOUR_S).floor() as i64;
        if hour != self.hour {
            let change: f64 = rng.sample(StandardNormal);
            (self.hour, self.effort) = (hour, (0.3 * change).exp());
        }
        if since.rem_euclid(HOUR_S) < self.length_s { self.effort } else { 0.0 }
    }
}

// === impl Episodes ===

impl Episodes {
    fn new(mean_gap_s: f64, start: TimestampMs, rng: &mut impl Rng) -> Self {
        Self { mean_gap_s, next: later(start, mean_gap_s, rng), until: start }
    }

    /// Whether one goes on at an instant, and whether it has just begun.
    fn at<R: Rng>(
        &mut self,
        at: TimestampMs,
        length_s: impl FnOnce(&mut R) -> f64,
        rng: &mut R,
    ) -> (bool, bool) {
        let begins = at >= self.next;
        if begins {
            self.until = at.plus_ms((length_s(rng) * 1000.0) as i64);
            self.next = later(self.until, self.mean_gap_s, rng);
        }
        (at < self.until, begins)
    }
}

// === impl Rushes ===

impl Rushes {
    const LEAST_HEIGHT: f64 = 0.06;
    const MOST_HEIGHT: f64 = 1.0;
    const TAIL_INDEX: f64 = 2.0;

    fn new(mean_gap_s: f64, start: TimestampMs, rng: &mut impl Rng) -> Self {
        Self { mean_gap_s, level: 0.0, fade_s: 60.0, next: later(start, mean_gap_s, rng) }
    }

    /// Extra load as a share of the present one.
    fn advance(&mut self, at: TimestampMs, elapsed_s: f64, rng: &mut impl Rng) -> f64 {
        self.level *= (-elapsed_s / self.fade_s).exp();
        if at >= self.next {
            self.level += pareto(Self::LEAST_HEIGHT, Self::TAIL_INDEX, Self::MOST_HEIGHT, rng);
            self.fade_s = rng.random_range(60.0..600.0);
            self.next = later(at, self.mean_gap_s, rng);
        }
        self.level
    }
}

// === random numbers ===

/// The stream of one machine's routine: apart from that of its noise, and from those of other machines.
fn stream(seed: u64, index: usize) -> Xoshiro256PlusPlus {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x00c0_ffee);
    for _ in 0..index {
        rng.jump();
    }
    rng
}

/// An instant after `at`, exponentially far.
fn later(at: TimestampMs, mean_gap_s: f64, rng: &mut impl Rng) -> TimestampMs {
    let gaps: f64 = rng.sample(Exp1);
    at.plus_ms((gaps * mean_gap_s * 1000.0) as i64 + MINUTE_MS)
}

/// At least `least`, above x with probability (least / x)^index, cut at `most`.
fn pareto(least: f64, index: f64, most: f64, rng: &mut impl Rng) -> f64 {
    let u: f64 = rng.random();
    (least * (1.0 - u).powf(-1.0 / index)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: TimestampMs = TimestampMs(1_767_571_200_000);

    fn minutes(n: i64) -> impl Iterator<Item = TimestampMs> {
        (1..=n).map(|minute| MONDAY.plus_ms(minute * MINUTE_MS))
    }

    /// (0.06 / 0.6)^2: one rush of a hundred is ten times the least; none is above the most.
    #[test]
    fn rushes_have_a_heavy_tail_with_an_end() {
        let mut rng = stream(1, 0);
        let heights: Vec<f64> = (0..100_000).map(|_| pareto(0.06, 2.0, 1.0, &mut rng)).collect();
        let share = heights.iter().filter(|height| **height > 0.6).count() as f64 / 100_000.0;
        assert!((share - 0.01).abs() < 0.0015, "{share}");
        assert!(heights.iter().all(|height| (0.06..=1.0).contains(height)));
    }

    #[test]
    fn cron_runs_once_an_hour_at_its_minute() {
        let mut rng = stream(3, 0);
        let mut cron = Cron { second_of_hour: 600.0, length_s: 180.0, ..Cron::draw(&mut rng) };
        let running: Vec<i64> = (0..180)
            .filter(|minute| cron.effort(MONDAY.plus_ms(minute * MINUTE_MS), &mut rng) > 0.0)
            .collect();
        assert_eq!(running, [10, 11, 12, 70, 71, 72, 130, 131, 132]);
    }

    /// Fifteen days of a release every other day on average, of scrapes failing twice in three days.
    #[test]
    fn releases_and_failing_scrapes_come_as_often_as_they_should() {
        let n_machines = 40;
        let (mut releases, mut failing) = (0, 0);
        for index in 0..n_machines {
            let mut routine = Routine::new(index, 5, MONDAY);
            for at in minutes(15 * 1440) {
                let chores = routine.advance(at, 60.0, 1.0);
                releases += usize::from(chores.release);
                failing += usize::from(chores.unreachable);
            }
        }
        // Expected 300 (deviation 17), and 400 episodes of 2.25 minutes, of which each is seen once at least.
        assert!((240..360).contains(&releases), "{releases}");
        assert!((700..1200).contains(&failing), "{failing}");
    }

    #[test]
    fn the_scrub_runs_on_sundays_only() {
        let mut routine = Routine {
            cron: Cron { cpu: 0.0, disk_bytes: 0.0, ..Cron::draw(&mut stream(0, 0)) },
            ..Routine::new(0, 9, MONDAY)
        };
        let read: Vec<bool> =
            minutes(7 * 1440).map(|at| routine.advance(at, 60.0, 1.0).read_bytes > 50e6).collect();
        let (other_days, sunday) = read.split_at(6 * 1440 - 1);
        assert!(!other_days.contains(&true) && sunday.contains(&true));
    }
}
