//! Severity over time: persistence on the way in, hysteresis on the way out.
//!
//! A level is **entered** when `n` of the last `m` steps reached its threshold. Where features look back, as rates do, one odd
//! scrape is seen at several steps, which say no more than one: `carry` more of both are asked for then, but of steps that are
//! sure by themselves, because their score is a high one or a limit was passed. A level is **held** until `clear_after` steps
//! in a row stayed below its threshold minus `margin`. The severity of a step is the highest level that is entered or held. So
//! - one strange step alone raises nothing (with n > 1), and a gap in a strange episode ends nothing;
//! - a level once entered lasts at least `clear_after` steps;
//! - leaving a high level does not end the episode: the lower levels are held on their own terms.
//!
//! A step that is excused from a level does not help to enter it, and holds it where it stands.
//!
//! A step without a score counts as below every threshold: it supports nothing, and an entity that falls
//! silent is normal again after `clear_after` steps. (That it is silent is not for a score to say.)

use std::collections::VecDeque;

use super::{AnomalyScore, Severity, Thresholds};
use crate::series::TimestampMs;

/// The most steps a tracker remembers.
const MAX_STEPS: usize = 1000;

/// When levels are entered and left, as written by a person; [`Persistence::check`] it to use it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Persistence {
    /// Steps that must reach a threshold ...
    pub n: usize,
    /// ... among this many last ones.
    pub m: usize,
    /// Steps at which one scrape is seen again after its own: of the range of a rate all but the first.
    pub carry: usize,
    /// Steps in a row that end a level.
    pub clear_after: usize,
    /// How far below the threshold a step must be to help ending a level.
    pub margin: f64,
}

/// A [`Persistence`] with `1 <= n <= m <= 1000`, `carry <= 1000`, `1 <= clear_after <= 1000`, `0 <= margin <= 1`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CheckedPersistence(Persistence);

/// Why a persistence cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum InvalidPersistence {
    /// `n` of `m` is no choice.
    #[error("{n} of {m} steps: must be 1 <= n <= m <= {MAX_STEPS}")]
    Steps {
        /// Steps that must reach the threshold.
        n: usize,
        /// Steps looked at.
        m: usize,
    },
    /// A level would hardly ever begin.
    #[error("carry is {given} steps, must be at most {MAX_STEPS}")]
    Carry {
        /// The setting.
        given: usize,
    },
    /// A level would never end, or before it began.
    #[error("clear_after is {given}, must be within 1 to {MAX_STEPS}")]
    ClearAfter {
        /// The setting.
        given: usize,
    },
    /// The margin is not a distance of scores.
    #[error("margin is {given}, must be within 0 to 1")]
    Margin {
        /// The setting.
        given: f64,
    },
}

/// The state of one entity and detector.
#[derive(Clone, Debug)]
pub struct SeverityTracker {
    thresholds: Thresholds,
    persistence: Persistence,
    /// The last steps, oldest first; at most [`Persistence::memory_steps`].
    steps: VecDeque<Step>,
    severity: Severity,
    /// First step of the present episode; none while normal.
    since: Option<TimestampMs>,
    /// Invariant: stands exactly while `since` does.
    peak: Option<Peak>,
}

/// The strangest step of an episode, of equal ones the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// The step.
    pub at: TimestampMs,
    /// Its score.
    pub score: AnomalyScore,
}

/// What a step of an entity says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepEvidence {
    /// None when the entity has none at that step.
    pub score: Option<AnomalyScore>,
    /// The level that it reaches whatever its score is, and surely: that of a limit that was passed.
    pub sure: Severity,
    /// The highest level that it may help to enter, now or later. A higher level that stands is held by its score: what was
    /// severe before is not made harmless.
    pub most: Severity,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    at: TimestampMs,
    evidence: StepEvidence,
}

// === impl Persistence ===

/// 2 of 3 steps to enter, none of which sees what another saw; 3 in a row to leave; the margin of 0.05 is half of a factor of
/// two in rarity.
impl Default for Persistence {
    fn default() -> Self {
        Self { n: 2, m: 3, carry: 0, clear_after: 3, margin: 0.05 }
    }
}

