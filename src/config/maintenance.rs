//! The `maintenance` list.

use super::{
    calendar::local_time,
    features::note_expression,
    section::{Section, Text},
};
use crate::{
    features::Zone,
    pipeline::{InvalidMaintenance, Maintenance, Schedule, Times},
    series::{LabelMatcher, TimestampMs},
};
use jiff::Timestamp;
use std::{collections::BTreeSet, time::Duration};

/// Most windows: each is looked at at every step.
const MAX_WINDOWS: usize = 1000;

const INSTANT_HINT: &str = "write an instant such as 2026-12-24T00:00:00Z or 2026-12-24T01:00:00+01:00";

/// The windows of a document; those that could not be read are left out and noted.
pub(super) fn maintenance(root: &mut Section<'_>) -> Vec<Maintenance> {
    let sections = root.sections("maintenance").unwrap_or_default();
    if sections.len() > MAX_WINDOWS {
        root.note_at("maintenance", &format!("has {} windows, at most {MAX_WINDOWS}", sections.len()));
    }
    let mut names = BTreeSet::new();
    sections.into_iter().take(MAX_WINDOWS).filter_map(|section| window(section, &mut names)).collect()
}

fn window(mut section: Section<'_>, names: &mut BTreeSet<String>) -> Option<Maintenance> {
    let name = name(&mut section, names);
    let matchers = matchers(&mut section);
    let times = if section.has("schedule") { recurring(&mut section) } else { once(&mut section) };
    let window = times.and_then(|times| {
        let window = Maintenance::new(name, matchers.unwrap_or_default(), times);
        window
            .map_err(|invalid| section.note_here(&invalid.to_string(), "write the earlier one as from"))
            .ok()
    });
    section.finish();
    window
}

fn name(section: &mut Section<'_>, names: &mut BTreeSet<String>) -> String {
    let Some(text) = section.text("name") else {
        section.note_here("name is missing", "write what the work is called, such as backup");
        return String::new();
    };
    if !names.insert(text.value.clone()) {
        let message = format!("another window is named {:?} too", text.value);
        section.note(&text, &message, "give each window its own name");
    }
    text.value
}

fn matchers(section: &mut Section<'_>) -> Option<Vec<LabelMatcher>> {
    let Some(text) = section.text("match") else {
        section.note_here(
            "match is missing",
            "write a selector such as '{instance=~\"db.*\"}', or '{}' for all",
        );
        return None;
    };
    Maintenance::parse_matchers(&text.value).map_err(|error| note_expression(section, &text, &error)).ok()
}

fn recurring(section: &mut Section<'_>) -> Option<Times> {
    for key in ["from", "to"] {
        section.refuse(key, "does not go with schedule", "write schedule and duration, or from and to");
    }
    let (offset_minutes, place) = local_time(section);
    let zone = place.and_then(|name| Zone::named(&name)).unwrap_or(Zone::fixed(offset_minutes));
    let text = section.text("schedule")?;
    if !section.has("duration") {
        section.note_here("duration is missing", "write how long the work takes, such as 2h");
        return None;
    }
    // How long it may be is for the schedule to say.
    let duration = section.duration(
        "duration",
        Duration::from_secs(3600),
        Duration::ZERO..=Duration::from_secs(365 * 86_400),
    );
    let schedule = Schedule::new(&text.value, duration, zone).map_err(|invalid| match invalid {
        InvalidMaintenance::Duration { .. } => section.note_at("duration", &invalid.to_string()),
        _ => section.note(
            &text,
            &invalid.to_string(),
            "write minute, hour, day of the month, month and day of the week, such as 0 2 * * 6",
        ),
    });
    schedule.ok().map(Times::Recurring)
}

fn once(section: &mut Section<'_>) -> Option<Times> {
    for key in ["duration", "time_zone", "utc_offset_minutes"] {
        section.refuse(key, "goes with schedule", "write schedule and duration, or from and to");
    }
    let (from, to) = (instant(section, "from"), instant(section, "to"));
    Some(Times::Once { from: from?, to: to? })
}

fn instant(section: &mut Section<'_>, key: &'static str) -> Option<TimestampMs> {
    let Some(text) = section.text(key) else {
        let hint = "write schedule and duration, or from and to";
        section.note_here(&format!("{key} is missing"), hint);
        return None;
    };
    let read = |text: &Text| text.value.parse::<Timestamp>().ok();
    let Some(instant) = read(&text) else {
        section.note(&text, &format!("{:?} is not an instant", text.value), INSTANT_HINT);
        return None;
    };
    Some(TimestampMs(instant.as_millisecond()))
}
