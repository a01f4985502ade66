//! One anomaly in a line that is worth reading.
//!
//! First what stands out, then how rare it is and since when, then what was missing. A feature stands out when it is
//! unusual by itself; equal shares of many are nobody's doing, and it is said so.

use super::{
    Aspect, Change, Reason,
    quantity::{Quantity, duration_text, grouped},
};
use crate::{calibrate::Peak, series::TimestampMs};
use jiff::Timestamp;
use std::fmt::Display;

/// So many features, those with the largest shares, are asked for reasons.
pub const MAX_EXAMINED: usize = 5;

/// Features named in a sentence; more do not help to read it.
const MAX_NAMED: usize = 3;

/// Missing features named in a sentence.
const MAX_MISSING: usize = 5;

/// A feature below this share is noise.
const MIN_SHARE: f64 = 0.05;

/// A share that is so many times what equal shares would be is more than chance, and so is a half.
const ABOVE_EQUAL: f64 = 1.5;
const HALF: f64 = 0.5;

/// The peak of an episode is spoken of when it was so many times rarer than the present.
const PEAK_RARER: f64 = 2.0;

/// Beyond so many sigmas a number says no more.
const MANY_SIGMAS: f64 = 100.0;

/// The range that a feature has in normal operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// A feature that drives an anomaly.
#[derive(Clone, Debug, PartialEq)]
pub struct Driver<'a> {
    /// The feature.
    pub feature: Quantity<'a>,
    /// Its value at the step; none when there is none.
    pub seen: Option<f64>,
    /// What it is in normal operation, where that is known.
    pub expected: Option<Expected>,
    /// Its part in the score, within 0..=1.
    pub share: f64,
    /// The median of its window before the last three steps, where these have left it by more than usual.
    pub before: Option<f64>,
    /// Why it is unusual by itself; none where its ordinary variation is not known.
    pub reasons: Option<Vec<Reason>>,
}

/// What is known about one anomaly.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What drives it, largest share first. May be empty.
    pub drivers: &'a [Driver<'a>],
    /// Number of features of the detector.
    pub n_features: usize,
    /// How rare such a window is in normal operation.
    pub tail_probability: f64,
    /// The rarest that the calibration can tell (`Tail::floor`); what comes near is said to be "at most".
    pub floor: f64,
    /// From this probability up a window is ordinary.
    pub ordinary_from: f64,
    /// The step.
    pub at: TimestampMs,
    /// When the episode began; none outside an episode.
    pub since: Option<TimestampMs>,
    /// The strangest step of the episode.
    pub peak: Option<Peak>,
    /// Features that had no data.
    pub missing: &'a [&'a str],
}

// === impl Evidence ===

impl<'a> Evidence<'a> {
    /// The features that stand out, at most three, largest share first: the criteria of the anomaly are theirs.
    #[must_use]
    pub fn named(&self) -> Vec<&'a Driver<'a>> {
        let above_equal = self.above_equal();
        let stands_out = |driver: &&Driver<'_>| match &driver.reasons {
            Some(reasons) => driver.share >= MIN_SHARE && !reasons.is_empty(),
            None => driver.share >= above_equal,
        };
        self.drivers.iter().take(MAX_EXAMINED).filter(stands_out).take(MAX_NAMED).collect()
    }

    /// The share that is more than chance.
    fn above_equal(&self) -> f64 {
        (ABOVE_EQUAL / self.n_features as f64).clamp(MIN_SHARE, HALF)
    }
}

/// Says it in plain English, for example `memory_usage_pct is 91.3 %, 7.2 sigma above its usual 40 to 55.5 %; also
/// cpu_usage_avg 0.971 (usually 0.21 to 0.38). About one window in 40,000 is as unusual; anomalous since 14:32 UTC (6 min). No data
/// for disk_usage_pct.`
///
/// At most three features are named, and at most five missing ones. Of an episode whose peak is over, the peak is named.
#[must_use]
pub fn sentence(evidence: &Evidence<'_>) -> String {
    let mut text = what(evidence);
    text.push('.');
    let clauses = clauses(evidence);
    if !clauses.is_empty() {
        text.push(' ');
        text.push_str(&capital(&clauses.join("; ")));
        text.push('.');
    }
    if !evidence.missing.is_empty() {
        text.push_str(&format!(" No data for {}.", first_missing(evidence.missing.iter())));
    }
    text
}

