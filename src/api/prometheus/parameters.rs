//! Times, durations and limits as parameters, by the rules of Prometheus' `parseTime` and its kin.

use super::{answer::Failure, form::Form, number::parse_float};
use crate::{promql, series::TimestampMs};
use std::time::Duration;

const NANOSECONDS: f64 = 1e9;

/// The ends of time as Prometheus' own client library writes them: years of more than four digits, which
/// RFC 3339 does not know.
const ENDS_OF_TIME: [(&str, TimestampMs); 2] = [
    ("-292273086-05-16T16:47:06Z", TimestampMs::MIN),
    ("292277025-08-18T07:12:54.999999999Z", TimestampMs::MAX),
];

/// A signed number of nanoseconds, as Go's `time.Duration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Nanoseconds(pub(super) i64);

/// A time with all its digits, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i128);

// === impl Moment ===

impl Moment {
    /// In whole milliseconds, those begun not counted.
    pub(super) fn milliseconds(self) -> TimestampMs {
        let milliseconds = self.0.div_euclid(1_000_000);
        TimestampMs(milliseconds.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }

    /// Nanoseconds from `earlier` to this moment.
    pub(super) fn since(self, earlier: Self) -> i128 {
        self.0 - earlier.0
    }
}

impl From<TimestampMs> for Moment {
    fn from(timestamp: TimestampMs) -> Self {
        Self(i128::from(timestamp.0) * 1_000_000)
    }
}

// === impl Nanoseconds ===

impl Nanoseconds {
    /// As a timeout; what is negative is over.
    pub(super) fn timeout(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }

    /// In whole milliseconds, towards zero.
    pub(super) fn milliseconds(self) -> i64 {
        self.0 / 1_000_000
    }
}

// === of a form ===

impl Form {
    /// The time in parameter `name`, which must be given.
    pub(super) fn time(&self, name: &str) -> Result<Moment, Failure> {
        parse_time(self.value(name)).map_err(|reason| Failure::parameter(name, &reason))
    }

    /// The time in parameter `name`, or `default` when it is not given.
    pub(super) fn time_or(&self, name: &str, default: TimestampMs) -> Result<Moment, Failure> {
        match self.value(name) {
            "" => Ok(default.into()),
            text => parse_time(text).map_err(|reason| {
                Failure::parameter(name, &format!("invalid time value for '{name}': {reason}"))
            }),
        }
    }

    /// The duration in parameter `name`; `None` when it is not given.
    pub(super) fn duration(&self, name: &str) -> Result<Option<Nanoseconds>, Failure> {
        match self.value(name) {
            "" => Ok(None),
            text => parse_duration(text).map(Some).map_err(|reason| Failure::parameter(name, &reason)),
        }
    }

