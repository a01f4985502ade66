//! Single columns of one file.

use super::{
    TableError,
    error::Problem,
    source::{Source, number},
    timestamp,
};
use crate::series::TimestampMs;
use indicatif::ProgressBar;
use std::path::Path;

/// What the column of times may be called, the first that is there.
const TIMES: [&str; 3] = ["timestamp", "ts", "time"];

/// A column that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct ColumnChoice<'a> {
    /// The name that a user chose.
    pub chosen: Option<&'a str>,
    /// What the column is called where nobody chose: the first that is there, or else the only column of the file.
    pub usual: &'a [&'a str],
    /// The option by which a user chooses.
    pub option: &'static str,
    /// Whether a cell may be empty or NaN.
    pub may_miss: bool,
}

/// Columns of one file, and its times.
#[derive(Clone, Debug)]
pub struct NumberColumns {
    /// The times, where the file has any.
    pub times: Option<Vec<TimestampMs>>,
    /// The wanted columns in the order of the choices; NaN = missing.
    pub columns: Vec<Vec<f64>>,
}

/// Reads the chosen columns of a CSV file (`.gz`: compressed) in the order of its rows.
///
/// # Errors
/// At the first thing that cannot be read, with its place.
pub fn read_columns(
    path: &Path,
    choices: &[ColumnChoice<'_>],
    progress: &ProgressBar,
) -> Result<NumberColumns, TableError> {
    let (mut source, names) = Source::open(path, progress)?;
    let find = |choice: &ColumnChoice<'_>| find(choice, &names);
    let cells: Vec<usize> = choices
        .iter()
        .map(find)
        .collect::<Result<_, _>>()
        .map_err(|problem| TableError::line(path, 1, problem))?;
    let time = TIMES.iter().find_map(|time| names.iter().position(|name| name == time));
    let mut read =
        NumberColumns { times: time.map(|_| Vec::new()), columns: vec![Vec::new(); choices.len()] };
    while let Some((line, record)) = source.next()? {
        let mut row = || {
            if let (Some(cell), Some(times)) = (time, &mut read.times) {
                times.push(timestamp::parse(&record[cell])?);
            }
            for ((choice, cell), column) in choices.iter().zip(&cells).zip(&mut read.columns) {
                let value = number(&names[*cell], &record[*cell])?;
                if value.is_nan() && !choice.may_miss {
                    return Err(Problem::MissingNumber { column: names[*cell].clone() });
                }
                column.push(value);
            }
            Ok(())
        };
        row().map_err(|problem| TableError::line(path, line, problem))?;
    }
    if read.columns.first().is_some_and(Vec::is_empty) {
        return Err(TableError::file(path, Problem::NoRows));
    }
    Ok(read)
}

fn find(choice: &ColumnChoice<'_>, names: &[String]) -> Result<usize, Problem> {
    let place = |wanted: &&str| names.iter().position(|name| name == *wanted);
    let only = || (names.len() == 1).then_some(0);
    let (found, wanted) = match &choice.chosen {
        Some(chosen) => (place(chosen), vec![*chosen]),
        None => (choice.usual.iter().find_map(place).or_else(only), choice.usual.to_vec()),
    };
    found.ok_or_else(|| {
        let wanted: Vec<String> = wanted.iter().map(|name| format!("{name:?}")).collect();
        Problem::NoColumn { wanted: wanted.join(" or "), have: names.to_vec(), option: choice.option }
    })
}
