//! From what a model says of a row to the sentence that a person reads.

use super::{EXPLAINED_BELOW, Model, Scored};
use crate::{
    calibrate::Peak,
    explain::{self, Criterion, Driver, Evidence, MAX_EXAMINED, Quantity, Reason, Recent},
    features::{FeatureWindows, Inputs, Statistic},
    series::TimestampMs,
};

/// What went before a row.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// The windows that the inputs were read from.
    pub windows: &'a FeatureWindows,
    /// When the episode of the entity began; none outside an episode.
    pub since: Option<TimestampMs>,
    /// The strangest step of that episode.
    pub peak: Option<Peak>,
}

/// Why a row is anomalous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// In plain English, see [`explain::sentence()`].
    pub sentence: String,
    /// The criteria that the named features meet, each once, in their order. Empty where none is unusual by itself, and
    /// for a plain model that does not know the range of its values.
    pub criteria: Vec<Criterion>,
}

// === impl Model ===

impl Model {
    /// Why a row that was scored is what it is.
    #[must_use]
    pub fn explain(&self, inputs: &Inputs, scored: &Scored, history: &History<'_>) -> Explanation {
        let drivers = self.drivers(inputs, scored, history.windows);
        let missing: Vec<&str> =
            scored.missing.iter().map(|feature| self.schema.name_of(*feature, &scored.entity)).collect();
        let evidence = Evidence {
            drivers: &drivers,
            n_features: self.schema.features().len(),
            tail_probability: scored.tail_probability,
            floor: self.judge.floor(),
            ordinary_from: EXPLAINED_BELOW,
            at: inputs.at,
            since: history.since,
            peak: history.peak,
            missing: &missing,
        };
        let reasons = evidence.named().into_iter().filter_map(|driver| driver.reasons.as_ref()).flatten();
        let mut criteria: Vec<Criterion> = reasons.map(Reason::criterion).collect();
        criteria.sort_unstable();
        criteria.dedup();
        Explanation { sentence: explain::sentence(&evidence), criteria }
    }

    /// The features that drove it, those with the largest shares.
    fn drivers<'a>(
        &'a self,
        inputs: &Inputs,
        scored: &'a Scored,
        windows: &FeatureWindows,
    ) -> Vec<Driver<'a>> {
        let driver = |contribution: &explain::Contribution| {
            let feature = contribution.feature;
            let column = self.layout().column(feature, Statistic::Value);
            let seen = inputs.values.get([scored.row, column]).copied().filter(|seen| !seen.is_nan());
            let usual = self.judge.usual(&scored.entity, feature);
            let values = windows.recent(&scored.entity, feature);
            let recent = Recent { values: &values, at: inputs.at, step_ms: windows.step_ms() };
            Driver {
                feature: Quantity::in_schema(&self.schema, self.schema.name_of(feature, &scored.entity)),
                seen,
                expected: self.judge.expected(&scored.entity, feature),
                share: contribution.share,
                before: usual.and_then(|usual| recent.left(&usual)),
                reasons: usual.map(|usual| Reason::find(&recent, &usual)),
            }
        };
        scored.contributions.iter().take(MAX_EXAMINED).map(driver).collect()
    }
}
