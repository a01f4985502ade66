//! What can be chosen about a forest.

use super::{MAX_FEATURES, MAX_SPLIT_CANDIDATES, MAX_SUBSAMPLE_SIZE, MAX_TREES, Scoring, SplitKind, Splits};

/// The settings as written by a person; [`Hyperparams::check`] them to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hyperparams {
    /// Number of trees. More trees steady the score; 100 is where the paper saw it settle.
    pub n_trees: usize,
    /// Rows a tree is grown from (psi in the paper); fewer rows in the training data mean fewer here.
    pub subsample_size: usize,
    /// Source of every random choice.
    pub seed: u64,
    /// How a branch is split.
    pub splits: Splits,
    /// What a row's path says of it.
    pub scoring: Scoring,
}

/// Settings that a forest can be fitted with: trees within 1..=[`MAX_TREES`], rows a tree within
/// 2..=[`MAX_SUBSAMPLE_SIZE`], splits that the scoring can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedHyperparams(Hyperparams);

/// Why settings cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHyperparams {
    /// Too few or too many trees.
    #[error("n_trees is {given}, must be within 1 to {MAX_TREES}")]
    Trees {
        /// The setting.
        given: usize,
    },
    /// A sample that no tree can be grown from.
    #[error("subsample_size is {given}, must be within 2 to {MAX_SUBSAMPLE_SIZE}")]
    SubsampleSize {
        /// The setting.
        given: usize,
    },
    /// Hyperplanes of no or too many features.
    #[error("splits by {given} features, must be within 1 to {MAX_FEATURES}")]
    SplitFeatures {
        /// The setting.
        given: usize,
    },
    /// No or too many hyperplanes to choose from.
    #[error("{given} candidates for a split, must be within 1 to {MAX_SPLIT_CANDIDATES}")]
    SplitCandidates {
        /// The setting.
        given: usize,
    },
    /// A number that the kind of split does not have.
    #[error("{kind} splits have no {setting} to choose")]
    NotOfSplits {
        /// The kind.
        kind: SplitKind,
        /// What the number is.
        setting: &'static str,
    },
    /// Density of branches without a volume.
    #[error("scoring by density needs splits by one feature each, these are by {features}")]
    NoVolume {
        /// Features of a split.
        features: usize,
    },
}

// === impl Hyperparams ===

impl Default for Hyperparams {
    fn default() -> Self {
        Self {
            n_trees: 100,
            subsample_size: 256,
            seed: 42,
            splits: Splits::default(),
            scoring: Scoring::default(),
        }
    }
}

impl Hyperparams {
    /// Checks the ranges, and that the splits can be scored as asked for.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn check(self) -> Result<CheckedHyperparams, InvalidHyperparams> {
        if !(1..=MAX_TREES).contains(&self.n_trees) {
            return Err(InvalidHyperparams::Trees { given: self.n_trees });
        }
        if !(2..=MAX_SUBSAMPLE_SIZE).contains(&self.subsample_size) {
            return Err(InvalidHyperparams::SubsampleSize { given: self.subsample_size });
        }
        self.splits.check(self.scoring)?;
        Ok(CheckedHyperparams(self))
    }
}

// === impl CheckedHyperparams ===

impl CheckedHyperparams {
    /// The settings.
    #[must_use]
    pub fn get(&self) -> Hyperparams {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_pass_and_ends_of_the_ranges_are_checked() {
        let with = |n_trees, subsample_size| {
            Hyperparams { n_trees, subsample_size, ..Hyperparams::default() }.check()
        };
        assert!(Hyperparams::default().check().is_ok());
        assert!(with(1, 2).is_ok() && with(MAX_TREES, MAX_SUBSAMPLE_SIZE).is_ok());
        assert_eq!(with(0, 256).unwrap_err(), InvalidHyperparams::Trees { given: 0 });
        assert_eq!(with(10_001, 256).unwrap_err().to_string(), "n_trees is 10001, must be within 1 to 10000");
        assert_eq!(with(100, 1).unwrap_err(), InvalidHyperparams::SubsampleSize { given: 1 });
        assert_eq!(with(100, 4097).unwrap_err(), InvalidHyperparams::SubsampleSize { given: 4097 });
    }

    #[test]
    fn splits_that_make_no_sense_are_refused() {
        let with = |splits, scoring| Hyperparams { splits, scoring, ..Hyperparams::default() }.check();
        let guided = |features, candidates| Splits::Guided { features, candidates };
        for scoring in Scoring::ALL {
            assert!(with(Splits::Plain, scoring).is_ok() && with(guided(1, 10), scoring).is_ok());
        }
        assert!(with(Splits::Extended { features: 256 }, Scoring::PenalizedDepth).is_ok());
        assert_eq!(
            with(Splits::Extended { features: 0 }, Scoring::Depth).unwrap_err(),
            InvalidHyperparams::SplitFeatures { given: 0 }
        );
        assert_eq!(
            with(guided(2, 1_001), Scoring::Depth).unwrap_err(),
            InvalidHyperparams::SplitCandidates { given: 1_001 }
        );
        assert_eq!(
            with(guided(2, 10), Scoring::Density).unwrap_err().to_string(),
            "scoring by density needs splits by one feature each, these are by 2"
        );
    }
}
