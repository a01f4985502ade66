//! What can be chosen about a forest.

use super::{MAX_SUBSAMPLE_SIZE, MAX_TREES};

/// The settings as written by a person; [`Hyperparams::check`] them to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hyperparams {
    /// Number of trees. More trees steady the score; 100 is where the paper saw it settle.
    pub n_trees: usize,
    /// Rows a tree is grown from (psi in the paper); fewer rows in the training data mean fewer here.
    pub subsample_size: usize,
    /// Source of every random choice.
    pub seed: u64,
}

/// Settings that a forest can be fitted with: trees within 1..=[`MAX_TREES`], rows a tree within
/// 2..=[`MAX_SUBSAMPLE_SIZE`].
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
}

// === impl Hyperparams ===

impl Default for Hyperparams {
    fn default() -> Self {
        Self { n_trees: 100, subsample_size: 256, seed: 42 }
    }
}

impl Hyperparams {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The first setting that is out of its range.
    pub fn check(self) -> Result<CheckedHyperparams, InvalidHyperparams> {
        if !(1..=MAX_TREES).contains(&self.n_trees) {
            return Err(InvalidHyperparams::Trees { given: self.n_trees });
        }
        if !(2..=MAX_SUBSAMPLE_SIZE).contains(&self.subsample_size) {
            return Err(InvalidHyperparams::SubsampleSize { given: self.subsample_size });
        }
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
        let with = |n_trees, subsample_size| Hyperparams { n_trees, subsample_size, seed: 0 }.check();
        assert!(Hyperparams::default().check().is_ok());
        assert!(with(1, 2).is_ok() && with(MAX_TREES, MAX_SUBSAMPLE_SIZE).is_ok());
        assert_eq!(with(0, 256).unwrap_err(), InvalidHyperparams::Trees { given: 0 });
        assert_eq!(with(10_001, 256).unwrap_err().to_string(), "n_trees is 10001, must be within 1 to 10000");
        assert_eq!(with(100, 1).unwrap_err(), InvalidHyperparams::SubsampleSize { given: 1 });
        assert_eq!(with(100, 4097).unwrap_err(), InvalidHyperparams::SubsampleSize { given: 4097 });
    }
}
