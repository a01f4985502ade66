//! The rules of a detector at work: applied to the values of its entities, step by step.

use super::{FeatureRules, OnZero, Rules};
use crate::{
    calibrate::Severity,
    explain::{AnomalyType, Expected},
    features::{FeatureMatrix, Gate},
    pipeline::{
        verdict::{Breach, Violation},
        zero::DroppedToZero,
    },
    series::LabelSet,
};
use std::collections::BTreeMap;

/// Entities that are remembered beyond twice those of a step.
const SPARE: usize = 64;

/// Rules, and which of them hold for the entities that were seen lately: the matchers of overrides, regular expressions
/// among them, are tried once an entity and not at each step.
#[derive(Debug)]
pub(in crate::pipeline) struct AppliedRules {
    rules: Rules,
    /// The gates alone, as the model takes them: those of all, then those of each override.
    gates: Vec<Vec<Gate>>,
    /// For each entity the place of the override that is for it. At most three times the entities of a step and [`SPARE`]; empty
    /// where there are no overrides.
    places: BTreeMap<LabelSet, Option<usize>>,
}

/// The values of one entity at one step that are anomalies by themselves.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Violations {
    pub(in crate::pipeline) found: Vec<Violation>,
    /// How severe the worst is.
    pub(in crate::pipeline) worst: Severity,
    /// How severe the worst of those is that hold in the grace period too: beyond a limit, or starting again and again.
    pub(in crate::pipeline) worst_limit: Severity,
    /// Whether one of them is never to be taken for usual.
    pub(in crate::pipeline) is_unlearnt: bool,
}

// === impl Violations ===

impl Violations {
    /// What is inferred, as a score is: it is medium, and not taken for usual.
    pub(in crate::pipeline) fn infer(&mut self, feature: &str, seen: f64, breach: Breach) {
        self.found.push(Violation { feature: feature.to_owned(), seen, breach });
        self.worst = self.worst.max(Severity::Medium);
        self.is_unlearnt = true;
    }

    /// Something about the entity starts again and again: no value, and an anomaly by itself all the same.
    pub(in crate::pipeline) fn add_loop(&mut self) {
        self.worst = self.worst.max(Severity::Medium);
        self.worst_limit = self.worst_limit.max(Severity::Medium);
        self.is_unlearnt = true;
    }
}

// === impl AppliedRules ===

impl AppliedRules {
    pub(in crate::pipeline) fn new(rules: Rules) -> Self {
        let gates = rules.all().map(|rules| rules.iter().map(|rules| rules.gate).collect()).collect();
        Self { rules, gates, places: BTreeMap::new() }
    }

    /// Finds what holds for the entities of a step.
    pub(in crate::pipeline) fn meet(&mut self, entities: &[LabelSet]) {
        if self.rules.overrides().is_empty() {
            return;
        }
        // Most of them are gone: it is begun anew, rather than looked through at each step.
        if self.places.len() > 2 * entities.len() + SPARE {
            self.places.clear();
        }
        for entity in entities {
            if !self.places.contains_key(entity) {
                self.places.insert(entity.clone(), self.rules.overriding(entity));
            }
        }
    }

    /// The rules of an entity: one a feature, or none at all.
    pub(in crate::pipeline) fn of(&self, entity: &LabelSet) -> &[FeatureRules] {
        self.rules.at(self.place(entity))
    }

    /// The gates of an entity.
    pub(in crate::pipeline) fn gates(&self, entity: &LabelSet) -> &[Gate] {
        &self.gates[self.place(entity).map_or(0, |place| place + 1)]
    }

