//! What the detector said, held against the alerts.
//!
//! An **incident** of a detector is what it says of an entity without a step of normal severity in between; it counts from the step
//! at which it was medium or above for the first time, for only then was anybody told, and until its last step. A low one is
//! none. It and an alert on the same entity are **about the same** when
//!
//! - the alert began no later than `lead` after the incident was over, and
//! - the incident began while the alert fired or before, and no later than `lead` after the alert began.
//!
//! So an alert that has fired for days confirms nothing. An incident is judged when no later alert can be about the same; an alert
//! when an incident is found to be, or when none can be any more. Each is judged once.

use super::{AlertStep, Firing, Watched};
use crate::{
    calibrate::Severity,
    pipeline::verdict::Verdict,
    series::{LabelSet, TimestampMs},
};
use std::collections::BTreeMap;

/// An incident of medium severity or above whose window is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgedIncident {
    /// The highest that it had.
    pub severity: Severity,
    /// Whether an alert was about the same.
    pub is_confirmed: bool,
}

/// What became of an alert on an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertOutcome {
    /// An incident was about the same.
    Seen {
        /// How much sooner than the alert it began; negative where the alert was first. Of several the last that had begun.
        lead_ms: i64,
    },
    /// None was.
    Missed,
    /// None was, and the detector had no verdict on the entity when it began: there was nothing to be seen.
    NotScored,
    /// None was, and it began in planned work.
    Planned,
}

/// The incidents that stand or may yet be confirmed.
#[derive(Debug)]
pub(super) struct Quality {
    lead_ms: i64,
    /// By entity, never none; each list ascends, and only its last may stand.
    incidents: BTreeMap<LabelSet, Vec<Incident>>,
}

#[derive(Debug)]
struct Incident {
    /// The first step of medium severity or above.
    began: TimestampMs,
    /// The last one above normal.
    last: TimestampMs,
    severity: Severity,
    is_over: bool,
    is_confirmed: bool,
}

// === impl Quality ===

impl Quality {
    pub(super) fn new(lead_ms: i64) -> Self {
        Self { lead_ms, incidents: BTreeMap::new() }
    }

    /// Takes the verdicts of step `at`, by ascending labels, and the alerts, and says in `step` what is decided by them.
    pub(super) fn judge(
        &mut self,
        at: TimestampMs,
        verdicts: &[Verdict],
        alerts: &mut BTreeMap<LabelSet, Watched>,
        step: &mut AlertStep,
    ) {
        self.note(at, verdicts);
        for (entity, watched) in alerts {
            for alert in &mut watched.firing {
                step.alerts.extend(self.decide(at, entity, alert, verdicts));
            }
        }
        let lead_ms = self.lead_ms;
        self.incidents.retain(|_, own| {
            let is_decided =
                |incident: &mut Incident| incident.is_over && at.since_ms(incident.last) >= lead_ms;
            let decided = own.extract_if(.., is_decided);
            step.incidents.extend(
                decided
                    .map(|Incident { severity, is_confirmed, .. }| JudgedIncident { severity, is_confirmed }),
            );
            !own.is_empty()
        });
    }

    /// Continues, begins and ends incidents.
    fn note(&mut self, at: TimestampMs, verdicts: &[Verdict]) {
        let counts =
            |verdict: &&Verdict| verdict.severity > Severity::Normal && verdict.maintenance.is_none();
        for Verdict { entity, severity, .. } in verdicts.iter().filter(counts) {
            let standing = self.incidents.get_mut(entity).and_then(|own| own.last_mut());
            if let Some(standing) = standing.filter(|incident| !incident.is_over) {
                standing.last = at;
                standing.severity = standing.severity.max(*severity);
            } else if *severity >= Severity::Medium {
                let begun = Incident {
                    began: at,
                    last: at,
                    severity: *severity,
                    is_over: false,
                    is_confirmed: false,
                };
                self.incidents.entry(entity.clone()).or_default().push(begun);
            }
        }
        for incident in self.incidents.values_mut().filter_map(|own| own.last_mut()) {
            incident.is_over |= incident.last < at;
        }
    }

    /// Confirms the incidents that an alert which fires at step `at` is about, and says what became of it once that is known.
    fn decide(
        &mut self,
        at: TimestampMs,
        entity: &LabelSet,
        alert: &mut Firing,
        verdicts: &[Verdict],
    ) -> Option<AlertOutcome> {
        let lead_ms = self.lead_ms;
        let about = |incident: &&mut Incident| {
            alert.began.since_ms(incident.last) <= lead_ms && incident.began.since_ms(alert.began) <= lead_ms
        };
        let mut latest = None;
        for incident in self.incidents.get_mut(entity).into_iter().flatten().filter(about) {
            incident.is_confirmed = true;
            latest = Some(incident.began);
        }
        if !alert.is_pending {
            return None;
        }
        let verdict =
            || verdicts.binary_search_by(|verdict| verdict.entity.cmp(entity)).ok().map(|at| &verdicts[at]);
        let outcome = match latest {
            Some(began) => AlertOutcome::Seen { lead_ms: alert.began.since_ms(began) },
            None if alert.began == at && verdict().is_none() => AlertOutcome::NotScored,
            None if alert.began == at && verdict().is_some_and(|verdict| verdict.maintenance.is_some()) => {
                AlertOutcome::Planned
            }
            None if at.since_ms(alert.began) >= lead_ms => AlertOutcome::Missed,
            None => return None,
        };
        alert.is_pending = false;
        Some(outcome)
    }
}

#[cfg(test)]
mod tests;
