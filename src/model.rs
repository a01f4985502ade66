//! One model: everything needed to turn [`Inputs`] into scores, in one file.
//!
//! Four members look at each row. The *window* member is an Isolation Forest on level and spread of
//! every feature over its window: it sees long and broad shifts. The *deviation* member is one on
//! order statistics of the largest robust deviations: it sees a few strange features among many. The
//! *nearest* member is the distance to the nearest of a few ordinary rows: it sees many features that are each a
//! little off. The *extreme* member is the largest deviation itself: it sees the single culprit, which forests hardly
//! do, and how far out it is. Each raw score becomes a tail probability, held against what the entity showed lately
//! ([`Past`]); the mean of their -log10 becomes one again. So the result has the same meaning for every detector: the
//! share of normal operation that looks as strange.
//!
//! A *plain* model is one Isolation Forest over the features' values instead, standardised or not: what
//! users of other libraries have, so that they can bring it along and compare like with like.
//!
//! - `judge`: either of the two;
//! - `gated`: what gates take away before the judge sees it;
//! - `members`, `member`: what each member sees, and what they say together;
//! - `plain`: the plain forest;
//! - [`Past`]: what the entities showed lately, which takes from the evidence what has become ordinary;
//! - `scaling`: what is ordinary for a feature of an entity;
//! - `explanation`: from there to a sentence;
//! - `blame`: which features a member blames; `attribution`: how exactly, row by row; `importance`: which features a model looks at most;
//! - `scikit_learn`: forests that were grown there; `onnx`: plain models for other programs;
//! - [`Reference`]: how the training sample was distributed, to see whether live rows still are;
//! - `self_test`: rows with their known scores; `summary`: what a person wants to know of a model; `validation`: how good it was found to be;
//! - `file`, `encoding`: the file (see `docs/model-format.md`) and what stands in it.
//!
//! A model is immutable. Whatever [`Model::decode`] accepts was checked in every part and gave the
//! scores it was saved with; it never panics on a hostile file.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod attribution;

mod blame;

mod encoding;

mod error;

mod explanation;

mod file;

mod gated;

mod importance;

mod judge;

mod member;

mod members;

mod onnx;

mod past;

mod plain;

mod reference;

mod scaling;

mod scikit_learn;

mod self_test;

mod summary;

mod validation;

pub use attribution::{EXACT_BELOW, EXPLAINED_BELOW, MAX_EXACT_ROWS};
pub use error::{ExportError, ModelError};
pub use explanation::{Explanation, History};
pub use file::{FORMAT_VERSION, MAGIC};
pub use member::{Member, MemberKind, Scorer};
pub use past::Past;
pub use reference::{MISSING_BIN, N_BINS, Reference, WEEK_PARTS};
pub use scaling::{ColumnScale, SCALED, SCALED_BY_BODY, Scales, Scaling};
pub use scikit_learn::{Calibration, ImportSettings, ScikitLearnError, ScikitLearnForest, TreeProblem};
pub use self_test::SelfTestRow;
pub use summary::{ForestSize, Part};
pub use validation::{Validation, ValidationCounts};

use crate::{
    calibrate::{AnomalyScore, Thresholds},
    explain::Contribution,
    features::{FeatureSchema, Gate, InputLayout, Inputs, SchemaDifference, Statistic},
    score::iforest::Hyperparams,
    series::{LabelSet, TimestampMs},
};
use gated::Gated;
pub(crate) use judge::Judge;
use judge::Row;
pub(crate) use member::ScaledRow;
pub(crate) use members::{Members, evidence_of, weighted};
pub use plain::PLAIN_WINDOW_STEPS;
pub(crate) use plain::{Plain, PlainColumn};
pub(crate) use scaling::MIN_ENTITY_ROWS;
pub(crate) use self_test::N_ROWS as N_SELF_TEST_ROWS;

use ndarray::ArrayView2;

/// The most bytes of what a model calls itself.
pub const MAX_VERSION_BYTES: usize = 256;

/// A trained detector.
#[derive(Clone, Debug)]
pub struct Model {
    /// What it calls itself, e.g. in `emberwatch_model_info`.
    pub(crate) version: String,
    /// When it was trained.
    pub(crate) created_at: TimestampMs,
    pub(crate) schema: FeatureSchema,
    /// Invariant: of as many features as the schema has.
    pub(crate) judge: Judge,
    pub(crate) thresholds: Thresholds,
    pub(crate) training: TrainingSummary,
    pub(crate) self_test: Vec<SelfTestRow>,
    /// How the training sample was distributed. Invariant: of as many features as the schema has.
    pub(crate) reference: Option<Reference>,
    /// What it says of the rows that it was trained on. Not in the file: after a start the past is empty.
    pub(crate) past: Past,
}

/// What a model was trained on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingSummary {
    /// First step among the rows.
    pub first: TimestampMs,
    /// Last step among the rows.
    pub last: TimestampMs,
    /// Number of rows.
    pub rows: u64,
    /// Number of entities among them.
    pub entities: u64,
    /// Settings of the forests.
    pub hyperparams: Hyperparams,
    /// Share of the rows that was taken for anomalous and left out of the calibration.
    pub contamination: f64,
    /// How good it was found to be, where that was looked at.
    pub validation: Option<Validation>,
    /// Where inputs had drifted: since when they are as they are now, as far as that is known. Rows from before are fewer than they were.
    pub drifted: Option<TimestampMs>,
}

