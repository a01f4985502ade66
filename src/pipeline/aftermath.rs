//! What a window still holds of an anomaly that is over.
//!
//! The inputs of a model look back over a window, so what was anomalous stays in them for its length after everything is as it
//! was before, and where an incident outlasted the window its end is as large a change as its beginning. Neither is news. A step
//! is in the **aftermath** of an alarm where each feature that drives its score left the range in which it was before the alarm, or
//! that in which it usually is, and is back there. What else happens meanwhile drives the score by other features, or by values
//! that are not back.

use crate::{
    calibrate::Severity,
    explain::{Contribution, Expected},
    features::FeatureWindows,
    series::{LabelSet, TimestampMs},
};
use std::collections::BTreeMap;

/// A value is back where it is beyond the range before by at most so many of its widths.
const SLACK: f64 = 0.5;

/// The same of the range in which it usually is, which is 95 % of all.
const USUAL_SLACK: f64 = 0.1;

/// A feature with a smaller share of a score does not drive it.
const LEAST_SHARE: f64 = 0.1;

/// Steps right before an alarm that may belong to its cause already.
const ONSET_STEPS: usize = 3;

/// A range of fewer values says little.
const LEAST_VALUES: usize = 5;

/// After so long a value that is back has no aftermath: what lasted longer was what is usual.
const LONGEST_MS: i64 = 86_400_000;

/// The alarms that may still be seen in the windows of their entities.
#[derive(Debug)]
pub(super) struct Aftermaths {
    reach_ms: i64,
    step_ms: i64,
    entities: BTreeMap<LabelSet, Aftermath>,
}

#[derive(Debug)]
struct Aftermath {
    /// The last step at which the alarm stood, or one of its features had been away ever since.
    last: TimestampMs,
    /// The last step at which the alarm stood.
    alarmed: TimestampMs,
    was_high: bool,
    /// One a feature.
    homes: Vec<Home>,
}

/// Where a feature belongs.
#[derive(Clone, Copy, Debug)]
struct Home {
    /// Where it was before the alarm, where it had enough values.
    before: Option<Place>,
    /// Where it usually is.
    usual: Option<Place>,
    /// Whether it was elsewhere while the alarm stood, and ever since.
    is_away: bool,
}

/// A range, and whether its feature was elsewhere while the alarm stood.
#[derive(Clone, Copy, Debug)]
struct Place {
    range: Expected,
    left: bool,
}

// === impl Aftermaths ===

impl Aftermaths {
    /// Knows of no alarm that these windows may hold.
    pub(super) fn new(windows: &FeatureWindows) -> Self {
        Self { reach_ms: windows.reach_ms(), step_ms: windows.step_ms(), entities: BTreeMap::new() }
    }

    /// Bytes of an entity that had an alarm.
    pub(super) fn bytes_an_entity(n_features: usize) -> usize {
        size_of::<LabelSet>() + size_of::<Aftermath>() + n_features * size_of::<Home>()
    }

    /// Forgets what no window holds at step `at` any more, also of entities that are gone: before anything is asked of that step.
    pub(super) fn forget_over(&mut self, at: TimestampMs) {
        let reach_ms = self.reach_ms;
        let lasts = |aftermath: &Aftermath| {
            at.since_ms(aftermath.last) <= reach_ms && at.since_ms(aftermath.alarmed) <= LONGEST_MS
        };
        self.entities.retain(|_, aftermath| lasts(aftermath));
    }

    /// Whether all that drives the score of this step is back where it was before an alarm.
    pub(super) fn holds(
        &self,
        entity: &LabelSet,
        drivers: &[Contribution],
        value: impl Fn(usize) -> f64,
    ) -> bool {
        let Some(aftermath) = self.entities.get(entity) else { return false };
        let mut driving = drivers.iter().filter(|driver| driver.share >= LEAST_SHARE).peekable();
        let is_back =
            |feature: usize| aftermath.homes.get(feature).is_some_and(|home| home.has(value(feature)));
        driving.peek().is_some() && driving.all(|driver| is_back(driver.feature))
    }

    /// Whether windows hold something of an alarm on this entity that was high.
    pub(super) fn hold_high(&self, entity: &LabelSet) -> bool {
        self.entities.get(entity).is_some_and(|aftermath| aftermath.was_high)
    }

    /// Takes a step. `alarm` is the first step of the alarm that stands, if one does and the step is in no aftermath, and how severe
    /// it is.
    pub(super) fn take(
        &mut self,
        entity: &LabelSet,
        at: TimestampMs,
        alarm: Option<(TimestampMs, Severity)>,
        windows: &FeatureWindows,
        usual: impl Iterator<Item = Option<Expected>>,
        value: impl Fn(usize) -> f64,
    ) {
        if !self.entities.contains_key(entity) {
            let Some((since, _)) = alarm else { return };
            let steps = (at.since_ms(since) / self.step_ms.max(1)) as usize + 1 + ONSET_STEPS;
            let home = |(feature, usual)| Home::new(&windows.recent(entity, feature), steps, usual);
            let homes = usual.enumerate().map(home).collect();
            let aftermath = Aftermath { last: at, alarmed: at, was_high: false, homes };
            self.entities.insert(entity.clone(), aftermath);
        }
        let Some(aftermath) = self.entities.get_mut(entity) else { return };
        if let Some((_, severity)) = alarm {
            aftermath.alarmed = at;
            aftermath.was_high |= severity >= Severity::High;
        }
        let mut is_away = false;
        for (feature, home) in aftermath.homes.iter_mut().enumerate() {
            home.follow(value(feature), alarm.is_some());
            is_away |= home.is_away;
        }
        if alarm.is_some() || is_away {
            aftermath.last = at;
        }
    }

    pub(super) fn forget(&mut self, entity: &LabelSet) {
        self.entities.remove(entity);
    }
}

// === impl Home ===

impl Home {
    /// That of a feature with these values, of which the last `steps` may belong to the alarm.
    fn new(recent: &[f64], steps: usize, usual: Option<Expected>) -> Self {
        let before =
            recent[..recent.len().saturating_sub(steps)].iter().copied().filter(|value| value.is_finite());
        let (mut low, mut high, mut count) = (f64::INFINITY, f64::NEG_INFINITY, 0);
        for value in before {
            (low, high, count) = (low.min(value), high.max(value), count + 1);
        }
        let before = (count >= LEAST_VALUES).then(|| Place::new(low, high, SLACK));
        let usual = usual.map(|Expected { low, high }| Place::new(low, high, USUAL_SLACK));
        Self { before, usual, is_away: false }
    }

    /// Whether it is back where it was, or where it usually is.
    fn has(&self, value: f64) -> bool {
        self.places().any(|place| place.left && place.holds(value))
    }

    /// Takes a value; what is elsewhere only after it was back, and without an alarm, is not away for it.
    fn follow(&mut self, value: f64, in_alarm: bool) {
        for place in self.before.iter_mut().chain(&mut self.usual) {
            place.left |= in_alarm && !place.holds(value);
        }
        let is_elsewhere = self.places().any(|place| place.left) && !self.has(value);
        self.is_away = is_elsewhere && (in_alarm || self.is_away);
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.before.iter().chain(&self.usual)
    }
}

// === impl Place ===

impl Place {
    fn new(low: f64, high: f64, slack: f64) -> Self {
        let slack = slack * (high - low);
        Self { range: Expected { low: low - slack, high: high + slack }, left: false }
    }

    fn holds(&self, value: f64) -> bool {
        (self.range.low..=self.range.high).contains(&value)
    }
}

#[cfg(test)]
mod tests;
