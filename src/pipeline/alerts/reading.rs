//! Which series are alerts, and what is read of them.

use super::AlertSettings;
use crate::{
    pipeline::verdict::names,
    promql::{Leaf, LeafMatrix, LeafVector, SeriesMemory, SeriesPlan, SeriesValue},
    series::{LabelMatcher, MatchOp},
};

/// The alerts of `rules/`, which tell of what this program found and of itself: they confirm nothing.
pub const OWN_ALERTS: [&str; 12] = [
    "AnomalyHigh",
    "AnomalyMedium",
    "AnomalyWidespread",
    "EmberwatchDown",
    "EmberwatchModelReloadFailed",
    "EmberwatchNoScores",
    "EmberwatchOverloaded",
    "EmberwatchSamplesDropped",
    "EmberwatchScoresLate",
    "EmberwatchWriteBackFailing",
    "EmberwatchWriteBackQueueFull",
    "EntitySilent",
];

/// The label that names an alert.
pub(super) const ALERT_NAME: &str = "alertname";

/// The series that are alerts, and what is remembered of reading them.
#[derive(Debug)]
pub(in crate::pipeline) struct AlertSource {
    plan: SeriesPlan,
    memory: SeriesMemory,
}

// === impl AlertSource ===

impl AlertSource {
    pub(in crate::pipeline) fn new(settings: &AlertSettings) -> Self {
        let plan = SeriesPlan::new([(matchers(settings), SeriesValue::Gauge)]);
        Self { plan, memory: SeriesMemory::default() }
    }

    /// What the shards are to read for it, and how far back.
    pub(in crate::pipeline) fn leaves(&self) -> (&[Leaf], i64) {
        (self.plan.leaves(), self.plan.retention_ms())
    }

    /// The alerts of a step, under those labels that name an entity and their own name.
    pub(in crate::pipeline) fn read(&mut self, answers: &[&LeafMatrix], by: &[String]) -> LeafVector {
        self.plan.evaluate(answers, &mut self.memory, |labels, _| {
            let named =
                labels.filtered(|label| label.name == ALERT_NAME || by.iter().any(|by| by == label.name));
            // Not every series that somebody calls an alert comes from a rule.
            if labels.get(ALERT_NAME).is_none() {
                named.with(ALERT_NAME, labels.metric_name())
            } else {
                named
            }
        })
    }
}

/// The selector without the own alerts: those of `rules/`, and whatever bears the label of our scores.
fn matchers(settings: &AlertSettings) -> Vec<LabelMatcher> {
    let ignored = OWN_ALERTS.into_iter().chain(settings.ignore.iter().map(String::as_str));
    let others = ignored.map(|name| (ALERT_NAME, MatchOp::NotEqual, name));
    let not_of_a_score = (names::DETECTOR, MatchOp::Equal, "");
    // Only a regular expression can be invalid.
    let added = others.chain([not_of_a_score]);
    let added = added.filter_map(|(name, op, value)| LabelMatcher::new(name, op, value).ok());
    settings.selector.iter().cloned().chain(added).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{promql::parse_matchers, series::LabelSet};
    use std::{collections::BTreeSet, time::Duration};

    fn settings(ignore: &[&str]) -> AlertSettings {
        AlertSettings {
            selector: parse_matchers(r#"ALERTS{alertstate="firing"}"#).unwrap(),
            ignore: ignore.iter().map(|name| (*name).to_owned()).collect(),
            margin_before: Duration::ZERO,
            margin_after: Duration::ZERO,
            lead: Duration::ZERO,
        }
    }

    #[test]
    fn own_alerts_and_those_to_be_ignored_are_not_read() {
        let matchers = matchers(&settings(&["Watchdog"]));
        let is_read = |more: &[(&str, &str)]| {
            let own = [("__name__", "ALERTS"), ("instance", "a")];
            let labels = LabelSet::from_pairs(own.iter().chain(more).copied()).unwrap();
            matchers.iter().all(|matcher| matcher.matches(&labels))
        };
        let firing = ("alertstate", "firing");
        assert!(is_read(&[firing, ("alertname", "HighLatency")]));
        assert!(!is_read(&[("alertstate", "pending"), ("alertname", "HighLatency")]));
        assert!(!is_read(&[firing, ("alertname", "Watchdog")]));
        assert!(
            !is_read(&[firing, ("alertname", "MyOwn"), ("detector", "node")]),
            "somebody's rule on our scores"
        );
        for own in OWN_ALERTS {
            assert!(!is_read(&[firing, ("alertname", own)]), "{own}");
        }
    }

    #[test]
    fn every_alert_of_the_rules_is_an_own_one() {
        let rules = include_str!("../../../rules/emberwatch-alerts.yml");
        let named = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
        assert_eq!(named.collect::<BTreeSet<_>>(), BTreeSet::from(OWN_ALERTS));
    }
}
