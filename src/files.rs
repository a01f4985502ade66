//! Files that a reader, or a crash, finds whole.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

/// What the names of files begin with that are not whole yet.
const UNFINISHED: &str = ".new-";

/// Writes `path` so that a reader, or a crash, sees the old content or the new one and nothing between.
///
/// # Errors
/// When the disk refuses; the old content stays.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, |file| file.write_all(bytes)).map(drop)
}

/// The same, written by `write`; gives the new file, at whose end more can be written.
///
/// # Errors
/// Those of `write`, and when the disk refuses; the old content stays.
pub fn replace<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut fs::File) -> Result<(), E>,
) -> Result<fs::File, E> {
    let folder = folder_of(path);
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&folder)?;
    write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    let file = file.persist(path).map_err(|error| error.error)?;
    // The rename itself must reach the disk too.
    fs::File::open(folder)?.sync_all()?;
    Ok(file)
}

/// Removes what writes that a crash broke off have left in a folder that nobody else writes to.
///
/// # Errors
/// When the folder cannot be read, or a file not be removed.
pub fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The folder that `path` lies in.
fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for content in ["a long content", "short"] {
            write_atomically(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_atomically(&folder.path().join("missing/file"), b"").is_err());
        assert_eq!(folder_of(Path::new("file")), Path::new("."));
    }

    #[test]
    fn what_a_crash_left_behind_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, |_| {
            // As it is found when the process dies here.
            let names: Vec<_> =
                fs::read_dir(folder.path())?.map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names.len(), 1);
            fs::write(folder.path().join(".new-left"), b"half")?;
            io::Result::Ok(())
        })
        .unwrap();
        remove_unfinished(folder.path()).unwrap();
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["file"]);
    }
}
