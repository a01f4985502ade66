//! Which step is due.
//!
//! Prometheus keeps order per series only: its connections run seconds apart, so the newest
//! timestamp says little about what is still on its way. A step T is *complete* when every live
//! series that a detector reads has a sample at or after T (see [`crate::window::Progress`]); it is
//! evaluated then, or when the wall clock has waited `settle_timeout` for the rest. Time is an
//! argument: data time as [`TimestampMs`], waiting time as a monotonic [`Duration`].

use crate::{series::TimestampMs, window::Progress};
use std::time::Duration;

/// Settings of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockConfig {
    /// Distance between two steps in data time, in milliseconds; positive.
    pub step_ms: i64,
    /// How long, on the wall clock, a step that some series have passed waits for the others.
    pub settle_timeout: Duration,
}

/// Why a step is evaluated now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepCause {
    /// Every awaited series has passed it.
    Complete,
    /// The wall clock has waited long enough.
    Timeout,
    /// Its samples were read from a store that had them all.
    History,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// Nothing has arrived yet, or not all of it.
    Wait {
        /// Look again at this moment even when nothing arrives.
        until: Option<Duration>,
    },
    /// The first samples are there: start to wait for this step.
    Begin(TimestampMs),
    /// Evaluate this step.
    Due(TimestampMs, StepCause),
}

/// Decides, from the progress of all shards, which step is due.
#[derive(Debug)]
pub struct StepClock {
    config: ClockConfig,
    awaited: Option<TimestampMs>,
    /// When the first series was seen to have passed the awaited step.
    passed_since: Option<Duration>,
}

// === impl StepClock ===

impl StepClock {
    /// A clock that has seen nothing.
    #[must_use]
    pub fn new(config: ClockConfig) -> Self {
        Self { config, awaited: None, passed_since: None }
    }

    /// The step being waited for.
    #[must_use]
    pub fn awaited(&self) -> Option<TimestampMs> {
        self.awaited
    }

    /// What the merged progress of all shards asks for at monotonic time `now`.
    pub fn tick(&mut self, progress: Progress, now: Duration) -> Tick {
        let Some(awaited) = self.awaited else {
            return match progress.oldest {
                Some(oldest) => Tick::Begin(self.after(oldest)),
                None => Tick::Wait { until: None },
            };
        };
        if progress.newest.is_none_or(|newest| newest < awaited) {
            return Tick::Wait { until: None };
        }
        if progress.behind == 0 {
            return Tick::Due(awaited, StepCause::Complete);
        }
        let since = *self.passed_since.get_or_insert(now);
        let until = since.saturating_add(self.config.settle_timeout);
        if now >= until { Tick::Due(awaited, StepCause::Timeout) } else { Tick::Wait { until: Some(until) } }
    }

    /// Starts to wait for `step`.
    pub fn begin(&mut self, step: TimestampMs) {
        self.awaited = Some(step);
        self.passed_since = None;
    }

    /// The step after `evaluated`. Where the windows hold nothing at all, `next_sample` (the earliest
    /// sample after `evaluated`) says how many empty steps to leave out, so that a lone old sample
    /// does not cost one evaluation for every step since then.
    #[must_use]
    pub fn next(&self, evaluated: TimestampMs, next_sample: Option<TimestampMs>) -> TimestampMs {
        let following = evaluated.plus_ms(self.config.step_ms);
        next_sample.map_or(following, |sample| self.at_or_after(sample).max(following))
    }

    /// The first step strictly after `timestamp`: a first sample alone fills no window.
    fn after(&self, timestamp: TimestampMs) -> TimestampMs {
        timestamp.align_down(self.config.step_ms).plus_ms(self.config.step_ms)
    }

    fn at_or_after(&self, timestamp: TimestampMs) -> TimestampMs {
        let down = timestamp.align_down(self.config.step_ms);
        if down == timestamp { down } else { down.plus_ms(self.config.step_ms) }
    }
}

/// The progress of all shards together.
#[must_use]
pub fn merge_progress(shards: impl IntoIterator<Item = Progress>) -> Progress {
    shards.into_iter().fold(Progress::default(), |all, one| Progress {
        behind: all.behind + one.behind,
        newest: all.newest.max(one.newest),
        oldest: match (all.oldest, one.oldest) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: ClockConfig = ClockConfig { step_ms: 15_000, settle_timeout: Duration::from_secs(30) };

    fn progress(behind: usize, newest: i64) -> Progress {
        Progress { behind, newest: Some(TimestampMs(newest)), oldest: Some(TimestampMs(1_000)) }
    }

    fn waiting_for(step: i64) -> StepClock {
        let mut clock = StepClock::new(CONFIG);
        clock.begin(TimestampMs(step));
        clock
    }

    #[test]
    fn nothing_is_due_before_the_first_sample() {
        let mut clock = StepClock::new(CONFIG);
        assert_eq!(clock.tick(Progress::default(), Duration::ZERO), Tick::Wait { until: None });
        assert_eq!(clock.tick(progress(0, 20_000), Duration::ZERO), Tick::Begin(TimestampMs(15_000)));
    }

    #[test]
    fn a_step_is_due_once_every_series_has_passed_it() {
        let mut clock = waiting_for(15_000);
        assert_eq!(clock.tick(progress(0, 14_999), Duration::ZERO), Tick::Wait { until: None });
        let due = Tick::Due(TimestampMs(15_000), StepCause::Complete);
        assert_eq!(clock.tick(progress(0, 15_000), Duration::ZERO), due);
    }

    #[test]
    fn the_wait_for_stragglers_ends_by_the_wall_clock() {
        let mut clock = waiting_for(15_000);
        let s = Duration::from_secs;
        assert_eq!(clock.tick(progress(3, 16_000), s(100)), Tick::Wait { until: Some(s(130)) });
        assert_eq!(clock.tick(progress(1, 17_000), s(129)), Tick::Wait { until: Some(s(130)) });
        assert_eq!(
            clock.tick(progress(1, 17_000), s(130)),
            Tick::Due(TimestampMs(15_000), StepCause::Timeout)
        );
        clock.begin(TimestampMs(30_000));
        assert_eq!(clock.tick(progress(1, 31_000), s(131)), Tick::Wait { until: Some(s(161)) }, "waits anew");
    }

    #[test]
    fn empty_steps_are_left_out_up_to_the_next_sample() {
        let clock = waiting_for(15_000);
        let next = |sample: Option<i64>| clock.next(TimestampMs(15_000), sample.map(TimestampMs)).0;
        assert_eq!(next(None), 30_000);
        assert_eq!(next(Some(15_001)), 30_000);
        assert_eq!(next(Some(600_001)), 615_000);
        assert_eq!(next(Some(615_000)), 615_000);
    }

    #[test]
    fn progress_of_shards_adds_up() {
        let idle = Progress::default();
        let merged = merge_progress([idle, progress(2, 5_000), progress(1, 9_000), idle]);
        assert_eq!(merged, progress(3, 9_000));
    }
}
