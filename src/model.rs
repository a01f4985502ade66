//! One model: everything needed to turn [`Inputs`] into scores, in one file.
//!
//! Three members look at each row. The *window* member is an Isolation Forest on level and spread of
//! every feature over its window: it sees long and broad shifts. The *deviation* member is one on
//! order statistics of the largest robust deviations: it sees a few strange features among many. The
//! *extreme* member is the largest deviation itself: it sees the single culprit, which forests hardly
//! do, and how far out it is. Each raw score becomes a tail probability; the mean of their -log10
//! becomes one again. So the result
//! has the same meaning for every detector: the share of normal operation that looks as strange.
//!
//! - `scaling`: what is ordinary for a feature of an entity;
//! - `member`: what each member sees; `blame`: which features it blames;
//! - `importance`: which features it looks at most;
//! - `self_test`: rows with their known scores;
//! - `file`, `encoding`: the file (see `docs/model-format.md`) and what stands in it.
//!
//! A model is immutable. Whatever [`Model::decode`] accepts was checked in every part and gave the
//! scores it was saved with; it never panics on a hostile file.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod blame;

mod encoding;

mod error;

mod file;

mod importance;

mod member;

mod scaling;

mod self_test;

pub use error::ModelError;
pub use file::{FORMAT_VERSION, MAGIC};
pub use member::{Member, MemberKind};
pub use scaling::{ColumnScale, SCALED, Scales, Scaling};
pub use self_test::SelfTestRow;

use crate::{
    calibrate::{AnomalyScore, Tail, Thresholds},
    explain::{self, Contribution, Driver, Evidence},
    features::{FeatureSchema, InputLayout, Inputs, Statistic},
    score::iforest::{Attribution, Hyperparams},
    series::{LabelSet, TimestampMs},
};
pub(crate) use member::ScaledRow;
pub(crate) use scaling::MIN_ENTITY_ROWS;
pub(crate) use self_test::N_ROWS as N_SELF_TEST_ROWS;

use ndarray::{Array2, ArrayView2};

/// Contributions are worked out from this tail probability down: rows that are ordinary need no reason.
pub const EXPLAINED_BELOW: f64 = 0.05;

/// From this tail probability down the forests' part in them is exact Tree SHAP, which costs a hundred scores, above
/// it path credit, which costs three. Every row that reaches the default thresholds lies below.
pub const EXACT_BELOW: f64 = 0.01;

/// A trained detector.
#[derive(Clone, Debug)]
pub struct Model {
    /// What it calls itself, e.g. in `emberwatch_model_info`.
    pub(crate) version: String,
    /// When it was trained.
    pub(crate) created_at: TimestampMs,
    pub(crate) schema: FeatureSchema,
    pub(crate) scaling: Scaling,
    /// Invariant: one of each kind, in the order of [`MemberKind::ALL`].
    pub(crate) members: Vec<Member>,
    /// From the weighted evidence of the members to the tail probability.
    pub(crate) tail: Tail,
    pub(crate) thresholds: Thresholds,
    pub(crate) training: TrainingSummary,
    pub(crate) self_test: Vec<SelfTestRow>,
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
}

