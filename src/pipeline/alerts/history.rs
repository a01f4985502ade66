//! The alerts of the past, read as the running sidecar would have read them.

use super::{AlertSettings, firing_on, reading::AlertSource};
use crate::{
    pipeline::leaves::{LeafMemory, LeafPlaces, LeafTable},
    promql::{LeafMatrix, LeafVector, MergeMemory},
    series::{LabelMatcher, LabelSet, SampleBatch, TimestampMs},
    window::{self, AppendCounts, Store},
};
use std::collections::{BTreeMap, BTreeSet};

/// The alerts on the entities of one detector, step by step.
///
/// It takes samples in any order that the windows take, and looks at a step once all samples up to it are there, which the caller knows. Its
/// memory is that of the windows and of what it has found.
#[derive(Debug)]
pub struct AlertHistory {
    source: AlertSource,
    store: Store,
    memory: LeafMemory,
    table: LeafTable,
    places: LeafPlaces,
    merges: Vec<MergeMemory>,
    by: Vec<String>,
    step_ms: i64,
    next: TimestampMs,
    /// Since when an alert fires on an entity.
    firing: BTreeMap<LabelSet, TimestampMs>,
    on_nobody: BTreeSet<LabelSet>,
    found: Vec<AlertedTime>,
}

/// A time in which at least one alert fired on an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertedTime {
    /// Its labels.
    pub entity: LabelSet,
    /// The first step at which one fired.
    pub began: TimestampMs,
    /// The first step at which none did any more.
    pub ended: TimestampMs,
}

/// What the past held of alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertedTimes {
    /// In the order in which they ended, then by entity.
    pub times: Vec<AlertedTime>,
    /// Alerts that are on nobody, for want of a label.
    pub named_nobody: usize,
}

// === impl AlertHistory ===

impl AlertHistory {
    /// The alerts on entities that are named by the labels `by`, from the first step on that is not before `from`.
    #[must_use]
    pub fn new(settings: &AlertSettings, by: &[String], step_ms: i64, from: TimestampMs) -> Self {
        let source = AlertSource::new(settings);
        let mut table = LeafTable::default();
        let (leaves, back_ms) = source.leaves();
        let places = table.register(leaves, back_ms);
        let config = window::Config { retention_ms: table.retention_ms(), ..window::Config::default() };
        let mut store = Store::new(config, table.selectors());
        let down = from.align_down(step_ms);
        let next = if down == from { down } else { down.plus_ms(step_ms) };
        store.begin_step(next);
        Self {
            source,
            store,
            memory: LeafMemory::default(),
            merges: (0..table.leaf_count()).map(|_| MergeMemory::default()).collect(),
            table,
            places,
            by: by.to_vec(),
            step_ms,
            next,
            firing: BTreeMap::new(),
            on_nobody: BTreeSet::new(),
            found: Vec::new(),
        }
    }

    /// The series that it wants: of each list all matchers hold.
    #[must_use]
    pub fn selectors(&self) -> Vec<Vec<LabelMatcher>> {
        self.table.selectors()
    }

    /// The oldest samples that matter.
    #[must_use]
    pub fn wants_from(&self) -> TimestampMs {
        self.next.plus_ms(-self.table.retention_ms())
    }

    /// Takes samples.
    pub fn append(&mut self, batch: &SampleBatch) -> AppendCounts {
        // What a store took is not of the future.
        self.store.append(batch, TimestampMs::MAX)
    }

    /// Looks at every step that is not after `until`, up to which all samples are there.
    pub fn advance(&mut self, until: TimestampMs) {
        while self.next <= until {
            let at = self.next;
            let read = self.read(at);
            self.take(at, &read);
            self.store.mark_evaluated(at);
            self.next = at.plus_ms(self.step_ms);
            self.store.begin_step(self.next);
        }
    }

    /// What was found; what still fires ends with the step that would have come next.
    #[must_use]
    pub fn finish(mut self) -> AlertedTimes {
        self.take(self.next, &LeafVector::new());
        AlertedTimes { times: self.found, named_nobody: self.on_nobody.len() }
    }

