//! Restarts, reboots and releases of what is judged, as the series themselves tell of them.
//!
//! Read are the processes of an entity by when they started (`process_start_time_seconds`, `node_boot_time_seconds`) and
//! their builds (`*_build_info`). A process that started later than it had is a **restart**; a build that was not there
//! before is a **release**. What is seen for the first time is new and no start. A start counts for an entity when at
//! least a quarter of its processes started at one step: one of fifty replicas does not excuse the service.
//!
//! An entity that started has a grace period, unless it had started shortly before: what starts again and again has one, and is
//! an anomaly by itself. All is in the time of the data, and what was not seen for an hour is forgotten
//! (`docs/decisions/027-grace-after-a-start.md`, `041-loops-and-courses.md`).

mod reading;

pub(super) use reading::StartSource;

use crate::{
    explain::{StartKind, restarts_clause, start_clause},
    promql::LeafVector,
    series::{LabelSet, TimestampMs},
};
use reading::{BOOT_TIME, is_build_info, source_of, version_of};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// So long a start is named, and counts among those of a loop; what was not seen for so long is forgotten.
const MEMORY_MS: i64 = 3_600_000;

/// Only what had not started for so long has grace.
const REST_MS: i64 = 1_800_000;

/// From so many starts within [`MEMORY_MS`] on, their number says more than the last of them.
const LOOP: usize = 3;

/// A loop goes on for so long after its last start: twice the longest pause of the kubelet between two (CrashLoopBackOff).
const LOOP_REST_MS: i64 = 600_000;

/// Starts so close to one that was counted are that one: of the machine, then of what runs on it.
const SAME_START_MS: i64 = 60_000;

/// Start times that differ by no more are the same: the boot time of a kernel wavers by a second as its clock is set.
const WAVERING_SECONDS: f64 = 5.0;

/// One of so many processes must start at a step for their entity to have started.
const ONE_OF: usize = 4;

/// The last start of an entity, as it stands at a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// What started.
    pub kind: StartKind,
    /// When, as the process says; the step at which it was seen where it does not.
    pub began: TimestampMs,
    /// How often the entity started within the last hour, this start included; at least once.
    pub times: usize,
    /// Whether it starts again and again, and did so a moment ago: an anomaly, whatever else it does.
    pub in_loop: bool,
    /// Whether the grace period lasts: severity is not raised above low by what is unusual alone.
    pub in_grace: bool,
}

/// What is remembered of starts.
#[derive(Debug)]
pub(super) struct StartWatch {
    grace_ms: i64,
    /// By all labels of the series that says when it started.
    processes: BTreeMap<LabelSet, Process>,
    /// By those labels that tell one build from another.
    builds: BTreeMap<LabelSet, Build>,
    /// What has builds: an entity, by metric and job.
    sources: BTreeMap<LabelSet, Source>,
    /// The starts of those that started within the hour.
    entities: BTreeMap<LabelSet, Starts>,
}

#[derive(Debug)]
struct Process {
    entity: LabelSet,
    /// In seconds.
    started: f64,
    last: TimestampMs,
}

#[derive(Debug)]
struct Build {
    source: LabelSet,
    last: TimestampMs,
}

#[derive(Debug)]
struct Source {
    first: TimestampMs,
    /// How many builds of it are known.
    builds: usize,
}

/// Invariant: never empty.
#[derive(Debug)]
struct Starts {
    /// When they were seen, the newest last; none older than [`MEMORY_MS`], none closer than [`SAME_START_MS`].
    seen: VecDeque<TimestampMs>,
    /// The last one that has grace.
    excused: TimestampMs,
    kind: StartKind,
    began: TimestampMs,
}

/// What began at a step.
struct Begun {
    kind: StartKind,
    began: TimestampMs,
    /// How many processes did; none where only a new build was seen.
    processes: usize,
}

// === impl Start ===

impl Start {
    /// As a clause that follows the sentence on an anomaly at step `at`.
    pub(super) fn clause(&self, at: TimestampMs) -> String {
        if self.is_loop() {
            return restarts_clause(self.times);
        }
        let clause = start_clause(&self.kind, at.since_ms(self.began));
        if self.in_grace { format!("{clause} (grace period)") } else { clause }
    }

    /// Whether it starts again and again.
    #[must_use]
    pub fn is_loop(&self) -> bool {
        self.times >= LOOP
    }
}

// === impl StartWatch ===

impl StartWatch {
    /// Has seen nothing; gives so much grace.
    pub(super) fn new(grace: Duration) -> Self {
        Self {
            grace_ms: i64::try_from(grace.as_millis()).unwrap_or(i64::MAX),
            processes: BTreeMap::new(),
            builds: BTreeMap::new(),
            sources: BTreeMap::new(),
            entities: BTreeMap::new(),
        }
    }

    /// Bytes that one entity of one process and one build takes.
    pub(super) fn bytes_an_entity() -> usize {
        let labels = size_of::<LabelSet>();
        let most_seen = (MEMORY_MS / SAME_START_MS) as usize * size_of::<TimestampMs>();
        let process = labels + size_of::<Process>();
        let build = 2 * labels + size_of::<Build>() + size_of::<Source>();
        process + build + labels + size_of::<Starts>() + most_seen
    }

