//! What one query may cost.

use super::EvalError;

/// Bounds the points a query holds in memory at once, and asks now and then whether its time is over.
///
/// The core has no clock: whoever runs the query says when it must end.
pub struct Budget {
    max_points: usize,
    held: usize,
    /// Work until `expired` is asked again.
    until_asked: usize,
    expired: Box<dyn FnMut() -> bool + Send>,
}

/// Points between two looks at the clock.
const ASK_EVERY: usize = 10_000;

// === impl Budget ===

impl Budget {
    /// At most `max_points` points at once (Prometheus' `--query.max-samples`), until `expired` says so.
    #[must_use]
    pub fn new(max_points: usize, expired: impl FnMut() -> bool + Send + 'static) -> Self {
        Self { max_points, held: 0, until_asked: 0, expired: Box::new(expired) }
    }

    /// No bound and no end: for features, whose cost is bounded by what the store holds.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::new(usize::MAX, || false)
    }

    /// Takes note of `points` more points in memory.
    ///
    /// # Errors
    /// When they are too many, or the time is over.
    pub fn hold(&mut self, points: usize) -> Result<(), EvalError> {
        self.check(points)?;
        self.held = self.held.saturating_add(points);
        self.work(points)
    }

    /// Whether `points` more would fit, before memory is asked for them.
    pub(super) fn check(&self, points: usize) -> Result<(), EvalError> {
        if self.held.saturating_add(points) > self.max_points {
            return Err(EvalError::TooManyPoints { limit: self.max_points });
        }
        Ok(())
    }

    /// Points in memory at present.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// Says how many points are in memory, now that a part of the query is done.
    pub(super) fn settle(&mut self, held: usize) -> Result<(), EvalError> {
        self.held = held;
        self.check(0)?;
        self.work(1)
    }

    /// Takes note of `points` that were looked at.
    pub(super) fn work(&mut self, points: usize) -> Result<(), EvalError> {
        if let Some(left) = self.until_asked.checked_sub(points) {
            self.until_asked = left;
            return Ok(());
        }
        self.until_asked = ASK_EVERY;
        if (self.expired)() { Err(EvalError::Expired) } else { Ok(()) }
    }
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { max_points, held, .. } = self;
        f.debug_struct("Budget").field("max_points", max_points).field("held", held).finish_non_exhaustive()
    }
}
