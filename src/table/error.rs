//! What can be wrong with a table, and where.

use std::path::PathBuf;

/// A problem in one file.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {problem}", path.display(), line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct TableError {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1, where there is one.
    pub line: Option<u64>,
    /// What is wrong. Not named as a source: the message says it already.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file cannot be opened, read or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The text is not CSV.
    #[error("{0}")]
    Csv(#[from] csv::Error),
    /// No line at all.
    #[error("the file is empty; expected a line with the names of the columns, then rows")]
    Empty,
    /// A header and nothing else.
    #[error("there is a header but no row")]
    NoRows,
    /// No `timestamp` column.
    #[error("there is no column \"timestamp\"; the columns are {0:?}")]
    NoTimestamp(Vec<String>),
    /// No column besides `timestamp` and `entity`.
    #[error("there is no feature column besides timestamp and entity")]
    NoFeature,
    /// No column of scores, labels or the like.
    #[error("there is no column {wanted}; the columns are {have:?}; name another one with {option}")]
    NoColumn {
        /// What it may be called.
        wanted: String,
        /// What there is.
        have: Vec<String>,
        /// The option that names it.
        option: &'static str,
    },
    /// No columns of labels.
    #[error(
        "there are neither columns \"from\" and \"to\" nor \"timestamp\" and \"label\"; the columns are {0:?}"
    )]
    NoLabels(Vec<String>),
    /// An incident ends before it begins.
    #[error("\"to\" lies before \"from\"")]
    EndsBeforeItBegins,
    /// A name occurs twice in the header.
    #[error("column {second} is called {name:?} like column {first}")]
    DuplicateColumn {
        /// The name.
        name: String,
        /// First column of that name, from 1.
        first: usize,
        /// Second column of that name, from 1.
        second: usize,
    },
    /// A wanted feature has no column.
    #[error("there is no column {name:?}, which {wanted_by} has")]
    MissingColumn {
        /// The feature.
        name: String,
        /// Who wants it: the model or the first file.
        wanted_by: String,
    },
    /// A file has a feature that the first one has not.
    #[error("column {0:?} is not in the first file; all files must have the same features")]
    NewColumn(String),
    /// A row has more or fewer cells than the header.
    #[error("the row has {have} cells, the header has {want}")]
    Ragged {
        /// Cells in the row.
        have: usize,
        /// Cells in the header.
        want: usize,
    },
    /// A cell is not a number.
    #[error("column {column:?}: {text:?} is not a number (a missing value is an empty cell or NaN)")]
    BadNumber {
        /// The column.
        column: String,
        /// Head of the cell.
        text: String,
    },
    /// A cell has to say something.
    #[error("column {column:?} is empty or NaN; every row needs a value here")]
    MissingNumber {
        /// The column.
        column: String,
    },
    /// A timestamp is not understood.
    #[error(
        "column \"timestamp\": {text:?} is neither Unix seconds, Unix milliseconds, RFC 3339 nor a date and time"
    )]
    BadTimestamp {
        /// Head of the cell.
        text: String,
    },
    /// A row lies before the entity's row above it.
    #[error("the timestamp lies before that of line {above}; the rows of an entity must ascend in time")]
    Unsorted {
        /// The entity's row above.
        above: u64,
    },
    /// Two rows of one entity have one timestamp.
    #[error(
        "this timestamp was already given in {other}; rows of different machines need an \"entity\" column"
    )]
    DuplicateRow {
        /// Where.
        other: String,
    },
    /// An entity name is not usable as a label.
    #[error("column \"entity\": {0}")]
    Entity(#[from] crate::series::InvalidLabels),
}

impl TableError {
    /// A problem of the file as a whole.
    pub(super) fn file(path: impl Into<PathBuf>, problem: impl Into<Problem>) -> Self {
        Self { path: path.into(), line: None, problem: problem.into() }
    }

    /// A problem in one line.
    pub(super) fn line(path: impl Into<PathBuf>, line: u64, problem: impl Into<Problem>) -> Self {
        Self { path: path.into(), line: Some(line), problem: problem.into() }
    }
}

/// The head of a cell for a message.
pub(super) fn head(text: &str) -> String {
    text.chars().take(40).collect()
}
