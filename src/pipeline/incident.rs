//! What fires together on one entity, over all detectors, as one incident.
//!
//! An incident begins with the first verdict above normal on an entity and ends at the first step at which no detector
//! has one. What happens in maintenance is no incident, and ends one that is open. Detectors meet where their entities have equal label sets. Its name follows from the entity and the start
//! of the first episode alone: whoever judges the same data gives it the same one.
//!
//! Memory is bounded by the entities that are anomalous now and by the number of ended incidents that are kept.

use super::{
    alerts::MAX_NAMED,
    verdict::{DetectorStep, Verdict},
};
use crate::{
    calibrate::{AnomalyScore, Peak, Severity},
    explain::{AnomalyType, Criterion},
    series::{LabelSet, TimestampMs},
};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::Arc,
};
use xxhash_rust::xxh3::xxh3_64;

/// Ended incidents that are kept.
pub const KEPT_INCIDENTS: usize = 500;

/// The name of an incident: 16 hexadecimal digits, XXH3-64 of the entity's canonical text and its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(u64);

/// One incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Its name.
    pub id: IncidentId,
    /// Where it is.
    pub entity: LabelSet,
    /// The first anomalous step of the detector that found it first. That lies before the step at which it was found.
    pub start: TimestampMs,
    /// The first step without it; none while it is open.
    pub end: Option<TimestampMs>,
    /// Its strangest step.
    pub peak: Peak,
    /// The highest severity that it had.
    pub severity: Severity,
    /// The detectors that took part, by name.
    pub detectors: Vec<String>,
    /// The alerts that fired on the entity meanwhile, by name; at most 20.
    pub alerts: Vec<String>,
    /// Of its strangest step since it was found.
    pub criteria: Vec<Criterion>,
    /// Of that step.
    pub anomaly_type: Option<AnomalyType>,
    /// What was said of that step.
    pub explanation: String,
    /// The score of that step.
    told: AnomalyScore,
    last: TimestampMs,
}

/// What a step changed.
#[derive(Clone, Debug, Default)]
pub struct IncidentChanges {
    /// Incidents that reached the severity medium for the first time.
    pub alarming: Vec<Arc<Incident>>,
    /// Incidents that ended.
    pub ended: Vec<Arc<Incident>>,
}

/// The open incidents, and the last that ended.
#[derive(Debug)]
pub struct Incidents {
    /// By entity.
    open: BTreeMap<LabelSet, Incident>,
    /// The newest last; at most `kept`.
    ended: VecDeque<Arc<Incident>>,
    kept: usize,
    changes: IncidentChanges,
}

// === impl IncidentId ===

impl IncidentId {
    fn new(entity: &LabelSet, start: TimestampMs) -> Self {
        // Canonical text ends with itself: the number behind it cannot be taken for a label.
        Self(xxh3_64(format!("{} {}", entity.canonical_text(), start.0).as_bytes()))
    }
}

/// 16 hexadecimal digits.
impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:016x}", self.0))
    }
}

// === impl Incident ===

impl Incident {
    fn begin(verdict: &Verdict) -> Self {
        let start = verdict.since.unwrap_or(verdict.at);
        Self {
            id: IncidentId::new(&verdict.entity, start),
            entity: verdict.entity.clone(),
            start,
            end: None,
            peak: verdict.peak.unwrap_or(Peak { at: verdict.at, score: verdict.anomaly_score }),
            severity: Severity::Normal,
            detectors: Vec::new(),
            alerts: Vec::new(),
            criteria: verdict.criteria.clone(),
            anomaly_type: verdict.anomaly_type,
            explanation: verdict.explanation.clone(),
            told: verdict.anomaly_score,
            last: verdict.at,
        }
    }

    /// Takes the verdict of one more detector or step.
    fn join(&mut self, detector: &str, verdict: &Verdict) {
        self.last = verdict.at;
        self.severity = self.severity.max(verdict.severity);
        if let Err(place) = self.detectors.binary_search_by(|known| known.as_str().cmp(detector)) {
            self.detectors.insert(place, detector.to_owned());
        }
        for alert in &verdict.alerts {
            if let Err(place) = self.alerts.binary_search(alert)
                && self.alerts.len() < MAX_NAMED
            {
                self.alerts.insert(place, alert.clone());
            }
        }
        if let Some(peak) = verdict.peak.filter(|peak| peak.score > self.peak.score) {
            self.peak = peak;
        }
        if verdict.anomaly_score > self.told {
            self.told = verdict.anomaly_score;
            self.criteria.clone_from(&verdict.criteria);
            self.anomaly_type = verdict.anomaly_type;
            self.explanation.clone_from(&verdict.explanation);
        }
    }
}

// === impl Incidents ===

impl Default for Incidents {
    /// [`KEPT_INCIDENTS`].
    fn default() -> Self {
        Self::new(KEPT_INCIDENTS)
    }
}

impl Incidents {
    /// No incident yet; at most `kept` ended ones will be kept.
    #[must_use]
    pub fn new(kept: usize) -> Self {
        let (open, ended) = (BTreeMap::new(), VecDeque::new());
        Self { open, ended, kept, changes: IncidentChanges::default() }
    }

    /// Takes what each detector, by its name, said at step `at`, and writes the incident into each verdict above
    /// normal and outside maintenance. Steps come in order.
    pub fn take<'a>(
        &mut self,
        at: TimestampMs,
        steps: impl IntoIterator<Item = (&'a str, &'a mut DetectorStep)>,
    ) {
        let mut alarming = Vec::new();
        for (detector, step) in steps {
            let counts =
                |verdict: &&mut Verdict| verdict.severity > Severity::Normal && verdict.maintenance.is_none();
            for verdict in step.verdicts.iter_mut().filter(counts) {
                let begin = || Incident::begin(verdict);
                let incident = self.open.entry(verdict.entity.clone()).or_insert_with(begin);
                let before = incident.severity;
                incident.join(detector, verdict);
                if before < Severity::Medium && incident.severity >= Severity::Medium {
                    alarming.push(verdict.entity.clone());
                }
                verdict.incident = Some(incident.id);
            }
        }
        let known = |entity: &LabelSet| self.open.get(entity).cloned().map(Arc::new);
        self.changes.alarming = alarming.iter().filter_map(known).collect();
        let over = self.open.extract_if(.., |_, incident| incident.last < at);
        let end = |(_, incident): (_, Incident)| Arc::new(Incident { end: Some(at), ..incident });
        self.changes.ended = over.map(end).collect();
        self.ended.extend(self.changes.ended.iter().cloned());
        self.ended.drain(..self.ended.len().saturating_sub(self.kept));
    }

    /// What the last step changed.
    #[must_use]
    pub fn changes(&self) -> &IncidentChanges {
        &self.changes
    }

    /// The open incidents, by entity.
    pub fn open(&self) -> impl ExactSizeIterator<Item = &Incident> {
        self.open.values()
    }

    /// The ended incidents that are kept, those that ended last first.
    pub fn ended(&self) -> impl ExactSizeIterator<Item = &Arc<Incident>> {
        self.ended.iter().rev()
    }
}

#[cfg(test)]
mod tests;