    /// Takes what [`StartSource`] read at step `at`; `by` are the labels of the entities. Steps come in order.
    pub(super) fn take(&mut self, at: TimestampMs, read: LeafVector, by: &[String]) {
        let mut begun: BTreeMap<LabelSet, Begun> = BTreeMap::new();
        for (labels, value) in read {
            let one = if is_build_info(labels.metric_name()) {
                self.build(labels, at, by).map(|(entity, kind)| (entity, kind, at, 0))
            } else {
                self.process(labels, value, at, by).map(|(entity, kind, began)| (entity, kind, began, 1))
            };
            let Some((entity, kind, began, processes)) = one else { continue };
            let fresh = || Begun { kind: kind.clone(), began, processes: 0 };
            let all = begun.entry(entity).or_insert_with(fresh);
            all.processes += processes;
            // A process says when it started, a build does not.
            all.began = all.began.min(began);
            if kind > all.kind {
                all.kind = kind;
            }
        }
        self.leave_out_the_few(&mut begun, at);
        for (entity, begun) in begun {
            self.note(entity, begun, at);
        }
        self.forget(at);
    }

    /// The last start of an entity, if that was within the hour.
    pub(super) fn of(&self, entity: &LabelSet, at: TimestampMs) -> Option<Start> {
        let starts = self.entities.get(entity)?;
        Some(Start {
            kind: starts.kind.clone(),
            began: starts.began,
            times: starts.seen.len(),
            in_loop: starts.seen.len() >= LOOP
                && starts.seen.back().is_some_and(|seen| at.since_ms(*seen) < LOOP_REST_MS),
            in_grace: self.has_grace(starts, at),
        })
    }

    /// Whether the grace period of an entity lasts.
    pub(super) fn in_grace(&self, entity: &LabelSet, at: TimestampMs) -> bool {
        self.entities.get(entity).is_some_and(|starts| self.has_grace(starts, at))
    }

    fn has_grace(&self, starts: &Starts, at: TimestampMs) -> bool {
        at.since_ms(starts.excused) < self.grace_ms
    }

    /// Takes a process that is there; says so where it has started anew, and when.
    fn process(
        &mut self,
        labels: LabelSet,
        started: f64,
        at: TimestampMs,
        by: &[String],
    ) -> Option<(LabelSet, StartKind, TimestampMs)> {
        let Some(known) = self.processes.get_mut(&labels) else {
            let entity = labels.keep(by);
            if !entity.is_empty() && started.is_finite() {
                self.processes.insert(labels, Process { entity, started, last: at });
            }
            return None;
        };
        known.last = at;
        // Not the other way: a clock that was set back starts nothing.
        if !started.is_finite() || started <= known.started + WAVERING_SECONDS {
            return None;
        }
        known.started = started;
        let kind = if labels.metric_name() == BOOT_TIME { StartKind::Reboot } else { StartKind::Restart };
        let said = TimestampMs((started * 1000.0) as i64);
        // Whose clock is wrong, or counts something else than seconds, started when that was seen.
        let is_likely = said <= at && at.since_ms(said) < MEMORY_MS;
        Some((known.entity.clone(), kind, if is_likely { said } else { at }))
    }

    /// Takes a build that is there; says so where its source is known and had only others.
    fn build(&mut self, labels: LabelSet, at: TimestampMs, by: &[String]) -> Option<(LabelSet, StartKind)> {
        if let Some(known) = self.builds.get_mut(&labels) {
            known.last = at;
            return None;
        }
        let source = source_of(&labels, by);
        let entity = source.keep(by);
        if entity.is_empty() {
            return None;
        }
        let version = version_of(&labels).to_owned();
        let known = self.sources.entry(source.clone()).or_insert(Source { first: at, builds: 0 });
        known.builds += 1;
        // Several that are seen first at the same step run side by side.
        let is_release = known.first < at;
        self.builds.insert(labels, Build { source, last: at });
        is_release.then_some((entity, StartKind::Release { version }))
    }

    /// Leaves out entities of which too few processes started to speak of the entity.
    fn leave_out_the_few(&self, begun: &mut BTreeMap<LabelSet, Begun>, at: TimestampMs) {
        if begun.is_empty() {
            return;
        }
        let mut all: BTreeMap<&LabelSet, usize> = BTreeMap::new();
        for process in self.processes.values().filter(|process| process.last == at) {
            if begun.contains_key(&process.entity) {
                *all.entry(&process.entity).or_default() += 1;
            }
        }
        begun.retain(|entity, begun| {
            let is_release = matches!(begun.kind, StartKind::Release { .. });
            is_release || begun.processes * ONE_OF >= all.get(entity).copied().unwrap_or(0)
        });
    }

    fn note(&mut self, entity: LabelSet, begun: Begun, at: TimestampMs) {
        let Begun { kind, began, .. } = begun;
        let Some(starts) = self.entities.get_mut(&entity) else {
            self.entities.insert(entity, Starts { seen: VecDeque::from([at]), excused: at, kind, began });
            return;
        };
        let rested_ms = starts.seen.back().map_or(i64::MAX, |seen| at.since_ms(*seen));
        if rested_ms <= SAME_START_MS {
            if kind > starts.kind {
                starts.kind = kind;
            }
            return;
        }
        starts.seen.push_back(at);
        if rested_ms >= REST_MS {
            starts.excused = at;
        }
        (starts.kind, starts.began) = (kind, began);
    }

    fn forget(&mut self, at: TimestampMs) {
        let is_old = |last: TimestampMs| at.since_ms(last) >= MEMORY_MS;
        self.processes.retain(|_, process| !is_old(process.last));
        let sources = &mut self.sources;
        self.builds.retain(|_, build| {
            let gone = is_old(build.last);
            if gone && let Some(source) = sources.get_mut(&build.source) {
                source.builds -= 1;
            }
            !gone
        });
        sources.retain(|_, source| source.builds > 0);
        self.entities.retain(|_, starts| {
            starts.seen.retain(|seen| !is_old(*seen));
            !starts.seen.is_empty()
        });
    }
}

#[cfg(test)]
mod tests;
