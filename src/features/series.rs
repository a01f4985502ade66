//! How single series become values: counters as rates, everything else as it is.
//!
//! What is a counter is decided by the metric's name alone, so that the same samples give the same scores whenever they
//! are judged, and by whom: metadata comes late or never (`docs/decisions/024-series-are-entities.md`).

use crate::series::{InvalidMatcher, LabelMatcher, METRIC_NAME, MatchOp};
use std::fmt;

/// The label of an entity that is a series which says its metric: scores have a name of their own.
pub const METRIC_LABEL: &str = "for";

/// The only feature of a detector of series.
pub const SERIES_FEATURE: &str = "value";

/// The names of counters by the conventions of Prometheus and OpenMetrics.
const COUNTERS: &str = ".+_(total|count|sum|bucket)";

/// Limits that keep a hostile model file or a slip in a config from taking the memory.
const MAX_PATTERNS: usize = 64;
const MAX_PATTERN_BYTES: usize = 1024;
const MAX_RATE_RANGE_MS: i64 = 24 * 3_600_000;

/// How series are read, unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesReading {
    /// Names of metrics that are counters beside those that the convention knows: anchored regular expressions.
    pub counters: Vec<String>,
    /// Names of metrics that are none, whatever the convention or [`Self::counters`] say.
    pub gauges: Vec<String>,
    /// The range of the rates.
    pub rate_range_ms: i64,
}

/// Why series cannot be read so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReading {
    /// A name pattern is no regular expression.
    #[error("{0:?} is no regular expression for the name of a metric")]
    Pattern(String),
    /// Too many patterns, or too long ones.
    #[error("at most {MAX_PATTERNS} patterns of at most {MAX_PATTERN_BYTES} bytes can be given")]
    TooMuch,
    /// The range is not usable.
    #[error("the range of rates must be 1 ms to one day, not {0} ms")]
    RateRange(i64),
}

/// Checked: which metrics are counters, and the range of their rates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedReading {
    settings: SeriesReading,
    /// For names that may be those of counters, and for the others.
    counter: Rule,
    /// For those of them that are none all the same, and for the others; none where nothing is excepted.
    gauge: Option<Rule>,
}

/// A pattern of names and its negation.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    yes: LabelMatcher,
    no: LabelMatcher,
}

// === impl SeriesReading ===

impl Default for SeriesReading {
    /// By the convention; rates over five minutes.
    fn default() -> Self {
        Self { counters: Vec::new(), gauges: Vec::new(), rate_range_ms: 300_000 }
    }
}

impl SeriesReading {
    /// Checks patterns and range.
    ///
    /// # Errors
    /// With the first thing that is wrong.
    pub fn check(self) -> Result<CheckedReading, InvalidReading> {
        let mut patterns = self.counters.iter().chain(&self.gauges);
        if patterns.clone().count() > MAX_PATTERNS
            || patterns.any(|pattern| pattern.len() > MAX_PATTERN_BYTES)
        {
            return Err(InvalidReading::TooMuch);
        }
        if !(1..=MAX_RATE_RANGE_MS).contains(&self.rate_range_ms) {
            return Err(InvalidReading::RateRange(self.rate_range_ms));
        }
        let convention = [COUNTERS.to_owned()];
        let counter = Rule::any_of(convention.iter().chain(&self.counters))?;
        let gauge = (!self.gauges.is_empty()).then(|| Rule::any_of(self.gauges.iter())).transpose()?;
        Ok(CheckedReading { settings: self, counter, gauge })
    }
}

/// For people: `rates over 300000 ms, counters [a, b], gauges [c]`.
impl fmt::Display for SeriesReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rates over {} ms", self.rate_range_ms)?;
        for (what, patterns) in [("counters", &self.counters), ("gauges", &self.gauges)] {
            if !patterns.is_empty() {
                write!(f, ", {what} [{}]", patterns.join(", "))?;
            }
        }
        Ok(())
    }
}

// === impl CheckedReading ===

impl CheckedReading {
    /// As it was written down.
    #[must_use]
    pub fn get(&self) -> &SeriesReading {
        &self.settings
    }

    /// Whether the metric of this name is a counter.
    #[must_use]
    pub fn is_counter(&self, metric: &str) -> bool {
        let is_gauge = |rule: &Rule| rule.yes.matches_value(metric);
        self.counter.yes.matches_value(metric) && !self.gauge.as_ref().is_some_and(is_gauge)
    }

