//! What makes a detector train again: keys under `training`.

use super::{
    section::Section,
    units::{format_duration, parse_duration},
};
use crate::pipeline::{CronTimes, TrainingSchedule, TrainingTriggers};
use std::{ops::RangeInclusive, time::Duration};

const HINT: &str = "write an interval such as 1w, a crontab (minute, hour, day of the month, month, day of the week) such as 0 4 * * 0, or never";

/// The shortest and the longest interval: more often a model has seen nothing new, and what is longer is never.
const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(3600)..=Duration::from_secs(365 * 86_400);

/// An index beyond it would be one of two samples that have nothing in common.
const MAX_THRESHOLD: f64 = 20.0;

pub(super) fn triggers(section: &mut Section<'_>) -> TrainingTriggers {
    TrainingTriggers {
        schedule: schedule(section),
        drift_threshold: section.number(
            "drift_threshold",
            TrainingTriggers::DEFAULT_DRIFT_THRESHOLD,
            0.0..=MAX_THRESHOLD,
        ),
        min_f1: section.number("min_f1", TrainingTriggers::DEFAULT_MIN_F1, 0.0..=1.0),
    }
}

fn schedule(section: &mut Section<'_>) -> TrainingSchedule {
    let default = TrainingSchedule::default();
    let Some(text) = section.text("schedule") else { return default };
    let value = text.value.trim();
    if value == "never" {
        return TrainingSchedule::Never;
    }
    if value.contains(char::is_whitespace) {
        return match CronTimes::new(value) {
            Ok(times) => TrainingSchedule::At(times),
            Err(invalid) => {
                section.note(&text, &invalid.to_string(), HINT);
                default
            }
        };
    }
    match parse_duration(value) {
        Some(interval) if INTERVALS.contains(&interval) => {
            TrainingSchedule::Every(i64::try_from(interval.as_millis()).unwrap_or(i64::MAX))
        }
        Some(_) => {
            let (low, high) = (format_duration(*INTERVALS.start()), format_duration(*INTERVALS.end()));
            section.note(
                &text,
                &format!("{value} is out of range"),
                &format!("write {low} to {high}, or never"),
            );
            default
        }
        None => {
            section.note(&text, &format!("{value:?} is no schedule"), HINT);
            default
        }
    }
}
