//! How rare it is that something is unusual for its hour.
//!
//! A handful of days cannot tell how far out the tail of an hour goes, so its law is assumed, with a long tail: a value
//! d units outside of what is usual is taken to have probability e^-d. What the assumption is worth shows in the stream:
//! [`Recent`] remembers how often an entity was how unusual, at all hours together, and takes from the evidence what
//! turns out to be ordinary. Every step is judged by hours that were over before, so these are honest figures.
//!
//! Two tests are one too many: a model speaks of every step already. So that a score goes on being a rarity, seasonal
//! probabilities are multiplied by three. A score that stands for one step in 1,000 is then reached in 1,000 steps once by
//! the model and a third of a time by the season: a third more than promised at the most, and the model's own scores do
//! not change.

use super::{Memory, Recent};
use crate::series::TimestampMs;
use std::time::Duration;

/// How often the season may be wrong for each time that the model may.
const SHARE: f64 = 1.0 / 3.0;

/// What is usual at an hour follows the days by itself; how unusual hours are is remembered for longer.
const FADE: Duration = Duration::from_secs(14 * 86_400);

/// As of [`super::Tail`]: after n steps nothing is rarer than 1 / (REACH n).
const REACH: f64 = 50.0;

/// What one entity's hours are like.
#[derive(Clone, Debug)]
pub struct SeasonalRarity {
    recent: Recent,
    steps: u32,
}

// === impl SeasonalRarity ===

impl SeasonalRarity {
    /// Of an entity that was not seen yet, with steps of `step_ms`.
    #[must_use]
    pub fn new(step_ms: i64) -> Self {
        Self { recent: Recent::new(Memory::new(FADE, step_ms)), steps: 0 }
    }

    /// -log10 of the probability that the largest of `n` deviations is at least `deviation` units, by the assumed law.
    #[must_use]
    pub fn assumed(deviation: f64, n: usize) -> f64 {
        (deviation * std::f64::consts::LOG10_E - (n.max(1) as f64).log10()).max(0.0)
    }

    /// The probability that the largest of `n` deviations, in units outside of what is usual, is so large at a step of
    /// normal operation, multiplied for standing beside the model's. Then the step is remembered.
    pub fn judge(&mut self, deviation: f64, n: usize, at: TimestampMs) -> f64 {
        self.steps = self.steps.saturating_add(1);
        let most = (REACH * f64::from(self.steps)).log10();
        let evidence = self.recent.judge(Self::assumed(deviation, n).min(most), at);
        (10.0_f64.powf(-evidence) / SHARE).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn fresh() -> SeasonalRarity {
        SeasonalRarity::new(MINUTE)
    }

    /// e^-11.5 is one in 98,716; among ten features that is one in 9,872, and beside a model one in 3,291.
    #[test]
    fn probabilities_are_those_of_the_law_times_features_and_tests() {
        assert!((SeasonalRarity::assumed(11.5, 10) - 9_872.0_f64.log10()).abs() < 1e-3);
        let mut rarity = fresh();
        for step in 0..10_000 {
            rarity.judge(0.0, 10, TimestampMs(step * MINUTE));
        }
        let p = rarity.judge(11.5, 10, TimestampMs(10_000 * MINUTE));
        // The memory holds a little less than the law: nothing unusual was seen for a week.
        assert!((0.9..1.2).contains(&(p * 3_291.0)), "{p}");
    }

    #[test]
    fn a_young_entity_claims_no_more_than_its_steps_show() {
        // One in 50, times three.
        let p = fresh().judge(1e6, 1, TimestampMs(0));
        assert!((0.06..0.062).contains(&p), "{p}");
    }

    /// An entity that is often unusual for its hours has no rhythm: it must show more.
    #[test]
    fn what_is_often_unusual_is_not_rare() {
        let mut restless = fresh();
        let unusual = |step: i64| if step % 20 == 0 { 12.0 } else { 0.0 };
        for step in 0..10 * 1440 {
            restless.judge(unusual(step), 1, TimestampMs(step * MINUTE));
        }
        // One step in twenty of half of the memory, times three.
        assert!(restless.judge(12.0, 1, TimestampMs(14_400 * MINUTE)) > 0.05);
    }
}
