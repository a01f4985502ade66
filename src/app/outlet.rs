//! Where verdicts go: write-back, the API's snapshot, metrics, the log.

use crate::{
    api::{
        AnomalyReport, AnomalySnapshot, ContributionReport, MaintenanceReport, StartReport, ViolationReport,
    },
    calibrate::{Bound, Severity, Thresholds},
    explain::StartKind,
    pipeline::{
        AlertOutcome, AlertStep, Breach, DetectorStep, Incidents, Judge, MaintenanceStep, Start, StepCause,
        Verdict, Violation,
    },
    series::{LabelSet, STALE_NAN, TimestampMs},
    telemetry::{
        DetectorLabel, DetectorReasonLabels, DetectorSeverityLabels, Metrics, ModelLabels, SeverityLabel,
        StepCauseLabel,
    },
    writeback::{Handle, StepSeries},
};
use arc_swap::ArcSwap;
use std::{collections::BTreeMap, sync::Arc};
use tokio::time::Instant;

/// What the outlet must know of a detector.
#[derive(Clone, Debug)]
pub(super) struct DetectorTag {
    pub(super) name: String,
    pub(super) thresholds: Thresholds,
}

/// Hands on what a step found.
pub(super) struct Outlet {
    detectors: Vec<DetectorTag>,
    external_labels: Vec<(String, String)>,
    writeback: Option<Handle>,
    snapshot: Arc<ArcSwap<AnomalySnapshot>>,
    metrics: Arc<Metrics>,
    /// Version shown in `model_info` for each detector.
    shown_versions: BTreeMap<String, String>,
    /// For each detector how many series it left out at the last step.
    left_out: BTreeMap<String, usize>,
    last_step: Option<TimestampMs>,
    held_back_until: Option<TimestampMs>,
}

/// So many entities that are gone are named in the log at each step; the others are counted.
const MAX_GONE_NAMED: usize = 10;

// === impl Outlet ===

impl Outlet {
    pub(super) fn new(
        detectors: Vec<DetectorTag>,
        external_labels: Vec<(String, String)>,
        writeback: Option<Handle>,
        snapshot: Arc<ArcSwap<AnomalySnapshot>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        show_thresholds(&detectors, &metrics);
        Self {
            detectors,
            external_labels,
            writeback,
            snapshot,
            metrics,
            shown_versions: BTreeMap::new(),
            left_out: BTreeMap::new(),
            last_step: None,
            held_back_until: None,
        }
    }

    /// Scores up to this instant are not written back, and nothing is logged of their incidents: both was done before, or nobody was to
    /// hear of them.
    pub(super) fn hold_back_until(&mut self, until: TimestampMs) {
        self.held_back_until = Some(until);
    }

    /// Hands on the verdicts of step `at`, one element a detector, the incidents after it and the planned work at it. Gives the
    /// series that are written back.
    pub(super) fn publish(
        &mut self,
        at: TimestampMs,
        steps: &[DetectorStep],
        incidents: &Incidents,
        maintenance: &MaintenanceStep,
    ) -> Vec<(LabelSet, f64)> {
        log_maintenance(maintenance, at);
        self.metrics.maintenance_windows_open.set(maintenance.open.len() as i64);
        let mut series = Vec::new();
        let mut anomalies = Vec::new();
        for (detector, step) in self.detectors.iter().zip(steps) {
            series.extend(step.series(&detector.name, detector.thresholds.of(Severity::Low)));
            let anomalous = step.verdicts.iter().filter(|verdict| verdict.severity > Severity::Normal);
            anomalies.extend(anomalous.map(|verdict| report(&detector.name, verdict, &step.model_version)));
            self.count_detector(&detector.name, step);
            if let Some(alerts) = &step.alerts {
                self.count_alerts(&detector.name, alerts);
            }
            log_gone(&detector.name, &step.gone);
            let before = self.left_out.insert(detector.name.clone(), step.left_out).unwrap_or(0);
            log_left_out(&detector.name, before, step.left_out);
        }
        let series = self.complete(series);
        let is_news = self.held_back_until.is_none_or(|until| at > until);
        if is_news {
            self.enqueue(at, series.clone());
        }
        // The most alarming first; among equals the defined order of detectors and entities stays.
        anomalies.sort_by(|a, b| {
            (b.severity, b.score).partial_cmp(&(a.severity, a.score)).unwrap_or(a.at.cmp(&b.at))
        });
        self.count_incidents(incidents);
        if is_news {
            log_incidents(incidents);
        }
        let open = incidents.open().cloned().map(Arc::new);
        let incidents = open.chain(incidents.ended().cloned()).collect();
        self.snapshot.store(Arc::new(AnomalySnapshot { at: Some(at), anomalies, incidents }));
        self.last_step = Some(at);
        series
    }

