//! The `alerts` section.

use super::{features::note_expression, section::Section};
use crate::{
    pipeline::AlertSettings,
    promql::parse_matchers,
    series::{LabelMatcher, METRIC_NAME, MatchOp},
};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// What was said longer before an alert is about something else.
const DEFAULT_LEAD: Duration = MINUTE.saturating_mul(30);

/// Most names that are ignored: each is a matcher of the selector.
const MAX_IGNORED: usize = 1000;

/// Which series are alerts and what they are good for; `None`: they are not read.
pub(super) fn alerts(mut section: Section<'_>) -> Option<AlertSettings> {
    let enabled = section.switch("enabled", true);
    let selector = selector(&mut section);
    let ignored = section.texts("ignore").unwrap_or_default();
    if ignored.len() > MAX_IGNORED {
        section.note_at("ignore", &format!("has {} names, at most {MAX_IGNORED}", ignored.len()));
    }
    let settings = AlertSettings {
        selector,
        ignore: ignored.into_iter().take(MAX_IGNORED).map(|text| text.value).collect(),
        margin_before: section.duration(
            "margin_before",
            AlertSettings::DEFAULT_MARGIN_BEFORE,
            Duration::ZERO..=DAY,
        ),
        margin_after: section.duration(
            "margin_after",
            AlertSettings::DEFAULT_MARGIN_AFTER,
            Duration::ZERO..=DAY * 7,
        ),
        lead: section.duration("lead", DEFAULT_LEAD, Duration::ZERO..=DAY),
    };
    section.finish();
    enabled.then_some(settings)
}

fn selector(section: &mut Section<'_>) -> Vec<LabelMatcher> {
    let default = [(METRIC_NAME, "ALERTS"), ("alertstate", "firing")];
    // Only a regular expression can be invalid.
    let default =
        default.into_iter().filter_map(|(name, value)| LabelMatcher::new(name, MatchOp::Equal, value).ok());
    let Some(text) = section.text("selector") else { return default.collect() };
    parse_matchers(&text.value).unwrap_or_else(|error| {
        note_expression(section, &text, &error);
        Vec::new()
    })
}
