//! What a detector of single series says of them.

use super::{
    features::{Features, note_expression},
    rules::{on_gap, rules},
    section::{Section, Text},
};
use crate::{
    features::{DEFAULT_RATE_INTERVAL, FeatureColumn, SERIES_FEATURE, SeriesReading},
    pipeline::{FeatureRules, OnGap, SeriesSettings},
    promql::parse_matchers,
    series::{LabelMatcher, METRIC_NAME, MatchOp},
};
use std::time::Duration;

/// Most series of a detector that says nothing else: what a core judges in a fraction of a second.
const DEFAULT_MAX_SERIES: usize = 10_000;

const HINT: &str = "write a selector such as '{__name__=~\"http_.*\"}', or a list of them";

/// The keys that say what a detector of single series looks at.
pub(super) struct Series {
    pub(super) settings: SeriesSettings,
    pub(super) reading: SeriesReading,
    /// The feature that every series has, and what holds for it.
    pub(super) features: Features,
}

/// What is judged where `series` is written; `None` where it is not.
pub(super) fn series(section: &mut Section<'_>) -> Option<Series> {
    if !section.has("series") {
        for key in ["counters", "gauges", "max_series", SERIES_FEATURE] {
            section.refuse(
                key,
                "is for detectors of single series",
                "write series: with a selector, or leave it out",
            );
        }
        return None;
    }
    for (key, hint) in [
        ("preset", "leave it out, or give the preset a detector of its own"),
        ("features", "leave it out; `value:` says what counts of every series, `overrides:` what of some"),
        ("by", "leave it out: every series is an entity, named by all its labels"),
    ] {
        section.refuse(key, "does not go with series", hint);
    }
    let texts = section.one_or_more("series").unwrap_or_default();
    if texts.is_empty() {
        section.note_at("series", &format!("selects nothing; {HINT}"));
    }
    let selectors = texts.iter().filter_map(|text| selector(section, text)).collect();
    let max_series = section.number("max_series", DEFAULT_MAX_SERIES, 1..=1_000_000);
    let longest = Duration::from_secs(86_400);
    let range = section.duration("rate_interval", DEFAULT_RATE_INTERVAL, Duration::from_secs(1)..=longest);
    let reading = SeriesReading {
        counters: patterns(section, "counters"),
        gauges: patterns(section, "gauges"),
        rate_range_ms: i64::try_from(range.as_millis()).unwrap_or(i64::MAX),
    };
    let default = FeatureRules { on_gap: on_gap(section, OnGap::default()), ..FeatureRules::default() };
    let mut value = section.section(SERIES_FEATURE);
    let rules = rules(&mut value, default);
    value.finish();
    let column = FeatureColumn { name: SERIES_FEATURE.to_owned(), expression: String::new() };
    let features = Features { columns: vec![column], rules: vec![rules] };
    Some(Series { settings: SeriesSettings { selectors, max_series }, reading, features })
}

fn selector(section: &Section<'_>, text: &Text) -> Option<Vec<LabelMatcher>> {
    parse_matchers(&text.value).map_err(|error| note_expression(section, text, &error)).ok()
}

/// Regular expressions of metric names; those that are none are left out and noted.
fn patterns(section: &mut Section<'_>, key: &'static str) -> Vec<String> {
    let texts = section.one_or_more(key).unwrap_or_default();
    let is_pattern = |text: &Text| {
        let matcher = LabelMatcher::new(METRIC_NAME, MatchOp::Regex, text.value.as_str());
        if matcher.is_err() {
            let message = format!("{:?} is no regular expression for the name of a metric", text.value);
            section.note(text, &message, "write, for example, node_netstat_.*");
        }
        matcher.is_ok()
    };
    texts.into_iter().filter(is_pattern).map(|text| text.value).collect()
}
