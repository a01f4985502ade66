//! The `detectors` list.

use super::{
    budget::budget,
    calendar::{local_time, season},
    check::is_label_name,
    features::features,
    rules::{overrides, preset_rules},
    section::{Section, Text},
    series::{Series, series},
    settings::Detector,
    units::{format_duration, parse_duration},
};
use crate::{
    calibrate::{Budget, CheckedPersistence, Memory, Persistence, Severity, Thresholds},
    features::{DEFAULT_RATE_INTERVAL, FeatureSchema, SchemaSettings, SeasonSettings, preset},
    pipeline::{FeatureRules, Rules, carried_steps, steps_beyond_first},
};
use std::{collections::BTreeSet, path::PathBuf, time::Duration};

/// Window of the window statistics where a detector says nothing.
const DEFAULT_WINDOW: Duration = Duration::from_secs(30 * 60);

/// Most steps a window can have: a week at a step of one minute.
const MAX_WINDOW_STEPS: usize = 10_080;

/// The slowest that the recent past fades: beyond a season it would be no recent past.
const MAX_FADE: Duration = Duration::from_secs(90 * 86_400);

/// How long the silence of an entity is said where a detector says nothing: long enough to be seen and acted on.
const DEFAULT_SILENCE: Duration = Duration::from_secs(3600);

/// The grace after a start where a detector says nothing: as long as the default range of a rate sees both sides of it.
const DEFAULT_GRACE: Duration = DEFAULT_RATE_INTERVAL;

/// The longest grace: starts are remembered for so long.
const MAX_GRACE: Duration = Duration::from_secs(3600);

/// The longest `carry`.
const MAX_CARRY: Duration = Duration::from_secs(3600);

/// The preset of the detector that stands in where a config has none.
const DEFAULT_PRESET: &str = "node_exporter";

/// The detectors of a document; without any, one that watches node_exporters. Those that could not be
/// read are left out and noted.
pub(super) fn detectors(root: &mut Section<'_>, step: Duration) -> Vec<Detector> {
    let Some(sections) = root.sections("detectors") else {
        return default_detector(step).into_iter().collect();
    };
    if sections.is_empty() {
        root.note_at("detectors", "is an empty list; leave the key out to watch node_exporters");
    }
    let mut names = BTreeSet::new();
    let mut detectors = Vec::new();
    for mut section in sections {
        let name = name(&mut section);
        if !names.insert(name.clone()) {
            section.note_here(
                &format!("another detector is named {name:?} too"),
                "give each detector its own name",
            );
        }
        detectors.extend(detector(section, name, step));
    }
    detectors
}

fn default_detector(step: Duration) -> Option<Detector> {
    let preset = preset(DEFAULT_PRESET)?;
    let settings = SchemaSettings {
        detector: "node".to_owned(),
        step_ms: milliseconds(step),
        window_steps: steps(DEFAULT_WINDOW, step),
        features: preset.columns(DEFAULT_RATE_INTERVAL),
        ..SchemaSettings::default()
    };
    let schema = FeatureSchema::new(settings).ok()?;
    let persistence = CheckedPersistence::carrying(carried_steps(&schema));
    Some(Detector {
        schema,
        series: None,
        model: None,
        thresholds: Thresholds::default(),
        persistence,
        forget_after: Some(Memory::DEFAULT_FADE),
        rules: Rules::new(preset_rules(preset, FeatureRules::default()), Vec::new()),
        silence: DEFAULT_SILENCE,
        grace: DEFAULT_GRACE,
        budget: Budget::default(),
        season: Some(SeasonSettings::default()),
    })
}

fn detector(mut section: Section<'_>, name: String, step: Duration) -> Option<Detector> {
    let (features, by, series) = match series(&mut section) {
        Some(Series { settings, reading, features }) => (features, Vec::new(), Some((settings, reading))),
        None => (features(&mut section), by(&mut section), None),
    };
    let grace = match &series {
        Some(_) => Duration::ZERO,
        None => section.duration("grace", DEFAULT_GRACE, Duration::ZERO..=MAX_GRACE),
    };
    let (series, reading) = series.unzip();
    let (utc_offset_minutes, time_zone) = local_time(&mut section);
    let season = season(&mut section);
    let settings = SchemaSettings {
        detector: name,
        by,
        step_ms: milliseconds(step),
        window_steps: window_steps(&mut section, step),
        utc_offset_minutes,
        time_zone,
        features: features.columns,
        series: reading,
    };
    let overrides = overrides(&mut section, &settings, &features.rules);
    let rules = Rules::new(features.rules, overrides);
    let model = section.text("model").map(|text| PathBuf::from(text.value));
    let thresholds = thresholds(section.section("thresholds"));
    // An empty list has been noted with what to write; other findings are the schema's own.
    let schema = match FeatureSchema::new(settings.clone()) {
        Ok(schema) => Some(schema),
        Err(_) if settings.features.is_empty() || settings.detector.is_empty() => None,
        Err(invalid) => {
            section.note_at("", &invalid.to_string());
            None
        }
    };
    let carrying = CheckedPersistence::carrying(schema.as_ref().map_or(0, carried_steps));
    let persistence = persistence(section.section("persistence"), step, carrying.get());
    let allowed = section.section("budget");
    let budgeted = match (thresholds, persistence) {
        (Some(thresholds), Some(persistence)) => budget(allowed, thresholds, persistence, step),
        _ => None,
    };
    let forget_after = section.duration("forget_after", Memory::DEFAULT_FADE, Duration::ZERO..=MAX_FADE);
    let silence = section.duration("silence", DEFAULT_SILENCE, Duration::ZERO..=MAX_FADE);
    section.finish();
    let (budget, thresholds) = budgeted?;
    Some(Detector {
        schema: schema?,
        series,
        model,
        thresholds,
        persistence: persistence?,
        forget_after: (!forget_after.is_zero()).then_some(forget_after),
        rules,
        silence,
        grace,
        budget,
        season,
    })
}

