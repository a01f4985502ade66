//! How a forest splits its rows, and what it reads from the path of a row.

use super::{InvalidHyperparams, MAX_FEATURES};
use std::fmt;

/// The most hyperplanes that a guided split may try.
pub const MAX_SPLIT_CANDIDATES: usize = 1_000;

/// How the rows of a branch are split in two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Splits {
    /// One feature and a threshold, both at random: Liu, Ting, Zhou 2008.
    #[default]
    Plain,
    /// A random hyperplane: Hariri, Carrasco Kind, Brunner, "Extended Isolation Forest", IEEE TKDE 2021
    /// (arXiv 1811.02141).
    Extended {
        /// Features of a hyperplane; where fewer vary, all of them.
        features: usize,
    },
    /// Of several random hyperplanes the one that leaves the tightest sides: Liu, Ting, Zhou, "On Detecting
    /// Clustered Anomalies Using SCiForest", ECML PKDD 2010.
    Guided {
        /// Features of a hyperplane; where fewer vary, all of them.
        features: usize,
        /// Hyperplanes that are tried for each split.
        candidates: usize,
    },
}

/// A kind of split, whatever its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SplitKind {
    /// [`Splits::Plain`].
    #[default]
    Plain,
    /// [`Splits::Extended`].
    Extended,
    /// [`Splits::Guided`].
    Guided,
}

/// What the path of a row says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scoring {
    /// Its length: Liu, Ting, Zhou 2008.
    #[default]
    Depth,
    /// Its length, where a split counts nothing for a row that is further from it than the training rows at the
    /// split are apart: the acceptable range of SCiForest, `penalize_range` in isotree.
    PenalizedDepth,
    /// How dense the training rows lie at its end, their share over the share of the volume: `density` in isotree
    /// (Cortes, "Isolation forests: looking beyond tree depth", arXiv 2111.11639). Only for splits by
    /// one feature each, whose branches have a volume.
    Density,
}

// === impl Splits ===

impl Splits {
    /// Features of a hyperplane where none are asked for: what both papers found enough.
    pub const DEFAULT_FEATURES: usize = 2;

    /// Hyperplanes tried for a guided split where no number is asked for: the paper's.
    pub const DEFAULT_CANDIDATES: usize = 10;

    /// Splits of a kind, with its numbers where they are given.
    ///
    /// # Errors
    /// When a number is given that the kind does not have.
    pub fn new(
        kind: SplitKind,
        features: Option<usize>,
        candidates: Option<usize>,
    ) -> Result<Self, InvalidHyperparams> {
        let of_hyperplanes = features.unwrap_or(Self::DEFAULT_FEATURES);
        match (kind, features, candidates) {
            (SplitKind::Plain, Some(_), _) => {
                Err(InvalidHyperparams::NotOfSplits { kind, setting: "number of features" })
            }
            (SplitKind::Plain | SplitKind::Extended, _, Some(_)) => {
                Err(InvalidHyperparams::NotOfSplits { kind, setting: "number of candidates" })
            }
            (SplitKind::Plain, None, None) => Ok(Self::Plain),
            (SplitKind::Extended, _, None) => Ok(Self::Extended { features: of_hyperplanes }),
            (SplitKind::Guided, _, candidates) => Ok(Self::Guided {
                features: of_hyperplanes,
                candidates: candidates.unwrap_or(Self::DEFAULT_CANDIDATES),
            }),
        }
    }

    /// Of what kind they are.
    #[must_use]
    pub fn kind(self) -> SplitKind {
        match self {
            Self::Plain => SplitKind::Plain,
            Self::Extended { .. } => SplitKind::Extended,
            Self::Guided { .. } => SplitKind::Guided,
        }
    }

    /// The most features of a split.
    #[must_use]
    pub fn features(self) -> usize {
        match self {
            Self::Plain => 1,
            Self::Extended { features } | Self::Guided { features, .. } => features,
        }
    }

    /// Hyperplanes that are tried for each split.
    #[must_use]
    pub fn candidates(self) -> usize {
        match self {
            Self::Plain | Self::Extended { .. } => 1,
            Self::Guided { candidates, .. } => candidates,
        }
    }

    /// Whether the numbers are within their ranges and the rows can be scored that way.
    pub(super) fn check(self, scoring: Scoring) -> Result<(), InvalidHyperparams> {
        let (features, candidates) = (self.features(), self.candidates());
        if !(1..=MAX_FEATURES).contains(&features) {
            return Err(InvalidHyperparams::SplitFeatures { given: features });
        }
        if !(1..=MAX_SPLIT_CANDIDATES).contains(&candidates) {
            return Err(InvalidHyperparams::SplitCandidates { given: candidates });
        }
        if scoring == Scoring::Density && features > 1 {
            return Err(InvalidHyperparams::NoVolume { features });
        }
        Ok(())
    }
}

impl fmt::Display for Splits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let features = match self.features() {
            1 => "1 feature".to_owned(),
            features => format!("{features} features"),
        };
        match self {
            Self::Plain => write!(f, "plain"),
            Self::Extended { .. } => write!(f, "extended, {features}"),
            Self::Guided { candidates, .. } => write!(f, "guided, {features}, best of {candidates}"),
        }
    }
}

// === impl SplitKind ===

impl SplitKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Extended, Self::Guided];

    /// What it is called in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Extended => "extended",
            Self::Guided => "guided",
        }
    }
}

impl fmt::Display for SplitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// === impl Scoring ===

impl Scoring {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Depth, Self::PenalizedDepth, Self::Density];

    /// What it is called in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Depth => "depth",
            Self::PenalizedDepth => "penalized-depth",
            Self::Density => "density",
        }
    }
}

impl fmt::Display for Scoring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_a_kind_does_not_have_is_refused() {
        let refused =
            |kind, features, candidates| Splits::new(kind, features, candidates).unwrap_err().to_string();
        assert_eq!(
            refused(SplitKind::Plain, Some(1), None),
            "plain splits have no number of features to choose"
        );
        assert_eq!(
            refused(SplitKind::Plain, None, Some(10)),
            "plain splits have no number of candidates to choose"
        );
        assert_eq!(
            refused(SplitKind::Extended, Some(2), Some(10)),
            "extended splits have no number of candidates to choose"
        );
    }

    #[test]
    fn numbers_that_are_not_given_are_those_of_the_papers() {
        let splits = |kind| Splits::new(kind, None, None).unwrap();
        assert_eq!(splits(SplitKind::Plain), Splits::default());
        assert_eq!(splits(SplitKind::Extended), Splits::Extended { features: 2 });
        assert_eq!(splits(SplitKind::Guided), Splits::Guided { features: 2, candidates: 10 });
        assert_eq!(splits(SplitKind::Guided).to_string(), "guided, 2 features, best of 10");
    }
}
