//! Which features a member blames for its verdict on a row.
//!
//! Each member blames by what it sees. The window member's columns belong to features, so the credits of its
//! forest are theirs. The columns of the deviation member belong to places ("the second largest"): a view's
//! share of the verdict is what its columns shortened the path by, and within a view the features share it by
//! the squares of their deviations, as they do in the verdict of the extreme member, which has no
//! forest, and of the nearest member: by their part in its distances, which are on a logarithmic scale, a blamed
//! feature came first less often. `docs/decisions/016-who-is-blamed.md` says how this was chosen.

use super::member::{Member, MemberKind, ScaledRow, Scorer, VIEWS};
use crate::{
    features::InputLayout,
    score::{
        deviation::N_STATISTICS,
        iforest::{Attribution, Forest},
    },
};

// === impl Member ===

impl Member {
    /// How much of the member's verdict on a row goes to each feature: shares that sum to 1, or to 0
    /// when no feature is to blame. `x` is what the member saw of the row.
    pub(super) fn blame(
        &self,
        layout: InputLayout,
        row: &ScaledRow,
        x: &[f32],
        attribution: Attribution,
    ) -> Vec<f64> {
        let mut shares = vec![0.0; layout.n_features];
        match (self.kind, &self.scorer) {
            (MemberKind::Window, Scorer::Forest(forest)) => {
                // The columns behind the means and the spreads are the hour's, which is no feature's doing.
                let drives = drives(forest, x, attribution);
                for columns in drives.chunks_exact(layout.n_features).take(2) {
                    shares.iter_mut().zip(columns).for_each(|(share, drive)| *share += drive.max(0.0));
                }
            }
            (MemberKind::Deviation, Scorer::Forest(forest)) => {
                let drives = drives(forest, x, attribution);
                for (statistic, columns) in VIEWS.into_iter().zip(drives.chunks_exact(N_STATISTICS)) {
                    let mut squares = squares(row.view(statistic));
                    normalise(&mut squares);
                    let drive = columns.iter().sum::<f64>().max(0.0);
                    shares.iter_mut().zip(squares).for_each(|(share, square)| *share += drive * square);
                }
            }
            _ => {
                for statistic in VIEWS {
                    let squares = squares(row.view(statistic));
                    shares.iter_mut().zip(squares).for_each(|(share, square)| *share += square);
                }
            }
        }
        normalise(&mut shares);
        shares
    }
}

/// By how much each column shortened the path.
fn drives(forest: &Forest, x: &[f32], attribution: Attribution) -> Vec<f64> {
    let mut credits = vec![0.0; x.len()];
    forest.attribute(attribution, x, &mut credits);
    credits.iter_mut().for_each(|credit| *credit = -*credit);
    credits
}

/// A missing value deviates from nothing.
fn squares(deviations: &[f32]) -> Vec<f64> {
    deviations.iter().map(|z| if z.is_nan() { 0.0 } else { f64::from(*z).powi(2) }).collect()
}

/// Makes the shares sum to 1, unless all are 0.
fn normalise(shares: &mut [f64]) {
    let total: f64 = shares.iter().sum();
    if total > 0.0 {
        shares.iter_mut().for_each(|share| *share /= total);
    }
}
