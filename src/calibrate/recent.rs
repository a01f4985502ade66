//! What has been ordinary of late: evidence judged against an entity's own recent past.
//!
//! A model knows what was ordinary when it was trained. Servers drift: after a release everything may lie a
//! little further out, and the tail of the training would call every step of the new normal an anomaly. So
//! each entity keeps, for each member of its model, a histogram of the evidence it was given lately, which
//! forgets exponentially; evidence counts only as far as it is rare there too. A lasting shift is said once
//! and not for ever, and a restless entity must show more than a quiet one.
//!
//! Evidence is -log10 of a tail probability, so under the law of the training the share of steps above e is
//! 10^-e: with that law, at the full weight of the memory, every histogram begins. It fades as steps come in.

use super::Tail;
use crate::series::TimestampMs;
use std::time::Duration;

/// Width of a cell in factors of ten.
const CELL: f64 = 0.1;

/// Cells: the last one takes everything from six factors of ten on.
const CELLS: usize = 60;

/// How often the memory fades and its tail is drawn anew, in data time.
const REFRESH_MS: i64 = 3_600_000;

/// Mean evidence above any point under the law of the training: log10(e).
const TRAINING_EXCESS: f64 = std::f64::consts::LOG10_E;

/// How long evidence is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Time after which evidence counts 1/e of what it did.
    fade: Duration,
    /// Distance of two steps in milliseconds.
    step_ms: i64,
}

/// The recent evidence of one entity and member.
#[derive(Clone, Debug)]
pub struct Recent {
    memory: Memory,
    /// How many steps of each cell's evidence, faded.
    counts: [f32; CELLS],
    /// Weight of the training's law, in steps, faded.
    training: f32,
    /// The refresh period the tail is of.
    period: i64,
    tail: RecentTail,
}

/// What [`Recent`] reads: drawn once a period, so that a step costs a lookup.
#[derive(Clone, Debug)]
struct RecentTail {
    /// Share of the memory at or above the lower edge of each cell.
    shares: [f32; CELLS],
    /// First edge with at most the tail's share above it.
    threshold: usize,
    /// Mean excess over it.
    excess: f64,
}

// === impl Memory ===

impl Memory {
    /// The memory that detectors have where nothing else is said: on three public sets of servers three days
    /// were as good as any from two to seven, and better than one or fifteen.
    pub const DEFAULT_FADE: Duration = Duration::from_secs(3 * 86_400);

    /// A memory that fades to 1/e in `fade`, for steps of `step_ms`.
    #[must_use]
    pub fn new(fade: Duration, step_ms: i64) -> Self {
        Self { fade, step_ms: step_ms.max(1) }
    }

    /// The length of `n` steps in milliseconds.
    #[must_use]
    pub fn steps_ms(self, n: usize) -> i64 {
        self.step_ms.saturating_mul(i64::try_from(n).unwrap_or(i64::MAX))
    }

    fn fade_ms(self) -> f64 {
        self.fade.as_secs_f64() * 1_000.0
    }
}

// === impl Recent ===

impl Recent {
    /// The memory of an entity that was not seen yet: the law of the training.
    #[must_use]
    pub fn new(memory: Memory) -> Self {
        let training = (memory.fade_ms() / memory.step_ms as f64).max(1.0) as f32;
        let counts = [0.0; CELLS];
        Self { memory, counts, training, period: i64::MIN, tail: RecentTail::draw(&counts, training) }
    }

    /// How rare `evidence` is at the step `at`, in the training and of late: `evidence` itself or less.
    ///
    /// Then it is remembered. Steps come in ascending order; what is not a number counts as no evidence.
    pub fn judge(&mut self, evidence: f64, at: TimestampMs) -> f64 {
        self.refresh(at);
        let evidence = evidence.max(0.0);
        let cell = (evidence / CELL) as usize;
        self.counts[cell.min(CELLS - 1)] += 1.0;
        evidence.min(self.tail.evidence(evidence))
    }

