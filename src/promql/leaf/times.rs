//! The steps a leaf is asked for, and where it looks from each of them.

use crate::{
    promql::{
        Grid,
        ast::{At, Moment},
    },
    series::TimestampMs,
};

/// Steps of one part of an expression: those of the query, or those of a subquery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::promql) struct Times {
    grid: Grid,
    moment: Moment,
    /// What `start()` and `end()` are.
    query: (TimestampMs, TimestampMs),
}

/// The range of a subquery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::promql) struct SubqueryRange {
    pub(in crate::promql) range_ms: i64,
    pub(in crate::promql) step_ms: i64,
    pub(in crate::promql) moment: Moment,
}

// === impl Times ===

impl Times {
    /// The steps of a query.
    pub(in crate::promql) fn of(grid: &Grid) -> Self {
        Self { grid: *grid, moment: Moment::default(), query: (grid.start, grid.end) }
    }

    /// These steps, looking from each of them to another time.
    pub(in crate::promql) fn looking(self, moment: Moment) -> Self {
        Self { moment, ..self }
    }

    /// The steps inside a subquery: multiples of its step that any of these steps sees. The range is
    /// open at its left end, like every range.
    pub(in crate::promql) fn inside(self, subquery: &SubqueryRange) -> Self {
        let SubqueryRange { range_ms, step_ms, moment } = *subquery;
        let looking = self.looking(moment);
        let (start, end) = match looking.first_and_last_look() {
            Some((first, _)) => {
                let before = first.plus_ms(range_ms.saturating_neg());
                // As Prometheus: up to the end of what stands around, also where no step falls on it.
                (before.align_down(step_ms).plus_ms(step_ms), looking.looks_at(self.grid.end))
            }
            // No step sees anything.
            None => (TimestampMs(1), TimestampMs(0)),
        };
        Self { grid: Grid { start, end, step_ms }, moment: Moment::default(), query: self.query }
    }

    pub(in crate::promql) fn count(&self) -> usize {
        self.grid.step_count()
    }

    pub(in crate::promql) fn steps(&self) -> impl Iterator<Item = TimestampMs> + use<> {
        self.grid.steps()
    }

    /// Where the step `at` looks.
    pub(in crate::promql) fn looks_at(&self, at: TimestampMs) -> TimestampMs {
        let from = match self.moment.at {
            None => at,
            Some(At::Fixed(fixed)) => fixed,
            Some(At::Start) => self.query.0,
            Some(At::End) => self.query.1,
        };
        from.plus_ms(self.moment.offset_ms.saturating_neg())
    }

    /// Where the first and the last step look; `None` without steps.
    pub(in crate::promql) fn first_and_last_look(&self) -> Option<(TimestampMs, TimestampMs)> {
        let last = i64::try_from(self.count().checked_sub(1)?).unwrap_or(i64::MAX);
        let last = self.grid.start.plus_ms(last.saturating_mul(self.grid.step_ms));
        Some((self.looks_at(self.grid.start), self.looks_at(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subquery_steps_are_multiples_of_their_step_within_the_open_range() {
        let inside = |start: i64, end: i64, moment: Moment| {
            let grid = Grid { start: TimestampMs(start), end: TimestampMs(end), step_ms: 10 };
            let subquery = SubqueryRange { range_ms: 100, step_ms: 40, moment };
            Times::of(&grid).inside(&subquery).steps().map(|step| step.0).collect::<Vec<_>>()
        };
        assert_eq!(inside(1000, 1000, Moment::default()), [920, 960, 1000]);
        assert_eq!(inside(1020, 1030, Moment::default()), [960, 1000], "920 is where the range is open");
        assert_eq!(inside(1000, 1050, Moment { offset_ms: 30, at: None }), [880, 920, 960, 1000]);
        let fixed = Moment { offset_ms: 0, at: Some(At::Fixed(TimestampMs(500))) };
        assert_eq!(inside(1000, 1050, fixed), [440, 480]);
        assert_eq!(inside(1000, 1050, Moment { offset_ms: 0, at: Some(At::End) }), [960, 1000, 1040]);
        assert_eq!(inside(1000, 999, Moment::default()), [0; 0]);
    }
}
