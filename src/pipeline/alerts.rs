//! Alerts of Prometheus in the stream, as labels of what is judged.
//!
//! Prometheus writes the alerts that fire into what it sends: `ALERTS{alertname, alertstate="firing", ..}`. An alert is on an
//! entity when it has all labels by which the detector names its entities, with the same values; one with only some of them is on
//! nobody. Alerts of one name on one entity are one alert, whatever their other labels. It begins at the first step at which it
//! fires and ends at the first at which it does not: all is in the time of the data.
//!
//! What an alert is on is not trained on from `margin_before` its begin until `margin_after` its end, and what the detector said is
//! held against it: see [`quality`]. Nothing is changed by it in scores and severities (`docs/decisions/031-alerts-are-labels.md`).
//!
//! Memory is bounded by the series of alerts that the windows hold, and by the incidents of an entity within `lead`.

mod f1;

mod history;

mod quality;

mod reading;

pub(super) use f1::LiveF1;
pub use history::{AlertHistory, AlertedTime, AlertedTimes};
pub use quality::{AlertOutcome, JudgedIncident};
pub(super) use reading::AlertSource;
pub use reading::OWN_ALERTS;

use super::verdict::Verdict;
use crate::{
    promql::LeafVector,
    series::{LabelMatcher, LabelSet, TimestampMs},
};
use quality::Quality;
use reading::ALERT_NAME;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// So many alerts of an entity are named at a step, and of an incident: who has more has one trouble.
pub(super) const MAX_NAMED: usize = 20;

/// Which series are alerts, and what they are good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertSettings {
    /// A series that satisfies all of these is an alert, which fires while its value is not zero.
    pub selector: Vec<LabelMatcher>,
    /// Names of alerts that are left out, beside the own ones (see [`OWN_ALERTS`]).
    pub ignore: Vec<String>,
    /// How long before an alert began its entity is not trained on.
    pub margin_before: Duration,
    /// How long after an alert ended its entity is not trained on.
    pub margin_after: Duration,
    /// How far apart an alert and an incident may be to be about the same.
    pub lead: Duration,
}

/// What a step made of the alerts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertStep {
    /// Alerts that fire on an entity.
    pub firing: usize,
    /// Alerts that began and are on nobody, for want of a label.
    pub named_nobody: usize,
    /// Rows that were not taken to train on, or were taken out again.
    pub rows_left_out: usize,
    /// Incidents of the detector whose window is over.
    pub incidents: Vec<JudgedIncident>,
    /// Alerts of which it is decided whether they were seen.
    pub alerts: Vec<AlertOutcome>,
}

/// What is remembered of alerts.
#[derive(Debug)]
pub(super) struct AlertWatch {
    before_ms: i64,
    after_ms: i64,
    /// Those that are not to be trained on at the step that was taken last: an alert fires on them, or ended lately.
    entities: BTreeMap<LabelSet, Watched>,
    /// Alerts that fire on nobody.
    on_nobody: BTreeSet<LabelSet>,
    quality: Quality,
    /// Of the step that was taken last.
    step: AlertStep,
}

/// The alerts of an entity.
#[derive(Debug)]
struct Watched {
    /// By name.
    firing: Vec<Firing>,
    /// The first instant that is trained on again after those that ended.
    free_from: TimestampMs,
}

#[derive(Debug)]
struct Firing {
    name: String,
    began: TimestampMs,
    /// Whether it is still open if it was seen.
    is_pending: bool,
}

// === impl AlertSettings ===

impl AlertSettings {
    /// Where nothing else is said of `margin_before`: what leads up to an alert, five minutes for which its condition usually has to
    /// hold, and the five that its rates look back.
    pub const DEFAULT_MARGIN_BEFORE: Duration = Duration::from_secs(600);

    /// Where nothing else is said of `margin_after`: as long as the default window of a detector, until then what its features say is
    /// still made of what was wrong.
    pub const DEFAULT_MARGIN_AFTER: Duration = Duration::from_secs(1800);
}

// === impl AlertWatch ===

impl AlertWatch {
    /// Has seen nothing.
    pub(super) fn new(settings: &AlertSettings) -> Self {
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self {
            before_ms: ms(settings.margin_before),
            after_ms: ms(settings.margin_after),
            entities: BTreeMap::new(),
            on_nobody: BTreeSet::new(),
            quality: Quality::new(ms(settings.lead)),
            step: AlertStep::default(),
        }
    }

