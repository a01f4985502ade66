//! Why a model file cannot be used.

use super::file::FORMAT_VERSION;
use crate::score::iforest::{Scoring, SplitKind};

/// What is wrong with a model file, and where.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// The file does not begin like a model.
    #[error("this is no model file: it begins with {found:?}, not with \"EMBRWTCH\"")]
    WrongMagic {
        /// The first bytes, as far as they are text.
        found: String,
    },
    /// The format is one that this program does not know.
    #[error("model format {found} is not known here (this program reads formats 1 to {FORMAT_VERSION})")]
    FormatVersion {
        /// The file's format.
        found: u32,
    },
    /// The file ends early.
    #[error("the model file is truncated: {have} bytes of {need}")]
    Truncated {
        /// Bytes in the file.
        have: usize,
        /// Bytes it should have.
        need: usize,
    },
    /// There is more than the file says.
    #[error("the model file has {extra} bytes behind its end")]
    TrailingBytes {
        /// How many.
        extra: usize,
    },
    /// The checksum does not fit.
    #[error("the model file was altered: its checksum is {stored:08x}, its content has {computed:08x}")]
    Altered {
        /// The checksum in the file.
        stored: u32,
        /// That of the content.
        computed: u32,
    },
    /// The file is or would become too large.
    #[error("the model has {bytes} bytes, at most {limit} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The payload cannot be unpacked.
    #[error("the payload of the model file cannot be read: {0}")]
    Payload(String),
    /// A part breaks a rule.
    #[error("{part} of the model: {problem}")]
    Invalid {
        /// Which part.
        part: &'static str,
        /// Which rule.
        problem: String,
    },
    /// The schema's fingerprint is not that of the schema.
    #[error("the model's fingerprint is {stored:016x}, its schema has {computed:016x}")]
    Fingerprint {
        /// The fingerprint in the file.
        stored: u64,
        /// That of the schema.
        computed: u64,
    },
    /// The model does not give the scores it was saved with.
    #[error("self-test row {row} of the model has tail probability {got:e}, it was saved with {expected:e}")]
    SelfTest {
        /// The row, from 0.
        row: usize,
        /// The saved result.
        expected: f64,
        /// The result now.
        got: f64,
    },
}

/// Why a model cannot be written for other programs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// It is more than one forest.
    #[error(
        "the model has several members over window statistics, which other formats cannot say; only a plain model, \
         one forest over the features' values, can be exported"
    )]
    NotPlain,
    /// Its splits are not by one feature each, or its score is not the depth.
    #[error(
        "the forest of the model is not plain (trained with {splits} splits, scored by {scoring}), which other formats \
         cannot say; train it with plain splits and scoring by depth to export it"
    )]
    NotPlainForest {
        /// How it splits.
        splits: SplitKind,
        /// What a path says.
        scoring: Scoring,
    },
    /// Every score is one half.
    #[error("the trees of the forest were grown from one row each, it has nothing to say")]
    NoOpinion,
    /// The JSON cannot be written.
    #[error("the JSON cannot be written: {0}")]
    Json(String),
}

impl ModelError {
    /// A broken rule in one part.
    pub(super) fn invalid(part: &'static str, problem: impl std::fmt::Display) -> Self {
        Self::Invalid { part, problem: problem.to_string() }
    }
}