/// Says which features had no value and what stands for them, for example `Filled in: disk_usage_pct 45.2 % and request_rate
/// 0.` At most five are named.
#[must_use]
pub fn filled_in(features: &[(Quantity<'_>, f64)]) -> String {
    let show = |(feature, value): &(Quantity<'_>, f64)| format!("{feature} {}", feature.show(*value));
    format!("Filled in: {}.", first_missing(features.iter().map(show)))
}

/// What stands out.
fn what(evidence: &Evidence<'_>) -> String {
    let at = evidence.at;
    match *evidence.named() {
        [] => together(evidence),
        [first] => headline(first, at),
        [first, ref others @ ..] => {
            let others: Vec<String> = others.iter().map(|driver| aside(driver, at)).collect();
            format!("{}; also {}", headline(first, at), listed(&others))
        }
    }
}

fn together(evidence: &Evidence<'_>) -> String {
    if evidence.tail_probability >= evidence.ordinary_from {
        let more = if evidence.since.is_some() { " any more" } else { "" };
        return format!("Nothing is unusual{more}");
    }
    let above_equal = evidence.above_equal();
    let drivers = evidence.drivers.iter().filter(|driver| driver.share >= above_equal).take(MAX_NAMED);
    let drivers: Vec<String> = drivers.map(|driver| aside(driver, evidence.at)).collect();
    match drivers.len() {
        0 => "No single feature stands out".to_owned(),
        1 => format!("Nothing stands out by itself; most of it is {}", drivers[0]),
        _ => format!("Nothing stands out by itself; unusual together are {}", listed(&drivers)),
    }
}

fn headline(driver: &Driver<'_>, at: TimestampMs) -> String {
    let unit = driver.feature;
    let mut text = match (past_outlier(driver, at), driver.seen) {
        (Some((value, time)), _) => format!("{} was {} at {time}", driver.feature, unit.show(value)),
        (None, Some(seen)) => format!("{} is {}", driver.feature, unit.show(seen)),
        (None, None) => format!("{} has no value", driver.feature),
    };
    let usual = driver.expected.map(|expected| unit.show_range(expected.low, expected.high));
    let reasons = driver.reasons.as_deref().unwrap_or_default();
    let sigmas = reasons.iter().find_map(|reason| match reason {
        Reason::Outlier { sigmas, .. } => Some(*sigmas),
        Reason::Change(_) => None,
    });
    match (sigmas, usual) {
        (Some(sigmas), Some(usual)) if sigmas.is_infinite() => {
            text.push_str(&format!(", always {usual} before"))
        }
        (Some(sigmas), Some(usual)) => text.push_str(&format!(", {} its usual {usual}", sigmas_text(sigmas))),
        (Some(sigmas), None) => text.push_str(&format!(", {} what is usual", sigmas_text(sigmas))),
        (None, Some(usual)) => text.push_str(&format!(", usually {usual}")),
        (None, None) => {}
    }
    if let Some(change) = change_of(reasons) {
        text.push_str(&format!(", and {}", change_text(change, driver, at)));
    }
    text
}

/// A feature that is named beside the first.
fn aside(driver: &Driver<'_>, at: TimestampMs) -> String {
    let unit = driver.feature;
    let seen = match (past_outlier(driver, at), driver.seen) {
        (Some((value, time)), _) => format!("{} at {time}", unit.show(value)),
        (None, Some(seen)) => unit.show(seen),
        (None, None) => "without a value".to_owned(),
    };
    let reasons = driver.reasons.as_deref().unwrap_or_default();
    // Where nothing else says why it is named.
    let before = driver.before.filter(|_| reasons.is_empty());
    let before = before.map(|before| format!("before {}", unit.show(before)));
    let usual =
        driver.expected.map(|expected| format!("usually {}", unit.show_range(expected.low, expected.high)));
    let change = change_of(reasons).map(|change| change_text(change, driver, at));
    let remarks: Vec<String> = before.into_iter().chain(usual).chain(change).collect();
    match remarks.as_slice() {
        [] => format!("{} {seen}", driver.feature),
        remarks => format!("{} {seen} ({})", driver.feature, remarks.join(", ")),
    }
}

fn change_of(reasons: &[Reason]) -> Option<&Change> {
    reasons.iter().find_map(|reason| match reason {
        Reason::Change(change) => Some(change),
        Reason::Outlier { .. } => None,
    })
}

/// Value and time of an outlier that lies before the step, which its value no longer shows.
fn past_outlier(driver: &Driver<'_>, at: TimestampMs) -> Option<(f64, String)> {
    driver.reasons.iter().flatten().find_map(|reason| match reason {
        Reason::Outlier { value, at: then, .. } if *then != at => Some((*value, clock(*then, at)?)),
        _ => None,
    })
}

fn sigmas_text(sigmas: f64) -> String {
    let side = if sigmas < 0.0 { "below" } else { "above" };
    match sigmas.abs() {
        many if many > MANY_SIGMAS => format!("more than {MANY_SIGMAS} sigma {side}"),
        few if few < 10.0 => format!("{few:.1} sigma {side}"),
        some => format!("{some:.0} sigma {side}"),
    }
}

fn change_text(change: &Change, driver: &Driver<'_>, at: TimestampMs) -> String {
    let words = match (change.aspect, change.upwards) {
        (Aspect::Level, true) => "its level has risen",
        (Aspect::Level, false) => "its level has fallen",
        (Aspect::Trend, true) => "it keeps rising",
        (Aspect::Trend, false) => "it keeps falling",
        (Aspect::Spread, true) => "it varies more than usual",
        (Aspect::Spread, false) => "it varies less than usual",
        (Aspect::Jump, true) => "it has jumped up",
        (Aspect::Jump, false) => "it has dropped",
    };
    let since = change.since.and_then(|since| clock(since, at));
    match (since, driver.before) {
        (Some(since), _) => format!("{words} since about {since}"),
        (None, Some(before)) if change.aspect == Aspect::Jump => {
            format!("{words} from {}", driver.feature.show(before))
        }
        _ => words.to_owned(),
    }
}

// === how rare, since when, what is missing ===

/// How rare the step is, how rare the peak was, since when.
fn clauses(evidence: &Evidence<'_>) -> Vec<String> {
    let (p, at) = (evidence.tail_probability, evidence.at);
    let peak = evidence.peak.filter(|peak| peak.at < at && peak.score.tail_probability() * PEAK_RARER <= p);
    let peak_text = |peak: Peak| {
        let when = clock(peak.at, at).unwrap_or_else(|| duration_text(at.since_ms(peak.at)) + " ago");
        // The scale of scores ends at one in a million.
        let rarity = rarity(peak.score.tail_probability(), evidence.floor.max(1e-6));
        format!("at its peak, {when}, it was {rarity}")
    };
    let now = if peak.is_some() { " now" } else { "" };
    let rare = match 1.0 / p {
        // It has been said that nothing is unusual.
        _ if p >= evidence.ordinary_from => None,
        often if often.is_finite() => Some(format!("{} is as unusual{now}", rarity(p, evidence.floor))),
        _ => Some("how rare it is cannot be told".to_owned()),
    };
    let since = evidence.since.map(|since| since_text(since, at));
    rare.into_iter().chain(peak.map(peak_text)).chain(since).collect()
}

/// `about one window in 40,000`. Where the calibration ends, its probabilities only approach the floor.
fn rarity(p: f64, floor: f64) -> String {
    let end = floor * 1.5;
    if p <= end && floor > 0.0 {
        return format!("fewer than one window in {}", windows(1.0 / end));
    }
    format!("about one window in {}", windows(1.0 / p))
}

/// A number of windows: a person is helped by two digits, and misled by more.
fn windows(n: f64) -> String {
    let two_digits: f64 = format!("{n:.1e}").parse().unwrap_or(n);
    grouped(if n < 10.0 { n.round() } else { two_digits } as u64)
}

fn since_text(since: TimestampMs, at: TimestampMs) -> String {
    let lasted = at.since_ms(since).max(0);
    match (clock(since, at), lasted) {
        (Some(time), 0) => format!("anomalous since {time}"),
        (Some(time), _) => format!("anomalous since {time} ({})", duration_text(lasted)),
        (None, _) => format!("anomalous for {}", duration_text(lasted)),
    }
}

/// The time of day, with the date where that is another than that of `at`; none outside the years that the calendar has.
pub(super) fn clock(time: TimestampMs, at: TimestampMs) -> Option<String> {
    let same_day = utc(time, "%F") == utc(at, "%F");
    utc(time, if same_day { "%H:%M UTC" } else { "%F %H:%M UTC" })
}

fn utc(timestamp: TimestampMs, format: &str) -> Option<String> {
    Timestamp::from_millisecond(timestamp.0).ok().map(|time| time.strftime(format).to_string())
}

/// The first of what is missing, listed, and how many more there are.
fn first_missing(all: impl ExactSizeIterator<Item = impl Display>) -> String {
    let more = all.len().saturating_sub(MAX_MISSING);
    let rest = (more > 0).then(|| format!("{more} more"));
    let named: Vec<String> = all.take(MAX_MISSING).map(|one| one.to_string()).chain(rest).collect();
    listed(&named)
}

/// `a`, `a and b`, `a, b and c`.
fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests;