    /// Makes values outside their valid range missing. Gives how many there were of each feature; empty where no
    /// range is given.
    pub(in crate::pipeline) fn drop_invalid(&self, matrix: &mut FeatureMatrix) -> Vec<usize> {
        if !self.rules.any(|rules| rules.valid_range.is_some()) {
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

    /// The features of an entity that are beyond a limit with this step's values, one a feature. `name` names a
    /// feature; `usual` is the range in which it usually lies for the entity, where that is known.
    pub(in crate::pipeline) fn violations<'n>(
        &self,
        entity: &LabelSet,
        values: impl Iterator<Item = f64>,
        name: impl Fn(usize) -> &'n str,
        usual: impl Fn(usize) -> Option<Expected>,
    ) -> Violations {
        let mut violations = Violations::default();
        for (feature, (rules, seen)) in self.of(entity).iter().zip(values).enumerate() {
            let Some(limits) = rules.limits else { continue };
            let Some(bound) = limits.passed(seen) else { continue };
            let is_unusual = || usual(feature).is_some_and(|usual| bound.holds(usual.low, usual.high));
            if !limits.is_unless_usual() || is_unusual() {
                let breach = Breach::Limit(bound);
                violations.found.push(Violation { feature: name(feature).to_owned(), seen, breach });
                violations.worst_limit = violations.worst_limit.max(limits.severity());
                violations.worst = violations.worst_limit;
                // What may become usual is learned.
                violations.is_unlearnt |= !limits.is_unless_usual();
            }
        }
        violations
    }

    /// Whether a drop to zero counts: asked for, and a change that passes the feature's gate.
    pub(in crate::pipeline) fn counts_zero(&self, entity: &LabelSet, drop: &DroppedToZero) -> bool {
        let rules = self.of(entity).get(drop.feature).copied().unwrap_or_default();
        rules.on_zero == OnZero::Alert && rules.gate.admits(drop.before.mean, 0.0)
    }

    /// What kind of trouble a feature of an entity tells of, where that is said.
    pub(in crate::pipeline) fn anomaly_type(&self, entity: &LabelSet, feature: usize) -> Option<AnomalyType> {
        self.of(entity).get(feature)?.anomaly_type
    }

    /// Whether anything is ever filled in for a missing value.
    pub(in crate::pipeline) fn fills_gaps(&self) -> bool {
        self.rules.fills_gaps()
    }

    /// The place of the override that is for an entity, met or not.
    fn place(&self, entity: &LabelSet) -> Option<usize> {
        self.places.get(entity).copied().unwrap_or_else(|| self.rules.overriding(entity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        features::Direction,
        pipeline::Override,
        series::{LabelMatcher, MatchOp},
    };
    use proptest::prelude::*;

    fn rules() -> Rules {
        let number = |n: f64| FeatureRules {
            gate: Gate::new(Direction::Both, n, 0.0).unwrap(),
            ..FeatureRules::default()
        };
        let one = |pattern: &str, n: f64| Override {
            matchers: vec![LabelMatcher::new("instance", MatchOp::Regex, pattern).unwrap()],
            features: vec![number(n)],
        };
        Rules::new(vec![number(0.0)], vec![one("1.*", 1.0), one(".*2", 2.0)])
    }

    proptest! {
        /// For all steps, whoever was met and whoever was not has the rules that matching says, and few are remembered.
        #[test]
        fn what_is_remembered_is_what_matching_says(
            steps in prop::collection::vec(prop::collection::vec(0_u16..300, 0..120), 1..20),
        ) {
            let rules = rules();
            let mut applied = AppliedRules::new(rules.clone());
            let entity = |n: u16| LabelSet::from_pairs([("instance", n.to_string())]).unwrap();
            for step in steps {
                let met: Vec<LabelSet> = step.into_iter().map(entity).collect();
                applied.meet(&met);
                prop_assert!(applied.places.len() <= 3 * met.len() + SPARE);
                for entity in (0..300).step_by(7).map(entity).chain(met) {
                    prop_assert_eq!(applied.of(&entity), rules.of(&entity));
                    prop_assert_eq!(applied.gates(&entity), [rules.of(&entity)[0].gate]);
                }
            }
        }
    }

    #[test]
    fn without_overrides_nobody_is_remembered() {
        let mut applied = AppliedRules::new(Rules::new(rules().features().to_vec(), Vec::new()));
        applied.meet(&[LabelSet::from_pairs([("instance", "a")]).unwrap()]);
        assert!(applied.places.is_empty());
    }
}
