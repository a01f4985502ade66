//! Shares of the features in one anomaly.

/// The share of one feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contribution {
    /// Number of the feature in the schema.
    pub feature: usize,
    /// Within 0..=1; the shares of an anomaly sum to 1.
    pub share: f64,
}

/// Turns the credits of a row (one an input column, as `Forest::path_credit` gives them: **negative drives the
/// anomaly**) into shares of features, largest first; of equal ones the earlier feature comes first.
///
/// `feature_of` names the feature each column was made from; none for a column that stands for no
/// feature. The columns of a feature are summed first, so that its mean may take back what its
/// spread claims; then only features that drive are kept. Where nothing drives, the answer is empty. Columns
/// beyond the shorter of the two slices and credits that are not finite are left out.
#[must_use]
pub fn contributions(credits: &[f64], feature_of: &[Option<usize>]) -> Vec<Contribution> {
    let mut drives: Vec<(usize, f64)> = credits
        .iter()
        .zip(feature_of)
        .filter(|(credit, _)| credit.is_finite())
        .filter_map(|(credit, feature)| feature.map(|feature| (feature, -credit)))
        .collect();
    // A stable sort: the columns of a feature are summed in their own order.
    drives.sort_by_key(|&(feature, _)| feature);
    let mut shares: Vec<Contribution> = drives
        .chunk_by(|a, b| a.0 == b.0)
        .map(|columns| Contribution {
            feature: columns[0].0,
            share: columns.iter().map(|(_, drive)| drive).sum(),
        })
        .filter(|contribution| contribution.share > 0.0)
        .collect();
    let total: f64 = shares.iter().map(|contribution| contribution.share).sum();
    if !total.is_finite() {
        return Vec::new();
    }
    shares.iter_mut().for_each(|contribution| contribution.share /= total);
    shares.sort_by(|a, b| b.share.total_cmp(&a.share));
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feature 0: 1.0 - 0.2 against it = 0.8 drive; feature 1 holds back; feature 2: 0.2; the last column
    /// belongs to none.
    #[test]
    fn shares_by_hand() {
        let credits = [-1.0, 0.5, 0.2, -0.2, -9.0];
        let shares = contributions(&credits, &[Some(0), Some(1), Some(0), Some(2), None]);
        let features: Vec<usize> = shares.iter().map(|c| c.feature).collect();
        assert_eq!(features, [0, 2]);
        assert!((shares[0].share - 0.8).abs() < 1e-12 && (shares[1].share - 0.2).abs() < 1e-12);
    }

    #[test]
    fn nothing_drives_nothing_is_named() {
        assert_eq!(contributions(&[0.0, 0.3], &[Some(0), Some(1)]), []);
        assert_eq!(contributions(&[], &[]), []);
    }

    proptest! {
        /// For all credits, the shares are positive, fall, sum to 1 (unless none), and name each feature once.
        #[test]
        fn shares_are_shares(columns in prop::collection::vec((-9.0..9.0, prop::option::of(0_usize..6)), 0..30)) {
            let (credits, feature_of): (Vec<f64>, Vec<_>) = columns.into_iter().unzip();
            let shares = contributions(&credits, &feature_of);
            let total: f64 = shares.iter().map(|c| c.share).sum();
            prop_assert!(shares.is_empty() || (total - 1.0).abs() < 1e-12);
            prop_assert!(shares.iter().all(|c| c.share > 0.0));
            prop_assert!(shares.is_sorted_by(|a, b| a.share >= b.share));
            let mut features: Vec<_> = shares.iter().map(|c| c.feature).collect();
            features.sort_unstable();
            prop_assert!(features.is_sorted_by(|a, b| a < b));
        }
    }
}
