//! How far a distribution has moved: the population stability index.
//!
//! `PSI = sum over bins of (actual - expected) ln(actual / expected)`, the shares of two samples in the same bins: 0 where they are alike.
//! By the usual reading below 0.1 nothing has changed, from 0.25 on a lot (N. Siddiqi, *Credit Risk Scorecards*, Wiley 2006, ch. 10). It is Kullback
//! and Leibler's divergence both ways, and among equals its expectation is about `(bins - 1) (1 / n_expected + 1 / n_actual)` (B. Yurdakul, *Statistical
//! Properties of Population Stability Index*, dissertation, Western Michigan University 2018): with too few rows it says something of nothing.

/// An empty bin is taken to hold this share, as usual in practice: its logarithm would be infinite.
pub const SHARE_FLOOR: f64 = 1e-4;

/// The population stability index of pairs of an expected and an actual share, a pair a bin.
///
/// Shares are of 0 to 1; each is at least [`SHARE_FLOOR`] here. Never negative, and 0 where all pairs are equal.
pub fn population_stability_index(bins: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    let part = |(expected, actual): (f64, f64)| {
        let (expected, actual) = (expected.max(SHARE_FLOOR), actual.max(SHARE_FLOOR));
        (actual - expected) * (actual / expected).ln()
    };
    bins.into_iter().map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Half and half becomes a quarter and three quarters: 0.25 ln(3/2) + 0.25 ln 2 = 0.25 ln 3.
    #[test]
    fn two_bins_by_hand() {
        let moved = population_stability_index([(0.5, 0.25), (0.5, 0.75)]);
        assert!((moved - 0.25 * 3.0_f64.ln()).abs() < 1e-15, "{moved}");
    }

    /// A bin that was empty and holds everything: (1 - 0.0001) ln 10000, and the same for the one that is empty now.
    #[test]
    fn an_empty_bin_counts_as_a_ten_thousandth() {
        let moved = population_stability_index([(1.0, 0.0), (0.0, 1.0)]);
        assert!((moved - 2.0 * 0.9999 * 10_000.0_f64.ln()).abs() < 1e-12, "{moved}");
    }

    proptest! {
        /// For all shares, the index is finite and not negative, the same both ways, and 0 among equals.
        #[test]
        fn it_is_a_distance_of_a_kind(bins in prop::collection::vec((0.0..=1.0_f64, 0.0..=1.0_f64), 0..12)) {
            let there = population_stability_index(bins.iter().copied());
            let back = population_stability_index(bins.iter().map(|(expected, actual)| (*actual, *expected)));
            prop_assert!(there.is_finite() && there >= 0.0);
            prop_assert!((there - back).abs() <= 1e-12 * there);
            prop_assert_eq!(population_stability_index(bins.iter().map(|(share, _)| (*share, *share))), 0.0);
        }
    }
}
