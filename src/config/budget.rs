//! The alert budget of a detector.

use super::{
    section::Section,
    units::{format_duration, parse_duration},
};
use crate::calibrate::{AlarmRate, Budget, CheckedPersistence, Thresholds};
use std::time::Duration;

/// The budget and the thresholds that keep it; without one those that are configured. `None` when it cannot be kept,
/// which has been noted.
pub(super) fn budget(
    mut section: Section<'_>,
    thresholds: Thresholds,
    persistence: CheckedPersistence,
    step: Duration,
) -> Option<(Budget, Thresholds)> {
    let budget = Budget { medium: rate(&mut section, "medium"), high: rate(&mut section, "high") };
    let kept = budget.thresholds(thresholds, persistence, step).map_err(|error| {
        let hint = "allow more alarms, or lower the thresholds, which a budget only lifts";
        section.note_here(&error.to_string(), hint);
    });
    section.finish();
    Some((budget, kept.ok()?))
}

/// `1/w`, `2/12h`: so many alarms in so much time.
fn rate(section: &mut Section<'_>, key: &'static str) -> Option<AlarmRate> {
    let text = section.text(key)?;
    let rate = parse_rate(&text.value);
    if rate.is_none() {
        section.note(
            &text,
            &format!("{:?} is not a number of alarms in a time", text.value),
            "write, for example, 1/w, 2/d or 1/12h",
        );
    }
    rate
}

fn parse_rate(text: &str) -> Option<AlarmRate> {
    let (alarms, period) = text.split_once('/')?;
    let (alarms, period) = (alarms.trim().parse::<f64>().ok()?, period.trim());
    let period = parse_duration(period).or_else(|| parse_duration(&format!("1{period}")))?;
    let is_rate = alarms.is_finite() && alarms > 0.0 && !period.is_zero();
    is_rate.then_some(AlarmRate { alarms, period })
}

/// Writes a rate so that a config reads it back.
#[must_use]
pub fn format_rate(rate: AlarmRate) -> String {
    format!("{}/{}", rate.alarms, format_duration(rate.period))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_alarms_in_a_time() {
        let week = AlarmRate { alarms: 1.0, period: Duration::from_secs(7 * 86_400) };
        assert_eq!([parse_rate("1/w"), parse_rate("1 / 7d")], [Some(week), Some(week)]);
        assert_eq!(parse_rate("0.5/12h").map(format_rate).as_deref(), Some("0.5/12h"));
        for text in ["", "1", "1/", "/w", "1/week", "0/w", "-1/d", "1/0", "inf/d", "1/1w/2"] {
            assert_eq!(parse_rate(text), None, "{text}");
        }
    }
}
