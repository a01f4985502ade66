//! When, on the wall clock, a simulated instant is due.

use crate::series::TimestampMs;
use std::time::Duration;

/// Share of the wall-clock time that goes to learning, where there is nothing to see.
const LEARNING_SHARE: f64 = 0.25;

/// Two stretches of simulated time, each played evenly: learning fast, watching slower.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    start: TimestampMs,
    watched_from: TimestampMs,
    end: TimestampMs,
    duration: Duration,
}

impl Pace {
    /// A pace that plays `start` to `end` in `duration`; zero is as fast as it goes.
    pub(super) fn new(
        start: TimestampMs,
        watched_from: TimestampMs,
        end: TimestampMs,
        duration: Duration,
    ) -> Self {
        Self { start, watched_from, end, duration }
    }

    /// Wall-clock time from the beginning until `now` is due.
    pub(super) fn due(&self, now: TimestampMs) -> Duration {
        let learned = share(self.start, self.watched_from, now);
        let watched = share(self.watched_from, self.end, now);
        self.duration.mul_f64(LEARNING_SHARE * learned + (1.0 - LEARNING_SHARE) * watched)
    }

    /// Simulated seconds in a second at `now`; `None` when played as fast as it goes.
    pub(super) fn speed(&self, now: TimestampMs) -> Option<f64> {
        let (from, to, part) = if now < self.watched_from {
            (self.start, self.watched_from, LEARNING_SHARE)
        } else {
            (self.watched_from, self.end, 1.0 - LEARNING_SHARE)
        };
        let seconds = self.duration.as_secs_f64() * part;
        (seconds > 0.0).then(|| to.since_ms(from) as f64 / 1000.0 / seconds)
    }
}

/// How far `now` is on the way from `from` to `to`, from 0 to 1.
fn share(from: TimestampMs, to: TimestampMs, now: TimestampMs) -> f64 {
    (now.since_ms(from) as f64 / to.since_ms(from).max(1) as f64).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_time_goes_to_learning() {
        let at = TimestampMs;
        let pace = Pace::new(at(0), at(80_000), at(160_000), Duration::from_secs(80));
        let due = [0, 40_000, 80_000, 120_000, 160_000].map(|now| pace.due(at(now)).as_secs_f64());
        assert_eq!(due, [0.0, 10.0, 20.0, 50.0, 80.0]);
        assert_eq!((pace.speed(at(0)), pace.speed(at(80_000))), (Some(4.0), Some(80.0 / 60.0)));
    }

    #[test]
    fn without_a_duration_everything_is_due_at_once() {
        let pace = Pace::new(TimestampMs(0), TimestampMs(10), TimestampMs(20), Duration::ZERO);
        assert_eq!((pace.due(TimestampMs(15)), pace.speed(TimestampMs(15))), (Duration::ZERO, None));
    }
}
