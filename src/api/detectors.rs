//! The detectors: which model each uses, why it trained last, and whether that model still fits.

use super::{
    Api,
    anomalies::{optional_time, time},
    envelope::success,
};
use crate::series::TimestampMs;
use axum::{extract::State, response::Response};
use serde::Serialize;
use std::collections::BTreeMap;

/// One detector.
#[derive(Clone, Debug, Serialize)]
pub struct DetectorReport {
    /// Its name.
    pub detector: String,
    /// What its training is doing: one of the states of `emberwatch_training_state`.
    pub state: &'static str,
    /// Rows gathered to train on.
    pub training_rows: usize,
    /// The model in use.
    pub model: Option<ModelReport>,
    /// The training that was begun last, since this start.
    pub last_training: Option<TrainingReport>,
    /// How far the inputs have moved; `None` where that cannot be said (yet).
    pub drift: Option<DriftReport>,
    /// How good the model in use is; `None` where nothing says so.
    pub f1: Option<F1Report>,
}

/// A model in use.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// What it calls itself.
    pub version: String,
    /// When it was trained.
    #[serde(serialize_with = "time")]
    pub trained_at: TimestampMs,
    /// The first row that it was trained on.
    #[serde(serialize_with = "time")]
    pub first: TimestampMs,
    /// The last one.
    #[serde(serialize_with = "time")]
    pub last: TimestampMs,
    /// Since when inputs are as they are now, after a drift.
    #[serde(serialize_with = "optional_time")]
    pub drifted: Option<TimestampMs>,
    /// Whether it carries the distribution of its training, without which no drift is seen.
    pub has_reference: bool,
}

/// A training that was begun.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingReport {
    /// The step that asked for it.
    #[serde(serialize_with = "time")]
    pub at: TimestampMs,
    /// Why, in one word: the label of `emberwatch_trainings_started_total`.
    pub reason: &'static str,
    /// Why, for people.
    pub why: String,
}

/// Population stability indices over the last 24 hours of data.
#[derive(Clone, Debug, Serialize)]
pub struct DriftReport {
    /// The first instant that was not compared any more.
    #[serde(serialize_with = "time")]
    pub until: TimestampMs,
    /// Rows that were compared.
    pub rows: u64,
    /// Of the scores.
    pub score_psi: f64,
    /// Of each feature.
    pub feature_psi: BTreeMap<String, f64>,
}

/// How good a model is.
#[derive(Clone, Debug, Serialize)]
pub struct F1Report {
    /// 0 to 1.
    pub value: f64,
    /// `alerts` in the stream, or the labels of its `validation`.
    pub against: &'static str,
    /// Whether it is less than `min_f1`.
    pub is_low: bool,
}

/// `GET /api/v1/detectors`
pub(super) async fn list(State(api): State<Api>) -> Response {
    #[derive(Serialize)]
    struct List<'a> {
        detectors: &'a [DetectorReport],
    }
    success(List { detectors: &api.detectors.load() })
}
