//! The two ways from inputs to a tail probability.

use super::{ColumnScale, Members, Past, Plain, PlainColumn, Scorer, file::Format, scaling};
use crate::{
    explain::{Contribution, Expected, FeatureScales},
    features::{InputLayout, OrdinaryRange, Statistic},
    series::{LabelSet, TimestampMs},
};

/// Half of a normal distribution lies within so many standard deviations of its middle.
const QUARTILE: f64 = 0.6745;

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

/// The ordinary level of every statistic of an entity.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ordinary<'a> {
    /// Those of [`Scales`](super::Scales).
    Scales(&'a [ColumnScale]),
    /// Of the values alone.
    Plain(&'a [PlainColumn]),
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

    /// The oldest format of the file that can say it.
    pub(super) fn format(&self) -> Format {
        let is_of_first = match self {
            Self::Members(members) if !members.rankers.is_empty() => return Format::Third,
            Self::Members(members) => members.members.iter().all(|member| match &member.scorer {
                Scorer::Forest(forest) => forest.is_plain(),
                Scorer::Nearest(_) => false,
                Scorer::Itself => true,
            }),
            Self::Plain(plain) => plain.forest.is_plain(),
        };
        if is_of_first { Format::First } else { Format::Second }
    }

    /// The range of a feature in normal operation, where it is known.
    pub(super) fn expected(&self, entity: &LabelSet, feature: usize) -> Option<Expected> {
        match self {
            Self::Members(members) => members.scaling.of(entity).expected.get(feature).copied(),
            Self::Plain(plain) => plain.columns.get(feature).and_then(|column| column.expected),
        }
    }

    /// What is ordinary for a feature, where that is known.
    pub(super) fn usual(&self, entity: &LabelSet, feature: usize) -> Option<FeatureScales> {
        match self {
            Self::Members(members) => members.scaling.of(entity).usual(feature),
            Self::Plain(plain) => plain.columns.get(feature)?.usual(),
        }
    }

    /// What is ordinary for `entity`.
    pub(super) fn ordinary(&self, entity: &LabelSet) -> Ordinary<'_> {
        match self {
            Self::Members(members) => Ordinary::Scales(&members.scaling.of(entity).columns),
            Self::Plain(plain) => Ordinary::Plain(&plain.columns),
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

// === impl Ordinary ===

impl Ordinary<'_> {
    /// Where a statistic of a feature lies half of the time, as far as that is known. Of a plain model it is the
    /// median alone.
    pub(super) fn of(self, feature: usize, statistic: Statistic) -> Option<OrdinaryRange> {
        match self {
            Self::Scales(columns) => {
                let scale = columns.get(feature * scaling::N_SCALED + scaling::place(statistic)?)?;
                Some(OrdinaryRange { level: scale.center, reach: QUARTILE * scale.unit })
            }
            Self::Plain(columns) if statistic == Statistic::Value => {
                columns.get(feature)?.ordinary.map(|level| OrdinaryRange { level, reach: 0.0 })
            }
            Self::Plain(_) => None,
        }
    }
}
