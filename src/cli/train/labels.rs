//! When which entity was in an incident: as a table says, or as the alerts in the store do.

use super::rows::{Past, Rows};
use crate::{
    cli::{extract, progress},
    pipeline::{AlertHistory, AlertSettings},
    series::{LabelSet, TimestampMs},
    table,
};
use anyhow::{Context as _, bail};
use std::{collections::BTreeMap, ops::Range, path::Path};

/// Incidents, by the names of their entities.
#[derive(Debug, Default)]
pub(super) struct Labels {
    /// Where they come from; `None`: nobody said anything.
    pub(super) source: Option<String>,
    /// Alerts that are on nobody.
    pub(super) named_nobody: usize,
    everyone: Vec<Range<TimestampMs>>,
    entities: BTreeMap<String, Vec<Range<TimestampMs>>>,
}

/// The incidents of one entity, ascending and apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<Range<TimestampMs>>);

/// How long before and after an incident its entity is not trained on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Margins {
    before_ms: i64,
    after_ms: i64,
}

// === impl Labels ===

impl Labels {
    /// Those of a table.
    pub(super) fn of_file(file: &Path) -> anyhow::Result<Self> {
        let progress = progress(&[file.to_owned()]);
        let times = table::read_labels(file, &progress)?;
        progress.finish_and_clear();
        let mut labels = Self { source: Some(file.display().to_string()), ..Self::default() };
        for time in times {
            let own = match time.entity {
                Some(entity) => labels.entities.entry(entity).or_default(),
                None => &mut labels.everyone,
            };
            own.push(time.from..time.until);
        }
        Ok(labels)
    }

    /// Those of the alerts in the store or the files that the rows come from.
    pub(super) fn of_alerts(rows: &Rows<'_>) -> anyhow::Result<Self> {
        let Rows::Past(Past { source, file, config, detector }) = rows else {
            bail!(
                "--labels-from-alerts reads alerts from a store, and a table has none: leave --csv out, or give --labels"
            );
        };
        let schema = &detector.schema;
        if detector.series.is_some() {
            let name = schema.detector();
            bail!(
                "detector {name:?} judges single series, and no alert says which one it is on: give --labels"
            );
        }
        let alerts = config.alerts.as_ref();
        let alerts =
            alerts.with_context(|| format!("{} has `alerts: {{enabled: false}}`", file.display()))?;
        let range = source.range();
        let mut history = AlertHistory::new(alerts, schema.by(), schema.step_ms(), *range.start());
        let all = history.wants_from()..=*range.end();
        source.read(history.selectors(), all, "reading alerts", |slice| {
            history.append(&slice.batch);
            history.advance(*slice.range.end());
            Ok(())
        })?;
        let found = history.finish();
        let mut labels =
            Self { source: Some(format!("alerts in the {}", source.place())), ..Self::default() };
        labels.named_nobody = found.named_nobody;
        for time in found.times {
            let name = extract::name(&time.entity, schema.by());
            labels.entities.entry(name).or_default().push(time.began..time.ended);
        }
        Ok(labels)
    }

    /// The incidents of one entity.
    pub(super) fn of(&self, entity: &str) -> Times {
        let own = self.entities.get(entity).into_iter().flatten();
        let mut times: Vec<_> = self.everyone.iter().chain(own).cloned().collect();
        times.sort_unstable_by_key(|time| (time.start, time.end));
        times.dedup_by(|next, last| {
            let meets = next.start <= last.end;
            if meets {
                last.end = last.end.max(next.end);
            }
            meets
        });
        Times(times)
    }

    /// Entities with labels that are not among `known`.
    ///
    /// # Errors
    /// When that are all: then the labels are of other entities, or of other names.
    pub(super) fn unknown(&self, known: &[String]) -> anyhow::Result<Vec<String>> {
        let unknown: Vec<String> =
            self.entities.keys().filter(|name| !known.contains(name)).cloned().collect();
        if !unknown.is_empty() && unknown.len() == self.entities.len() && self.everyone.is_empty() {
            let shown = |names: &[String]| names.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            bail!(
                "none of the entities with labels ({}) is among those with rows ({})",
                shown(&unknown),
                shown(known)
            );
        }
        Ok(unknown)
    }
}

