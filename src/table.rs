//! Wide CSV tables: what `train` reads and `score` reads and writes.
//!
//! A table has a header line; a column `timestamp` (Unix seconds, Unix milliseconds, RFC 3339, or a date
//! and time in UTC); an optional column `entity`; every other column is a feature. An empty cell or `NaN` is a missing
//! value. Names ending in `.gz` are decompressed. Several files make one table: they must have
//! the same features, in any order. Nothing is guessed: what cannot be read is an error with file,
//! line and column.
//!
//! [`scan()`] reads tables with whatever is wrong in them, row by row, to say what it is.
//!
//! Single columns of numbers, such as scores and labels, are read by [`read_columns`]; incidents of entities by [`read_labels`].

mod columns;

mod error;

mod labels;

mod read;

mod replay;

mod scan;

mod source;

mod timestamp;

mod write;

pub use columns::{ColumnChoice, NumberColumns, read_columns};
pub use error::{Problem, TableError};
pub use labels::{LabelledTime, read_labels};
pub use read::{Columns, Place, Row, Table, read};
pub use replay::{TableStep, median_step_ms, replay, steps};
pub use scan::{Scanned, feature_names, scan};
pub use timestamp::parse as parse_timestamp;
pub use write::{SCORE_COLUMNS, ScoreRow, ScoreWriter};
