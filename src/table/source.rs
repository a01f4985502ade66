//! A CSV file, compressed or not, record by record.

use super::{TableError, error::Problem};
use flate2::read::MultiGzDecoder;
use indicatif::ProgressBar;
use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

/// A file whose header has been read.
pub(super) struct Source {
    path: PathBuf,
    csv: csv::Reader<Box<dyn Read>>,
    record: csv::StringRecord,
    cells: usize,
}

// === impl Source ===

impl Source {
    /// Opens `path` and reads its header: the names of the columns. `progress` advances by the bytes of the file.
    pub(super) fn open(path: &Path, progress: &ProgressBar) -> Result<(Self, Vec<String>), TableError> {
        let file = File::open(path).map_err(|error| TableError::file(path, error))?;
        let file = BufReader::new(progress.wrap_read(file));
        let bytes: Box<dyn Read> = match path.extension() {
            Some(extension) if extension == "gz" => Box::new(MultiGzDecoder::new(file)),
            _ => Box::new(file),
        };
        let csv = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(bytes);
        let mut source = Self { path: path.to_owned(), csv, record: csv::StringRecord::new(), cells: 0 };
        if !source.read()? {
            return Err(TableError::file(path, Problem::Empty));
        }
        source.cells = source.record.len();
        // Spreadsheets put a byte order mark in front of the first name.
        let names: Vec<String> =
            source.record.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
        for (index, name) in names.iter().enumerate() {
            if let Some(first) = names[..index].iter().position(|other| other == name) {
                let (first, second) = (first + 1, index + 1);
                let problem = Problem::DuplicateColumn { name: name.clone(), first, second };
                return Err(TableError::line(path, 1, problem));
            }
        }
        Ok((source, names))
    }

    /// The next row and its line, with as many cells as the header; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &csv::StringRecord)>, TableError> {
        if !self.read()? {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        if self.record.len() != self.cells {
            let problem = Problem::Ragged { have: self.record.len(), want: self.cells };
            return Err(TableError::line(&self.path, line, problem));
        }
        Ok(Some((line, &self.record)))
    }

    fn read(&mut self) -> Result<bool, TableError> {
        self.csv.read_record(&mut self.record).map_err(|error| TableError::file(&self.path, error))
    }
}

/// A cell's number: NaN when the cell is empty or says so.
pub(super) fn number(column: &str, text: &str) -> Result<f64, Problem> {
    if text.is_empty() {
        return Ok(f64::NAN);
    }
    text.parse().map_err(|_| Problem::BadNumber { column: column.to_owned(), text: super::error::head(text) })
}