    /// Matchers that choose the counters.
    #[must_use]
    pub fn of_counters(&self) -> Vec<LabelMatcher> {
        let excepted = self.gauge.iter().map(|rule| rule.no.clone());
        std::iter::once(self.counter.yes.clone()).chain(excepted).collect()
    }

    /// Lists of matchers that together choose everything else.
    #[must_use]
    pub fn of_gauges(&self) -> Vec<Vec<LabelMatcher>> {
        let excepted = self.gauge.iter().map(|rule| vec![self.counter.yes.clone(), rule.yes.clone()]);
        std::iter::once(vec![self.counter.no.clone()]).chain(excepted).collect()
    }
}

// === impl Rule ===

impl Rule {
    fn any_of<'a>(patterns: impl Iterator<Item = &'a String>) -> Result<Self, InvalidReading> {
        let mut any = String::new();
        for pattern in patterns {
            // Alone, so that an error names the one that is wrong.
            matcher(MatchOp::Regex, pattern)?;
            let separator = if any.is_empty() { "" } else { "|" };
            any = format!("{any}{separator}(?:{pattern})");
        }
        Ok(Self { yes: matcher(MatchOp::Regex, &any)?, no: matcher(MatchOp::NotRegex, &any)? })
    }
}

fn matcher(op: MatchOp, pattern: &str) -> Result<LabelMatcher, InvalidReading> {
    let wrong = |error: InvalidMatcher| InvalidReading::Pattern(error.pattern.chars().take(64).collect());
    LabelMatcher::new(METRIC_NAME, op, pattern).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::LabelSet;

    fn reading(counters: &[&str], gauges: &[&str]) -> CheckedReading {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let settings =
            SeriesReading { counters: owned(counters), gauges: owned(gauges), ..SeriesReading::default() };
        settings.check().unwrap()
    }

    const NAMES: [&str; 8] = [
        "http_requests_total",
        "http_request_duration_seconds_count",
        "http_request_duration_seconds_sum",
        "http_request_duration_seconds_bucket",
        "node_memory_MemFree_bytes",
        "node_netstat_Tcp_InSegs",
        "system_cpu_count",
        "total",
    ];

    #[test]
    fn counters_are_known_by_their_names() {
        let by_convention = reading(&[], &[]);
        assert_eq!(
            NAMES.map(|name| by_convention.is_counter(name)),
            [true, true, true, true, false, false, true, false]
        );
        let told = reading(&["node_netstat_.+", "tot.l"], &["system_.*", "node_netstat_Tcp_CurrEstab"]);
        assert_eq!(
            NAMES.map(|name| told.is_counter(name)),
            [true, true, true, true, false, true, false, true]
        );
        assert!(!told.is_counter("node_netstat_Tcp_CurrEstab"), "gauges are excepted");
    }

    /// For every name exactly one of the lists of matchers holds, that of its kind.
    #[test]
    fn matchers_part_the_metrics() {
        for reading in [reading(&[], &[]), reading(&["node_.*"], &["system_.*", "node_memory_.*"])] {
            for name in NAMES.into_iter().chain(["", "node_memory_x_total"]) {
                let labels = LabelSet::from_pairs([(METRIC_NAME, name)]).unwrap();
                let holds =
                    |matchers: &Vec<LabelMatcher>| matchers.iter().all(|matcher| matcher.matches(&labels));
                let gauges = reading.of_gauges().iter().filter(|matchers| holds(matchers)).count();
                assert_eq!(holds(&reading.of_counters()), reading.is_counter(name), "{name}");
                assert_eq!(gauges, usize::from(!reading.is_counter(name)), "{name}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let refuse = |settings: SeriesReading| settings.check().unwrap_err();
        let default = SeriesReading::default;
        let broken = refuse(SeriesReading { counters: vec!["fine".into(), "a)|(b".into()], ..default() });
        assert_eq!(broken, InvalidReading::Pattern("a)|(b".into()));
        assert_eq!(refuse(SeriesReading { rate_range_ms: 0, ..default() }), InvalidReading::RateRange(0));
        assert_eq!(
            refuse(SeriesReading { gauges: vec!["a".into(); 65], ..default() }),
            InvalidReading::TooMuch
        );
    }
}
