//! `GET /api/v1/anomalies`: what is anomalous now, and why.

use super::Api;
use crate::series::{LabelSet, TimestampMs};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

/// Severities in ascending order, as they stand in answers and in the `severity` parameter.
const SEVERITIES: [&str; 4] = ["normal", "low", "medium", "high"];

/// What the last evaluated step found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AnomalySnapshot {
    /// The step; `None` before the first.
    #[serde(serialize_with = "optional_time")]
    pub at: Option<TimestampMs>,
    /// Anomalous entities, in the order in which they are to be shown.
    pub anomalies: Vec<AnomalyReport>,
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
    /// Why, in words.
    pub explanation: String,
    /// Which features drove it, the strongest first.
    pub contributions: Vec<ContributionReport>,
    /// Features beyond their limits.
    pub violations: Vec<ViolationReport>,
    /// Features that had no value.
    pub missing_features: Vec<String>,
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

/// A feature beyond its limit.
#[derive(Clone, Debug, Serialize)]
pub struct ViolationReport {
    /// Name of the feature.
    pub feature: String,
    /// Its value at the step.
    pub seen: f64,
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

/// The envelope of Prometheus' HTTP API.
#[derive(Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Envelope<'a> {
    Success {
        data: AnomalySnapshot,
    },
    Error {
        #[serde(rename = "errorType")]
        error_type: &'a str,
        error: String,
    },
}

pub(super) async fn anomalies(
    State(api): State<Api>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Response {
    let filter = match filter {
        Ok(Query(filter)) => filter,
        Err(rejection) => return bad_data(rejection.body_text()),
    };
    let least =
        match filter.severity.as_deref().map(|word| SEVERITIES.iter().position(|known| *known == word)) {
            None => 0,
            Some(Some(position)) => position,
            Some(None) => return bad_data(format!("severity must be one of {}", SEVERITIES[1..].join(", "))),
        };
    let snapshot = api.anomalies.load();
    let found = snapshot.select(filter.detector.as_deref(), least).cloned().collect();
    Json(Envelope::Success { data: AnomalySnapshot { at: snapshot.at, anomalies: found } }).into_response()
}

fn bad_data(error: String) -> Response {
    let body = Json(Envelope::Error { error_type: "bad_data", error });
    (StatusCode::BAD_REQUEST, body).into_response()
}

// === how values are written ===

/// RFC 3339, UTC, with milliseconds; a time that no calendar has is written as its number.
fn time_text(timestamp: TimestampMs) -> String {
    match jiff::Timestamp::from_millisecond(timestamp.0) {
        Ok(instant) => format!("{instant:.3}"),
        Err(_) => timestamp.to_string(),
    }
}

fn time<S: Serializer>(timestamp: &TimestampMs, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time_text(*timestamp))
}

fn optional_time<S: Serializer>(timestamp: &Option<TimestampMs>, serializer: S) -> Result<S::Ok, S::Error> {
    timestamp.map(time_text).serialize(serializer)
}

fn label_map<S: Serializer>(labels: &LabelSet, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(labels.len()))?;
    for label in labels {
        map.serialize_entry(label.name, label.value)?;
    }
    map.end()
}

fn severity_word<S: Serializer>(severity: &u8, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(SEVERITIES[usize::from(*severity).min(SEVERITIES.len() - 1)])
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
