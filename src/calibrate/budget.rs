//! An alert budget: how many alarms of ordinary operation an entity may raise, and the thresholds that follow.
//!
//! A score is a rarity: under normal operation a step reaches the score s with probability p = 10^(-6 s). A period of
//! N steps then has N p such steps on average, however they cluster. An alarm needs at least n of them for itself
//! ([`CheckedPersistence::least_steps`]), so there are at most N p / n alarms on average, and p = B n / N keeps a
//! budget of B. Where strange steps come alone the alarms are far fewer than that: it is a bound, not a forecast.
//!
//! The promise is as good as the calibration's, and it is about normal operation: incidents and limits count extra.

use super::{AnomalyScore, CheckedPersistence, InvalidThresholds, Severity, Thresholds};
use std::time::Duration;

/// The rarest that a score can say: a probability of 10^-6 is a score of 1.
const RAREST: f64 = 1e-6;

/// So many alarms of one entity in so much time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlarmRate {
    /// How many; above 0.
    pub alarms: f64,
    /// In which time; above 0.
    pub period: Duration,
}

/// Alarms that one entity may raise in normal operation, at most, on average; none where nothing is promised.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// Of severity medium or high.
    pub medium: Option<AlarmRate>,
    /// Of severity high.
    pub high: Option<AlarmRate>,
}

/// Why a budget cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BudgetError {
    /// A rate is none.
    #[error("{alarms} in {period:?} is no rate of alarms")]
    Rate {
        /// How many.
        alarms: f64,
        /// In which time.
        period: Duration,
    },
    /// No score is as rare as the budget asks.
    #[error(
        "severity {severity} would begin at 1 in {one_in:.0} steps, and a score says at most 1 in 1000000"
    )]
    TooRare {
        /// The severity that is to be kept rare.
        severity: Severity,
        /// How rare its threshold would be.
        one_in: f64,
    },
    /// The thresholds that follow do not ascend.
    #[error("the budget gives {0}")]
    Order(#[from] InvalidThresholds),
}

// === impl Budget ===

impl Budget {
    /// Whether nothing is promised.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The thresholds that keep the budget: never below `configured`.
    ///
    /// # Errors
    /// When a rate is none, asks for more than a score can say, or lifts medium to where high begins.
    pub fn thresholds(
        &self,
        configured: Thresholds,
        persistence: CheckedPersistence,
        step: Duration,
    ) -> Result<Thresholds, BudgetError> {
        let of = |severity, rate: Option<AlarmRate>| match rate {
            Some(rate) => threshold(severity, rate, persistence, step),
            None => Ok(0.0),
        };
        let medium = configured.of(Severity::Medium).max(of(Severity::Medium, self.medium)?);
        let high = configured.of(Severity::High).max(of(Severity::High, self.high)?);
        Ok(Thresholds::new(configured.of(Severity::Low), medium, high)?)
    }
}

