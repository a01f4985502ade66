//! Where model files lie.

use crate::files::write_atomically;
use std::{fs, io, path::PathBuf, time::SystemTime};

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

/// One version of a detector's model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredVersion {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
    /// When it was written.
    pub modified: SystemTime,
    /// Whether it is the one in use.
    pub is_current: bool,
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

    /// The detectors that have a folder, by name.
    ///
    /// # Errors
    /// When the folder is not there or cannot be read.
    pub fn detectors(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The versions of a detector, the newest first; equal times by name, so that the order is defined.
    ///
    /// # Errors
    /// When its folder is not there or cannot be read.
    pub fn versions(&self, detector: &str) -> io::Result<Vec<StoredVersion>> {
        let current = self.current(detector)?;
        let mut versions = Vec::new();
        for entry in fs::read_dir(self.root.join(detector))? {
            let file = entry?.path();
            let name = file.file_stem().and_then(|name| name.to_str()).map(str::to_owned);
            if let Some(name) = name.filter(|_| file.extension().is_some_and(|e| e == EXTENSION)) {
                let modified = fs::metadata(&file)?.modified()?;
                let is_current = current.as_ref() == Some(&file);
                versions.push(StoredVersion { name, file, modified, is_current });
            }
        }
        versions.sort_unstable_by(|a, b| (b.modified, &b.name).cmp(&(a.modified, &a.name)));
        Ok(versions)
    }

    /// Makes a version that is there the current one.
    ///
    /// # Errors
    /// When there is no such version, or the disk refuses.
    pub fn make_current(&self, detector: &str, version: &str) -> io::Result<()> {
        if !is_file_stem(version) || !self.file(detector, version).is_file() {
            let text = format!("{detector} has no version {version:?}");
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        let pointer = self.root.join(detector).join(CURRENT);
        write_atomically(&pointer, format!("{version}\n").as_bytes())
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
        self.make_current(detector, version)?;
        self.drop_old_versions(detector)?;
        Ok(file)
    }

    fn file(&self, detector: &str, version: &str) -> PathBuf {
        self.root.join(detector).join(format!("{version}.{EXTENSION}"))
    }

    fn drop_old_versions(&self, detector: &str) -> io::Result<()> {
        let others = self.versions(detector)?.into_iter().filter(|version| !version.is_current);
        for version in others.skip(self.keep_versions.saturating_sub(1)) {
            fs::remove_file(version.file)?;
        }
        Ok(())
    }
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
    fn an_older_version_can_be_made_current_again() {
        let (_root, directory) = directory(3);
        let first = directory.publish("node", "v1", b"one").unwrap();
        directory.publish("node", "v2", b"two").unwrap();
        directory.make_current("node", "v1").unwrap();
        assert_eq!(directory.current("node").unwrap(), Some(first));
        let current: Vec<_> = directory.versions("node").unwrap();
        assert_eq!(
            current.iter().filter(|version| version.is_current).map(|v| &v.name).collect::<Vec<_>>(),
            ["v1"]
        );
        assert_eq!(directory.detectors().unwrap(), ["node"]);
        for missing in ["v3", "../v1", ""] {
            assert!(directory.make_current("node", missing).is_err(), "{missing:?}");
        }
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