impl Persistence {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The first setting that is out of its range.
    pub fn check(self) -> Result<CheckedPersistence, InvalidPersistence> {
        let Self { n, m, carry, clear_after, margin } = self;
        if n < 1 || n > m || m > MAX_STEPS {
            return Err(InvalidPersistence::Steps { n, m });
        }
        if carry > MAX_STEPS {
            return Err(InvalidPersistence::Carry { given: carry });
        }
        if !(1..=MAX_STEPS).contains(&clear_after) {
            return Err(InvalidPersistence::ClearAfter { given: clear_after });
        }
        if !(0.0..=1.0).contains(&margin) {
            return Err(InvalidPersistence::Margin { given: margin });
        }
        Ok(CheckedPersistence(self))
    }

    /// So many of so many last steps enter a level, where none of them is sure.
    #[must_use]
    pub fn to_enter(self) -> (usize, usize) {
        (self.n.saturating_add(self.carry), self.m.saturating_add(self.carry))
    }

    /// Steps after which a score is forgotten: nothing that lies further back bears on a severity.
    #[must_use]
    pub fn memory_steps(self) -> usize {
        self.to_enter().1.max(self.clear_after)
    }
}

// === impl CheckedPersistence ===

impl CheckedPersistence {
    /// The default for features that see one scrape at so many steps after its own; at most at 1,000.
    #[must_use]
    pub fn carrying(steps: usize) -> Self {
        Self(Persistence { carry: steps.min(MAX_STEPS), ..Persistence::default() })
    }

    /// What it says.
    #[must_use]
    pub fn get(self) -> Persistence {
        self.0
    }

    /// The fewest steps that reach a level and belong to one alarm of it alone.
    ///
    /// That is `n`, where no step can count for two alarms: between them lie `clear_after` quiet steps, so `m` steps
    /// that see both sides of these hold at most `m - clear_after` others, which is to be less than `n`.
    #[must_use]
    pub fn least_steps(self) -> usize {
        let Self(Persistence { n, m, clear_after, .. }) = self;
        if m < n + clear_after { n } else { 1 }
    }
}

// === impl SeverityTracker ===

impl SeverityTracker {
    /// An entity without a past: normal.
    #[must_use]
    pub fn new(thresholds: Thresholds, persistence: CheckedPersistence) -> Self {
        let CheckedPersistence(persistence) = persistence;
        let (steps, severity) = (VecDeque::new(), Severity::Normal);
        Self { thresholds, persistence, steps, severity, since: None, peak: None }
    }

    /// Takes the score of the step `at` (none when the entity has none at that step); gives the severity of
    /// that step. Steps come in order; one that is not after the last changes nothing.
    ///
    /// The tracker knows no step length: a caller whose entity skipped steps reports them as missing.
    pub fn update(&mut self, score: Option<AnomalyScore>, at: TimestampMs) -> Severity {
        self.take(StepEvidence { score, sure: Severity::Normal, most: Severity::High }, at)
    }

    /// The same of a step with more to say than its score.
    pub fn take(&mut self, evidence: StepEvidence, at: TimestampMs) -> Severity {
        if self.steps.back().is_some_and(|last| at <= last.at) {
            return self.severity;
        }
        if self.steps.len() == self.persistence.memory_steps() {
            self.steps.pop_front();
        }
        self.steps.push_back(Step { at, evidence });
        let severity = Severity::LEVELS
            .into_iter()
            .rev()
            .find(|&level| self.enters(level) || (level <= self.severity && self.holds(level)))
            .unwrap_or_default();
        self.since = match severity {
            Severity::Normal => None,
            level => self.since.or_else(|| self.first_support(level)),
        };
        self.severity = severity;
        self.peak = self.since.and_then(|since| self.peak_from(since));
        severity
    }

    /// Bytes that it takes, with as many steps as it remembers.
    #[must_use]
    pub fn bytes(persistence: CheckedPersistence) -> usize {
        size_of::<Self>() + persistence.get().memory_steps() * size_of::<Step>()
    }