/// The score that is reached so rarely that the rate is kept.
fn threshold(
    severity: Severity,
    rate: AlarmRate,
    persistence: CheckedPersistence,
    step: Duration,
) -> Result<f64, BudgetError> {
    let AlarmRate { alarms, period } = rate;
    let steps = period.as_secs_f64() / step.as_secs_f64();
    let p = alarms * persistence.least_steps() as f64 / steps;
    if !(p > 0.0 && p.is_finite()) {
        return Err(BudgetError::Rate { alarms, period });
    }
    if p < RAREST {
        return Err(BudgetError::TooRare { severity, one_in: 1.0 / p });
    }
    Ok(AnomalyScore::from_tail_probability(p).value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        calibrate::{Persistence, SeverityTracker},
        series::TimestampMs,
    };
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);
    const WEEK: Duration = Duration::from_secs(7 * 86_400);

    fn budget(medium: Option<(f64, Duration)>, high: Option<(f64, Duration)>) -> Budget {
        let rate = |(alarms, period)| AlarmRate { alarms, period };
        Budget { medium: medium.map(rate), high: high.map(rate) }
    }

    /// At a step of a minute a week has 10,080 steps; one alarm takes three: p = 3 / 10,080 = 2.976e-4, and
    /// -log10(p) / 6 = 0.5877. A day has 1,440: p = 2.083e-3, 0.4469.
    #[test]
    fn thresholds_by_hand() {
        let least = Thresholds::new(0.1, 0.2, 0.3).unwrap();
        let persistence = Persistence { n: 3, m: 5, ..Persistence::default() }.check().unwrap();
        let of = |budget: Budget, configured| {
            let thresholds = budget.thresholds(configured, persistence, MINUTE).unwrap();
            [Severity::Low, Severity::Medium, Severity::High]
                .map(|level| (thresholds.of(level) * 1e4).round())
        };
        let both = budget(Some((1.0, DAY)), Some((1.0, WEEK)));
        assert_eq!(of(both, least), [1000.0, 4469.0, 5877.0]);
        assert_eq!(
            of(both, Thresholds::default()),
            [3500.0, 4469.0, 8000.0],
            "never below what is configured"
        );
        assert_eq!(of(Budget::default(), least), [1000.0, 2000.0, 3000.0]);
        assert_eq!(of(budget(Some((5000.0, DAY)), None), least), [1000.0, 2000.0, 3000.0], "ten a step");
    }

    #[test]
    fn what_cannot_be_promised_is_refused() {
        let refuse = |budget: Budget| {
            budget.thresholds(Thresholds::default(), CheckedPersistence::default(), MINUTE).unwrap_err()
        };
        // 10 years of 525,600 steps, 3 steps an alarm.
        let decade = refuse(budget(None, Some((1.0, DAY * 3650))));
        assert!(matches!(decade, BudgetError::TooRare { severity: Severity::High, .. }), "{decade}");
        assert!(matches!(refuse(budget(Some((1.0, DAY * 365)), None)), BudgetError::Order(_)));
        for (alarms, period) in [(0.0, DAY), (-1.0, DAY), (f64::NAN, DAY), (1.0, Duration::ZERO)] {
            let rate = refuse(budget(None, Some((alarms, period))));
            assert!(matches!(rate, BudgetError::Rate { .. }), "{rate}");
        }
    }

    /// 200 weeks of an entity whose scores are as rare as they say and come in clusters (a step repeats the one
    /// before it with probability `repeat`): alarms of each severity.
    fn alarms(repeat: f64, thresholds: Thresholds, seed: u64) -> [f64; 2] {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut tracker = SeverityTracker::new(thresholds, CheckedPersistence::default());
        let (mut p, mut before, mut alarms) = (1.0, Severity::Normal, [0.0; 2]);
        for step in 0..200 * 2016 {
            if rng.random::<f64>() >= repeat {
                p = rng.random::<f64>();
            }
            let score = AnomalyScore::from_tail_probability(p);
            let severity = tracker.update(Some(score), TimestampMs(step));
            for (alarms, level) in alarms.iter_mut().zip([Severity::Medium, Severity::High]) {
                *alarms += f64::from(u8::from(before < level && severity >= level));
            }
            before = severity;
        }
        alarms
    }

    #[test]
    fn two_hundred_weeks_of_normal_operation_stay_within_the_budget() {
        let configured = Thresholds::new(0.01, 0.02, 0.03).unwrap();
        let step = Duration::from_secs(300);
        let thresholds = budget(Some((1.0, DAY)), Some((1.0, WEEK)))
            .thresholds(configured, CheckedPersistence::default(), step)
            .unwrap();
        for (seed, repeat) in [(1, 0.0), (2, 0.5), (3, 0.7), (4, 0.9), (5, 0.99)] {
            let [medium, high] = alarms(repeat, thresholds, seed);
            assert!(medium <= 1400.0 && high <= 200.0, "{repeat}: {medium} medium, {high} high");
        }
        // The bound is no empty one: in clusters of three to four steps half of it is used.
        let [medium, high] = alarms(0.7, thresholds, 3);
        assert!(medium > 300.0 && high > 40.0, "{medium} medium, {high} high");
    }

    proptest! {
        /// For all scores and settings, every alarm has at least so many steps for itself.
        #[test]
        fn an_alarm_needs_its_least_steps(
            (n, more, carry, clear_after) in (1_usize..5, 0_usize..6, 0_usize..5, 1_usize..6),
            scores in prop::collection::vec(prop::bool::weighted(0.4), 1..200),
        ) {
            let settings = Persistence { n, m: n + more, carry, clear_after, margin: 0.0 };
            let persistence = settings.check().unwrap();
            let mut tracker = SeverityTracker::new(Thresholds::default(), persistence);
            let (mut before, mut alarms, mut reached) = (Severity::Normal, 0, 0);
            for (step, strange) in scores.into_iter().enumerate() {
                let score = AnomalyScore::from_tail_probability(if strange { 1e-6 } else { 1.0 });
                let severity = tracker.update(Some(score), TimestampMs(step as i64));
                alarms += usize::from(before < Severity::High && severity == Severity::High);
                reached += usize::from(strange);
                before = severity;
            }
            prop_assert!(alarms * persistence.least_steps() <= reached, "{alarms} alarms of {reached} steps");
        }
    }
}
