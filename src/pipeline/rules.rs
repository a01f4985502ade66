//! What a user says of single features: which changes count, which values can be true.
//!
//! These are settings of the running detector and no part of a model: a model file serves with any of them.

use super::{
    verdict::{Breach, Violation},
    zero::DroppedToZero,
};
use crate::{
    calibrate::{Limits, Severity},
    explain::AnomalyType,
    features::{FeatureMatrix, Gate, ValidRange},
    series::{LabelMatcher, LabelSet},
};

/// What holds for one feature. The default asks for nothing but what is shipped.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FeatureRules {
    /// Which changes count.
    pub gate: Gate,
    /// The values that it can take; what lies outside is taken as missing.
    pub valid_range: Option<ValidRange>,
    /// The values that are anomalies by themselves.
    pub limits: Option<Limits>,
    /// What a drop to zero means.
    pub on_zero: OnZero,
    /// What a missing value is taken for.
    pub on_gap: OnGap,
    /// What kind of trouble it tells of; `None`: what its name and expression say.
    pub anomaly_type: Option<AnomalyType>,
}

/// What it means when a feature that was never zero, or nearly never, is exactly zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnZero {
    /// An anomaly by itself, of severity medium.
    #[default]
    Alert,
    /// Nothing by itself.
    Ignore,
}

/// What holds for the features of some entities instead.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// The entities: those whose labels satisfy all of them.
    pub matchers: Vec<LabelMatcher>,
    /// One a feature, in the order of the schema: complete, nothing is taken from elsewhere.
    pub features: Vec<FeatureRules>,
}

/// The rules of a detector.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// One a feature, as [`Override::features`].
    features: Vec<FeatureRules>,
    overrides: Vec<Override>,
    /// The gates alone, as the model takes them: those of all, then those of each override.
    gates: Vec<Vec<Gate>>,
}

/// What stands for a value that is missing while the entity has others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnGap {
    /// Nothing: the feature is taken as ordinary, and said to be missing.
    #[default]
    Ignore,
    /// Its last value, for at most the length of the window.
    Hold,
    /// Zero.
    Zero,
}

// === impl OnZero ===

impl OnZero {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Alert, Self::Ignore];

    /// Its name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Ignore => "ignore",
        }
    }
}

// === impl OnGap ===

impl OnGap {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ignore, Self::Hold, Self::Zero];

    /// Its name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Hold => "hold",
            Self::Zero => "zero",
        }
    }
}

// === impl Rules ===

impl Rules {
    /// `features` for every entity that no override is for; of several overrides that fit, the first holds.
    #[must_use]
    pub fn new(features: Vec<FeatureRules>, overrides: Vec<Override>) -> Self {
        let all = || std::iter::once(&features).chain(overrides.iter().map(|one| &one.features));
        // Rules that ask for nothing are none: a step need not look at them.
        if all().flatten().all(|rules| *rules == FeatureRules::default()) {
            return Self::default();
        }
        let gates = all().map(|rules| rules.iter().map(|rules| rules.gate).collect()).collect();
        Self { gates, features, overrides }
    }

    /// The rules of an entity: one a feature, or none at all.
    #[must_use]
    pub fn of(&self, entity: &LabelSet) -> &[FeatureRules] {
        self.overriding(entity).map_or(&self.features, |place| &self.overrides[place].features)
    }

    /// Those for every entity that no override is for.
    #[must_use]
    pub fn features(&self) -> &[FeatureRules] {
        &self.features
    }

    /// The exceptions, in the order in which they are tried.
    #[must_use]
    pub fn overrides(&self) -> &[Override] {
        &self.overrides
    }

    /// The gates of an entity.
    pub(super) fn gates(&self, entity: &LabelSet) -> &[Gate] {
        let place = self.overriding(entity).map_or(0, |place| place + 1);
        self.gates.get(place).map_or(&[], Vec::as_slice)
    }

    /// Makes values outside their valid range missing. Gives how many there were of each feature; empty where no
    /// range is given.
    pub(super) fn drop_invalid(&self, matrix: &mut FeatureMatrix) -> Vec<usize> {
        if !self.any(|rules| rules.valid_range.is_some()) {
            return Vec::new();
        }
        let mut invalid = vec![0; matrix.values.ncols()];
        for (entity, mut row) in matrix.entities.iter().zip(matrix.values.rows_mut()) {
            for ((value, rules), invalid) in row.iter_mut().zip(self.of(entity)).zip(&mut invalid) {
                if rules.valid_range.is_some_and(|range| range.excludes(*value)) {
                    *value = f64::NAN;
                    *invalid += 1;
                }
            }
        }
        invalid
    }

    /// The features of an entity that are beyond a limit with this step's values, one a feature, and the most severe
    /// of these limits. `name` names a feature.
    pub(super) fn violations<'n>(
        &self,
        entity: &LabelSet,
        values: impl Iterator<Item = f64>,
        name: impl Fn(usize) -> &'n str,
    ) -> (Vec<Violation>, Severity) {
        let (mut violations, mut worst) = (Vec::new(), Severity::Normal);
        for (feature, (rules, seen)) in self.of(entity).iter().zip(values).enumerate() {
            let Some(limits) = rules.limits else { continue };
            if let Some(limit) = limits.passed(seen) {
                let breach = Breach::Limit(limit);
                violations.push(Violation { feature: name(feature).to_owned(), seen, breach });
                worst = worst.max(limits.severity());
            }
        }
        (violations, worst)
    }

    /// Whether a drop to zero counts: asked for, and a change that passes the feature's gate.
    pub(super) fn counts_zero(&self, entity: &LabelSet, drop: &DroppedToZero) -> bool {
        let rules = self.of(entity).get(drop.feature).copied().unwrap_or_default();
        rules.on_zero == OnZero::Alert && rules.gate.admits(drop.before.mean, 0.0)
    }

    /// What kind of trouble a feature of an entity tells of, where that is said.
    pub(super) fn anomaly_type(&self, entity: &LabelSet, feature: usize) -> Option<AnomalyType> {
        self.of(entity).get(feature)?.anomaly_type
    }

    /// Whether anything is ever filled in for a missing value.
    pub(super) fn fills_gaps(&self) -> bool {
        self.any(|rules| rules.on_gap != OnGap::Ignore)
    }

    /// Whether some entity's rules say it of some feature.
    fn any(&self, says: impl Fn(&FeatureRules) -> bool) -> bool {
        let all = std::iter::once(&self.features).chain(self.overrides.iter().map(|one| &one.features));
        all.flatten().any(says)
    }

    fn overriding(&self, entity: &LabelSet) -> Option<usize> {
        self.overrides.iter().position(|one| one.matchers.iter().all(|matcher| matcher.matches(entity)))
    }
}

#[cfg(test)]
mod tests;
