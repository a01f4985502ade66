//! The shapes that load has in time: the day, the week, noise with memory, bursts, a nightly job.

use crate::series::TimestampMs;
use rand::{Rng, RngExt};
use rand_distr::{Exp1, StandardNormal};
use std::f64::consts::TAU;

const DAY_S: f64 = 86_400.0;

/// Seconds since midnight UTC.
pub(super) fn second_of_day(at: TimestampMs) -> f64 {
    at.seconds().rem_euclid(DAY_S)
}

/// Day of the week, Monday = 0. The Unix epoch was a Thursday.
pub(super) fn weekday(at: TimestampMs) -> i64 {
    (at.0.div_euclid(86_400_000) + 3).rem_euclid(7)
}

/// The daily and weekly course of the load on one node.
#[derive(Clone, Debug)]
pub(super) struct Rhythm {
    /// Hour of the day with the most load.
    pub(super) peak_hour: f64,
    /// Load at the peak of a working day, as a share of what the node can carry.
    pub(super) peak: f64,
    /// Load in the deepest night, as a share of the peak.
    pub(super) night: f64,
    /// Load of a Saturday or Sunday, as a share of a working day's.
    pub(super) weekend: f64,
}

impl Rhythm {
    /// Expected load at an instant, as a share of what the node can carry.
    pub(super) fn at(&self, at: TimestampMs) -> f64 {
        let angle = TAU * (second_of_day(at) / DAY_S - self.peak_hour / 24.0);
        // The second harmonic makes the night long and flat and the afternoon pointed.
        let day = 0.5 + 0.44 * angle.cos() + 0.06 * (2.0 * angle).cos();
        let week = if weekday(at) >= 5 { self.weekend } else { 1.0 };
        self.peak * week * (self.night + (1.0 - self.night) * day.clamp(0.0, 1.0))
    }
}

/// Noise that remembers: an Ornstein-Uhlenbeck process around zero, exact for any time step.
#[derive(Clone, Debug)]
pub(super) struct Drift {
    level: f64,
    deviation: f64,
    memory_s: f64,
}

impl Drift {
    /// Noise of this standard deviation whose correlation falls to 1/e within `memory_s`.
    pub(super) fn new(deviation: f64, memory_s: f64) -> Self {
        Self { level: 0.0, deviation, memory_s }
    }

    /// The level `elapsed_s` later.
    pub(super) fn advance(&mut self, elapsed_s: f64, rng: &mut impl Rng) -> f64 {
        let keep = (-elapsed_s / self.memory_s).exp();
        let shock: f64 = rng.sample(StandardNormal);
        self.level = self.level * keep + self.deviation * (1.0 - keep * keep).sqrt() * shock;
        self.level
    }
}

/// Short rushes of traffic that come at random and fade.
#[derive(Clone, Debug)]
pub(super) struct Bursts {
    level: f64,
    next_in_s: f64,
}

impl Bursts {
    const MEAN_GAP_S: f64 = 3.0 * 3600.0;
    const FADE_S: f64 = 150.0;
    const MEAN_HEIGHT: f64 = 0.12;

    pub(super) fn new(rng: &mut impl Rng) -> Self {
        Self { level: 0.0, next_in_s: Self::MEAN_GAP_S * rng.sample::<f64, _>(Exp1) }
    }

    /// Extra load `elapsed_s` later, as a share of the present load.
    pub(super) fn advance(&mut self, elapsed_s: f64, rng: &mut impl Rng) -> f64 {
        self.level *= (-elapsed_s / Self::FADE_S).exp();
        self.next_in_s -= elapsed_s;
        if self.next_in_s <= 0.0 {
            // Half fixed, half random: a burst is seen, and its height has a bound.
            self.level += Self::MEAN_HEIGHT * (0.5 + rng.random::<f64>());
            self.next_in_s = Self::MEAN_GAP_S * rng.sample::<f64, _>(Exp1);
        }
        self.level
    }
}

/// The nightly backup: reads the disk and sends it away, at the same time every night.
#[derive(Clone, Debug)]
pub(super) struct NightlyJob {
    /// Second of the day at which it begins.
    pub(super) start_s: f64,
    /// Seconds it takes.
    pub(super) length_s: f64,
}

impl NightlyJob {
    const RAMP_S: f64 = 60.0;

    /// How hard it works, from 0 to 1; rises and falls within a minute.
    pub(super) fn intensity(&self, at: TimestampMs) -> f64 {
        let into = (second_of_day(at) - self.start_s).rem_euclid(DAY_S);
        (into / Self::RAMP_S).min((self.length_s - into) / Self::RAMP_S).clamp(0.0, 1.0)
    }

    /// Whether it begins after `earlier` and not after `at`.
    pub(super) fn begins_between(&self, earlier: TimestampMs, at: TimestampMs) -> bool {
        let night = |t: TimestampMs| ((t.seconds() - self.start_s) / DAY_S).floor();
        night(earlier) < night(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    const MONDAY: TimestampMs = TimestampMs(1_767_571_200_000);

    fn hour(n: f64) -> TimestampMs {
        MONDAY.plus_ms((n * 3_600_000.0) as i64)
    }

    #[test]
    fn the_fifth_of_january_2026_is_a_monday() {
        assert_eq!(weekday(MONDAY), 0);
        assert_eq!(weekday(hour(5.0 * 24.0 + 1.0)), 5);
        assert_eq!(weekday(TimestampMs(0)), 3);
    }

    #[test]
    fn load_is_highest_at_the_peak_hour_and_lower_at_night_and_at_the_weekend() {
        let rhythm = Rhythm { peak_hour: 14.0, peak: 0.5, night: 0.2, weekend: 0.7 };
        assert!((rhythm.at(hour(14.0)) - 0.5).abs() < 1e-9);
        assert!(rhythm.at(hour(2.0)) < 0.2);
        assert!((rhythm.at(hour(5.0 * 24.0 + 14.0)) - 0.35).abs() < 1e-9);
    }

    /// The stationary deviation is the one asked for, whatever the step.
    #[test]
    fn drift_has_the_deviation_asked_for() {
        for step_s in [1.0, 30.0, 1000.0] {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
            let mut drift = Drift::new(2.0, 60.0);
            let n = 200_000;
            let sum_of_squares: f64 = (0..n).map(|_| drift.advance(step_s, &mut rng).powi(2)).sum();
            let deviation = (sum_of_squares / f64::from(n)).sqrt();
            // 200,000 steps of one second hold about 1,700 independent ones: 6 % is beyond three sigma.
            assert!((deviation - 2.0).abs() < 0.12, "step {step_s}: {deviation}");
        }
    }

    #[test]
    fn the_job_runs_once_a_night() {
        let job = NightlyJob { start_s: 2.0 * 3600.0, length_s: 1200.0 };
        assert_eq!(job.intensity(hour(1.99)), 0.0);
        assert_eq!(job.intensity(hour(2.1)), 1.0);
        assert_eq!(job.intensity(hour(2.5)), 0.0);
        assert!(job.begins_between(hour(1.99), hour(2.0)));
        assert!(!job.begins_between(hour(2.0), hour(25.9)));
        assert!(job.begins_between(hour(2.0), hour(26.0)));
    }
}