    /// The severity of the last step.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// When the present episode began: the first of the steps that made it leave normal. None while
    /// normal. Going from one level to another does not begin a new episode.
    #[must_use]
    pub fn since(&self) -> Option<TimestampMs> {
        self.since
    }

    /// The strangest step of the present episode, those before it was found out included. None while normal.
    #[must_use]
    pub fn peak(&self) -> Option<Peak> {
        self.peak
    }

    /// The peak of the remembered steps from `since` on, or the one before it.
    fn peak_from(&self, since: TimestampMs) -> Option<Peak> {
        let remembered = self.steps.iter().filter(|step| step.at >= since);
        let scored =
            remembered.filter_map(|step| step.evidence.score.map(|score| Peak { at: step.at, score }));
        let stranger = |peak: Option<Peak>, step: Peak| match peak {
            Some(peak) if peak.score.value() >= step.score.value() => Some(peak),
            _ => Some(step),
        };
        scored.fold(self.peak, stranger)
    }

    /// Whether enough of the last steps reached the level: more of them where not all are sure.
    fn enters(&self, level: Severity) -> bool {
        let (threshold, high) = (self.thresholds.of(level), self.thresholds.of(Severity::High));
        let reached = |step: &&Step| step.evidence.most >= level && step.reached(threshold);
        let surely = |step: &&Step| step.evidence.sure >= level || step.reached(high);
        let Persistence { n, m, .. } = self.persistence;
        let (n_carried, m_carried) = self.persistence.to_enter();
        self.last(m).filter(reached).filter(surely).count() >= n
            || self.last(m_carried).filter(reached).count() >= n_carried
    }

    /// Whether one of the last `clear_after` steps was not clearly below the level.
    fn holds(&self, level: Severity) -> bool {
        let threshold = self.thresholds.of(level) - self.persistence.margin;
        self.last(self.persistence.clear_after).any(|step| step.reached(threshold))
    }

    /// The oldest of the last steps that bear on entering the level and reached it.
    fn first_support(&self, level: Severity) -> Option<TimestampMs> {
        let threshold = self.thresholds.of(level);
        self.last(self.persistence.to_enter().1)
            .filter(|step| step.reached(threshold))
            .last()
            .map(|step| step.at)
    }

    /// The last steps, newest first.
    fn last(&self, count: usize) -> impl Iterator<Item = &Step> {
        self.steps.iter().rev().take(count)
    }
}

// === impl Step ===

