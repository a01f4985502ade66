//! A file that is written piece by piece and gone on with after an interruption.
//!
//! Beside it lies a journal, `<file>.journal`: how long the file is as far as it is whole, and which step comes next. A piece is written and
//! synced, then the journal is replaced. So after a kill at any moment the file is cut to what the journal says, and no row is missing or
//! there twice. When all is written the journal is removed.

use crate::series::TimestampMs;
use anyhow::{Context as _, bail};
use flate2::{Compression, write::GzEncoder};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Seek as _, SeekFrom, Write as _},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

/// A file under way.
pub(super) struct Resumable {
    path: PathBuf,
    file: File,
    journal: Journal,
}

/// What stands in the journal.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Journal {
    /// What the file is.
    identity: String,
    /// First and last instant, Unix milliseconds.
    from: i64,
    until: i64,
    /// The first step that is not in the file.
    next_ms: i64,
    /// Length of the file up to there.
    bytes: u64,
    #[serde(skip)]
    pub(super) next: TimestampMs,
}

// === impl Journal ===

impl Journal {
    /// The range that the file is to have; that of the first call.
    pub(super) fn range(&self) -> RangeInclusive<TimestampMs> {
        TimestampMs(self.from)..=TimestampMs(self.until)
    }
}

// === impl Resumable ===

impl Resumable {
    /// Goes on with `path` if it is what `identity` says, else begins it with `header`. Gives where it stands.
    ///
    /// # Errors
    /// When something else is under way there, or the disk refuses.
    pub(super) fn open(
        path: &Path,
        identity: &str,
        header: &[u8],
        range: &RangeInclusive<TimestampMs>,
    ) -> anyhow::Result<(Self, Journal)> {
        if let Some(journal) = read_journal(path)? {
            if journal.identity != identity {
                let file = journal_path(path);
                bail!(
                    "{} is under way as {}; this is {identity}: give the same options to go on, or remove {} to begin anew",
                    path.display(),
                    journal.identity,
                    file.display()
                );
            }
            let mut file = OpenOptions::new().write(true).open(path).with_context(|| cannot_write(path))?;
            file.set_len(journal.bytes)?;
            file.seek(SeekFrom::End(0))?;
            return Ok((Self { path: path.to_owned(), file, journal: journal.clone() }, journal));
        }
        let file = File::create(path).with_context(|| cannot_write(path))?;
        let (from, until) = (range.start().0, range.end().0);
        let identity = identity.to_owned();
        let journal = Journal { identity, from, until, next_ms: from, bytes: 0, next: TimestampMs(from) };
        let mut resumable = Self { path: path.to_owned(), file, journal };
        resumable.append(header, TimestampMs(from))?;
        let journal = resumable.journal.clone();
        Ok((resumable, journal))
    }

    /// Writes a piece, up to the step before `next`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn append(&mut self, piece: &[u8], next: TimestampMs) -> anyhow::Result<()> {
        let is_gz = self.path.extension().is_some_and(|extension| extension == "gz");
        // Each piece is a member of its own: joined members are one file to whoever unpacks it.
        let packed = match is_gz {
            true if piece.is_empty() => Vec::new(),
            true => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(piece)?;
                encoder.finish()?
            }
            false => piece.to_vec(),
        };
        let write = |file: &mut File| file.write_all(&packed).and_then(|()| file.sync_data());
        write(&mut self.file).with_context(|| cannot_write(&self.path))?;
        self.journal.bytes += packed.len() as u64;
        (self.journal.next, self.journal.next_ms) = (next, next.0);
        self.write_journal()
    }

    /// Says that all is written.
    ///
    /// # Errors
    /// When the journal cannot be removed.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        self.file.sync_all()?;
        let journal = journal_path(&self.path);
        fs::remove_file(&journal).with_context(|| format!("cannot remove {}", journal.display()))
    }

    fn write_journal(&self) -> anyhow::Result<()> {
        let path = journal_path(&self.path);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".journal-").tempfile_in(folder)?;
        file.write_all(&serde_json::to_vec(&self.journal)?)?;
        file.as_file().sync_data()?;
        file.persist(&path).with_context(|| cannot_write(&path))?;
        Ok(())
    }
}

/// The journal of `path`; none where nothing is under way.
fn read_journal(path: &Path) -> anyhow::Result<Option<Journal>> {
    let journal = journal_path(path);
    let bytes = match fs::read(&journal) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", journal.display())),
    };
    let read: Journal = serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is no journal; remove it to begin anew", journal.display()))?;
    if fs::metadata(path).map_or(0, |metadata| metadata.len()) < read.bytes {
        bail!(
            "{} is shorter than its journal says; remove {} to begin anew",
            path.display(),
            journal.display()
        );
    }
    Ok(Some(Journal { next: TimestampMs(read.next_ms), ..read }))
}

fn journal_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".journal");
    PathBuf::from(name)
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::MultiGzDecoder;
    use std::io::Read as _;

    const RANGE: RangeInclusive<TimestampMs> = TimestampMs(0)..=TimestampMs(100);

    fn open(path: &Path, identity: &str) -> anyhow::Result<(Resumable, Journal)> {
        Resumable::open(path, identity, b"head\n", &RANGE)
    }

    fn text(path: &Path) -> String {
        let mut text = String::new();
        let file = File::open(path).unwrap();
        match path.extension().unwrap() == "gz" {
            true => MultiGzDecoder::new(file).read_to_string(&mut text).unwrap(),
            false => { file }.read_to_string(&mut text).unwrap(),
        };
        text
    }

    #[test]
    fn what_was_half_written_is_written_again() {
        for name in ["a.csv", "a.csv.gz"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            let (mut file, journal) = open(&path, "a").unwrap();
            assert_eq!(journal.next, TimestampMs(0));
            file.append(b"one\n", TimestampMs(10)).unwrap();
            // Killed in the middle of the next piece.
            file.file.write_all(b"tw").unwrap();
            drop(file);
            let (mut file, journal) = open(&path, "a").unwrap();
            assert_eq!((journal.next, journal.range()), (TimestampMs(10), RANGE));
            file.append(b"two\n", TimestampMs(20)).unwrap();
            file.finish().unwrap();
            assert_eq!(text(&path), "head\none\ntwo\n");
            assert!(!journal_path(&path).exists());
        }
    }

    #[test]
    fn something_else_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        drop(open(&path, "a").unwrap());
        let error = open(&path, "b").err().unwrap().to_string();
        assert!(error.contains("is under way as a; this is b"), "{error}");
        fs::write(&path, "").unwrap();
        let error = open(&path, "a").err().unwrap().to_string();
        assert!(error.contains("shorter than its journal says"), "{error}");
    }
}