    /// Counts a step whose scores were handed on just now.
    pub(super) fn count(&self, cause: StepCause, at: TimestampMs, last_arrival: Option<Instant>) {
        let cause = match cause {
            StepCause::Complete => "complete",
            StepCause::Timeout => "timeout",
            StepCause::History => "history",
        };
        self.metrics.steps_evaluated.get_or_create(&StepCauseLabel { cause }).inc();
        self.metrics.last_step_timestamp.set(at.seconds());
        if let Some(arrival) = last_arrival {
            self.metrics.score_latency.observe(arrival.elapsed().as_secs_f64());
        }
    }

    /// Shows which model scores for a detector; a version that is replaced disappears.
    pub(super) fn show_model(&mut self, detector: &str, version: &str) {
        let labels =
            |version: &str| ModelLabels { detector: detector.to_owned(), version: version.to_owned() };
        if let Some(old) = self.shown_versions.insert(detector.to_owned(), version.to_owned())
            && old != version
        {
            self.metrics.model_info.remove(&labels(&old));
        }
        self.metrics.model_info.get_or_create(&labels(version)).set(1);
    }

    /// Ends every score series that stands: stale markers one millisecond after the last step, so that
    /// the last score is not overwritten.
    pub(super) fn end<'a>(&self, judges: impl Iterator<Item = &'a Judge>) {
        let Some(last) = self.last_step else { return };
        let mut series = Vec::new();
        for (detector, judge) in self.detectors.iter().zip(judges) {
            let end = DetectorStep {
                gone: judge.scored_entities().cloned().collect(),
                silence_ended: judge.silent_entities().cloned().collect(),
                ..DetectorStep::default()
            };
            series.extend(end.series(&detector.name, 0.0));
            if !end.gone.is_empty() {
                series.push((DetectorStep::threshold_labels(&detector.name), STALE_NAN));
            }
        }
        self.enqueue(last.plus_ms(1), self.complete(series));
    }

    /// The series with the labels that each of them bears, in label order.
    fn complete(&self, mut series: Vec<(LabelSet, f64)>) -> Vec<(LabelSet, f64)> {
        for (labels, _) in &mut series {
            for (name, value) in &self.external_labels {
                // As in Prometheus: what a series has of its own stays.
                if labels.get(name).is_none() {
                    *labels = labels.with(name, value);
                }
            }
        }
        series.sort_by(|a, b| a.0.cmp(&b.0));
        series
    }

    fn enqueue(&self, at: TimestampMs, series: Vec<(LabelSet, f64)>) {
        if let Some(writeback) = &self.writeback
            && !series.is_empty()
        {
            writeback.enqueue(StepSeries { at, series });
        }
    }

    fn count_detector(&self, detector: &str, step: &DetectorStep) {
        let label = DetectorLabel { detector: detector.to_owned() };
        let entities = step.verdicts.len() + step.warming_up;
        self.metrics.entities.get_or_create(&label).set(entities as i64);
        self.metrics.entities_warming_up.get_or_create(&label).set(step.warming_up as i64);
        self.metrics.entities_in_grace.get_or_create(&label).set(step.in_grace as i64);
        self.metrics.entities_in_maintenance.get_or_create(&label).set(step.in_maintenance as i64);
        self.metrics.entities_silent.get_or_create(&label).set(step.silent.len() as i64);
        for severity in Severity::LEVELS {
            let labels = DetectorSeverityLabels { detector: detector.to_owned(), severity: severity.name() };
            let count = step.verdicts.iter().filter(|verdict| verdict.severity == severity).count();
            self.metrics.anomalies.get_or_create(&labels).set(count as i64);
        }
        self.metrics.series_left_out.get_or_create(&label).set(step.left_out as i64);
        self.metrics.feature_failures.get_or_create(&label).inc_by(step.failed_features.len() as u64);
        let invalid = step.invalid_values.iter().map(|(_, count)| *count as u64).sum();
        self.metrics.feature_values_invalid.get_or_create(&label).inc_by(invalid);
        for (feature, entities) in &step.invalid_values {
            tracing::debug!(detector, feature, entities, "values outside their valid range are left out");
        }
        for (feature, reason) in &step.failed_features {
            tracing::debug!(detector, feature, reason, "a feature has no value at this step");
        }
    }

    fn count_alerts(&self, detector: &str, step: &AlertStep) {
        let label = DetectorLabel { detector: detector.to_owned() };
        let count =
            |is: fn(&AlertOutcome) -> bool| step.alerts.iter().filter(|alert| is(alert)).count() as u64;
        let seen = count(|alert| matches!(alert, AlertOutcome::Seen { .. }));
        let judged = seen + count(|alert| *alert == AlertOutcome::Missed);
        self.metrics.alerts_firing.get_or_create(&label).set(step.firing as i64);
        self.metrics.alerts_judged.get_or_create(&label).inc_by(judged);
        self.metrics.alerts_seen.get_or_create(&label).inc_by(seen);
        for (reason, left_out) in [
            ("no_entity", step.named_nobody as u64),
            ("not_scored", count(|alert| *alert == AlertOutcome::NotScored)),
            ("maintenance", count(|alert| *alert == AlertOutcome::Planned)),
        ] {
            let labels = DetectorReasonLabels { detector: detector.to_owned(), reason };
            self.metrics.alerts_left_out.get_or_create(&labels).inc_by(left_out);
        }
        for alert in &step.alerts {
            let AlertOutcome::Seen { lead_ms } = alert else { continue };
            let by_sign = if *lead_ms >= 0 { &self.metrics.alert_lead } else { &self.metrics.alert_lag };
            by_sign.get_or_create(&label).observe(lead_ms.unsigned_abs() as f64 / 1000.0);
        }
        for severity in [Severity::Medium, Severity::High] {
            let labels = DetectorSeverityLabels { detector: detector.to_owned(), severity: severity.name() };
            let incidents = step.incidents.iter().filter(|incident| incident.severity == severity);
            let confirmed = incidents.clone().filter(|incident| incident.is_confirmed).count() as u64;
            self.metrics.incidents_judged.get_or_create(&labels).inc_by(incidents.count() as u64);
            self.metrics.incidents_confirmed.get_or_create(&labels).inc_by(confirmed);
        }
        self.metrics.training_rows_in_alerts.get_or_create(&label).inc_by(step.rows_left_out as u64);
    }

    fn count_incidents(&self, incidents: &Incidents) {
        self.metrics.incidents_open.set(incidents.open().len() as i64);
        for incident in &incidents.changes().ended {
            let labels = SeverityLabel { severity: incident.severity.name() };
            self.metrics.incidents.get_or_create(&labels).inc();
        }
    }
}

