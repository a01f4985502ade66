//! What a detector of single series says of them.

use super::{
    features::{Features, note_expression, rate_interval},
    rules::{default_rules, rules},
    section::{Section, Text},
};
use crate::{
    features::{FeatureColumn, InvalidReading, SERIES_FEATURE, SeriesReading},
    pipeline::SeriesSettings,
    promql::parse_matchers,
    series::LabelMatcher,
};

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
        ("grace", "leave it out: a single series does not say which process it is of"),
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
    let range = rate_interval(section);
    let reading = SeriesReading {
        counters: patterns(section, "counters"),
        gauges: patterns(section, "gauges"),
        rate_range_ms: i64::try_from(range.as_millis()).unwrap_or(i64::MAX),
    };
    let default = default_rules(section);
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

/// Regular expressions of metric names; those that are none are left out and noted. Other findings are those of all together.
fn patterns(section: &mut Section<'_>, key: &'static str) -> Vec<String> {
    let texts = section.one_or_more(key).unwrap_or_default();
    let is_pattern = |text: &Text| {
        let alone = SeriesReading { counters: vec![text.value.clone()], ..SeriesReading::default() };
        let is_none = matches!(alone.check(), Err(InvalidReading::Pattern(_)));
        if is_none {
            // Named in full: the error of the check has only the head of it.
            let invalid = InvalidReading::Pattern(text.value.clone());
            section.note(text, &invalid.to_string(), "write, for example, node_netstat_.*");
        }
        !is_none
    };
    texts.into_iter().filter(is_pattern).map(|text| text.value).collect()
}