/// What a model says of one entity at one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Row in the inputs.
    pub row: usize,
    /// The entity.
    pub entity: LabelSet,
    /// Share of normal operation that looks at least as strange, where normal is what was so in the training or is so
    /// of late.
    pub tail_probability: f64,
    /// What the model gave before calibration, not held against the recent past. Of a plain model what its forest
    /// gave, scored by depth 0 to 1, as scikit-learn's `-score_samples`; of others the mean evidence of the members
    /// that look at the whole vector of the moment, in factors of ten, averaged with the largest such mean of the last five steps where there is a [`Past`].
    pub raw_score: f64,
    /// -log10 of the tail probability by the training alone, without the recent past.
    pub evidence: f64,
    /// The tail probability on the scale from 0 to 1.
    pub anomaly_score: AnomalyScore,
    /// The features behind it, largest share first; empty from [`EXPLAINED_BELOW`] up.
    pub contributions: Vec<Contribution>,
    /// Features without a value at this step; they were taken as ordinary.
    pub missing: Vec<usize>,
}

// === impl Model ===

impl Model {
    /// What it calls itself.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// When it was trained.
    #[must_use]
    pub fn created_at(&self) -> TimestampMs {
        self.created_at
    }

    /// What it looks at.
    #[must_use]
    pub fn schema(&self) -> &FeatureSchema {
        &self.schema
    }

    /// Whether it learned what is ordinary for `entity`, or tells no entities apart (a plain model).
    #[must_use]
    pub fn knows(&self, entity: &LabelSet) -> bool {
        match &self.judge {
            Judge::Members(members) => members.scaling.knows(entity),
            Judge::Plain(_) => true,
        }
    }

    /// Whether it is one forest over the features' values, whatever their windows hold.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        matches!(self.judge, Judge::Plain(_))
    }

    /// The first thing for which this model cannot score what `here` describes.
    #[must_use]
    pub fn difference(&self, here: &FeatureSchema) -> Option<SchemaDifference> {
        match &self.judge {
            Judge::Members(_) => self.schema.difference(here),
            Judge::Plain(_) => self.schema.value_difference(here),
        }
    }

    /// The model as it will be read back from its file: it does not say any more what it made of its training rows, and
    /// judges everybody beside an empty past at first.
    #[must_use]
    pub fn as_from_its_file(self) -> Self {
        Self { past: Past::none(), ..self }
    }

    /// From which scores on a row is of low, medium and high severity.
    #[must_use]
    pub fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    /// What it was trained on.
    #[must_use]
    pub fn training(&self) -> &TrainingSummary {
        &self.training
    }

    /// Scores the warm entities of a step, in the order of the inputs, in one batch.
    ///
    /// Which other entities stand beside an entity does not change its score by a bit; what `past` remembers of the
    /// entity itself does. Its contributions are found less exactly where [`MAX_EXACT_ROWS`] others are stranger.
    /// Inputs of another number of columns than the schema's give no score.
    pub fn score(&self, inputs: &Inputs, past: &mut Past) -> Vec<Scored> {
        self.score_only(inputs, past, |_| true)
    }

    /// As [`Self::score`], of those entities alone for which `chosen` holds.
    pub fn score_only(
        &self,
        inputs: &Inputs,
        past: &mut Past,
        chosen: impl Fn(&LabelSet) -> bool,
    ) -> Vec<Scored> {
        self.score_gated(inputs, past, chosen, |_| &[])
    }

    /// As [`Self::score_only`]; what does not pass the entity's `gates`, one a feature (open where there are fewer),
    /// is taken as ordinary: it neither drives a score nor is blamed for one.
    pub fn score_gated<'g>(
        &self,
        inputs: &Inputs,
        past: &mut Past,
        chosen: impl Fn(&LabelSet) -> bool,
        gates: impl Fn(&LabelSet) -> &'g [Gate],
    ) -> Vec<Scored> {
        if inputs.values.ncols() != self.layout().n_columns() {
            return Vec::new();
        }
        let chosen = |row: &usize| inputs.warm[*row] && chosen(&inputs.entities[*row]);
        let warm: Vec<usize> = (0..inputs.entities.len()).filter(chosen).collect();
        let gated = Gated::new(self, inputs, &warm, gates);
        let row = |(place, row): (usize, &usize)| Row {
            entity: &inputs.entities[*row],
            columns: gated
                .row(place)
                .unwrap_or_else(|| inputs.values.row(*row).to_slice().unwrap_or_default()),
        };
        past.begin(&self.version, self.created_at, &self.past);
        let rows: Vec<Row<'_>> = warm.iter().enumerate().map(row).collect();
        let judgements = self.judge.judge(self.layout(), &rows, inputs.at, past);
        let scored = |(place, (row, judgement)): (usize, (usize, judge::Judgement))| Scored {
            row,
            entity: inputs.entities[row].clone(),
            tail_probability: judgement.tail_probability,
            raw_score: judgement.raw_score,
            evidence: judgement.evidence,
            anomaly_score: AnomalyScore::from_tail_probability(judgement.tail_probability),
            contributions: gated.blamed(place, judgement.contributions),
            missing: self.missing(inputs.values.view(), row),
        };
        warm.iter().copied().zip(judgements).enumerate().map(scored).collect()
    }

    /// Where a statistic ordinarily lies, for tests of what stands on it.
    #[cfg(test)]
    pub(crate) fn ordinary_range(
        &self,
        entity: &LabelSet,
        feature: usize,
        statistic: Statistic,
    ) -> Option<crate::features::OrdinaryRange> {
        self.judge.ordinary(entity).of(feature, statistic)
    }

    fn layout(&self) -> InputLayout {
        InputLayout { n_features: self.schema.features().len() }
    }

    fn missing(&self, values: ArrayView2<'_, f64>, row: usize) -> Vec<usize> {
        let layout = self.layout();
        let missing = |feature: &usize| values[[row, layout.column(*feature, Statistic::Value)]].is_nan();
        (0..layout.n_features).filter(missing).collect()
    }
}