    /// Takes what [`AlertSource`] read at step `at`; `by` are the labels of the entities. Steps come in order.
    pub(super) fn take(&mut self, at: TimestampMs, read: &LeafVector, by: &[String]) {
        self.step = AlertStep::default();
        if read.is_empty() && self.entities.is_empty() && self.on_nobody.is_empty() {
            return;
        }
        let (firing, on_nobody) = firing_on(read, by);
        self.step.named_nobody = on_nobody.difference(&self.on_nobody).count();
        self.on_nobody = on_nobody;
        self.end_others(at, &firing);
        for (entity, names) in firing {
            let fresh = || Watched { firing: Vec::new(), free_from: at };
            let watched = self.entities.entry(entity).or_insert_with(fresh);
            names.into_iter().for_each(|name| watched.begin(name, at));
            self.step.firing += watched.firing.len();
        }
    }

    /// Ends the alerts that are not among those that fire at step `at`, and forgets what they were on when it is trained on again.
    fn end_others(&mut self, at: TimestampMs, firing: &BTreeMap<LabelSet, Vec<&str>>) {
        let (after_ms, outcomes) = (self.after_ms, &mut self.step.alerts);
        self.entities.retain(|entity, watched| {
            let names = firing.get(entity);
            let goes_on = |alert: &Firing| names.is_some_and(|names| names.contains(&&*alert.name));
            for ended in watched.firing.extract_if(.., |alert| !goes_on(alert)) {
                watched.free_from = at.plus_ms(after_ms);
                if ended.is_pending {
                    outcomes.push(AlertOutcome::Missed);
                }
            }
            names.is_some() || at < watched.free_from
        });
    }

    /// The names of the alerts that fire on an entity, at most [`MAX_NAMED`].
    pub(super) fn names_of(&self, entity: &LabelSet) -> Vec<String> {
        let firing = self.entities.get(entity).map(|watched| &watched.firing[..]).unwrap_or_default();
        firing.iter().take(MAX_NAMED).map(|alert| alert.name.clone()).collect()
    }

    /// Whether an alert fires on an entity at the step that was taken last.
    pub(super) fn fires_on(&self, entity: &LabelSet) -> bool {
        self.entities.get(entity).is_some_and(|watched| !watched.firing.is_empty())
    }

    /// Whether an entity is not to be trained on at the step that was taken last.
    pub(super) fn keeps_out(&self, entity: &LabelSet) -> bool {
        self.entities.contains_key(entity)
    }

    /// Those on which an alert began at step `at`, which was taken, and the first instant of them that should not have been
    /// trained on.
    pub(super) fn began(&self, at: TimestampMs) -> impl Iterator<Item = (&LabelSet, TimestampMs)> {
        let since = at.plus_ms(self.before_ms.saturating_neg());
        let began = move |watched: &Watched| watched.firing.iter().any(|alert| alert.began == at);
        self.entities
            .iter()
            .filter(move |(_, watched)| began(watched))
            .map(move |(entity, _)| (entity, since))
    }

    /// Holds the verdicts of step `at`, by ascending labels, against the alerts that were taken for it, and gives what there is
    /// to say of the step.
    pub(super) fn judge(&mut self, at: TimestampMs, verdicts: &[Verdict], rows_left_out: usize) -> AlertStep {
        let mut step = std::mem::take(&mut self.step);
        self.quality.judge(at, verdicts, &mut self.entities, &mut step);
        AlertStep { rows_left_out, ..step }
    }
}

// === impl Watched ===

impl Watched {
    /// Takes an alert that fires at step `at`.
    fn begin(&mut self, name: &str, at: TimestampMs) {
        if let Err(place) = self.firing.binary_search_by(|known| known.name.as_str().cmp(name)) {
            self.firing.insert(place, Firing { name: name.to_owned(), began: at, is_pending: true });
        }
    }
}

/// The names of the alerts that fire on each entity, and the alerts that fire on nobody.
fn firing_on<'a>(
    read: &'a LeafVector,
    by: &[String],
) -> (BTreeMap<LabelSet, Vec<&'a str>>, BTreeSet<LabelSet>) {
    let mut firing: BTreeMap<LabelSet, Vec<&str>> = BTreeMap::new();
    let mut on_nobody = BTreeSet::new();
    for (alert, _) in read.iter().filter(|(_, value)| *value != 0.0 && !value.is_nan()) {
        if by.iter().all(|name| alert.get(name).is_some()) {
            firing.entry(alert.keep(by)).or_default().push(alert.get(ALERT_NAME).unwrap_or_default());
        } else {
            on_nobody.insert(alert.clone());
        }
    }
    (firing, on_nobody)
}

#[cfg(test)]
mod tests;
