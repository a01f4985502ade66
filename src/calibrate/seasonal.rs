//! How rare it is that something is unusual for its hour.
//!
//! A handful of days cannot tell how far out the tail of an hour goes. But all hours of an entity together can tell how
//! often one of them is how unusual: each was judged by days that were over before it, so these are honest figures. Kept
//! is the largest deviation of each of the last 336 hours, two weeks; above the outermost twentieth an exponential tail
//! goes on. An entity without a rhythm, whose hours are often unusual, must so show more than one that runs like clockwork,
//! and one with many features more than one with few.
//!
//! A week of hours is listened to before anything is said. Then nothing is rarer than 1 / (50 n) after n hours, as of
//! [`super::Tail`]: one in 17,000. A share of hours is no less than the share of steps, so nothing is said to be rarer than
//! it is.
//!
//! Two tests are one too many: a model speaks of every step already. So that a score goes on being a rarity, seasonal
//! probabilities are multiplied by three. A score that stands for one step in 1,000 is then reached in 1,000 steps once by
//! the model and a third of a time by the season: a third more than promised at the most, and the model's own scores do
//! not change.

use crate::series::TimestampMs;
use std::collections::VecDeque;

/// How often the season may be wrong for each time that the model may.
const SHARE: f64 = 1.0 / 3.0;

const HOUR_MS: i64 = 3_600_000;

/// Hours remembered.
const MEMORY: usize = 14 * 24;

/// Hours listened to before anything is said.
const MIN_HOURS: usize = 7 * 24;

/// Part of the hours that the tail is drawn from.
const TAIL_SHARE: f64 = 0.05;

/// The least mean excess of the tail: clockwork is not believed to be exact.
const MIN_EXCESS: f64 = 1.0;

/// After n hours nothing is rarer than 1 / (REACH n).
const REACH: f64 = 50.0;

/// How unusual the hours of one entity were.
#[derive(Clone, Debug, Default)]
pub struct SeasonalRarity {
    /// Largest deviation of each hour, the newest last.
    hours: VecDeque<f32>,
    /// The hour under way, and its largest deviation.
    under_way: Option<(i64, f32)>,
    tail: Option<Excesses>,
}

/// The outermost twentieth of the hours.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Excesses {
    threshold: f64,
    mean: f64,
    floor: f64,
}

// === impl SeasonalRarity ===

impl SeasonalRarity {
    /// Takes in that the features were at most `deviation` units outside of what is usual at the step `at`; gives the
    /// probability of an hour with so much, multiplied for standing beside the model's. 1 while too little is known.
    ///
    /// Steps come in ascending order; what is not a number counts as no deviation.
    pub fn judge(&mut self, deviation: f64, at: TimestampMs) -> f64 {
        let (hour, worst) = (at.0.div_euclid(HOUR_MS), deviation.max(0.0) as f32);
        match &mut self.under_way {
            Some((now, so_far)) if *now == hour => *so_far = so_far.max(worst),
            under_way => {
                if let Some((_, over)) = under_way.replace((hour, worst)) {
                    self.remember(over);
                }
            }
        }
        let p = self.tail.map_or(1.0, |tail| tail.probability(deviation));
        (p / SHARE).min(1.0)
    }

    /// Bytes that it takes once the memory is full.
    #[must_use]
    pub const fn bytes() -> usize {
        size_of::<Self>() + MEMORY * size_of::<f32>()
    }

    fn remember(&mut self, worst: f32) {
        if self.hours.len() == MEMORY {
            self.hours.pop_front();
        }
        self.hours.push_back(worst);
        self.tail = (self.hours.len() >= MIN_HOURS).then(|| Excesses::of(&self.hours));
    }
}

// === impl Excesses ===

impl Excesses {
    fn of(hours: &VecDeque<f32>) -> Self {
        let mut worst: Vec<f32> = hours.iter().copied().collect();
        let above = (worst.len() as f64 * TAIL_SHARE).ceil() as usize;
        let (tail, threshold, _) = worst.select_nth_unstable_by(above, |a, b| b.total_cmp(a));
        let threshold = f64::from(*threshold);
        // Sorted, so that the sum does not depend on how the choice was made.
        tail.sort_unstable_by(f32::total_cmp);
        let excess: f64 = tail.iter().map(|worst| f64::from(*worst) - threshold).sum();
        let mean = (excess / above as f64).max(MIN_EXCESS);
        Self { threshold, mean, floor: 1.0 / (REACH * hours.len() as f64) }
    }

    fn probability(&self, deviation: f64) -> f64 {
        if deviation > self.threshold {
            (TAIL_SHARE * ((self.threshold - deviation) / self.mean).exp()).max(self.floor)
        } else {
            1.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After hours of these deviations, each seen twice an hour.
    fn after(hours: impl Iterator<Item = f64>) -> (SeasonalRarity, TimestampMs) {
        let (mut rarity, mut at) = (SeasonalRarity::default(), TimestampMs(0));
        for deviation in hours {
            for deviation in [deviation, 0.0] {
                rarity.judge(deviation, at);
                at = at.plus_ms(HOUR_MS / 2);
            }
        }
        (rarity, at)
    }

    /// Of 400 hours without any deviation the last 336 count. 0.05 e^-5 = 0.000337, times three; the floor is one in
    /// 16,800, times three.
    #[test]
    fn clockwork_makes_a_small_deviation_rare() {
        let (mut rarity, at) = after((0..400).map(|_| 0.0));
        assert!((rarity.judge(5.0, at) - 0.001_011).abs() < 1e-6);
        assert!((rarity.judge(1e9, at) - 3.0 / 16_800.0).abs() < 1e-12);
        assert_eq!([rarity.judge(0.0, at), rarity.judge(f64::NAN, at)], [1.0, 1.0]);
    }

    #[test]
    fn nothing_is_said_for_a_week() {
        let (mut young, at) = after((0..167).map(|_| 0.0));
        assert_eq!(young.judge(1e9, at), 1.0);
        // With this hour there are as many as it takes.
        assert!(young.judge(1e9, at.plus_ms(HOUR_MS)) < 0.001);
    }

    /// An entity that is often unusual for its hours has no rhythm: it must show more. Of 340 hours the last 336 hold 34
    /// of 30 units; the outermost twentieth, 17, is among them.
    #[test]
    fn what_is_often_unusual_is_not_rare() {
        let (mut restless, at) = after((0..340).map(|hour| if hour % 10 == 0 { 30.0 } else { 0.0 }));
        assert_eq!(restless.judge(30.0, at), 1.0);
        assert!((restless.judge(31.0, at) - 0.15 / std::f64::consts::E).abs() < 1e-9);
    }
}