impl Step {
    fn reached(&self, threshold: f64) -> bool {
        self.evidence.score.is_some_and(|score| score.value() >= threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Two of three steps enter, three in a row leave: what is excused enters nothing, also after the last excused step, and holds.
    #[test]
    fn an_excused_step_enters_no_level_and_holds_what_stands() {
        let mut tracker = SeverityTracker::new(Thresholds::default(), CheckedPersistence::default());
        let mut update = |at: i64, most| {
            tracker.take(StepEvidence { score: score(0.9), sure: Severity::Normal, most }, TimestampMs(at))
        };
        let excused: Vec<Severity> = (0..5).map(|at| update(at, Severity::Low)).collect();
        assert_eq!(excused, [&[Severity::Normal][..], &[Severity::Low; 4]].concat());
        assert_eq!(update(5, Severity::High), Severity::Low);
        assert_eq!(update(6, Severity::High), Severity::High);
        assert!((7..20).all(|at| update(at, Severity::Low) == Severity::High));
        assert_eq!(tracker.since(), Some(TimestampMs(0)));
        assert_eq!(
            tracker.update(score(0.1), TimestampMs(20)),
            Severity::High,
            "it takes three steps to end"
        );
    }

    fn score(value: f64) -> Option<AnomalyScore> {
        Some(AnomalyScore::from_tail_probability(10.0_f64.powf(-6.0 * value)))
    }

    /// Runs scores in hundredths, one a minute, none for a missing step; gives the severities.
    fn run(tracker: &mut SeverityTracker, scores: &[Option<u8>]) -> Vec<u8> {
        let step = |(i, s): (usize, &Option<u8>)| {
            let at = TimestampMs(60_000 * (i as i64 + 1));
            tracker.update(s.and_then(|s| score(f64::from(s) / 100.0)), at).number()
        };
        scores.iter().enumerate().map(step).collect()
    }

    /// A severity needs three of the last five steps.
    fn tracker() -> SeverityTracker {
        let persistence = Persistence { n: 3, m: 5, ..Persistence::default() };
        SeverityTracker::new(Thresholds::default(), persistence.check().unwrap())
    }

    #[test]
    fn three_of_five_steps_enter_and_three_in_a_row_leave() {
        let scores = [90, 10, 90, 10, 90, 10, 10, 90, 10, 10, 10, 10].map(Some);
        let mut tracker = tracker();
        assert_eq!(run(&mut tracker, &scores[..8]), [0, 0, 0, 0, 3, 3, 3, 3]);
        assert_eq!(tracker.since(), Some(TimestampMs(60_000)));
        assert_eq!(run(&mut self::tracker(), &scores), [0, 0, 0, 0, 3, 3, 3, 3, 3, 3, 0, 0]);
    }

    /// 0.77 is within the margin of high, 0.5 is clearly below it but still medium.
    #[test]
    fn levels_are_left_one_by_one() {
        let scores = [85, 85, 85, 77, 77, 77, 50, 50, 50, 37, 37, 37, 29, 29, 29].map(Some);
        let mut tracker = tracker();
        let seen = run(&mut tracker, &scores);
        assert_eq!(seen, [0, 0, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 0]);
        assert_eq!(tracker.since(), None);
    }

    /// At a step of a minute a rate over five sees one odd scrape five times: nobody is told. Six steps tell of two.
    #[test]
    fn what_features_carry_on_counts_once() {
        let persistence = Persistence { carry: 4, ..Persistence::default() };
        let tracker = || SeverityTracker::new(Thresholds::default(), persistence.check().unwrap());
        let odd = |count| [vec![Some(50); count], vec![Some(10); 4]].concat();
        assert!(run(&mut tracker(), &odd(5)).iter().all(|severity| *severity == 0));
        let mut told = tracker();
        assert_eq!(run(&mut told, &odd(6)[..6]), [0, 0, 0, 0, 0, 2]);
        assert_eq!(told.since(), Some(TimestampMs(60_000)));
        // One step of seven may be calm.
        let scores = [50, 50, 50, 10, 50, 50, 50].map(Some);
        assert_eq!(run(&mut tracker(), &scores), [0, 0, 0, 0, 0, 0, 2]);
        // What is high is sure, whatever level it helps to enter.
        assert_eq!(run(&mut tracker(), &[Some(90), Some(85)]), [0, 3]);
    }

    #[test]
    fn a_limit_is_sure() {
        let persistence = Persistence { carry: 4, ..Persistence::default() };
        let mut tracker = SeverityTracker::new(Thresholds::default(), persistence.check().unwrap());
        let passed = StepEvidence { score: score(0.5), sure: Severity::Medium, most: Severity::High };
        assert_eq!(tracker.take(passed, TimestampMs(0)), Severity::Normal);
        assert_eq!(tracker.take(passed, TimestampMs(1)), Severity::Medium);
    }

    #[test]
    fn an_entity_that_falls_silent_is_normal_again() {
        let scores = [Some(90), Some(90), None, Some(90), None, None, None, Some(90)];
        assert_eq!(run(&mut tracker(), &scores), [0, 0, 0, 3, 3, 3, 0, 0]);
    }

    #[test]
    fn a_step_that_is_not_new_changes_nothing() {
        let mut tracker = tracker();
        for _ in 0..5 {
            assert_eq!(tracker.update(score(0.9), TimestampMs(60_000)), Severity::Normal);
        }
    }

    #[test]
    fn ranges_are_checked() {
        let check = |n, m, clear_after, margin| Persistence { n, m, carry: 0, clear_after, margin }.check();
        assert!(check(1, 1, 1, 0.0).is_ok());
        assert_eq!(check(4, 3, 3, 0.0), Err(InvalidPersistence::Steps { n: 4, m: 3 }));
        assert_eq!(check(0, 3, 3, 0.0), Err(InvalidPersistence::Steps { n: 0, m: 3 }));
        assert_eq!(check(1, 3, 0, 0.0), Err(InvalidPersistence::ClearAfter { given: 0 }));
        assert_eq!(check(1, 3, 3, -0.1), Err(InvalidPersistence::Margin { given: -0.1 }));
    }

    fn any_persistence() -> impl Strategy<Value = Persistence> {
        (1_usize..5, 0_usize..4, 0_usize..4, 1_usize..6, 0.0..0.2).prop_map(
            |(n, more, carry, clear_after, margin)| Persistence {
                n,
                m: n + more,
                carry,
                clear_after,
                margin,
            },
        )
    }

    proptest! {
        /// For all scores and settings, raising scores (as limits do) never lowers a severity.
        #[test]
        fn higher_scores_are_never_less_severe(
            persistence in any_persistence(),
            scores in prop::collection::vec((0_u8..=100, prop::option::weighted(0.3, 0_u8..=100)), 1..80),
        ) {
            let checked = persistence.check().unwrap();
            let new = || SeverityTracker::new(Thresholds::default(), checked);
            let (mut plain, mut raised) = (new(), new());
            for (at, (value, least)) in scores.into_iter().enumerate() {
                let value = score(f64::from(value) / 100.0).unwrap();
                let higher = value.at_least(f64::from(least.unwrap_or(0)) / 100.0);
                let at = TimestampMs(at as i64);
                prop_assert!(plain.update(Some(value), at) <= raised.update(Some(higher), at));
            }
        }

        /// For all scores and settings, the severity rises only to what n of the last m steps reached,
        /// stays only where one of the last `clear_after` steps is not below the margin, a level
        /// once entered lasts `clear_after` steps, `since` stands exactly while not normal, and the peak is the highest
        /// score since then.
        #[test]
        fn severity_is_supported_and_does_not_flap(
            persistence in any_persistence(),
            scores in prop::collection::vec(prop::option::weighted(0.9, 0_u8..=100), 1..80),
        ) {
            let thresholds = Thresholds::default();
            let mut tracker = SeverityTracker::new(thresholds, persistence.check().unwrap());
            let Persistence { n, m, clear_after, margin, .. } = persistence;
            let (n_carried, m_carried) = persistence.to_enter();
            let scores: Vec<_> = scores.into_iter().map(|s| s.and_then(|s| score(f64::from(s) / 100.0))).collect();
            let value = |i: usize| scores[i].map_or(-1.0, AnomalyScore::value);
            let (mut previous, mut rises) = (Severity::Normal, Vec::new());
            for (i, &score) in scores.iter().enumerate() {
                let now = tracker.update(score, TimestampMs(i as i64));
                let last = |count: usize| (i + 1).saturating_sub(count)..i + 1;
                for level in Severity::LEVELS {
                    let reaches = |count, least: f64| last(count).filter(|&j| value(j) >= least).count();
                    let entered = reaches(m, thresholds.of(Severity::High)) >= n
                        || reaches(m_carried, thresholds.of(level)) >= n_carried;
                    let held = last(clear_after).any(|j| value(j) >= thresholds.of(level) - margin);
                    prop_assert!(now < level || entered || (previous >= level && held));
                    prop_assert!(now >= level || !entered);
                }
                if now > previous {
                    rises.push((i, now));
                }
                prop_assert!(rises.iter().all(|&(at, level)| i >= at + clear_after || now >= level));
                prop_assert_eq!(tracker.since().is_some(), now > Severity::Normal);
                let highest = |since: TimestampMs| (since.0 as usize..=i).map(value).fold(-1.0, f64::max);
                let of_episode = tracker.since().map(highest);
                prop_assert_eq!(tracker.peak().map(|peak| peak.score.value()), of_episode);
                previous = now;
            }
        }
    }
}
