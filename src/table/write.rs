//! Writing scores.

use super::TableError;
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// The columns of a file of scores; an [`ExtraColumn`] may stand behind them.
pub const SCORE_COLUMNS: [&str; 6] =
    ["timestamp", "entity", "anomaly_score", "anomaly_severity", "tail_probability", "explanation"];

/// A column that not every file of scores has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtraColumn {
    /// `raw_score`: what a plain forest gave.
    RawScore,
    /// `alarm`: whether somebody is told.
    Alarm,
}

/// One row of scores.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreRow {
    /// 0 to 1.
    pub anomaly_score: f64,
    /// 0 normal to 3 high.
    pub anomaly_severity: u8,
    /// Share of normal operation that looks at least as strange.
    pub tail_probability: f64,
    /// Plain words; empty when there is nothing to say.
    pub explanation: String,
    /// Of a plain model; none for other models and in warm-up.
    pub raw_score: Option<f64>,
    /// Whether somebody is told.
    pub alarm: bool,
}

/// A CSV file of scores under way.
pub struct ScoreWriter {
    path: PathBuf,
    csv: csv::Writer<File>,
    extra: Vec<ExtraColumn>,
}

// === impl ScoreWriter ===

impl ScoreWriter {
    /// Creates `path` and writes the header.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: &Path, extra: &[ExtraColumn]) -> Result<Self, TableError> {
        let file = File::create(path).map_err(|error| TableError::file(path, error))?;
        let mut csv = csv::Writer::from_writer(file);
        let header = SCORE_COLUMNS.into_iter().chain(extra.iter().map(|extra| extra.name()));
        csv.write_record(header).map_err(|error| TableError::file(path, error))?;
        Ok(Self { path: path.to_owned(), csv, extra: extra.to_vec() })
    }

    /// Writes one row; timestamp and entity as they were read. Numbers are written so that reading
    /// them gives the same bits.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, timestamp: &str, entity: &str, row: &ScoreRow) -> Result<(), TableError> {
        let cells = [
            timestamp,
            entity,
            &row.anomaly_score.to_string(),
            &row.anomaly_severity.to_string(),
            &format!("{:e}", row.tail_probability),
            &row.explanation,
        ];
        let extra: Vec<String> = self.extra.iter().map(|extra| extra.cell(row)).collect();
        let cells = cells.into_iter().chain(extra.iter().map(String::as_str));
        self.csv.write_record(cells).map_err(|error| TableError::file(&self.path, error))
    }

    /// Writes what is still buffered.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> Result<(), TableError> {
        self.csv.flush().map_err(|error| TableError::file(self.path, error))
    }
}

// === impl ExtraColumn ===

impl ExtraColumn {
    fn name(self) -> &'static str {
        match self {
            Self::RawScore => "raw_score",
            Self::Alarm => "alarm",
        }
    }

    fn cell(self, row: &ScoreRow) -> String {
        match self {
            Self::RawScore => row.raw_score.map_or(String::new(), |raw| raw.to_string()),
            Self::Alarm => u8::from(row.alarm).to_string(),
        }
    }
}
