//! What stands in a model, to be shown to people.

use super::{Member, MemberKind, Model, judge::Judge};
use crate::{explain::Expected, score::iforest::Forest, series::LabelSet};

/// A part of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is called in the documentation of the model file.
    pub name: &'static str,
    /// Its forest, where it has one.
    pub forest: Option<ForestSize>,
}

/// How large a forest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForestSize {
    /// Trees.
    pub n_trees: usize,
    /// Rows that each tree was grown from.
    pub subsample_size: usize,
    /// Columns that it sees.
    pub n_columns: usize,
    /// Nodes of all trees, leaves among them.
    pub n_nodes: usize,
}

// === impl Model ===

impl Model {
    /// Its parts, in their order in the file.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        match &self.judge {
            Judge::Members(members) => {
                members.members.iter().chain(&members.rankers).map(Part::from).collect()
            }
            Judge::Plain(plain) => vec![Part { name: "plain", forest: Some((&plain.forest).into()) }],
        }
    }

    /// How many entities have scales of their own.
    #[must_use]
    pub fn known_entities(&self) -> usize {
        match &self.judge {
            Judge::Members(members) => members.scaling.entity_count(),
            Judge::Plain(_) => 0,
        }
    }

    /// The range of a feature in normal operation, of all entities together.
    #[must_use]
    pub fn expected(&self, feature: usize) -> Option<Expected> {
        // No entity has no labels, so these are the scales of unknown ones.
        self.expected_of(&LabelSet::empty(), feature)
    }

    /// The range of a feature in normal operation of one entity; of all together for one that is not known.
    #[must_use]
    pub fn expected_of(&self, entity: &LabelSet, feature: usize) -> Option<Expected> {
        self.judge.expected(entity, feature)
    }
}

impl From<&Member> for Part {
    fn from(member: &Member) -> Self {
        let name = match member.kind {
            MemberKind::Window => "window",
            MemberKind::Deviation => "deviation",
            MemberKind::Nearest | MemberKind::NearestValue => "nearest",
            MemberKind::Extreme => "extreme",
            MemberKind::Jumps => "jumps (ranks)",
            MemberKind::Levels => "levels (ranks)",
        };
        Self { name, forest: member.scorer.forest().map(ForestSize::from) }
    }
}

impl From<&Forest> for ForestSize {
    fn from(forest: &Forest) -> Self {
        Self {
            n_trees: forest.n_trees(),
            subsample_size: forest.subsample_size(),
            n_columns: forest.n_features(),
            n_nodes: forest.n_nodes(),
        }
    }
}