    fn read(&mut self, at: TimestampMs) -> LeafVector {
        let leaves = self.table.evaluate(&mut self.store, at, &mut self.memory);
        let merged: Vec<LeafMatrix> =
            self.merges.iter_mut().zip(leaves).map(|(merge, leaf)| merge.merge(vec![leaf])).collect();
        let answers: Vec<&LeafMatrix> = self.places.iter().map(|place| &merged[*place]).collect();
        self.source.read(&answers, &self.by)
    }

    fn take(&mut self, at: TimestampMs, read: &LeafVector) {
        let (firing, on_nobody) = firing_on(read, &self.by);
        self.on_nobody.extend(on_nobody);
        let ended = self.firing.extract_if(.., |entity, _| !firing.contains_key(entity));
        self.found.extend(ended.map(|(entity, began)| AlertedTime { entity, began, ended: at }));
        for entity in firing.into_keys() {
            self.firing.entry(entity).or_insert(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        promql::parse_matchers,
        series::{STALE_NAN, Sample, series_hash},
    };
    use std::time::Duration;

    const MINUTE: i64 = 60_000;

    fn history() -> AlertHistory {
        let settings = AlertSettings {
            selector: parse_matchers(r#"ALERTS{alertstate="firing"}"#).unwrap(),
            ignore: vec!["Watchdog".to_owned()],
            margin_before: Duration::ZERO,
            margin_after: Duration::ZERO,
            lead: Duration::ZERO,
        };
        AlertHistory::new(&settings, &["instance".to_owned()], MINUTE, TimestampMs(1))
    }

    /// An alert of one name at some minutes, ended by a stale marker after the last.
    fn append(history: &mut AlertHistory, labels: &[(&str, &str)], minutes: std::ops::RangeInclusive<i64>) {
        let all = [("__name__", "ALERTS"), ("alertstate", "firing")].iter().chain(labels).copied();
        let labels = LabelSet::from_pairs(all).unwrap();
        let end = Sample::new((minutes.end() + 1) * MINUTE, STALE_NAN);
        let samples = minutes.map(|minute| Sample::new(minute * MINUTE, 1.0)).chain([end]);
        let mut batch = SampleBatch::default();
        batch.push(series_hash(labels.canonical_text(), 1), labels.canonical_text(), samples);
        history.append(&batch);
    }

    /// One entity is alerted of for as long as any alert fires on it; own alerts, ignored ones and those on nobody do not count.
    #[test]
    fn times_of_an_entity_are_those_in_which_any_alert_fires_on_it() {
        let mut history = history();
        append(&mut history, &[("alertname", "A"), ("instance", "a")], 3..=5);
        append(&mut history, &[("alertname", "B"), ("instance", "a")], 5..=7);
        append(&mut history, &[("alertname", "A"), ("instance", "b")], 9..=10);
        append(&mut history, &[("alertname", "AnomalyHigh"), ("instance", "b")], 1..=4);
        append(&mut history, &[("alertname", "Watchdog"), ("instance", "b")], 1..=4);
        append(&mut history, &[("alertname", "C"), ("job", "j")], 1..=4);
        history.advance(TimestampMs(10 * MINUTE));
        let time = |instance: &str, began: i64, ended: i64| AlertedTime {
            entity: LabelSet::from_pairs([("instance", instance)]).unwrap(),
            began: TimestampMs(began * MINUTE),
            ended: TimestampMs(ended * MINUTE),
        };
        // Nothing is known after the tenth minute.
        let times = vec![time("a", 3, 8), time("b", 9, 11)];
        assert_eq!(history.finish(), AlertedTimes { times, named_nobody: 1 });
    }

    #[test]
    fn it_wants_what_lies_before_its_first_step() {
        let history = history();
        assert_eq!(history.wants_from(), TimestampMs(MINUTE - 5 * MINUTE));
        assert_eq!(history.selectors().len(), 1);
    }
}