/// Says from which scores on the detectors speak of anomalies, in the log and as metrics.
fn show_thresholds(detectors: &[DetectorTag], metrics: &Metrics) {
    for DetectorTag { name: detector, thresholds } in detectors {
        let [low, medium, high] = Severity::LEVELS.map(|level| thresholds.of(level));
        tracing::info!(detector, low, medium, high, "anomaly scores at which severities begin");
        for level in Severity::LEVELS {
            let labels = DetectorSeverityLabels { detector: detector.clone(), severity: level.name() };
            metrics.severity_thresholds.get_or_create(&labels).set(thresholds.of(level));
        }
    }
}

fn report(detector: &str, verdict: &Verdict, model_version: &str) -> AnomalyReport {
    AnomalyReport {
        detector: detector.to_owned(),
        entity: verdict.entity.clone(),
        score: verdict.anomaly_score.value(),
        severity: verdict.severity.number(),
        tail_probability: verdict.tail_probability,
        one_in: 1.0 / verdict.tail_probability,
        since: verdict.since.unwrap_or(verdict.at),
        at: verdict.at,
        incident: verdict.incident.map(|id| id.to_string()).unwrap_or_default(),
        criteria: verdict.criteria.clone(),
        anomaly_type: verdict.anomaly_type,
        explanation: verdict.explanation.clone(),
        contributions: verdict
            .contributions
            .iter()
            .map(|c| ContributionReport { feature: c.feature.clone(), share: c.share })
            .collect(),
        violations: verdict.violations.iter().map(violation_report).collect(),
        missing_features: verdict.missing.clone(),
        filled_features: verdict.filled.clone(),
        start: verdict.start.as_ref().map(start_report),
        alerts: verdict.alerts.clone(),
        maintenance: verdict
            .maintenance
            .as_ref()
            .map(|work| MaintenanceReport { name: work.name.clone(), until: work.until }),
        model_version: model_version.to_owned(),
    }
}

