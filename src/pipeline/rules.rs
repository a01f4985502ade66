//! What a user says of single features: which changes count, which values can be true.
//!
//! These are settings of the running detector and no part of a model: a model file serves with any of them.

mod applied;

pub(super) use applied::{AppliedRules, Violations};

use crate::{
    calibrate::Limits,
    explain::AnomalyType,
    features::{Gate, ValidRange},
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
        let rules = Self { features, overrides };
        // Rules that ask for nothing are none: a step need not look at them.
        if rules.any(|rules| *rules != FeatureRules::default()) { rules } else { Self::default() }
    }

    /// The rules of an entity: one a feature, or none at all.
    #[must_use]
    pub fn of(&self, entity: &LabelSet) -> &[FeatureRules] {
        self.at(self.overriding(entity))
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

    /// Whether anything is ever filled in for a missing value.
    pub(super) fn fills_gaps(&self) -> bool {
        self.any(|rules| rules.on_gap != OnGap::Ignore)
    }

    /// Whether some entity's rules say it of some feature.
    fn any(&self, says: impl Fn(&FeatureRules) -> bool) -> bool {
        self.all().flatten().any(says)
    }

    /// Those for every entity that no override is for, then those of each override.
    fn all(&self) -> impl Iterator<Item = &Vec<FeatureRules>> {
        std::iter::once(&self.features).chain(self.overrides.iter().map(|one| &one.features))
    }

    /// The rules of the override in this place, or those for every entity that no override is for.
    fn at(&self, place: Option<usize>) -> &[FeatureRules] {
        place.map_or(&self.features, |place| &self.overrides[place].features)
    }

    /// The place of the override that is for an entity.
    fn overriding(&self, entity: &LabelSet) -> Option<usize> {
        self.overrides.iter().position(|one| one.matchers.iter().all(|matcher| matcher.matches(entity)))
    }
}

#[cfg(test)]
mod tests;
