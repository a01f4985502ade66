//! Writing scores.

use super::TableError;
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// The columns of a file of scores.
pub const SCORE_COLUMNS: [&str; 11] = [
    "timestamp",
    "entity",
    "anomaly_score",
    "anomaly_severity",
    "tail_probability",
    "explanation",
    "raw_score",
    "alarm",
    "incident",
    "criterion",
    "type",
];

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
    /// Before calibration and without the recent past; none in warm-up.
    pub raw_score: Option<f64>,
    /// Whether somebody is told.
    pub alarm: bool,
    /// Name of the incident that it belongs to; empty outside any.
    pub incident: String,
    /// The criteria that it meets, joined by `+`; may be empty.
    pub criterion: String,
    /// What kind of trouble it is; empty when nothing is anomalous.
    pub kind: &'static str,
}

/// A CSV file of scores under way.
pub struct ScoreWriter {
    path: PathBuf,
    csv: csv::Writer<File>,
}

// === impl ScoreWriter ===

impl ScoreWriter {
    /// Creates `path` and writes the header.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: &Path) -> Result<Self, TableError> {
        let file = File::create(path).map_err(|error| TableError::file(path, error))?;
        let mut csv = csv::Writer::from_writer(file);
        csv.write_record(SCORE_COLUMNS).map_err(|error| TableError::file(path, error))?;
        Ok(Self { path: path.to_owned(), csv })
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
            &row.raw_score.map_or(String::new(), |raw| raw.to_string()),
            if row.alarm { "1" } else { "0" },
            &row.incident,
            &row.criterion,
            row.kind,
        ];
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
