//! Wide CSV tables: what `train` reads and `score` reads and writes.
//!
//! A table has a header line; a column `timestamp` (Unix seconds, Unix milliseconds or RFC 3339); an
//! optional column `entity`; every other column is a feature. An empty cell or `NaN` is a missing
//! value. Names ending in `.gz` are decompressed. Several files make one table: they must have
//! the same features, in any order. Nothing is guessed: what cannot be read is an error with file,
//! line and column.

mod error;

mod read;

mod replay;

mod timestamp;

mod write;

pub use error::{Problem, TableError};
pub use read::{Columns, Place, Row, Table, read};
pub use replay::{median_step_ms, replay};
pub use write::{SCORE_COLUMNS, ScoreRow, ScoreWriter};