    /// Most items of the answer; 0 for all.
    pub(super) fn limit(&self) -> Result<usize, Failure> {
        let failure = |reason: &str| Failure::parameter("limit", reason);
        match self.value("limit") {
            "" => Ok(0),
            text => match text.parse::<i64>() {
                Ok(limit) => usize::try_from(limit).map_err(|_| failure("limit must be non-negative")),
                Err(_) => Err(failure(&format!("strconv.Atoi: parsing {text:?}: invalid syntax"))),
            },
        }
    }
}

/// Seconds since 1970, or RFC 3339.
fn parse_time(text: &str) -> Result<Moment, String> {
    let unreadable = || format!("cannot parse {text:?} to a valid timestamp");
    if let Some(seconds) = parse_float(text) {
        // Milliseconds are what counts: 0.29 s is 290 ms although it is a bit less as a float.
        let fraction = (seconds.fract() * 1000.0).round() / 1000.0;
        let nanoseconds = i128::from((fraction * NANOSECONDS) as i64);
        let whole = i128::from(seconds.trunc() as i64) * 1_000_000_000;
        return if seconds.is_finite() { Ok(Moment(whole + nanoseconds)) } else { Err(unreadable()) };
    }
    if is_rfc_3339(text)
        && let Ok(timestamp) = text.parse::<jiff::Timestamp>()
    {
        return Ok(Moment(timestamp.as_nanosecond()));
    }
    let end = ENDS_OF_TIME.iter().find(|(known, _)| *known == text);
    end.map(|(_, timestamp)| (*timestamp).into()).ok_or_else(unreadable)
}

/// Whether `text` has the form that Go's `time.RFC3339Nano` takes; the calendar library takes more.
fn is_rfc_3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let form = |pattern: &[u8], bytes: &[u8]| {
        let fits =
            |(wanted, byte): (&u8, &u8)| if *wanted == b'0' { byte.is_ascii_digit() } else { wanted == byte };
        pattern.len() == bytes.len() && pattern.iter().zip(bytes).all(fits)
    };
    let Some((head, rest)) = bytes.split_at_checked(19) else { return false };
    let fraction = match rest {
        [b'.', digits @ ..] => 1 + digits.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    let zone = &rest[fraction..];
    // A leap second is none to Go.
    form(b"0000-00-00T00:00:00", head)
        && !head.ends_with(b"60")
        && fraction != 1
        && (zone == b"Z" || form(b"+00:00", zone) || form(b"-00:00", zone))
}

/// Seconds, or a duration such as `5m`.
pub(super) fn parse_duration(text: &str) -> Result<Nanoseconds, String> {
    if let Some(seconds) = parse_float(text) {
        let nanoseconds = seconds * NANOSECONDS;
        if nanoseconds > i64::MAX as f64 || nanoseconds < i64::MIN as f64 {
            return Err(format!("cannot parse {text:?} to a valid duration. It overflows int64"));
        }
        return Ok(Nanoseconds(nanoseconds as i64));
    }
    let nanoseconds = promql::parse_duration_ms(text).and_then(|ms| ms.checked_mul(1_000_000));
    nanoseconds.map(Nanoseconds).ok_or_else(|| format!("cannot parse {text:?} to a valid duration"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time(text: &str) -> Option<i64> {
        parse_time(text).ok().map(|moment| moment.milliseconds().0)
    }

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        for (text, expected) in [
            ("1435781451.781", 1_435_781_451_781),
            ("0.29", 290),
            ("0.0004", 0),
            ("0.0005", 1),
            ("-1.5", -1500),
            ("1e3", 1_000_000),
            ("2015-07-01T20:10:51.781Z", 1_435_781_451_781),
            ("2015-07-01T22:10:51+02:00", 1_435_781_451_000),
            ("1970-01-01T00:00:00.9999Z", 999),
            ("-292273086-05-16T16:47:06Z", i64::MIN),
            ("292277025-08-18T07:12:54.999999999Z", i64::MAX),
        ] {
            assert_eq!(time(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "now",
            "NaN",
            "Inf",
            "1e400",
            "2015-07-01",
            "2015-07-01 20:10:51Z",
            "2015-07-01t20:10:51Z",
            "2015-07-01T20:10:51",
            "2015-07-01T20:10:60Z",
            "2015-02-30T20:10:00Z",
            "2015-07-01T20:10:51.Z",
            "2015-07-01T20:10:51Z[UTC]",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_seconds_or_have_units() {
        let duration = |text: &str| parse_duration(text).map(|duration| duration.0);
        assert_eq!(duration("15"), Ok(15_000_000_000));
        assert_eq!(duration("0.5"), Ok(500_000_000));
        assert_eq!(duration("-1"), Ok(-1_000_000_000));
        assert_eq!(duration("1h30m"), Ok(5_400_000_000_000));
        assert!(duration("1e10").unwrap_err().ends_with("It overflows int64"));
        for text in ["", "5x", "m", "1m1h", "9999999y"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    proptest! {
        /// For all texts, reading neither panics nor overflows.
        #[test]
        fn no_text_panics(text in "[-+.:0-9TZeyms]{0,35}|\\PC{0,30}") {
            let _ = (parse_time(&text), parse_duration(&text));
        }

        /// For all whole milliseconds that a float holds exactly enough, seconds name them.
        #[test]
        fn milliseconds_survive(ms in -4_000_000_000_000_i64..4_000_000_000_000) {
            let text = format!("{}", ms as f64 / 1000.0);
            // Go truncates the nanoseconds that it computes from the fraction, so a few lose one.
            prop_assert!((time(&text).unwrap() - ms).abs() <= 1, "{text}");
        }
    }
}
