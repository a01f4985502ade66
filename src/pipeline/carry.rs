//! At how many steps one scrape is seen.
//!
//! A rate over five minutes has an odd scrape in it for five minutes: at a step of a minute five steps say what one has seen. An
//! alarm that two steps in a row can raise must ask for more of them where features look back
//! ([`crate::calibrate::Persistence::carry`]).

use crate::{
    features::{DEFAULT_RATE_INTERVAL, FeatureSchema},
    promql::Plan,
};

/// Where nothing is said, no alarm waits longer than this for what looks back further: as long as the usual range of a rate.
const MOST_MS: i64 = DEFAULT_RATE_INTERVAL.as_millis() as i64;

/// The steps at which one scrape is seen again after its own, by the longest range of the features; at most five minutes of them.
///
/// What is no expression, such as the column of a table, is taken for what was seen at its step; and so are single series.
#[must_use]
pub fn carried_steps(schema: &FeatureSchema) -> usize {
    let range_ms = |expression: &str| Plan::parse(expression).map_or(0, |plan| plan.range_ms());
    let longest_ms = schema.features().iter().map(|feature| range_ms(&feature.expression)).max();
    let longest_ms = if schema.series().is_some() { 0 } else { longest_ms.unwrap_or(0) };
    steps_beyond_first(longest_ms.min(MOST_MS), schema.step_ms())
}

/// Steps that see something for `range_ms`, without the first.
#[must_use]
pub fn steps_beyond_first(range_ms: i64, step_ms: i64) -> usize {
    let step_ms = step_ms.max(1);
    usize::try_from((range_ms.saturating_add(step_ms - 1) / step_ms).saturating_sub(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{FeatureColumn, SchemaSettings};

    fn schema(step_ms: i64, expressions: &[&str]) -> FeatureSchema {
        let column = |(place, expression): (usize, &&str)| FeatureColumn {
            name: format!("f{place}"),
            expression: (*expression).to_owned(),
        };
        let features = expressions.iter().enumerate().map(column).collect();
        let settings =
            SchemaSettings { detector: "a".to_owned(), step_ms, features, ..SchemaSettings::default() };
        FeatureSchema::new(settings).unwrap()
    }

    #[test]
    fn a_scrape_is_seen_for_the_longest_range() {
        let rate = "sum by (instance) (rate(a_total[5m]))";
        for (step_ms, expressions, carried) in [
            (60_000, &[rate][..], 4),
            (60_000, &["up", rate], 4),
            (15_000, &[rate], 19),
            (45_000, &[rate], 6),
            (300_000, &[rate], 0),
            (600_000, &[rate], 0),
            (60_000, &["up", "a offset 1h"], 0),
            (60_000, &["max_over_time(rate(a_total[1m])[2m:1m])"], 2),
            // No alarm waits for an hour.
            (60_000, &["max_over_time(up[1h])"], 4),
            // The column of a table.
            (60_000, &["disk usage, %"], 0),
        ] {
            assert_eq!(carried_steps(&schema(step_ms, expressions)), carried, "{step_ms} {expressions:?}");
        }
    }
}
