//! Looking at rows one after the other, whatever is wrong with them.

use super::{
    TableError,
    error::Problem,
    source::{Source, number},
    timestamp,
};
use crate::series::TimestampMs;
use indicatif::ProgressBar;
use std::path::{Path, PathBuf};

/// What is told of a table as it is read, in the order of its rows.
#[derive(Debug)]
pub enum Scanned<'a> {
    /// A row: NaN where a value is missing or could not be read.
    Row {
        /// The entity as written; empty without a column of that name.
        entity: &'a str,
        /// Its time.
        at: TimestampMs,
        /// A value a feature.
        values: &'a [f64],
    },
    /// A cell of the row that comes next is no number.
    Cell {
        /// The feature's place.
        feature: usize,
        /// What is wrong, with its place.
        error: TableError,
    },
    /// A row whose time, or number of cells, is wrong: it is left out.
    Left(TableError),
}

/// The features of a table: every column but `timestamp` and `entity`, in the order of the first file.
///
/// # Errors
/// When the file cannot be read, or has no such columns.
pub fn feature_names(path: &Path) -> Result<Vec<String>, TableError> {
    let (_, names) = Source::open(path, &ProgressBar::hidden())?;
    let columns = Columns::find(&names, None).map_err(|problem| TableError::line(path, 1, problem))?;
    Ok(columns.features.into_iter().map(|place| names[place].clone()).collect())
}

/// Reads `paths` in their order and tells `see` of every row; nothing is kept.
///
/// # Errors
/// When a file cannot be read at all: it is not there, is no CSV, or lacks a column of `features`.
pub fn scan(
    paths: &[PathBuf],
    features: &[String],
    progress: &ProgressBar,
    mut see: impl FnMut(Scanned<'_>),
) -> Result<(), TableError> {
    let mut values = Vec::with_capacity(features.len());
    for path in paths {
        let (mut source, names) = Source::open(path, progress)?;
        let columns =
            Columns::find(&names, Some(features)).map_err(|problem| TableError::line(path, 1, problem))?;
        loop {
            let (line, record) = match source.next() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                // Of a row with too many or too few cells nobody knows which are which.
                Err(error) if matches!(error.problem, Problem::Ragged { .. }) => {
                    see(Scanned::Left(error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let at = match timestamp::parse(&record[columns.timestamp]) {
                Ok(at) => at,
                Err(problem) => {
                    see(Scanned::Left(TableError::line(path, line, problem)));
                    continue;
                }
            };
            values.clear();
            for (feature, place) in columns.features.iter().enumerate() {
                values.push(number(&features[feature], &record[*place]).unwrap_or_else(|problem| {
                    see(Scanned::Cell { feature, error: TableError::line(path, line, problem) });
                    f64::NAN
                }));
            }
            let entity = columns.entity.map_or("", |place| &record[place]);
            see(Scanned::Row { entity, at, values: &values });
        }
    }
    Ok(())
}

/// Where things stand in one file's rows.
struct Columns {
    timestamp: usize,
    entity: Option<usize>,
    features: Vec<usize>,
}

impl Columns {
    /// `wanted`: these features, in this order; none: all.
    fn find(names: &[String], wanted: Option<&[String]>) -> Result<Self, Problem> {
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        let timestamp = place("timestamp").ok_or_else(|| Problem::NoTimestamp(names.to_vec()))?;
        let entity = place("entity");
        let is_feature = |place: &usize| *place != timestamp && Some(*place) != entity;
        let features = match wanted {
            None => (0..names.len()).filter(is_feature).collect(),
            Some(wanted) => wanted
                .iter()
                .map(|name| {
                    let missing = || Problem::MissingColumn {
                        name: name.clone(),
                        wanted_by: "the first file".to_owned(),
                    };
                    place(name).ok_or_else(missing)
                })
                .collect::<Result<Vec<_>, _>>()?,
        };
        if features.is_empty() {
            return Err(Problem::NoFeature);
        }
        Ok(Self { timestamp, entity, features })
    }
}
