//! Why a forest of scikit-learn cannot be taken over.

use crate::{
    calibrate::{InvalidTail, TailError},
    features::InvalidSchema,
    model::MAX_VERSION_BYTES,
    score::iforest::{InvalidForest, InvalidHyperparams},
};

/// What is wrong with the JSON, and where.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScikitLearnError {
    /// The text is no JSON, or a part of it is missing, unknown or of another type.
    #[error("the JSON cannot be read: {0}")]
    Json(String),
    /// It is something else, or newer.
    #[error(
        "this is {format:?} version {version}, not \"emberwatch isolation forest\" version 1 of tools/export_sklearn.py"
    )]
    Format {
        /// What it says that it is.
        format: String,
        /// Its version.
        version: u32,
    },
    /// A list has other than one number a feature.
    #[error("{what} has {given} numbers, the forest has {expected} features")]
    Numbers {
        /// Which list.
        what: String,
        /// Its length.
        given: usize,
        /// Number of features.
        expected: usize,
    },
    /// A feature cannot be standardised.
    #[error("the scaler has mean {mean} and scale {scale} for feature {feature}")]
    Scaler {
        /// The feature.
        feature: usize,
        /// Its mean.
        mean: f64,
        /// Its scale.
        scale: f64,
    },
    /// A tree is damaged.
    #[error("tree {tree}: {problem}")]
    Tree {
        /// Number of the tree, from 0.
        tree: usize,
        /// What is wrong with it.
        problem: TreeProblem,
    },
    /// The trees are no forest. (Its nodes are counted in preorder, as scikit-learn does.)
    #[error(transparent)]
    Forest(#[from] InvalidForest),
    /// Trees too many or samples too small to be trained with.
    #[error(transparent)]
    Hyperparams(#[from] InvalidHyperparams),
    /// A number that a calibration could begin with is out of its range.
    #[error("{what} is {given}, must be above 0 and {limit}")]
    Calibration {
        /// Which number.
        what: &'static str,
        /// The number.
        given: f64,
        /// Its upper limit in words.
        limit: &'static str,
    },
    /// Scores cannot be calibrated.
    #[error("the scores cannot be calibrated: {0}")]
    Tail(#[from] TailError),
    /// The convention gives no calibration.
    #[error("nothing can be calibrated by the contamination: {0}")]
    Convention(#[from] InvalidTail),
    /// No rows to check with, or rows without scores.
    #[error("{rows} rows with {scores} scores to check the forest with")]
    CheckRows {
        /// Number of rows.
        rows: usize,
        /// Number of scores.
        scores: usize,
    },
    /// The forest does not give the scores that came along.
    #[error("check row {row} has raw score {got} here, scikit-learn gave it {expected}")]
    Check {
        /// The row, from 0.
        row: usize,
        /// scikit-learn's score.
        expected: f64,
        /// The score here.
        got: f64,
    },
    /// The version has no or too many letters.
    #[error("the model version must have 1 to {MAX_VERSION_BYTES} bytes, not {0}")]
    ModelVersion(usize),
    /// Names and settings are no schema.
    #[error(transparent)]
    Schema(#[from] InvalidSchema),
}

/// What is wrong with a tree. Nodes are counted as in the JSON.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum TreeProblem {
    /// Its lists do not describe the same nodes.
    #[error("feature, threshold, left, right and samples have {lengths:?} places, all must have as many")]
    Lengths {
        /// Their lengths.
        lengths: [usize; 5],
    },
    /// A child that there is not.
    #[error("node {node} has child {child}, there are {nodes} nodes (a leaf has -1 for both children)")]
    Child {
        /// The parent.
        node: usize,
        /// The child.
        child: i64,
        /// Number of nodes.
        nodes: usize,
    },
    /// A node is reached by two ways.
    #[error("node {node} is the child of two nodes, or of a node below it")]
    TwoParents {
        /// The node.
        node: usize,
    },
    /// A node is not reached.
    #[error("node {node} is no child of any node")]
    Unreached {
        /// The node.
        node: usize,
    },
    /// A split by a feature that there is not.
    #[error("node {node} splits by feature {feature}, there are {n_features}")]
    Feature {
        /// The node.
        node: usize,
        /// The feature.
        feature: i64,
        /// Number of features.
        n_features: usize,
    },
    /// A threshold that is no single-precision number.
    #[error("node {node} has the threshold {threshold}")]
    Threshold {
        /// The node.
        node: usize,
        /// The threshold.
        threshold: f64,
    },
    /// A leaf without rows.
    #[error("leaf {node} holds {samples} rows")]
    Samples {
        /// The node.
        node: usize,
        /// Its rows.
        samples: i64,
    },
    /// More nodes than can be counted.
    #[error("{nodes} nodes")]
    TooLarge {
        /// Number of nodes.
        nodes: usize,
    },
}
