//! The journal of one detector.

use super::JOURNAL;
use crate::{
    features::FeatureSchema,
    files::{remove_unfinished, replace},
    train::{
        GatherState, GatherUpdate, Gathered,
        journal::{self, About, End, Header, Journal, Writer},
    },
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

/// A journal as small as this is left as it is, however much of it is dead.
const SMALL_BYTES: u64 = 64 << 10;

/// The rows of one detector on disk.
#[derive(Debug)]
pub struct DetectorStore {
    folder: PathBuf,
    header: Header,
    about: About,
    max_bytes: u64,
    /// The journal that is appended to; none where all of it is to be written anew.
    open: Option<OpenJournal>,
    /// The state that stands in it.
    written: Option<GatherState>,
}

/// A journal that ends with a whole write.
#[derive(Debug)]
struct OpenJournal {
    /// Its cursor is at the end.
    file: File,
    writer: Writer,
    bytes: u64,
    /// Whether more of it is dead than alive.
    is_worn: bool,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is on disk.
    Kept,
    /// Nothing had changed.
    Nothing,
    /// There was no room behind what is there: see [`DetectorStore::wants_everything`].
    Postponed,
}

/// Why rows are not on disk.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The disk refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Even without anything dead they are too much.
    #[error("the rows and their labels take more than the {limit} bytes of training.max_bytes")]
    TooLarge {
        /// The bound.
        limit: u64,
    },
}

// === impl DetectorStore ===

impl DetectorStore {
    pub(super) fn new(folder: PathBuf, schema: &FeatureSchema, max_bytes: u64) -> Self {
        let (header, about) = (Header::of(schema), About::of(schema));
        Self { folder, header, about, max_bytes, open: None, written: None }
    }

    /// The name of the detector.
    #[must_use]
    pub fn detector(&self) -> &str {
        &self.about.detector
    }

    /// Bytes of the journal.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.bytes)
    }

    /// What was kept before: to be asked once, before the first write. What cannot be read is said, and set aside beside the journal.
    pub fn read_back(&mut self) -> Gathered {
        let path = self.path();
        match remove_unfinished(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let (detector, folder) = (self.detector(), self.folder.display());
                tracing::warn!(detector, %folder, %error, "what a write left behind that was broken off cannot be removed");
            }
            _ => {}
        }
        match self.try_read(&path) {
            Ok(gathered) => gathered,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Gathered::default(),
            Err(error) => {
                self.set_aside(&path, "damaged", &error.to_string());
                Gathered::default()
            }
        }
    }

    fn try_read(&mut self, path: &Path) -> io::Result<Gathered> {
        let mut source = BufReader::with_capacity(1 << 16, File::open(path)?);
        let header = match journal::read_header(&mut source)? {
            Ok(header) => header,
            Err(damage) => {
                self.set_aside(path, "damaged", &damage.to_string());
                return Ok(Gathered::default());
            }
        };
        if header != self.header {
            self.set_aside(path, "other-schema", "its rows are those of other features, windows or zones");
            return Ok(Gathered::default());
        }
        let Journal { gathered, whole_bytes, end, writer, .. } = journal::read(header, source)?;
        let detector = self.detector();
        match end {
            End::Damaged(damage) => {
                self.set_aside(path, "damaged", &damage.to_string());
                return Ok(gathered);
            }
            End::Torn { bytes } => {
                tracing::warn!(
                    detector,
                    bytes,
                    "the last write of the feature store was broken off, it is cut"
                );
            }
            End::Whole => {}
        }
        match open_at(path, whole_bytes) {
            Ok(file) => {
                self.open = Some(OpenJournal { file, writer, bytes: whole_bytes, is_worn: false });
                self.written = Some(gathered.state);
            }
            // All of it is written anew then.
            Err(error) => tracing::warn!(detector, %error, "the feature store cannot be written to"),
        }
        Ok(gathered)
    }

    fn set_aside(&self, path: &Path, ending: &str, problem: &str) {
        let detector = self.detector();
        let mut aside = path.as_os_str().to_owned();
        aside.push(".");
        aside.push(ending);
        let name = path.display();
        match fs::rename(path, &aside) {
            Ok(()) => {
                let aside = Path::new(&aside).display();
                tracing::error!(detector, file = %name, problem, %aside, "rows of the feature store are not read; the file is set aside");
            }
            Err(error) => {
                tracing::error!(detector, file = %name, problem, %error, "rows of the feature store are not read, and the file cannot be set aside");
            }
        }
    }

    /// Whether the next update must be a complete one: there is no journal yet, the last write failed, or more of it is
    /// dead than alive.
    #[must_use]
    pub fn wants_everything(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.is_worn)
    }

    /// Writes an update, and waits until it is on disk. A complete one replaces the journal.
    ///
    /// # Errors
    /// When the disk refuses, or there is not room enough; the journal is what it was then, and the next update must be complete.
    pub fn write(&mut self, update: &GatherUpdate) -> Result<Written, WriteError> {
        let is_news = !update.changes.entities.is_empty() || self.written != Some(update.state);
        let written = match self.open.take() {
            _ if update.changes.is_complete => self.write_anew(update)?,
            Some(open) if !is_news => {
                self.open = Some(open);
                return Ok(Written::Nothing);
            }
            Some(open) => self.append(open, update)?,
            None => return Ok(Written::Postponed),
        };
        if written == Written::Kept {
            self.written = Some(update.state);
        }
        Ok(written)
    }

    /// In one piece. An error leaves no journal open.
    fn append(&mut self, mut open: OpenJournal, update: &GatherUpdate) -> Result<Written, WriteError> {
        let mut bytes = Vec::new();
        open.writer.append(update, |piece| {
            bytes.extend_from_slice(piece);
            io::Result::Ok(())
        })?;
        let length = open.bytes + bytes.len() as u64;
        if length > self.max_bytes {
            return Ok(Written::Postponed);
        }
        if let Err(error) = open.file.write_all(&bytes).and_then(|()| open.file.sync_data()) {
            // Whoever reads would cut it, too.
            _ = open.file.set_len(open.bytes);
            return Err(error.into());
        }
        open.bytes = length;
        let live = open.writer.live_bytes(update.n_rows, update.n_entities) as u64;
        open.is_worn = length > live.saturating_mul(2).max(SMALL_BYTES);
        self.open = Some(open);
        Ok(Written::Kept)
    }

    /// Beside the old one, which it replaces when it is whole.
    fn write_anew(&mut self, update: &GatherUpdate) -> Result<Written, WriteError> {
        fs::create_dir_all(&self.folder)?;
        let (limit, mut writer) = (self.max_bytes, Writer::new(self.header));
        let mut bytes = 0;
        let file = replace(&self.path(), |file| {
            let mut out = BufWriter::with_capacity(1 << 16, file);
            let mut put = |piece: &[u8]| {
                bytes += piece.len() as u64;
                if bytes > limit { Err(WriteError::TooLarge { limit }) } else { Ok(out.write_all(piece)?) }
            };
            put(&writer.header())?;
            put(&writer.about(&self.about))?;
            writer.append(update, &mut put)?;
            Ok::<_, WriteError>(out.flush()?)
        })?;
        self.open = Some(OpenJournal { file, writer, bytes, is_worn: false });
        Ok(Written::Kept)
    }

    fn path(&self) -> PathBuf {
        self.folder.join(JOURNAL)
    }
}

/// The file, cut off at `end` and to be written from there on.
fn open_at(path: &Path, end: u64) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    if file.metadata()?.len() > end {
        file.set_len(end)?;
        file.sync_all()?;
    }
    file.seek(SeekFrom::Start(end))?;
    Ok(file)
}
