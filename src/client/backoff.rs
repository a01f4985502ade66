//! How long to wait before a batch is sent again.

use http::HeaderValue;
use jiff::{Timestamp, fmt::rfc2822};
use std::time::Duration;

/// The longest wait a target can ask for: a mistyped `Retry-After` must not silence the scores for days.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(10);

/// Exponential backoff between two bounds: 30 ms, 60 ms, 120 ms, ... 5 s by default, as Prometheus.
///
/// No jitter: a target has one sender with one request in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Invariant: above zero.
    min: Duration,
    /// Invariant: at least `min`.
    max: Duration,
}

// === impl Backoff ===

impl Backoff {
    /// `None` unless `0 < min <= max`.
    #[must_use]
    pub fn try_new(min: Duration, max: Duration) -> Option<Self> {
        (Duration::ZERO < min && min <= max).then_some(Self { min, max })
    }

    /// The wait before repeat number `attempt` (the first repeat is 1): what the target asked for, within
    /// ten minutes and never below the shortest backoff, else twice the previous wait.
    #[must_use]
    pub fn wait(&self, attempt: u32, retry_after: Option<Duration>) -> Duration {
        match retry_after {
            Some(asked) => asked.min(MAX_RETRY_AFTER).max(self.min),
            None => self.min.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))).min(self.max),
        }
    }
}

/// What a `Retry-After` header asks for (RFC 9110 section 10.2.3): seconds, or an HTTP-date in its
/// current form; a date in the past is zero. `None` for anything else.
#[must_use]
pub fn parse_retry_after(value: &HeaderValue, now: Timestamp) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits for a u64 is still "very long".
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn default_backoff() -> Backoff {
        Backoff::try_new(Duration::from_millis(30), Duration::from_secs(5)).unwrap()
    }

    /// The waits measured on Prometheus 3.5: 30 ms doubling to 5 s.
    #[test]
    fn doubles_from_the_shortest_to_the_longest_wait() {
        let waits: Vec<u128> =
            (1..=10).map(|attempt| default_backoff().wait(attempt, None).as_millis()).collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920, 3840, 5000, 5000]);
    }

    #[test]
    fn the_target_may_ask_for_more_or_less_within_limits() {
        let wait = |seconds| default_backoff().wait(9, Some(Duration::from_secs(seconds)));
        assert_eq!(wait(1), Duration::from_secs(1));
        assert_eq!(wait(60), Duration::from_secs(60));
        assert_eq!(wait(0), Duration::from_millis(30));
        assert_eq!(wait(86_400), MAX_RETRY_AFTER);
    }

    #[test]
    fn bounds_in_the_wrong_order_are_no_backoff() {
        assert_eq!(Backoff::try_new(Duration::ZERO, Duration::from_secs(1)), None);
        assert_eq!(Backoff::try_new(Duration::from_secs(2), Duration::from_secs(1)), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // The example date of RFC 9110 section 5.6.7 is Unix second 784111777.
        let now = Timestamp::from_second(784_111_770).unwrap();
        let parse = |text| parse_retry_after(&HeaderValue::from_static(text), now);
        assert_eq!(parse("120"), Some(Duration::from_mins(2)));
        assert_eq!(parse(" 0 "), Some(Duration::ZERO));
        assert_eq!(parse("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:30 GMT"), Some(Duration::ZERO));
        assert_eq!(parse("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        for nonsense in ["", "-1", "1.5", "soon", "Sun, 06 Nov 1994"] {
            assert_eq!(parse(nonsense), None, "{nonsense:?}");
        }
    }

    proptest! {
        /// Every wait lies between the shortest backoff and the longest a target may ask for.
        #[test]
        fn every_wait_is_bounded(attempt: u32, asked in prop::option::of(0_u64..)) {
            let wait = default_backoff().wait(attempt, asked.map(Duration::from_secs));
            prop_assert!((Duration::from_millis(30)..=MAX_RETRY_AFTER).contains(&wait));
        }

        /// No header value makes the parser fail in another way than `None`.
        #[test]
        fn any_header_is_survived(bytes in prop::collection::vec(0x20_u8..0x7f, 0..40)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let _ = parse_retry_after(&value, Timestamp::UNIX_EPOCH);
            }
        }
    }
}