fn violation_report(violation: &Violation) -> ViolationReport {
    let (above, below) = match violation.breach {
        Breach::Limit(bound) | Breach::Forecast { bound, .. } => match bound {
            Bound::Above(limit) => (Some(limit), None),
            Bound::Below(limit) => (None, Some(limit)),
        },
        Breach::DroppedToZero { .. } => (None, None),
    };
    ViolationReport {
        feature: violation.feature.clone(),
        seen: violation.seen,
        criterion: violation.breach.criterion(),
        above,
        below,
    }
}

fn start_report(start: &Start) -> StartReport {
    let (kind, version) = match &start.kind {
        StartKind::Restart => ("restart", None),
        StartKind::Reboot => ("reboot", None),
        StartKind::Release { version } => ("release", Some(version.clone())),
    };
    StartReport { kind, version, began: start.began, times: start.times, in_grace: start.in_grace }
}

fn log_gone(detector: &str, gone: &[LabelSet]) {
    for entity in gone.iter().take(MAX_GONE_NAMED) {
        tracing::info!(detector, %entity, "entity is gone; its score series ended");
    }
    if let Some(more) = gone.len().checked_sub(MAX_GONE_NAMED).filter(|more| *more > 0) {
        tracing::info!(detector, more, "more entities are gone; their score series ended");
    }
}

/// A line when planned work begins and one when it is over, in the time of the data.
fn log_maintenance(step: &MaintenanceStep, at: TimestampMs) {
    for work in &step.began {
        let minutes = work.until.since_ms(at) / 60_000;
        tracing::info!(name = work.name, minutes, "maintenance began: its entities raise no alarms");
    }
    for name in &step.ended {
        tracing::info!(name, "maintenance ended");
    }
}

/// A line when it begins and one when it is over, not one a step.
fn log_left_out(detector: &str, before: usize, series: usize) {
    match (before, series) {
        (0, 1..) => {
            tracing::warn!(
                detector,
                series,
                "more series are selected than max_series allows: some are not judged"
            );
        }
        (1.., 0) => tracing::info!(detector, "all selected series are judged again"),
        _ => {}
    }
}

/// One line when an incident becomes alarming (medium or above), one when such a one ends.
fn log_incidents(incidents: &Incidents) {
    let changes = incidents.changes();
    let ended = changes.ended.iter().filter(|incident| incident.severity >= Severity::Medium);
    let lines = changes.alarming.iter().map(|incident| ("incident began", incident));
    for (event, incident) in lines.chain(ended.map(|incident| ("incident ended", incident))) {
        let minutes = incident.end.map(|end| end.since_ms(incident.start) / 60_000);
        tracing::info!(
            incident = %incident.id,
            entity = %incident.entity,
            detectors = incident.detectors.join(","),
            severity = incident.severity.name(),
            minutes,
            why = incident.explanation,
            "{event}"
        );
    }
}
