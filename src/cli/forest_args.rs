//! The settings of forests as arguments.

use crate::score::iforest::{Hyperparams, InvalidHyperparams, Scoring, SplitKind, Splits};
use clap::{ValueEnum, builder::PossibleValue};

/// How the forests of a model are grown and scored.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct ForestArgs {
    /// Trees in each forest
    #[arg(long, default_value_t = Hyperparams::default().n_trees, value_name = "N")]
    trees: usize,

    /// Rows each tree is grown from
    #[arg(long, default_value_t = Hyperparams::default().subsample_size, value_name = "N")]
    subsample: usize,

    /// Seed of every random choice: the same files, settings and seed give the same model
    #[arg(long, default_value_t = Hyperparams::default().seed, value_name = "N")]
    pub(super) seed: u64,

    /// How the rows of a branch are split in two; docs/forest.md says what each is worth
    #[arg(long, value_enum, default_value_t)]
    split: SplitKind,

    /// Features of an extended or guided split, as many as vary at most [default: 2]
    #[arg(long, value_name = "N")]
    split_features: Option<usize>,

    /// Splits that a guided one is the best of [default: 10]
    #[arg(long, value_name = "N")]
    split_candidates: Option<usize>,

    /// What is read from a row's path down a tree
    #[arg(long, value_enum, default_value_t)]
    scoring: Scoring,
}

// === impl ForestArgs ===

impl ForestArgs {
    /// The settings.
    ///
    /// # Errors
    /// When they make no sense together.
    pub(super) fn hyperparams(&self) -> Result<Hyperparams, InvalidHyperparams> {
        let params = Hyperparams {
            n_trees: self.trees,
            subsample_size: self.subsample,
            seed: self.seed,
            splits: Splits::new(self.split, self.split_features, self.split_candidates)?,
            scoring: self.scoring,
        };
        Ok(params.check()?.get())
    }
}

impl ValueEnum for SplitKind {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(match self {
            Self::Plain => "one feature and a threshold, both at random",
            Self::Extended => "a random hyperplane over --split-features features",
            Self::Guided => "of --split-candidates random hyperplanes the one with the tightest sides",
        }))
    }
}

impl ValueEnum for Scoring {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(match self {
            Self::Depth => "its length",
            Self::PenalizedDepth => "its length, without the splits that the row is far beyond",
            Self::Density => "how dense training rows lie at its end; only for splits by one feature",
        }))
    }
}
