//! `GET /api/v1/anomalies`: what is anomalous now, and why. `GET /api/v1/incidents`: what is and what was.

use super::{
    Api,
    envelope::{failure, success},
};
use crate::{
    calibrate::Severity,
    explain::{AnomalyType, Criterion},
    pipeline::Incident,
    series::{LabelSet, TimestampMs},
};
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    response::Response,
};
use http::StatusCode;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use std::sync::Arc;

/// Severities in ascending order, as they stand in answers and in the `severity` parameter.
const SEVERITIES: [Severity; 4] = [Severity::Normal, Severity::Low, Severity::Medium, Severity::High];

/// What the last evaluated step found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AnomalySnapshot {
    /// The step; `None` before the first.
    #[serde(serialize_with = "optional_time")]
    pub at: Option<TimestampMs>,
    /// Anomalous entities, in the order in which they are to be shown.
    pub anomalies: Vec<AnomalyReport>,
    /// The open incidents, then those that ended, the newest first; listed by themselves.
    #[serde(skip)]
    pub incidents: Vec<Arc<Incident>>,
}

/// One anomalous entity.
#[derive(Clone, Debug, Serialize)]
pub struct AnomalyReport {
    /// Name of the detector.
    pub detector: String,
    /// The entity's labels.
    #[serde(serialize_with = "label_map")]
    pub entity: LabelSet,
    /// Anomaly score, 0 to 1; named as the series is.
    #[serde(rename = "anomaly_score")]
    pub score: f64,
    /// 1 low, 2 medium, 3 high; written as its word.
    #[serde(serialize_with = "severity_word")]
    pub severity: u8,
    /// Share of windows of normal operation that are at least as unusual.
    pub tail_probability: f64,
    /// The same as "one in so many windows".
    pub one_in: f64,
    /// Since when the severity has stood.
    #[serde(serialize_with = "time")]
    pub since: TimestampMs,
    /// The step that was judged.
    #[serde(serialize_with = "time")]
    pub at: TimestampMs,
    /// Name of the incident that it belongs to; empty in maintenance.
    pub incident: String,
    /// What is unusual about the features that drove it; may be empty.
    #[serde(serialize_with = "names")]
    pub criteria: Vec<Criterion>,
    /// What kind of trouble it is, by the features that drove it; none when nothing did.
    #[serde(rename = "type", serialize_with = "type_name")]
    pub anomaly_type: Option<AnomalyType>,
    /// Why, in words.
    pub explanation: String,
    /// Which features drove it, the strongest first.
    pub contributions: Vec<ContributionReport>,
    /// Values that are anomalies by themselves.
    pub violations: Vec<ViolationReport>,
    /// Features that had no value.
    pub missing_features: Vec<String>,
    /// Features that had no value and for which another one stands.
    pub filled_features: Vec<String>,
    /// The last start of the entity, if that was within the hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<StartReport>,
    /// The names of the alerts that fire on the entity.
    pub alerts: Vec<String>,
    /// The planned work that goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<MaintenanceReport>,
    /// Version of the model that judged.
    pub model_version: String,
}

/// How much of an anomaly is due to one feature.
#[derive(Clone, Debug, Serialize)]
pub struct ContributionReport {
    /// Name of the feature.
    pub feature: String,
    /// Its share, 0 to 1; the shares of an anomaly add up to 1.
    pub share: f64,
}

/// Planned work that goes on.
#[derive(Clone, Debug, Serialize)]
pub struct MaintenanceReport {
    /// What it is called.
    pub name: String,
    /// Its end.
    #[serde(serialize_with = "time")]
    pub until: TimestampMs,
}

/// A restart, a reboot or a release of what was judged.
#[derive(Clone, Debug, Serialize)]
pub struct StartReport {
    /// `restart`, `reboot` or `release`.
    pub kind: &'static str,
    /// What was released, in its own words; may be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When.
    #[serde(serialize_with = "time")]
    pub began: TimestampMs,
    /// Which start within the hour it was.
    pub times: usize,
    /// Whether its grace period lasts.
    pub in_grace: bool,
}

/// A feature whose value is an anomaly by itself.
#[derive(Clone, Debug, Serialize)]
pub struct ViolationReport {
    /// Name of the feature.
    pub feature: String,
    /// Its value at the step.
    pub seen: f64,
    /// Why: it is beyond a limit, or dropped to zero.
    #[serde(serialize_with = "criterion_name")]
    pub criterion: Criterion,
    /// What it is above, where it is above a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// What it is below, where it is below a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
}

// === impl AnomalySnapshot ===

impl AnomalySnapshot {
    /// The anomalies of `detector` (`None`: of all) with at least severity number `least`.
    pub(super) fn select(
        &self,
        detector: Option<&str>,
        least: usize,
    ) -> impl Iterator<Item = &AnomalyReport> {
        self.anomalies.iter().filter(move |report| {
            usize::from(report.severity) >= least && detector.is_none_or(|name| name == report.detector)
        })
    }

    /// The incidents that `detector` took part in (`None`: any) and that reached severity number `least`; where `ended`
    /// says so, only those that have or have not ended.
    pub(super) fn select_incidents(
        &self,
        detector: Option<&str>,
        least: usize,
        ended: Option<bool>,
    ) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().map(AsRef::as_ref).filter(move |incident| {
            usize::from(incident.severity.number()) >= least
                && ended.is_none_or(|ended| incident.end.is_some() == ended)
                && detector.is_none_or(|name| incident.detectors.iter().any(|known| known == name))
        })
    }
}

/// Query parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Filter {
    /// Only of this detector.
    detector: Option<String>,
    /// Only from this severity upwards.
    severity: Option<String>,
}

