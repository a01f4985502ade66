//! Where model files lie.

use crate::files::write_atomically;
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Ending of model files.
const EXTENSION: &str = "ewm";
/// The file that names the version in use.
const CURRENT: &str = "current";
/// The folder of the version that is to be tried beside the one in use.
const CANDIDATE: &str = "candidate";
/// The folder of versions that were never in use, because they were worse than the one that was.
const REJECTED: &str = "rejected";
/// Ending of the files that say why.
const REASON: &str = "reason";

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

/// A version that was tried and not put in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedVersion {
    /// Where it is.
    pub version: StoredVersion,
    /// Why, in words.
    pub reason: String,
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
        versions_in(&self.root.join(detector), self.current(detector)?.as_deref())
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
        check_name(version)?;
        let folder = self.root.join(detector);
        fs::create_dir_all(&folder)?;
        let file = self.file(detector, version);
        write_atomically(&file, bytes)?;
        self.make_current(detector, version)?;
        self.drop_old_versions(detector)?;
        Ok(file)
    }

    /// Writes a version that is to be tried, in the place of one before it; returns its file.
    ///
    /// # Errors
    /// When `version` cannot be a file name, or the disk refuses.
    pub fn nominate(&self, detector: &str, version: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        check_name(version)?;
        let folder = self.root.join(detector).join(CANDIDATE);
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{version}.{EXTENSION}"));
        write_atomically(&file, bytes)?;
        for other in versions_in(&folder, Some(&file))?.into_iter().filter(|other| !other.is_current) {
            fs::remove_file(other.file)?;
        }
        Ok(file)
    }

    /// The version of a detector that is to be tried.
    ///
    /// # Errors
    /// When its folder cannot be read; that there is none means there is no such version.
    pub fn candidate(&self, detector: &str) -> io::Result<Option<StoredVersion>> {
        let folder = self.root.join(detector).join(CANDIDATE);
        if !folder.is_dir() {
            return Ok(None);
        }
        Ok(versions_in(&folder, None)?.into_iter().next())
    }

    /// Takes away a version that was to be tried; where there is another one by now, or none, nothing.
    ///
    /// # Errors
    /// When `version` cannot be a file name, or the disk refuses.
    pub fn withdraw(&self, detector: &str, version: &str) -> io::Result<()> {
        check_name(version)?;
        let folder = self.root.join(detector).join(CANDIDATE);
        match fs::remove_file(folder.join(format!("{version}.{EXTENSION}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Keeps a version that is not to be used, with the reason; returns its file.
    ///
    /// # Errors
    /// When `version` cannot be a file name, or the disk refuses.
    pub fn reject(&self, detector: &str, version: &str, bytes: &[u8], reason: &str) -> io::Result<PathBuf> {
        check_name(version)?;
        let folder = self.root.join(detector).join(REJECTED);
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{version}.{EXTENSION}"));
        write_atomically(&file.with_extension(REASON), format!("{reason}\n").as_bytes())?;
        write_atomically(&file, bytes)?;
        for old in self.rejected(detector)?.into_iter().skip(self.keep_versions) {
            fs::remove_file(&old.version.file)?;
            fs::remove_file(old.version.file.with_extension(REASON))?;
        }
        Ok(file)
    }

    /// The versions of a detector that were rejected, the newest first, each with the reason.
    ///
    /// # Errors
    /// When their folder cannot be read; that there is none means there are none.
    pub fn rejected(&self, detector: &str) -> io::Result<Vec<RejectedVersion>> {
        let folder = self.root.join(detector).join(REJECTED);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let rejected = versions_in(&folder, None)?.into_iter().map(|version| {
            let reason = fs::read_to_string(version.file.with_extension(REASON)).unwrap_or_default();
            RejectedVersion { version, reason: reason.trim().to_owned() }
        });
        Ok(rejected.collect())
    }

    /// Puts a version in use that was rejected, is to be tried, or is there already.
    ///
    /// # Errors
    /// When there is no such version, or the disk refuses.
    pub fn promote(&self, detector: &str, version: &str) -> io::Result<PathBuf> {
        let rejected = self.rejected(detector)?.into_iter().find(|rejected| rejected.version.name == version);
        if let Some(RejectedVersion { version: rejected, .. }) = rejected {
            let bytes = fs::read(&rejected.file)?;
            let file = self.publish(detector, version, &bytes)?;
            fs::remove_file(&rejected.file)?;
            fs::remove_file(rejected.file.with_extension(REASON))?;
            return Ok(file);
        }
        if let Some(candidate) = self.candidate(detector)?.filter(|candidate| candidate.name == version) {
            let file = self.publish(detector, version, &fs::read(&candidate.file)?)?;
            return self.withdraw(detector, version).map(|()| file);
        }
        self.make_current(detector, version)?;
        Ok(self.file(detector, version))
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

/// The model files of a folder, the newest first; equal times by name, so that the order is defined.
fn versions_in(folder: &Path, current: Option<&Path>) -> io::Result<Vec<StoredVersion>> {
    let mut versions = Vec::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        let name = file.file_stem().and_then(|name| name.to_str()).map(str::to_owned);
        if let Some(name) = name.filter(|_| file.extension().is_some_and(|e| e == EXTENSION)) {
            let modified = fs::metadata(&file)?.modified()?;
            let is_current = current == Some(&file);
            versions.push(StoredVersion { name, file, modified, is_current });
        }
    }
    versions.sort_unstable_by(|a, b| (b.modified, &b.name).cmp(&(a.modified, &a.name)));
    Ok(versions)
}

fn check_name(version: &str) -> io::Result<()> {
    if is_file_stem(version) {
        return Ok(());
    }
    let text = format!("a model version cannot be named {version:?}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
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
    fn a_rejected_version_is_kept_with_its_reason_and_can_be_put_in_use() {
        let (_root, directory) = directory(2);
        let first = directory.publish("node", "v1", b"one").unwrap();
        assert_eq!(directory.rejected("node").unwrap(), []);
        for version in ["v2", "v3", "v4"] {
            directory.reject("node", version, b"worse", "it sees nothing").unwrap();
        }
        assert_eq!(directory.current("node").unwrap(), Some(first));
        let rejected = directory.rejected("node").unwrap();
        assert_eq!(rejected.len(), 2, "as many as of the others");
        assert!(rejected.iter().all(|rejected| rejected.reason == "it sees nothing"));
        assert_eq!(directory.versions("node").unwrap().len(), 1);

        let promoted = directory.promote("node", &rejected[0].version.name).unwrap();
        assert_eq!(fs::read(&promoted).unwrap(), b"worse");
        assert_eq!(directory.current("node").unwrap(), Some(promoted));
        assert_eq!(directory.rejected("node").unwrap().len(), 1);
        directory.promote("node", "v1").unwrap();
        assert!(directory.promote("node", "v9").is_err());
    }

    #[test]
    fn one_version_is_to_be_tried() {
        let (_root, directory) = directory(2);
        assert_eq!(directory.candidate("node").unwrap(), None);
        directory.publish("node", "v1", b"one").unwrap();
        directory.nominate("node", "v2", b"two").unwrap();
        let third = directory.nominate("node", "v3", b"three").unwrap();
        assert_eq!(directory.candidate("node").unwrap().unwrap().file, third);
        assert_eq!(directory.versions("node").unwrap().len(), 1, "it is not among those that were in use");
        // The one before it is gone.
        directory.withdraw("node", "v2").unwrap();
        assert_eq!(directory.candidate("node").unwrap().unwrap().name, "v3");
        directory.withdraw("node", "v3").unwrap();
        assert_eq!(directory.candidate("node").unwrap(), None);

        directory.nominate("node", "v4", b"four").unwrap();
        let promoted = directory.promote("node", "v4").unwrap();
        assert_eq!(directory.current("node").unwrap(), Some(promoted));
        assert_eq!(directory.candidate("node").unwrap(), None);
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let (root, directory) = directory(1);
        for bad in ["../x", "", ".hidden", "a/b"] {
            assert!(directory.publish("node", bad, b"x").is_err(), "{bad:?}");
            assert!(directory.nominate("node", bad, b"x").is_err(), "{bad:?}");
            assert!(directory.withdraw("node", bad).is_err(), "{bad:?}");
        }
        fs::create_dir_all(root.path().join("models/node")).unwrap();
        fs::write(root.path().join("models/node/current"), "../../secret").unwrap();
        assert!(directory.current("node").is_err());
    }
}
