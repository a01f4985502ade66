//! What holds for single features: gates and valid ranges, and other ones for some entities.

use super::{
    features::note_expression,
    section::{FreeValue, Section, Text, did_you_mean},
};
use crate::{
    calibrate::{Limits, Severity},
    explain::AnomalyType,
    features::{Direction, Gate, METRIC_LABEL, Preset, PresetFeature, SchemaSettings, ValidRange},
    pipeline::{FeatureRules, OnGap, OnZero, Override},
    promql::parse_matchers,
    series::{LabelMatcher, METRIC_NAME},
};

/// What holds for every feature of a detector that says nothing else of it.
pub(super) fn default_rules(section: &mut Section<'_>) -> FeatureRules {
    FeatureRules { on_gap: on_gap(section, OnGap::default()), ..FeatureRules::default() }
}

/// What a preset says of its features; the rest is as in `default`.
pub(super) fn preset_rules(preset: Preset, default: FeatureRules) -> Vec<FeatureRules> {
    let limits = |above| Limits::new(Some(above), None, Severity::Medium).map(Limits::unless_usual).ok();
    let rules = |feature: &PresetFeature| FeatureRules {
        gate: feature.gate,
        limits: feature.unusual_above.and_then(limits),
        ..default
    };
    preset.features.iter().map(rules).collect()
}

/// The rules in a map; what it does not say is as in `default`.
pub(super) fn rules(map: &mut Section<'_>, default: FeatureRules) -> FeatureRules {
    FeatureRules {
        gate: gate(map, default.gate),
        valid_range: valid_range(map).or(default.valid_range),
        limits: limits(map).or(default.limits),
        on_zero: map.choice("zero", &OnZero::ALL.map(|what| (what.name(), what)), default.on_zero),
        on_gap: on_gap(map, default.on_gap),
        anomaly_type: map.choice(
            "type",
            &AnomalyType::ALL.map(|kind| (kind.name(), Some(kind))),
            default.anomaly_type,
        ),
    }
}

/// What stands for missing values.
fn on_gap(map: &mut Section<'_>, default: OnGap) -> OnGap {
    map.choice("gaps", &OnGap::ALL.map(|what| (what.name(), what)), default)
}

/// The list `overrides`, complete: what one does not say of a feature is as in `rules`.
pub(super) fn overrides(
    section: &mut Section<'_>,
    settings: &SchemaSettings,
    rules: &[FeatureRules],
) -> Vec<Override> {
    let names: Vec<&str> = settings.features.iter().map(|feature| feature.name.as_str()).collect();
    let sections = section.sections("overrides").unwrap_or_default();
    let by = settings.series.is_none().then_some(&*settings.by);
    sections.into_iter().map(|one| exception(one, by, &names, rules)).collect()
}

/// `by` are the labels of entities; none where every series is one, and has its own.
fn exception(
    mut section: Section<'_>,
    by: Option<&[String]>,
    names: &[&str],
    rules: &[FeatureRules],
) -> Override {
    let matchers = matchers(&mut section, by);
    let mut features = rules.to_vec();
    let own = section.section("features");
    for (name, value) in own.free_values() {
        let Some(place) = names.iter().position(|known| *known == name.value) else {
            let features_here = || format!("features here are {}", names.join(", "));
            let hint = did_you_mean(&name.value, names, features_here);
            own.note(&name, "is no feature of this detector", &hint);
            continue;
        };
        match value {
            FreeValue::Map(mut map) => {
                features[place] = self::rules(&mut map, features[place]);
                map.finish();
            }
            FreeValue::Scalar(text) => own.note(
                &text,
                "an override changes no expression",
                "write a map such as { direction: above, min_change: 0.1 }",
            ),
        }
    }
    section.finish();
    Override { matchers, features }
}

fn matchers(section: &mut Section<'_>, by: Option<&[String]>) -> Vec<LabelMatcher> {
    const HINT: &str = "write a selector of the entity's labels, such as '{instance=~\"db.*\"}'";
    let Some(text) = section.text("match") else {
        section.note_here("match is missing", HINT);
        return Vec::new();
    };
    let matchers = parse_matchers(&text.value).unwrap_or_else(|error| {
        note_expression(section, &text, &error);
        Vec::new()
    });
    for matcher in &matchers {
        check_label(section, &text, matcher, by);
    }
    matchers
}

/// A label that no entity has would match always, or never.
fn check_label(section: &Section<'_>, text: &Text, matcher: &LabelMatcher, by: Option<&[String]>) {
    let hint = match by {
        Some(by) if !by.iter().any(|label| label == matcher.name()) => {
            format!("entities are named by {}", by.join(", "))
        }
        None if matcher.name() == METRIC_NAME => {
            format!("the metric of a series is its label {METRIC_LABEL:?}: '{{{METRIC_LABEL}=\"..\"}}'")
        }
        _ => return,
    };
    section.note(text, &format!("entities have no label {:?}", matcher.name()), &hint);
}

fn gate(map: &mut Section<'_>, default: Gate) -> Gate {
    let directions = Direction::ALL.map(|direction| (direction.name(), direction));
    let direction = map.choice("direction", &directions, default.direction());
    let mut distance = |key, default| map.real(key, Some(0.0)).unwrap_or(default);
    let (min_change, min_relative_change) = (
        distance("min_change", default.min_change()),
        distance("min_relative_change", default.min_relative_change()),
    );
    // Numbers that are none have been noted.
    Gate::new(direction, min_change, min_relative_change).unwrap_or(default)
}

/// What is beyond which an anomaly by itself.
fn limits(map: &mut Section<'_>) -> Option<Limits> {
    let mut limit = map.optional_section("limit")?;
    let (above, below) = (limit.real("above", None), limit.real("below", None));
    let severities = [Severity::Medium, Severity::High].map(|severity| (severity.name(), severity));
    let severity = limit.choice("severity", &severities, Severity::Medium);
    let unless_usual = limit.switch("unless_usual", false);
    // A bound that is no number has been noted, and is not missing.
    let is_written = limit.has("above") || limit.has("below");
    let limits = Limits::new(above, below, severity);
    if let Err(invalid) = limits
        && (above.is_some() || below.is_some() || !is_written)
    {
        limit.note_here(&invalid.to_string(), "write, for example, { above: 0.95 }");
    }
    limit.finish();
    limits.ok().map(|limits| if unless_usual { limits.unless_usual() } else { limits })
}

fn valid_range(map: &mut Section<'_>) -> Option<ValidRange> {
    let (low, high) = map.pair("valid_range")?;
    ValidRange::new(low, high)
        .map_err(|invalid| map.note_at("valid_range", &format!("{invalid}; write, for example, [0, 1]")))
        .ok()
}
