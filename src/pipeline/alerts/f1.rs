//! How well the live model does against the alerts in the stream, of late.

use super::{AlertOutcome, AlertStep};
use crate::series::TimestampMs;
use std::collections::VecDeque;

/// With fewer judged alerts nothing is said.
const MIN_ALERTS: u64 = 10;

/// Parts of the period that are forgotten one by one.
const PARTS: i64 = 24;

/// Precision and recall over the last period of data, as one number.
#[derive(Debug)]
pub(in crate::pipeline) struct LiveF1 {
    part_ms: i64,
    /// The model of which it is: its version and when it was trained.
    of: Option<(String, TimestampMs)>,
    /// Ascending, each with the number of its part since 1970.
    parts: VecDeque<(i64, Counts)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    alerts: u64,
    seen: u64,
    incidents: u64,
    confirmed: u64,
}

// === impl LiveF1 ===

impl LiveF1 {
    /// Nothing yet; `period_ms` is how far it looks back.
    pub(in crate::pipeline) fn new(period_ms: i64) -> Self {
        Self { part_ms: (period_ms / PARTS).max(1), of: None, parts: VecDeque::new() }
    }

    /// Takes what was judged at step `at`, where the model of this version and age is in use. Steps come in order.
    pub(in crate::pipeline) fn take(
        &mut self,
        at: TimestampMs,
        model: (&str, TimestampMs),
        step: &AlertStep,
    ) {
        if self.of.as_ref().is_none_or(|(version, since)| (version.as_str(), *since) != model) {
            self.parts.clear();
            self.of = Some((model.0.to_owned(), model.1));
        }
        let number = at.0.div_euclid(self.part_ms);
        while self.parts.front().is_some_and(|(first, _)| *first <= number.saturating_sub(PARTS)) {
            self.parts.pop_front();
        }
        let of_step = Counts::of(step);
        if of_step.alerts + of_step.incidents == 0 {
            return;
        }
        match self.parts.back_mut() {
            Some((last, counts)) if *last == number => counts.add(of_step),
            _ => self.parts.push_back((number, of_step)),
        }
    }

    /// The harmonic mean of precision (the share of the incidents that an alert confirms) and recall (the share of the alerts that were seen).
    pub(in crate::pipeline) fn f1(&self) -> Option<f64> {
        let mut all = Counts::default();
        self.parts.iter().for_each(|(_, counts)| all.add(*counts));
        if all.alerts < MIN_ALERTS {
            return None;
        }
        let precision = if all.incidents == 0 { 0.0 } else { all.confirmed as f64 / all.incidents as f64 };
        let recall = all.seen as f64 / all.alerts as f64;
        let sum = precision + recall;
        Some(if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 })
    }
}

// === impl Counts ===

impl Counts {
    fn of(step: &AlertStep) -> Self {
        let seen =
            step.alerts.iter().filter(|alert| matches!(alert, AlertOutcome::Seen { .. })).count() as u64;
        let missed = step.alerts.iter().filter(|alert| **alert == AlertOutcome::Missed).count() as u64;
        let confirmed = step.incidents.iter().filter(|incident| incident.is_confirmed).count() as u64;
        Self { alerts: seen + missed, seen, incidents: step.incidents.len() as u64, confirmed }
    }

    fn add(&mut self, other: Self) {
        self.alerts += other.alerts;
        self.seen += other.seen;
        self.incidents += other.incidents;
        self.confirmed += other.confirmed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{calibrate::Severity, pipeline::alerts::JudgedIncident};

    const DAY: i64 = 86_400_000;

    fn step(seen: usize, missed: usize, confirmed: usize, false_alarms: usize) -> AlertStep {
        let incident = |is_confirmed| JudgedIncident { severity: Severity::High, is_confirmed };
        AlertStep {
            alerts: [vec![AlertOutcome::Seen { lead_ms: 0 }; seen], vec![AlertOutcome::Missed; missed]]
                .concat(),
            incidents: [vec![incident(true); confirmed], vec![incident(false); false_alarms]].concat(),
            ..AlertStep::default()
        }
    }

    /// Precision 6 of 8 and recall 9 of 12 are both 3/4, and so is F1.
    #[test]
    fn what_is_judged_is_added_up_and_forgotten_after_the_period() {
        let mut live = LiveF1::new(7 * DAY);
        let model = ("a", TimestampMs(0));
        live.take(TimestampMs(DAY), model, &step(4, 3, 6, 0));
        assert_eq!(live.f1(), None, "seven alerts");
        live.take(TimestampMs(2 * DAY), model, &step(5, 0, 0, 2));
        assert_eq!(live.f1(), Some(0.75));
        // What is left out on purpose is no miss.
        let mut left_out = step(0, 0, 0, 0);
        left_out.alerts = vec![AlertOutcome::NotScored, AlertOutcome::Planned];
        live.take(TimestampMs(3 * DAY), model, &left_out);
        assert_eq!(live.f1(), Some(0.75));
        live.take(TimestampMs(9 * DAY), model, &step(0, 0, 0, 0));
        assert_eq!(live.f1(), None, "both days lie behind the period");
    }

    #[test]
    fn another_model_begins_anew_and_no_incident_is_no_precision() {
        let mut live = LiveF1::new(7 * DAY);
        live.take(TimestampMs(DAY), ("a", TimestampMs(0)), &step(0, 12, 0, 0));
        assert_eq!(live.f1(), Some(0.0));
        live.take(TimestampMs(DAY), ("b", TimestampMs(0)), &step(0, 0, 0, 0));
        assert_eq!(live.f1(), None);
    }
}
