//! The file in which windows survive the end of the process: JSON, so that people can read it.

use super::{
    request::{InvalidWindow, MatcherText, instant},
    window::{Parts, Window},
};
use crate::{files::write_atomically, series::TimestampMs};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fs, io, path::Path};

/// Of the layout of the file.
const FORMAT: u32 = 1;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    windows: Vec<Stored>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    id: String,
    name: String,
    matchers: Vec<MatcherText>,
    starts_at: String,
    ends_at: String,
    comment: String,
    created_by: String,
    created_at: String,
}

/// Why the file is not used.
#[derive(Debug, thiserror::Error)]
enum Damage {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("its format is {0}, this program reads {FORMAT}")]
    Format(u32),
    #[error("window {id:?}: {source}")]
    Window { id: String, source: InvalidWindow },
}

/// The windows of the file; none where there is no file. A damaged one is said and set aside.
pub(super) fn read(file: &Path) -> Vec<Window> {
    match try_read(file) {
        Ok(windows) => windows,
        Err(damage) => {
            set_aside(file, &damage);
            Vec::new()
        }
    }
}

/// Replaces the file; its folder is made where it is missing.
pub(super) fn write(file: &Path, windows: &[Window]) -> io::Result<()> {
    let document = Document { format: FORMAT, windows: windows.iter().map(Stored::of).collect() };
    let mut text = serde_json::to_vec_pretty(&document)?;
    text.push(b'\n');
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    write_atomically(file, &text)
}

fn try_read(file: &Path) -> Result<Vec<Window>, Damage> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let document: Document = serde_json::from_slice(&bytes)?;
    if document.format != FORMAT {
        return Err(Damage::Format(document.format));
    }
    let window = |stored: Stored| {
        let id = stored.id.clone();
        stored.into_window().map_err(|source| Damage::Window { id, source })
    };
    document.windows.into_iter().map(window).collect()
}

fn set_aside(file: &Path, damage: &Damage) {
    let mut aside = file.as_os_str().to_owned();
    aside.push(".damaged");
    let name = file.display();
    match fs::rename(file, &aside) {
        Ok(()) => {
            let aside = Path::new(&aside).display();
            tracing::error!(file = %name, %damage, %aside, "the maintenance of the API is lost; its file is set aside");
        }
        Err(error) => {
            tracing::error!(file = %name, %damage, %error, "the maintenance of the API is lost, and its file cannot be set aside");
        }
    }
}

// === impl Stored ===

impl Stored {
    fn of(window: &Window) -> Self {
        Self {
            id: window.id().to_owned(),
            name: window.name().to_owned(),
            matchers: window.work().matchers().iter().map(MatcherText::of).collect(),
            starts_at: text(window.from()),
            ends_at: text(window.to()),
            comment: window.comment().to_owned(),
            created_by: window.created_by().to_owned(),
            created_at: text(window.created_at()),
        }
    }

    fn into_window(self) -> Result<Window, InvalidWindow> {
        let parts = Parts {
            matchers: self.matchers.iter().map(MatcherText::parse).collect::<Result<_, _>>()?,
            from: instant("starts_at", &self.starts_at)?,
            to: instant("ends_at", &self.ends_at)?,
            created_at: instant("created_at", &self.created_at)?,
            name: self.name,
            comment: self.comment,
            created_by: self.created_by,
        };
        Ok(Window::with_id(self.id, parts)?)
    }
}

/// RFC 3339; what was read as an instant, or is one now, can be written as one.
fn text(instant: TimestampMs) -> String {
    Timestamp::from_millisecond(instant.0).unwrap_or(Timestamp::MAX).to_string()
}