fn milliseconds(step: Duration) -> i64 {
    i64::try_from(step.as_millis()).unwrap_or(i64::MAX)
}

/// A name that can also be a directory and a label value: nothing that could leave the models path.
fn name(section: &mut Section<'_>) -> String {
    const HINT: &str = "use 1 to 64 letters, digits, _ and -, such as node";
    let Some(text) = section.text("name") else {
        section.note_here("name is missing", HINT);
        return String::new();
    };
    let plain = text.value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if !plain || !(1..=64).contains(&text.value.len()) {
        section.note(&text, &format!("{:?} cannot name a detector", text.value), HINT);
    }
    text.value
}

fn by(section: &mut Section<'_>) -> Vec<String> {
    let Some(texts) = section.texts("by") else { return vec!["instance".to_owned()] };
    if texts.is_empty() {
        section.note_here("by must name at least one label", "write, for example, by: [instance]");
    }
    let mut names = BTreeSet::new();
    for text in texts {
        if !is_label_name(&text.value) || text.value == "detector" {
            let hint = "name labels of your series, such as instance; not detector, which scores carry";
            section.note(&text, &format!("{:?} cannot name an entity", text.value), hint);
        } else if names.contains(&text.value) {
            section.note(&text, &format!("{:?} is named twice", text.value), "name each label once");
        }
        names.insert(text.value);
    }
    names.into_iter().collect()
}

fn window_steps(section: &mut Section<'_>, step: Duration) -> usize {
    let longest = step.saturating_mul(MAX_WINDOW_STEPS as u32);
    let Some(text) = section.text("window") else { return steps(DEFAULT_WINDOW, step) };
    let wanted = parse_duration(&text.value);
    match wanted {
        Some(window) if (step * 2..=longest).contains(&window) => steps(window, step),
        Some(_) => {
            let (low, high) = (format_duration(step * 2), format_duration(longest));
            let hint = format!("at a step of {} write {low} to {high}", format_duration(step));
            section.note(&text, &format!("{} is out of range", text.value), &hint);
            2
        }
        None => {
            section.note(
                &text,
                &format!("{:?} is not a duration", text.value),
                "write, for example, 30m or 1h30m",
            );
            2
        }
    }
}

/// Steps in `window`, rounded up; at least two, so that there is a spread and a trend.
fn steps(window: Duration, step: Duration) -> usize {
    usize::try_from(window.as_millis().div_ceil(step.as_millis().max(1))).unwrap_or(usize::MAX).max(2)
}

fn thresholds(mut section: Section<'_>) -> Option<Thresholds> {
    let default = Thresholds::default();
    let mut level = |key, severity| section.number(key, default.of(severity), 0.0..=1.0);
    let (low, medium, high) =
        (level("low", Severity::Low), level("medium", Severity::Medium), level("high", Severity::High));
    let checked = Thresholds::new(low, medium, high);
    if checked.is_err() {
        let message = format!("low {low}, medium {medium}, high {high} do not ascend from above 0");
        section.note_here(&message, "write, for example, { low: 0.35, medium: 0.4, high: 0.8 }");
    }
    section.finish();
    checked.ok()
}

/// How long one scrape is seen, as somebody wrote it; in steps after the first.
fn carried(section: &mut Section<'_>, text: &Text, step: Duration) -> usize {
    match parse_duration(&text.value) {
        Some(carry) if carry <= MAX_CARRY => steps_beyond_first(milliseconds(carry), milliseconds(step)),
        Some(_) => {
            section.note(text, &format!("{} is out of range", text.value), "write 0s to 1h, or leave it out");
            0
        }
        None => {
            let hint = "write how long one scrape is seen, such as 5m, or 0s to count every step";
            section.note(text, &format!("{:?} is not a duration", text.value), hint);
            0
        }
    }
}

fn persistence(mut section: Section<'_>, step: Duration, default: Persistence) -> Option<CheckedPersistence> {
    let m = section.number("m", default.m, 1..=1000);
    let persistence = Persistence {
        n: section.number("n", default.n.min(m), 1..=1000),
        m,
        carry: match section.text("carry") {
            None => default.carry,
            Some(text) => carried(&mut section, &text, step),
        },
        clear_after: section.number("clear_after", default.clear_after, 1..=1000),
        margin: section.number("margin", default.margin, 0.0..=1.0),
    };
    let checked = persistence.check();
    if let Err(invalid) = checked {
        section.note_at("", &invalid.to_string());
    }
    section.finish();
    checked.ok()
}
