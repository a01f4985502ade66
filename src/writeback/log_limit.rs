//! Says the first of many equal events at once, and then one a minute with the number left out.

use tokio::time::{Duration, Instant};

const EVERY: Duration = Duration::from_mins(1);

/// State of one kind of log line. Time is an argument.
#[derive(Debug, Default)]
pub(super) struct LogLimit {
    last: Option<Instant>,
    unsaid: u64,
}

// === impl LogLimit ===

impl LogLimit {
    /// Whether to log the event that happened now: with `Some`, and the number of events since the
    /// last line that were not logged.
    pub(super) fn permit(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) < EVERY) {
            self.unsaid += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_event_is_logged_and_then_one_a_minute() {
        let start = Instant::now();
        let mut limit = LogLimit::default();
        let said: Vec<_> = [0, 1, 30, 59, 60, 61, 300]
            .map(|second| limit.permit(start + Duration::from_secs(second)))
            .into_iter()
            .collect();
        assert_eq!(said, [Some(0), None, None, None, Some(3), None, Some(1)]);
    }
}
