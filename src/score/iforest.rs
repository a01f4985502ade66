//! The Isolation Forest of F. T. Liu, K. M. Ting, Z.-H. Zhou, "Isolation Forest", ICDM 2008.
//!
//! A tree splits a small sample of the rows at random until every row stands alone; a strange row
//! is alone after few splits. In reading order:
//! - [`Hyperparams`], [`Splits`], [`Scoring`]: what can be chosen; checked before anything is fitted;
//! - `random`, `sample`: one generator a tree, from (seed, tree number), and its rows;
//! - `fit`: growing the trees;
//! - [`Tree`]: the compact form, as it stands in a model file;
//! - [`average_path_length()`], c(n);
//! - `layout`, `walk`: the form that is scored row by row, and the scoring;
//! - `sweep`: the same scores for a batch, all nodes at once;
//! - `path_credit`: which feature shortened the path, in microseconds;
//! - `shap`: the same with the guarantees of Shapley values, in tenths of a millisecond;
//! - [`SplitScales`]: how far a value is from where the forest splits;
//! - `hyperplane`: the other splits and scorings, with an engine of their own;
//! - [`Forest`]: all of it behind one type.
//!
//! A *plain* forest is one whose splits are by one feature each and whose score is the depth: all but
//! `hyperplane` is for it.
//!
//! Differences to the paper, on purpose: a feature that is constant in a node is not chosen (the
//! paper draws from all features, and would put all rows on one side), and c(n) uses exact harmonic
//! numbers where the paper approximates them. scikit-learn skips constant features too, but uses the
//! approximation (see [`HarmonicNumbers`]).
//!
//! Rows are `f32`, scaled by the caller. Fitting refuses values that are not finite; scoring takes
//! them: NaN goes to the left at every split, infinities to their side.

mod fit;

mod forest;

mod hyperparams;

mod hyperplane;

mod layout;

mod path_credit;

mod path_length;

mod random;

mod sample;

mod shap;

mod split_scales;

mod splits;

mod sweep;

mod tree;

mod walk;

pub use fit::FitError;
pub use forest::{Attribution, BatchMethod, Forest, InvalidForest};
pub use hyperparams::{CheckedHyperparams, Hyperparams, InvalidHyperparams};
pub use hyperplane::{Hyperplane, HyperplaneNode, HyperplaneTree, Term};
pub use path_length::{HarmonicNumbers, average_path_length};
pub use split_scales::SplitScales;
pub use splits::{MAX_SPLIT_CANDIDATES, Scoring, SplitKind, Splits};
pub use sweep::Registers;
pub use tree::{InvalidTree, Node, Tree};

/// The most features a forest takes. A scored tree keeps feature numbers in one byte.
pub const MAX_FEATURES: usize = 256;

/// The deepest a tree may be: a perfect tree of this depth still fits a processor's second cache.
pub const MAX_DEPTH: u32 = 12;

/// The largest sample a tree may be grown from: 2 to the power of [`MAX_DEPTH`].
pub const MAX_SUBSAMPLE_SIZE: usize = 1 << MAX_DEPTH;

/// The most trees a forest may have.
pub const MAX_TREES: usize = 10_000;
