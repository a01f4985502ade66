//! The JSON as it is written down, unchecked.

use super::ScikitLearnError;
use crate::{
    model::{ColumnScale, PlainColumn},
    score::iforest::HarmonicNumbers,
};
use serde::{Deserialize, Serialize};

/// What `format` says.
pub(super) const FORMAT: &str = "emberwatch isolation forest";

/// The version that is read.
pub(super) const VERSION: u32 = 1;

/// The head, read first: so that another version is called one, and not full of unknown fields.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) made_by: Option<String>,
    pub(super) features: Vec<String>,
    pub(super) scaler: Option<Scaler>,
    pub(super) max_samples: usize,
    #[serde(default)]
    pub(super) harmonic_numbers: Harmonic,
    /// Null where scikit-learn says "auto".
    pub(super) contamination: Option<f64>,
    /// Minus `offset_`: the raw score above which `predict` says -1.
    pub(super) threshold: f64,
    pub(super) trees: Vec<TreeArrays>,
    /// Minus `score_samples` of the training rows, where they were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) training_scores: Vec<f64>,
    pub(super) check: Check,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scaler {
    pub(super) mean: Vec<f64>,
    pub(super) scale: Vec<f64>,
}

/// Whose c(n) the scores are measured by: scikit-learn's, or ours.
#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Harmonic {
    #[default]
    Approximate,
    Exact,
}

// === impl Harmonic ===

impl From<Harmonic> for HarmonicNumbers {
    fn from(harmonic: Harmonic) -> Self {
        match harmonic {
            Harmonic::Approximate => Self::Approximate,
            Harmonic::Exact => Self::Exact,
        }
    }
}

impl From<HarmonicNumbers> for Harmonic {
    fn from(harmonic: HarmonicNumbers) -> Self {
        match harmonic {
            HarmonicNumbers::Approximate => Self::Approximate,
            HarmonicNumbers::Exact => Self::Exact,
        }
    }
}

/// A tree as scikit-learn keeps it: one place a node, root first, children by number, -1 = none.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TreeArrays {
    pub(super) feature: Vec<i64>,
    pub(super) threshold: Vec<f64>,
    pub(super) left: Vec<i64>,
    pub(super) right: Vec<i64>,
    pub(super) samples: Vec<i64>,
}

/// Rows and minus `score_samples` of each.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Check {
    pub(super) rows: Vec<Vec<f64>>,
    pub(super) raw_scores: Vec<f64>,
}

// === impl Document ===

impl Document {
    pub(super) fn parse(json: &[u8]) -> Result<Self, ScikitLearnError> {
        let unreadable = |error: serde_json::Error| ScikitLearnError::Json(error.to_string());
        let head: Head = serde_json::from_slice(json).map_err(unreadable)?;
        if head.format != FORMAT || head.version != VERSION {
            return Err(ScikitLearnError::Format { format: head.format, version: head.version });
        }
        serde_json::from_slice(json).map_err(unreadable)
    }

    /// The features' way into the forest: the scaler, and its mean for what is missing.
    pub(super) fn columns(&self) -> Result<Vec<PlainColumn>, ScikitLearnError> {
        let n = self.features.len();
        let Some(Scaler { mean, scale }) = &self.scaler else {
            let plain = ColumnScale { center: 0.0, unit: 1.0 };
            return Ok(vec![PlainColumn { scale: plain, ordinary: None, expected: None }; n]);
        };
        for (what, list) in [("scaler.mean", mean), ("scaler.scale", scale)] {
            if list.len() != n {
                let (what, given, expected) = (what.to_owned(), list.len(), n);
                return Err(ScikitLearnError::Numbers { what, given, expected });
            }
        }
        let column = |(feature, (center, unit)): (usize, (&f64, &f64))| {
            if !(center.is_finite() && unit.is_finite() && *unit > 0.0) {
                return Err(ScikitLearnError::Scaler { feature, mean: *center, scale: *unit });
            }
            let scale = ColumnScale { center: *center, unit: *unit };
            Ok(PlainColumn { scale, ordinary: Some(*center), expected: None })
        };
        mean.iter().zip(scale).enumerate().map(column).collect()
    }
}
