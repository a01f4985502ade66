//! Local time and holidays of a detector.

use super::section::{Section, Text, did_you_mean};
use crate::features::{Holiday, Holidays, SeasonSettings, Zone};

/// The place whose name shows how a name is written.
const EXAMPLE: &str = "Europe/Berlin";

/// Most holidays, ranges and single days alike: decades of them.
const MAX_HOLIDAYS: usize = 1000;

/// Where hours and days begin: minutes ahead of UTC, or the name of a place.
pub(super) fn local_time(section: &mut Section<'_>) -> (i32, Option<String>) {
    let offset = section.number("utc_offset_minutes", 0, -1440..=1440);
    let Some(text) = section.text("time_zone") else { return (offset, None) };
    if offset != 0 {
        section.note(&text, "stands beside utc_offset_minutes", "write one of the two");
    }
    let Some(zone) = Zone::named(&text.value) else {
        let names = Zone::names();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let otherwise = || format!("write an IANA name such as {EXAMPLE}");
        let hint = did_you_mean(&text.value, &known, otherwise);
        section.note(&text, &format!("there is no time zone {:?}", text.value), &hint);
        return (0, None);
    };
    // UTC is what is meant where nothing is written, and models of before there were zones are for it.
    (0, zone.name().filter(|name| *name != "UTC").map(str::to_owned))
}

/// What the hour of the day may say.
pub(super) fn season(section: &mut Section<'_>) -> Option<SeasonSettings> {
    let (holidays, default) = (holidays(section), SeasonSettings::default());
    let season = |unusual_hours| Some(SeasonSettings { holidays: holidays.clone(), unusual_hours });
    let choices = [("none", None), ("habits", Some(false)), ("full", Some(true))];
    section.choice("seasonality", &choices, Some(default.unusual_hours)).and_then(season)
}

/// The days that count as Sundays. One that cannot be read is noted and left out.
fn holidays(section: &mut Section<'_>) -> Holidays {
    const HINT: &str =
        "write a day (2026-05-14), a range (2026-08-03..2026-08-14) or a day of every year (12-25)";
    let texts = section.texts("holidays").unwrap_or_default();
    if texts.len() > MAX_HOLIDAYS {
        section.note_at("holidays", &format!("has {} days and ranges, at most {MAX_HOLIDAYS}", texts.len()));
    }
    let holiday = |text: &Text| -> Option<Holiday> {
        text.value.parse().map_err(|invalid| section.note(text, &format!("{invalid}"), HINT)).ok()
    };
    Holidays::new(texts.iter().take(MAX_HOLIDAYS).filter_map(holiday).collect())
}
