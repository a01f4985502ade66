//! Where model files lie.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

/// Ending of model files.
const EXTENSION: &str = "ewm";
/// The file that names the version in use.
const CURRENT: &str = "current";

/// The folder `models/`: one folder a detector, one file a version, one pointer.
#[derive(Clone, Debug)]
pub struct ModelDirectory {
    root: PathBuf,
    keep_versions: usize,
}

// === impl ModelDirectory ===

impl ModelDirectory {
    /// The folder at `root`, made when first written to. Of every detector the newest `keep_versions`
    /// files are kept, and the current one in any case.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>, keep_versions: usize) -> Self {
        Self { root: root.into(), keep_versions }
    }

    /// The file of the version in use; `None` where a detector has no model yet.
    ///
    /// # Errors
    /// When the pointer cannot be read, or is not the name of a version.
    pub fn current(&self, detector: &str) -> io::Result<Option<PathBuf>> {
        let pointer = self.root.join(detector).join(CURRENT);
        let version = match fs::read_to_string(&pointer) {
            Ok(text) => text.trim().to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if !is_file_stem(&version) {
            let text = format!("{} names no version: {version:?}", pointer.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(Some(self.file(detector, &version)))
    }

    /// Writes a version and makes it the current one; returns its file.
    ///
    /// # Errors
    /// When `version` cannot be a file name, or the disk refuses.
    pub fn publish(&self, detector: &str, version: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        if !is_file_stem(version) {
            let text = format!("a model version cannot be named {version:?}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let folder = self.root.join(detector);
        fs::create_dir_all(&folder)?;
        let file = self.file(detector, version);
        write_atomically(&file, bytes)?;
        write_atomically(&folder.join(CURRENT), format!("{version}\n").as_bytes())?;
        self.drop_old_versions(&folder, &file)?;
        Ok(file)
    }

    fn file(&self, detector: &str, version: &str) -> PathBuf {
        self.root.join(detector).join(format!("{version}.{EXTENSION}"))
    }

    fn drop_old_versions(&self, folder: &Path, current: &Path) -> io::Result<()> {
        let mut others = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == EXTENSION) && path != current {
                let modified = fs::metadata(&path)?.modified()?;
                others.push((modified, path));
            }
        }
        // Newest first; equal times by name, so that the choice is defined.
        others.sort_by(|a, b| b.cmp(a));
        for (_, path) in others.into_iter().skip(self.keep_versions.saturating_sub(1)) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// Writes `path` so that a reader, or a crash, sees the old content or the new one and nothing between.
///
/// # Errors
/// When the disk refuses; the old content stays.
fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The rename itself must reach the disk too.
    fs::File::open(folder)?.sync_all()
}

/// Whether a name stays inside its folder and is not hidden.
fn is_file_stem(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(keep: usize) -> (tempfile::TempDir, ModelDirectory) {
        let root = tempfile::tempdir().unwrap();
        let directory = ModelDirectory::new(root.path().join("models"), keep);
        (root, directory)
    }

    #[test]
    fn a_published_version_is_the_current_one() {
        let (_root, directory) = directory(3);
        assert_eq!(directory.current("node").unwrap(), None);
        directory.publish("node", "v1", b"one").unwrap();
        let second = directory.publish("node", "v2", b"two").unwrap();
        assert_eq!(directory.current("node").unwrap(), Some(second.clone()));
        assert_eq!(fs::read(second).unwrap(), b"two");
    }

    #[test]
    fn old_versions_go_and_the_current_one_stays() {
        let (root, directory) = directory(2);
        for version in ["v1", "v2", "v3"] {
            directory.publish("node", version, b"x").unwrap();
        }
        let folder = root.path().join("models/node");
        let files = fs::read_dir(folder)
            .unwrap()
            .filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|x| x == EXTENSION));
        assert_eq!(files.count(), 2);
        assert!(directory.current("node").unwrap().unwrap().exists());
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let (root, directory) = directory(1);
        for bad in ["../x", "", ".hidden", "a/b"] {
            assert!(directory.publish("node", bad, b"x").is_err(), "{bad:?}");
        }
        fs::create_dir_all(root.path().join("models/node")).unwrap();
        fs::write(root.path().join("models/node/current"), "../../secret").unwrap();
        assert!(directory.current("node").is_err());
    }
}
