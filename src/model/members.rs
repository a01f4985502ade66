//! The product's own judge: several members, and what they say together.

use super::{
    Member, Past, ScaledRow, Scaling,
    attribution::attributions,
    judge::{Judgement, Row},
};
use crate::{
    calibrate::Tail, explain::Contribution, features::InputLayout, score::iforest::Attribution,
    series::TimestampMs,
};
use ndarray::{Array2, ArrayView1};

/// Members and the scaling of what they see.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    pub(crate) scaling: Scaling,
    /// Invariant: of the kinds of `MemberKind::ALL` or, in models of older formats, of `MemberKind::SECOND` or `FIRST`, in
    /// this order.
    pub(crate) members: Vec<Member>,
    /// What ranks beside them. Invariant: of the kinds of `MemberKind::RANKERS`, in this order, or, in models of older
    /// formats, none.
    pub(crate) rankers: Vec<Member>,
    /// From the weighted evidence of the members to the tail probability.
    pub(crate) tail: Tail,
}

// === impl Members ===

impl Members {
    /// Judges all rows in one batch.
    pub(super) fn judge(
        &self,
        layout: InputLayout,
        rows: &[Row<'_>],
        at: TimestampMs,
        past: &mut Past,
    ) -> Vec<Judgement> {
        let scaled: Vec<ScaledRow> = rows
            .iter()
            .map(|row| ScaledRow::new(layout, &self.scaling.of(row.entity).columns, row.columns))
            .collect();
        let mut batch = evidence(&self.members, layout, &scaled);
        let together = |evidence: ArrayView1<'_, f64>| weighted(evidence.iter().copied());
        let of_training: Vec<f64> = batch.evidence.rows().into_iter().map(together).collect();
        let mut raw_scores = self.raw_scores(&batch, &evidence(&self.rankers, layout, &scaled));
        for ((row, mut evidence), raw) in rows.iter().zip(batch.evidence.rows_mut()).zip(&mut raw_scores) {
            // Rows of a fresh array are contiguous.
            if let Some(evidence) = evidence.as_slice_mut() {
                past.judge(row.entity, at, evidence);
            }
            *raw = past.hold(row.entity, at, *raw);
        }
        let tail_probability = |evidence| self.tail.probability(together(evidence));
        let tail_probabilities: Vec<f64> = batch.evidence.rows().into_iter().map(tail_probability).collect();
        let judge = |(index, attribution): (usize, Option<Attribution>)| {
            let contributions =
                |attribution| self.contributions(layout, &scaled[index], &batch, index, attribution);
            Judgement {
                tail_probability: tail_probabilities[index],
                raw_score: raw_scores[index],
                evidence: evidence_of(self.tail.probability(of_training[index])),
                contributions: attribution.map(contributions).unwrap_or_default(),
            }
        };
        attributions(&tail_probabilities).into_iter().enumerate().map(judge).collect()
    }

    /// The mean evidence of those that rank, each by its weight.
    fn raw_scores(&self, members: &Batch, rankers: &Batch) -> Vec<f64> {
        let weights: Vec<f64> =
            self.members.iter().chain(&self.rankers).map(|member| member.kind.rank_weight()).collect();
        let total: f64 = weights.iter().sum();
        let raw = |(members, rankers): (ArrayView1<'_, f64>, ArrayView1<'_, f64>)| {
            let evidence = members.into_iter().chain(rankers);
            weights.iter().zip(evidence).map(|(weight, evidence)| weight * evidence).sum::<f64>() / total
        };
        members.evidence.rows().into_iter().zip(rankers.evidence.rows()).map(raw).collect()
    }

    /// The members' blame, each weighted by how much it had to say.
    fn contributions(
        &self,
        layout: InputLayout,
        row: &ScaledRow,
        batch: &Batch,
        index: usize,
        attribution: Attribution,
    ) -> Vec<Contribution> {
        let mut shares = vec![0.0; layout.n_features];
        for (member, (forest_rows, evidence)) in
            self.members.iter().zip(batch.inputs.iter().zip(batch.evidence.row(index)))
        {
            let x = forest_rows.row(index).to_vec();
            for (share, blame) in shares.iter_mut().zip(member.blame(layout, row, &x, attribution)) {
                *share += blame * evidence;
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
}

/// What the members say of the rows.
fn evidence(members: &[Member], layout: InputLayout, rows: &[ScaledRow]) -> Batch {
    let mut evidence = Array2::zeros((rows.len(), members.len()));
    let mut inputs = Vec::with_capacity(members.len());
    for (index, member) in members.iter().enumerate() {
        let member_rows = member.kind.rows(layout, rows);
        let mut raw = vec![0.0; rows.len()];
        member.scorer.raw_scores(member_rows.view(), &mut raw);
        for (row, score) in raw.into_iter().enumerate() {
            evidence[[row, index]] = evidence_of(member.tail.probability(score));
        }
        inputs.push(member_rows);
    }
    Batch { evidence, inputs }
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

/// The members' evidence as one number: their mean. Equal parts: on servers, services and applications no other
/// choice was better on all three, so none is preferred.
pub(crate) fn weighted(evidence: impl ExactSizeIterator<Item = f64>) -> f64 {
    let part = 1.0 / evidence.len() as f64;
    evidence.map(|evidence| part * evidence).sum()
}