// === impl Times ===

impl Times {
    /// Whether the instant is inside an incident.
    pub(super) fn hold(&self, at: TimestampMs) -> bool {
        self.hold_near(at, Margins { before_ms: 0, after_ms: 0 })
    }

    /// Whether the instant is inside an incident or within the margins of one.
    pub(super) fn hold_near(&self, at: TimestampMs, margins: Margins) -> bool {
        // The last that has begun, with its margin: those before it ended earlier.
        let begun = self.0.partition_point(|time| time.start.plus_ms(-margins.before_ms) <= at);
        begun.checked_sub(1).is_some_and(|last| at < self.0[last].end.plus_ms(margins.after_ms))
    }
}

// === impl Margins ===

impl Margins {
    /// Those of the alerts that a sidecar sees.
    pub(super) fn of(alerts: Option<&AlertSettings>) -> Self {
        let (before, after) = match alerts {
            Some(alerts) => (alerts.margin_before, alerts.margin_after),
            None => (AlertSettings::DEFAULT_MARGIN_BEFORE, AlertSettings::DEFAULT_MARGIN_AFTER),
        };
        let ms = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self { before_ms: ms(before), after_ms: ms(after) }
    }
}

/// The incidents of the entities that were met, by their labels: each is named once.
pub(super) struct Met<'a> {
    rows: &'a Rows<'a>,
    labels: &'a Labels,
    entities: BTreeMap<LabelSet, (String, Times)>,
}

// === impl Met ===

impl<'a> Met<'a> {
    pub(super) fn new(rows: &'a Rows<'a>, labels: &'a Labels) -> Self {
        Self { rows, labels, entities: BTreeMap::new() }
    }

    pub(super) fn times_of(&mut self, entity: &LabelSet) -> &Times {
        if !self.entities.contains_key(entity) {
            let name = self.rows.name(entity);
            let times = self.labels.of(&name);
            self.entities.insert(entity.clone(), (name, times));
        }
        &self.entities[entity].1
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<String> {
        self.entities.values().map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(everyone: &[Range<i64>], own: &[Range<i64>]) -> Labels {
        let times = |times: &[Range<i64>]| {
            times.iter().map(|time| TimestampMs(time.start)..TimestampMs(time.end)).collect::<Vec<_>>()
        };
        let entities = BTreeMap::from([("a".to_owned(), times(own))]);
        Labels { everyone: times(everyone), entities, ..Labels::default() }
    }

    #[test]
    fn what_is_of_everyone_is_of_each() {
        let labels = labels(std::slice::from_ref(&(5..15)), &[30..40, 10..20, 12..14]);
        let held = |name: &str| {
            let times = labels.of(name);
            (0..50).filter(|at| times.hold(TimestampMs(*at))).collect::<Vec<_>>()
        };
        assert_eq!(held("a"), (5..20).chain(30..40).collect::<Vec<_>>());
        assert_eq!(held("b"), (5..15).collect::<Vec<_>>());
    }

    #[test]
    fn margins_lie_before_and_after() {
        let times = labels(&[], &[10..12, 20..22]).of("a");
        let margins = Margins { before_ms: 2, after_ms: 3 };
        let near: Vec<i64> = (0..40).filter(|at| times.hold_near(TimestampMs(*at), margins)).collect();
        assert_eq!(near, (8..15).chain(18..25).collect::<Vec<_>>());
    }

    #[test]
    fn labels_of_nobody_who_has_rows_are_a_mistake() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let own = labels(&[], std::slice::from_ref(&(1..2)));
        assert_eq!(own.unknown(&names(&["a", "b"])).unwrap(), names(&[]));
        let said = own.unknown(&names(&["b", "c"])).unwrap_err().to_string();
        assert_eq!(said, "none of the entities with labels (a) is among those with rows (b, c)");
        let both = labels(std::slice::from_ref(&(1..2)), std::slice::from_ref(&(1..2)));
        assert_eq!(both.unknown(&names(&["b"])).unwrap(), names(&["a"]));
    }
}
