//! The features of a detector: a preset's and its own, with what holds for each.

use super::{
    check::is_label_name,
    rules::{default_rules, preset_rules, rules},
    section::{FreeValue, Section, Text, did_you_mean},
};
use crate::{
    features::{DEFAULT_RATE_INTERVAL, FeatureColumn, PRESETS, Preset, preset, with_rate_interval},
    pipeline::FeatureRules,
    promql::{ParseError, Plan},
};
use std::time::Duration;

/// What a detector looks at.
#[derive(Default)]
pub(super) struct Features {
    pub(super) columns: Vec<FeatureColumn>,
    /// Invariant: as many as there are columns.
    pub(super) rules: Vec<FeatureRules>,
}

/// The preset's features in its order, replaced and followed by the detector's own.
pub(super) fn features(section: &mut Section<'_>) -> Features {
    let chosen = section.text("preset");
    let range = rate_interval(section);
    let default = default_rules(section);
    let mut features = Features::default();
    if let Some(preset) = chosen.as_ref().and_then(|text| known_preset(section, text)) {
        features = Features { columns: preset.columns(range), rules: preset_rules(preset, default) };
    }
    let own = section.section("features");
    for (name, value) in own.free_values() {
        feature(&own, &mut features, name, value, range, default);
    }
    if features.columns.is_empty() && chosen.is_none() {
        section
            .note_here("has no features", "write preset: node_exporter, or features with PromQL expressions");
    }
    features
}

/// The range of rates.
pub(super) fn rate_interval(section: &mut Section<'_>) -> Duration {
    let longest = Duration::from_secs(86_400);
    section.duration("rate_interval", DEFAULT_RATE_INTERVAL, Duration::from_secs(1)..=longest)
}

/// One entry: an expression, or a map of an expression and what holds for the feature. A feature of the preset
/// need not repeat its expression; what it does not say is as in the preset then. Of an expression of one's own, what is not
/// said is as in `default`: in another unit the numbers of the preset would mean something else.
fn feature(
    own: &Section<'_>,
    features: &mut Features,
    name: Text,
    value: FreeValue<'_>,
    range: Duration,
    default: FeatureRules,
) {
    let known = features.columns.iter().position(|column| column.name == name.value);
    let (expression, rules) = match value {
        FreeValue::Scalar(expression) => (Some(expression), default),
        FreeValue::Map(mut map) => {
            let expression = map.text("expr");
            let of_preset = known.filter(|_| expression.is_none()).map(|place| features.rules[place]);
            let rules = rules(&mut map, of_preset.unwrap_or(default));
            map.finish();
            (expression, rules)
        }
    };
    let expression = expression.map(|text| Text { value: with_rate_interval(&text.value, range), ..text });
    check_feature(own, &name, expression.as_ref());
    match (known, expression) {
        (Some(place), expression) => {
            features.rules[place] = rules;
            if let Some(expression) = expression {
                features.columns[place].expression = expression.value;
            }
        }
        (None, Some(expression)) => {
            features.columns.push(FeatureColumn { name: name.value, expression: expression.value });
            features.rules.push(rules);
        }
        (None, None) => {
            let names: Vec<&str> = features.columns.iter().map(|column| column.name.as_str()).collect();
            let otherwise = || "write expr: with a PromQL expression".to_owned();
            let hint = did_you_mean(&name.value, &names, otherwise);
            own.note(&name, "has no expression, and no preset gives it one", &hint);
        }
    }
}

fn known_preset(section: &Section<'_>, chosen: &Text) -> Option<Preset> {
    let known = preset(&chosen.value);
    if known.is_none() {
        let names = PRESETS.map(|preset| preset.name);
        let hint = did_you_mean(&chosen.value, &names, || format!("presets are {}", names.join(", ")));
        section.note(chosen, &format!("there is no preset {:?}", chosen.value), &hint);
    }
    known
}

fn check_feature(own: &Section<'_>, name: &Text, expression: Option<&Text>) {
    if !is_label_name(&name.value) {
        own.note(name, "is not a feature name", "use letters, digits and _, not starting with a digit");
    }
    if let Some(expression) = expression
        && let Err(error) = Plan::parse(&expression.value)
    {
        note_expression(own, expression, &error);
    }
}

/// The place inside the expression is counted from where the expression begins.
pub(super) fn note_expression(section: &Section<'_>, expression: &Text, error: &ParseError) {
    let message = format!("expression {}:{}: {}", error.line(), error.column(), error.message());
    let hint = error.hint().unwrap_or("docs/configuration.md says which PromQL is supported");
    section.note(expression, &message, hint);
}