/// What a model says of one entity at one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Row in the inputs.
    pub row: usize,
    /// The entity.
    pub entity: LabelSet,
    /// Share of normal operation that looks at least as strange.
    pub tail_probability: f64,
    /// The same on the scale from 0 to 1.
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

    /// What is ordinary for each feature.
    #[must_use]
    pub fn scaling(&self) -> &Scaling {
        &self.scaling
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
    /// Which other entities stand beside an entity does not change its score by a bit. Inputs of
    /// another number of columns than the schema's give no score.
    #[must_use]
    pub fn score(&self, inputs: &Inputs) -> Vec<Scored> {
        if inputs.values.ncols() != self.layout().n_columns() {
            return Vec::new();
        }
        let warm: Vec<usize> = (0..inputs.entities.len()).filter(|row| inputs.warm[*row]).collect();
        let scaled: Vec<ScaledRow> = warm
            .iter()
            .map(|row| self.scale(&inputs.entities[*row], inputs.values.row(*row).as_slice().unwrap_or(&[])))
            .collect();
        let batch = self.evidence(&scaled);
        let mut scored = Vec::with_capacity(warm.len());
        for (index, row) in warm.into_iter().enumerate() {
            let evidence = batch.evidence.row(index);
            let tail_probability = self.tail.probability(weighted(evidence.iter().copied()));
            let explained = tail_probability < EXPLAINED_BELOW;
            let exact = tail_probability < EXACT_BELOW;
            let attribution = if exact { Attribution::Shap } else { Attribution::PathCredit };
            let contributions = if explained {
                self.contributions(&scaled[index], &batch, index, attribution)
            } else {
                Vec::new()
            };
            scored.push(Scored {
                row,
                entity: inputs.entities[row].clone(),
                tail_probability,
                anomaly_score: AnomalyScore::from_tail_probability(tail_probability),
                contributions,
                missing: self.missing(inputs.values.view(), row),
            });
        }
        scored
    }

    /// One line of plain English about a row that was scored; `since` is the start of its episode.
    #[must_use]
    pub fn explain(&self, inputs: &Inputs, scored: &Scored, since: Option<TimestampMs>) -> String {
        let features = self.schema.features();
        let expected = &self.scaling.of(&scored.entity).expected;
        let drivers: Vec<Driver<'_>> = scored
            .contributions
            .iter()
            .map(|contribution| {
                let feature = contribution.feature;
                let column = self.layout().column(feature, Statistic::Value);
                let seen = inputs.values.get([scored.row, column]).copied();
                Driver {
                    name: &features[feature].name,
                    seen: seen.filter(|seen| !seen.is_nan()),
                    expected: expected.get(feature).copied(),
                    share: contribution.share,
                }
            })
            .collect();
        let missing: Vec<&str> =
            scored.missing.iter().map(|feature| features[*feature].name.as_str()).collect();
        explain::sentence(&Evidence {
            drivers: &drivers,
            tail_probability: scored.tail_probability,
            floor: self.tail.floor(),
            at: inputs.at,
            since,
            missing: &missing,
        })
    }

    fn layout(&self) -> InputLayout {
        InputLayout { n_features: self.schema.features().len() }
    }

    fn scale(&self, entity: &LabelSet, columns: &[f64]) -> ScaledRow {
        ScaledRow::new(self.layout(), &self.scaling.of(entity).columns, columns)
    }

    /// What the members say of the rows.
    fn evidence(&self, rows: &[ScaledRow]) -> Batch {
        let mut evidence = Array2::zeros((rows.len(), self.members.len()));
        let mut inputs = Vec::with_capacity(self.members.len());
        for (index, member) in self.members.iter().enumerate() {
            let member_rows = member.kind.rows(self.layout(), rows);
            let mut raw = vec![0.0; rows.len()];
            Member::raw_scores(member.forest.as_ref(), member_rows.view(), &mut raw);
            for (row, score) in raw.into_iter().enumerate() {
                evidence[[row, index]] = evidence_of(member.tail.probability(score));
            }
            inputs.push(member_rows);
        }
        Batch { evidence, inputs }
    }

    /// The members' blame, each weighted by how much it had to say.
    fn contributions(
        &self,
        row: &ScaledRow,
        batch: &Batch,
        index: usize,
        attribution: Attribution,
    ) -> Vec<Contribution> {
        let mut shares = vec![0.0; self.layout().n_features];
        for (member, (forest_rows, evidence)) in
            self.members.iter().zip(batch.inputs.iter().zip(batch.evidence.row(index)))
        {
            let x = forest_rows.row(index).to_vec();
            for (share, blame) in shares.iter_mut().zip(member.blame(self.layout(), row, &x, attribution)) {
                *share += blame * member.kind.weight() * evidence;
            }
        }
        let total: f64 = shares.iter().sum();
        let mut contributions: Vec<Contribution> = shares
            .iter()
            .enumerate()
            .filter(|(_, share)| **share > 0.0)
            .map(|(feature, share)| Contribution { feature, share: share / total })
            .collect();
        // Stable: of equal shares the earlier feature comes first.
        contributions.sort_by(|a, b| b.share.total_cmp(&a.share));
        contributions
    }

    fn missing(&self, values: ArrayView2<'_, f64>, row: usize) -> Vec<usize> {
        let layout = self.layout();
        let missing = |feature: &usize| values[[row, layout.column(*feature, Statistic::Value)]].is_nan();
        (0..layout.n_features).filter(missing).collect()
    }
}

/// A batch on its way through the members.
struct Batch {
    /// Row x member: -log10 of the tail probability.
    evidence: Array2<f64>,
    /// For each member what its forest saw.
    inputs: Vec<Array2<f32>>,
}

/// How rare something is, in powers of ten. The floor keeps a probability of 0 finite.
pub(crate) fn evidence_of(tail_probability: f64) -> f64 {
    -tail_probability.max(1e-12).log10()
}

/// The members' evidence, in their order, as one number.
pub(crate) fn weighted(evidence: impl Iterator<Item = f64>) -> f64 {
    MemberKind::ALL.iter().zip(evidence).map(|(kind, evidence)| kind.weight() * evidence).sum()
}
