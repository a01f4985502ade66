//! The two ways from inputs to a tail probability.

use super::{Members, Past, Plain, Scorer};
use crate::{
    explain::{Contribution, Expected},
    features::InputLayout,
    series::{LabelSet, TimestampMs},
};

/// What judges the rows of a model.
#[derive(Clone, Debug)]
pub(crate) enum Judge {
    /// The product's own: two forests and the largest deviation.
    Members(Members),
    /// One forest over the features' values.
    Plain(Plain),
}

/// One row of inputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    /// Its entity.
    pub(super) entity: &'a LabelSet,
    /// The columns of [`InputLayout`].
    pub(super) columns: &'a [f64],
}

/// What is said of one row.
#[derive(Clone, Debug)]
pub(super) struct Judgement {
    pub(super) tail_probability: f64,
    /// Before the calibration of the whole, and without the recent past.
    pub(super) raw_score: f64,
    /// After it, and without the recent past.
    pub(super) evidence: f64,
    /// Empty where the row is ordinary.
    pub(super) contributions: Vec<Contribution>,
}

// === impl Judge ===

impl Judge {
    /// Judges the `rows` of the step `at`, each as if it were alone but for how exactly it is explained.
    pub(super) fn judge(
        &self,
        layout: InputLayout,
        rows: &[Row<'_>],
        at: TimestampMs,
        past: &mut Past,
    ) -> Vec<Judgement> {
        match self {
            Self::Members(members) => members.judge(layout, rows, at, past),
            Self::Plain(plain) => plain.judge(layout, rows, at, past),
        }
    }

    /// Whether a program that knows only the first format of the file can say it.
    pub(super) fn is_of_first_format(&self) -> bool {
        match self {
            Self::Members(members) => members.members.iter().all(|member| match &member.scorer {
                Scorer::Forest(forest) => forest.is_plain(),
                Scorer::Nearest(_) => false,
                Scorer::Itself => true,
            }),
            Self::Plain(plain) => plain.forest.is_plain(),
        }
    }

    /// The range of a feature in normal operation, where it is known.
    pub(super) fn expected(&self, entity: &LabelSet, feature: usize) -> Option<Expected> {
        match self {
            Self::Members(members) => members.scaling.of(entity).expected.get(feature).copied(),
            Self::Plain(plain) => plain.columns.get(feature).and_then(|column| column.expected),
        }
    }

    /// The smallest tail probability that it can give.
    pub(super) fn floor(&self) -> f64 {
        match self {
            Self::Members(members) => members.tail.floor(),
            Self::Plain(plain) => plain.tail.floor(),
        }
    }
}