    /// The same memory for the steps of `memory`, where each of its own stood for several: what it weighs is counted in
    /// steps, and is never more than a memory that goes on for ever has.
    #[must_use]
    pub fn in_steps_of(mut self, memory: Memory) -> Self {
        let weight = f64::from(self.training) + self.counts.iter().copied().map(f64::from).sum::<f64>();
        let most = memory.fade_ms() / memory.step_ms as f64;
        let steps = (self.memory.step_ms as f64 / memory.step_ms as f64).min(most / weight) as f32;
        self.counts.iter_mut().for_each(|count| *count *= steps);
        self.training *= steps;
        // The tail is made of shares, which stay.
        Self { memory, ..self }
    }

    fn refresh(&mut self, at: TimestampMs) {
        let period = at.0.div_euclid(REFRESH_MS);
        if period == self.period {
            return;
        }
        if self.period != i64::MIN {
            let passed_ms = period.saturating_sub(self.period).max(0) as f64 * REFRESH_MS as f64;
            let kept = (-passed_ms / self.memory.fade_ms()).exp() as f32;
            self.counts.iter_mut().for_each(|count| *count *= kept);
            self.training *= kept;
            self.tail = RecentTail::draw(&self.counts, self.training);
        }
        self.period = period;
    }
}

// === impl RecentTail ===

impl RecentTail {
    /// The tail of what is remembered: `counts`, and the training's law with a weight of `training` steps.
    fn draw(counts: &[f32; CELLS], training: f32) -> Self {
        let total = f64::from(training) + counts.iter().copied().map(f64::from).sum::<f64>();
        let law = |edge: usize| f64::from(training) * 10.0_f64.powf(-(edge as f64) * CELL);
        let mut shares = [0.0; CELLS];
        let mut above = 0.0;
        for edge in (0..CELLS).rev() {
            above += f64::from(counts[edge]);
            // All faded away (an entity that was gone for weeks): nothing is known, so nothing is ordinary.
            shares[edge] = if total > 0.0 { ((above + law(edge)) / total) as f32 } else { 0.0 };
        }
        let share = Tail::SHARE as f32;
        let threshold = shares.iter().position(|above| *above <= share).unwrap_or(CELLS - 1);
        // Evidence stands for the middle of its cell.
        let excess_of =
            |(cell, count): (usize, &f32)| f64::from(*count) * ((cell - threshold) as f64 + 0.5) * CELL;
        let own: f64 = counts.iter().enumerate().skip(threshold).map(excess_of).sum();
        let weight = counts[threshold..].iter().copied().map(f64::from).sum::<f64>() + law(threshold);
        let excess = (own + law(threshold) * TRAINING_EXCESS) / weight;
        Self { shares, threshold, excess: if excess.is_finite() { excess } else { TRAINING_EXCESS } }
    }