/// Query parameters of the list of incidents.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct IncidentFilter {
    /// Only those that this detector took part in.
    detector: Option<String>,
    /// Only those that reached this severity.
    severity: Option<String>,
    /// `open` or `ended`: only these.
    state: Option<String>,
}

/// What the list of incidents answers with.
#[derive(Serialize)]
struct IncidentList<'a> {
    #[serde(serialize_with = "optional_time")]
    at: Option<TimestampMs>,
    incidents: Vec<IncidentReport<'a>>,
}

/// One incident.
#[derive(Serialize)]
struct IncidentReport<'a> {
    id: String,
    #[serde(serialize_with = "label_map")]
    entity: &'a LabelSet,
    severity: &'static str,
    detectors: &'a [String],
    alerts: &'a [String],
    #[serde(serialize_with = "time")]
    start: TimestampMs,
    #[serde(serialize_with = "optional_time")]
    end: Option<TimestampMs>,
    peak: PeakReport,
    #[serde(serialize_with = "names")]
    criteria: &'a [Criterion],
    #[serde(rename = "type", serialize_with = "type_name")]
    anomaly_type: Option<AnomalyType>,
    explanation: &'a str,
}

/// The strangest step of an incident.
#[derive(Serialize)]
struct PeakReport {
    #[serde(serialize_with = "time")]
    at: TimestampMs,
    anomaly_score: f64,
}

pub(super) async fn anomalies(
    State(api): State<Api>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Response {
    answer(chosen_anomalies(&api.anomalies.load(), filter))
}

pub(super) async fn incidents(
    State(api): State<Api>,
    filter: Result<Query<IncidentFilter>, QueryRejection>,
) -> Response {
    answer(chosen_incidents(&api.anomalies.load(), filter))
}

fn chosen_anomalies(
    snapshot: &AnomalySnapshot,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<AnomalySnapshot, String> {
    let Query(filter) = filter.map_err(|rejection| rejection.body_text())?;
    let least = least(filter.severity.as_deref())?;
    let anomalies = snapshot.select(filter.detector.as_deref(), least).cloned().collect();
    Ok(AnomalySnapshot { at: snapshot.at, anomalies, incidents: Vec::new() })
}

fn chosen_incidents(
    snapshot: &AnomalySnapshot,
    filter: Result<Query<IncidentFilter>, QueryRejection>,
) -> Result<IncidentList<'_>, String> {
    let Query(filter) = filter.map_err(|rejection| rejection.body_text())?;
    let least = least(filter.severity.as_deref())?;
    let ended = match filter.state.as_deref() {
        None => None,
        Some("open") => Some(false),
        Some("ended") => Some(true),
        Some(_) => return Err("state must be open or ended".to_owned()),
    };
    let incidents = snapshot.select_incidents(filter.detector.as_deref(), least, ended).map(report).collect();
    Ok(IncidentList { at: snapshot.at, incidents })
}

fn report(incident: &Incident) -> IncidentReport<'_> {
    IncidentReport {
        id: incident.id.to_string(),
        entity: &incident.entity,
        severity: incident.severity.name(),
        detectors: &incident.detectors,
        alerts: &incident.alerts,
        start: incident.start,
        end: incident.end,
        peak: PeakReport { at: incident.peak.at, anomaly_score: incident.peak.score.value() },
        criteria: &incident.criteria,
        anomaly_type: incident.anomaly_type,
        explanation: &incident.explanation,
    }
}

/// The number of the severity that is asked for at least.
fn least(severity: Option<&str>) -> Result<usize, String> {
    let Some(word) = severity else { return Ok(0) };
    let found = SEVERITIES.iter().position(|known| known.name() == word);
    found
        .ok_or_else(|| format!("severity must be one of {}", Severity::LEVELS.map(Severity::name).join(", ")))
}

fn answer(data: Result<impl Serialize, String>) -> Response {
    data.map_or_else(|error| failure(StatusCode::BAD_REQUEST, "bad_data", error), success)
}

// === how values are written ===

/// RFC 3339, UTC, with milliseconds; a time that no calendar has is written as its number.
fn time_text(timestamp: TimestampMs) -> String {
    match jiff::Timestamp::from_millisecond(timestamp.0) {
        Ok(instant) => format!("{instant:.3}"),
        Err(_) => timestamp.to_string(),
    }
}

pub(super) fn time<S: Serializer>(timestamp: &TimestampMs, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time_text(*timestamp))
}

pub(super) fn optional_time<S: Serializer>(
    timestamp: &Option<TimestampMs>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    timestamp.map(time_text).serialize(serializer)
}

fn label_map<S: Serializer>(labels: &LabelSet, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(labels.len()))?;
    for label in labels {
        map.serialize_entry(label.name, label.value)?;
    }
    map.end()
}

fn names<S: Serializer>(criteria: impl AsRef<[Criterion]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(criteria.as_ref().iter().map(|criterion| criterion.name()))
}

fn criterion_name<S: Serializer>(criterion: &Criterion, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(criterion.name())
}

fn type_name<S: Serializer>(kind: &Option<AnomalyType>, serializer: S) -> Result<S::Ok, S::Error> {
    kind.map(AnomalyType::name).serialize(serializer)
}

fn severity_word<S: Serializer>(severity: &u8, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(SEVERITIES[usize::from(*severity).min(SEVERITIES.len() - 1)].name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_with_milliseconds() {
        assert_eq!(time_text(TimestampMs(1_700_000_000_000)), "2023-11-14T22:13:20.000Z");
        assert_eq!(time_text(TimestampMs::MAX), i64::MAX.to_string());
    }
}
