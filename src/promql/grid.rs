//! The times a query is evaluated at.

use crate::series::TimestampMs;

/// The steps of a query: `start`, `start + step_ms`, ... up to `end`.
///
/// A step of zero makes an instant query, at `start` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The first step.
    pub start: TimestampMs,
    /// No step lies after it.
    pub end: TimestampMs,
    /// Distance of the steps, in milliseconds; 0 for an instant query.
    pub step_ms: i64,
}

// === impl Grid ===

impl Grid {
    /// The grid of an instant query.
    #[must_use]
    pub fn instant(at: TimestampMs) -> Self {
        Self { start: at, end: at, step_ms: 0 }
    }

    /// Whether it is that of an instant query.
    #[must_use]
    pub fn is_instant(&self) -> bool {
        self.step_ms <= 0
    }

    /// Number of steps; 0 when the end lies before the start.
    #[must_use]
    pub fn step_count(&self) -> usize {
        let span = self.end.since_ms(self.start);
        match (span, self.step_ms) {
            (..0, _) => 0,
            (_, ..=0) => 1,
            (_, step_ms) => usize::try_from(span / step_ms).unwrap_or(usize::MAX).saturating_add(1),
        }
    }

    /// The steps, ascending.
    pub fn steps(&self) -> impl Iterator<Item = TimestampMs> + use<> {
        let Self { start, step_ms, .. } = *self;
        (0..self.step_count() as i64).map(move |n| start.plus_ms(n.saturating_mul(step_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_do_not_pass_the_end() {
        let grid = |start, end, step_ms| Grid { start: TimestampMs(start), end: TimestampMs(end), step_ms };
        let steps = |grid: Grid| grid.steps().map(|step| step.0).collect::<Vec<_>>();
        assert_eq!(steps(grid(10, 35, 10)), [10, 20, 30]);
        assert_eq!(steps(grid(10, 30, 10)), [10, 20, 30]);
        assert_eq!(steps(grid(10, 9, 10)), [0; 0]);
        assert_eq!(steps(Grid::instant(TimestampMs(7))), [7]);
    }
}