    /// -log10 of the share of the memory above `evidence`: by the cells up to the threshold, by an exponential
    /// tail from there on.
    fn evidence(&self, evidence: f64) -> f64 {
        let at = evidence / CELL;
        let share = |edge: usize| f64::from(self.shares[edge]);
        if at < self.threshold as f64 {
            let (edge, part) = (at as usize, at.fract());
            return -(share(edge) * (1.0 - part) + share(edge + 1) * part).log10();
        }
        let beyond = evidence - self.threshold as f64 * CELL;
        beyond / self.excess * TRAINING_EXCESS - share(self.threshold).log10()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;

    fn fresh() -> Recent {
        Recent::new(Memory::new(Memory::DEFAULT_FADE, MINUTE))
    }

    /// Evidence as the training's law gives it: the quantiles of an exponential law with rate ln 10, in an order
    /// that mixes them (a step of the golden ratio through the unit interval).
    fn lawful(n: i64) -> impl Iterator<Item = f64> {
        (0..n).map(|i| -((i as f64 * 0.618_033_988_749_895).fract()).max(1e-6).log10())
    }

    #[test]
    fn without_a_past_evidence_stays_what_it_is() {
        for evidence in [0.0, 0.05, 0.73, 1.69, 1.71, 2.4, 5.9, 8.0] {
            let judged = fresh().judge(evidence, TimestampMs(0));
            assert!((judged - evidence).abs() < 0.01, "{evidence} -> {judged}");
        }
    }

    /// A row that stands for ten steps weighs as much as ten steps of the same evidence.
    #[test]
    fn a_sample_of_the_steps_tells_the_same() {
        let memory = |step_ms| Memory::new(Memory::DEFAULT_FADE, step_ms);
        let (mut sample, mut all) = (Recent::new(memory(10 * MINUTE)), fresh());
        for (row, evidence) in lawful(2_000).enumerate() {
            let evidence = 1.5 * evidence;
            for step in 0..10 {
                all.judge(evidence, TimestampMs((10 * row as i64 + step) * MINUTE));
            }
            sample.judge(evidence, TimestampMs(10 * row as i64 * MINUTE));
        }
        let mut sample = sample.in_steps_of(memory(MINUTE));
        for (step, evidence) in (20_000..).zip([0.5, 1.0, 1.7, 2.5, 4.0]) {
            let [sample, all] =
                [&mut sample, &mut all].map(|recent| recent.judge(evidence, TimestampMs(step * MINUTE)));
            assert!((sample - all).abs() < 1e-3, "{evidence}: {sample} {all}");
            assert!(all < 0.9 * evidence);
        }
    }

    /// An entity that behaves as in the training is judged as by the training, however long it goes on.
    #[test]
    fn a_past_like_the_training_changes_little() {
        let mut recent = fresh();
        for (step, evidence) in lawful(20 * 1440).enumerate() {
            recent.judge(evidence, TimestampMs(step as i64 * MINUTE));
        }
        let later = TimestampMs(20 * 1440 * MINUTE);
        for evidence in [0.3, 1.0, 2.0, 3.0] {
            let judged = recent.clone().judge(evidence, later);
            assert!((judged - evidence).abs() < 0.15, "{evidence} -> {judged}");
        }
    }

    /// A shift that stays is rare on its first step and ordinary after a day: half of a day's hours lie in the memory.
    #[test]
    fn a_shift_that_stays_becomes_ordinary() {
        let mut recent = fresh();
        let judged: Vec<f64> = (0..1440).map(|step| recent.judge(3.0, TimestampMs(step * MINUTE))).collect();
        assert!(judged[0] > 2.9, "{}", judged[0]);
        assert!(judged[59] > 2.9, "within the hour: {}", judged[59]);
        assert!(judged[1439] < 0.7, "{}", judged[1439]);
        assert!(judged.is_sorted_by(|a, b| a >= b));
    }

    /// What was ordinary for a day and has been away for three weeks is rare again.
    #[test]
    fn what_is_over_is_forgotten() {
        let mut recent = fresh();
        for step in 0..1440 {
            recent.judge(3.0, TimestampMs(step * MINUTE));
        }
        for (step, evidence) in (1440..).zip(lawful(21 * 1440)) {
            recent.judge(evidence, TimestampMs(step * MINUTE));
        }
        let judged = recent.judge(3.0, TimestampMs(22 * 1440 * MINUTE));
        assert!(judged > 2.3, "{judged}");
    }

    /// After a silence in which everything faded the entity is as new, not in error.
    #[test]
    fn a_silence_of_years_leaves_no_trouble() {
        let mut recent = fresh();
        recent.judge(1.0, TimestampMs(0));
        let judged = recent.judge(2.5, TimestampMs(400 * 365 * 1440 * MINUTE));
        assert!((0.0..=2.5).contains(&judged), "{judged}");
        assert!(recent.judge(f64::NAN, TimestampMs(i64::MAX)).abs() < 1e-9);
    }

    proptest! {
        /// Whatever came before: never rarer than in the training, never negative, and more evidence never
        /// becomes less.
        #[test]
        fn judged_evidence_is_within_and_in_order(
            past in prop::collection::vec((0.0..9.0_f64, 0..200_i64), 0..300),
            a in 0.0..9.0_f64,
            b in 0.0..9.0_f64,
        ) {
            let (mut recent, mut at) = (fresh(), 0);
            for (evidence, steps) in past {
                at += steps * MINUTE;
                recent.judge(evidence, TimestampMs(at));
            }
            let (low, high) = (a.min(b), a.max(b));
            let judged_low = recent.clone().judge(low, TimestampMs(at));
            let judged_high = recent.judge(high, TimestampMs(at));
            prop_assert!((0.0..=low).contains(&judged_low));
            prop_assert!(judged_low <= judged_high + 1e-6, "{judged_low} {judged_high}");
        }
    }
}
