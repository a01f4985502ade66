//! The rows that detectors gathered to train on, kept on disk: `<path>/<detector>/rows.journal`.
//!
//! After a restart the next model learns from the rows of before. Each detector has one journal
//! ([`crate::train::journal`], `docs/feature-store.md`), appended at intervals and written anew when more of it is dead than alive.
//! Nothing here decides what is gathered: a disk that refuses leaves every score and every model as they are, until the next restart.

mod detector;

use crate::{features::FeatureSchema, train::journal::Header};
use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

pub use detector::{DetectorStore, WriteError, Written};

/// The journal in the folder of a detector.
const JOURNAL: &str = "rows.journal";
/// Held as long as somebody writes.
const LOCK: &str = "lock";

/// Where rows are kept, and how much of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The folder; relative to the working directory of the process.
    pub path: PathBuf,
    /// Most bytes of the journal of one detector.
    pub max_bytes: usize,
    /// How much time, by the clock, of what was gathered may be lost when the process is killed.
    pub write_interval: Duration,
}

/// The folder of all journals, held by this process alone.
#[derive(Debug)]
pub struct FeatureStore {
    path: PathBuf,
    /// Holds the lock. None where the disk refused: the rows are written as soon as it does not.
    _lock: Option<File>,
}

/// Another process writes there.
#[derive(Debug, thiserror::Error)]
#[error(
    "the feature store {} is in use by another emberwatch; give each its own folder as `training.path`",
    path.display()
)]
pub struct InUse {
    /// The folder.
    pub path: PathBuf,
}

// === impl Config ===

impl Config {
    /// Rows of a detector for which there is room: they take half of the bytes, so that the journal is not written anew all the time.
    #[must_use]
    pub fn most_rows(&self, schema: &FeatureSchema) -> usize {
        self.max_bytes / 2 / Header::of(schema).bytes_a_row()
    }
}

impl Default for Config {
    /// 256 MiB: room for 128 MiB of rows, of which 50,000 with ten features take 34 MB.
    fn default() -> Self {
        Self {
            path: PathBuf::from("features"),
            max_bytes: 256 << 20,
            write_interval: Duration::from_secs(10),
        }
    }
}

// === impl FeatureStore ===

impl FeatureStore {
    /// Takes the folder for this process; it is made where it is missing. What the disk refuses is said and no error.
    ///
    /// # Errors
    /// When another process has it.
    pub fn open(path: &Path) -> Result<Self, InUse> {
        let lock = || {
            fs::create_dir_all(path)?;
            File::create(path.join(LOCK))
        };
        let lock = lock().map_err(TryLockError::Error).and_then(|file| file.try_lock().map(|()| file));
        let lock = match lock {
            Ok(file) => Some(file),
            Err(TryLockError::WouldBlock) => return Err(InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => {
                let path = path.display();
                tracing::warn!(%path, %error, "cannot lock the feature store: no other emberwatch may use it");
                None
            }
        };
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The store of one detector, which keeps up to `max_bytes`.
    #[must_use]
    pub fn detector(&self, schema: &FeatureSchema, max_bytes: usize) -> DetectorStore {
        DetectorStore::new(self.path.join(schema.detector()), schema, max_bytes as u64)
    }
}

/// The journals under `path`, with the names of their detectors, by name.
///
/// # Errors
/// When the folder is not there or cannot be read.
pub fn journals(path: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let journal = entry.path().join(JOURNAL);
        if let (Ok(detector), true) = (entry.file_name().into_string(), journal.is_file()) {
            journals.push((detector, journal));
        }
    }
    journals.sort();
    Ok(journals)
}

#[cfg(test)]
mod tests;
