//! Planned work that is begun and ended while the sidecar runs, beside that of the configuration.
//!
//! [`Registry`] holds both. Whoever evaluates takes [`Registry::current`] once a step; the API lists, adds and ends windows. What was
//! added is in a file before it is answered, so it survives the end of the process, however that comes. Windows act by the time
//! of the data (`crate::pipeline::Maintenance`); the clock, which is an argument here, only says what *now* is for whoever plans:
//! when a window begins for which nothing else is said, and what has ended. What has ended is kept for a while: steps that are made up for
//! after a restart are judged as they were.

mod file;

mod request;

mod window;

use crate::{pipeline::Maintenance, series::TimestampMs};
use arc_swap::ArcSwap;
pub use request::{InvalidWindow, MatcherText, WindowRequest};
use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
pub use window::{State, Window};

/// Most windows that were not written in the configuration; each is looked at at every step.
pub const MAX_WINDOWS: usize = 1000;

/// How long windows are kept that have ended: as long as Alertmanager keeps its silences.
const KEPT_MS: i64 = 5 * 24 * 60 * 60 * 1000;

/// All windows of planned work.
#[derive(Debug)]
pub struct Registry {
    of_config: Vec<Maintenance>,
    file: PathBuf,
    /// Held while the file is written, so that changes come one after the other.
    writing: Mutex<()>,
    known: ArcSwap<Known>,
}

/// What is known at one moment.
#[derive(Debug)]
struct Known {
    /// Those that were added, in that order.
    added: Vec<Window>,
    /// Those of the configuration, then those.
    all: Arc<Vec<Maintenance>>,
}

/// Why a change was refused; nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It cannot be a window.
    #[error(transparent)]
    Invalid(#[from] InvalidWindow),
    /// Two would answer to one name.
    #[error("a window that has not ended is named {name:?} too: write another name, or end that one first")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// There are enough.
    #[error("{MAX_WINDOWS} windows have not ended: end some of them first")]
    Full,
    /// Only whoever writes the configuration can end it.
    #[error("{name:?} is a window of the configuration: take it out of the file and start again")]
    OfConfig {
        /// Its name.
        name: String,
    },
    /// There is no such window.
    #[error("no window has the id or the name {given:?}")]
    Unknown {
        /// What was asked for.
        given: String,
    },
    /// It would be forgotten with the process.
    #[error("cannot write {}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
}

// === impl Registry ===

impl Registry {
    /// The windows of the configuration, and those that `file` holds. A file that cannot be read is said in the log and set aside;
    /// it is no reason not to start.
    #[must_use]
    pub fn open(of_config: Vec<Maintenance>, file: PathBuf, now: TimestampMs) -> Self {
        let mut added = file::read(&file);
        forget_old(&mut added, now);
        if !added.is_empty() {
            tracing::info!(windows = added.len(), file = %file.display(), "read the maintenance of the API");
        }
        let known = ArcSwap::from_pointee(Known::new(&of_config, added));
        Self { of_config, file, writing: Mutex::default(), known }
    }

    /// All windows, those of the configuration first. They change between two calls, never under the caller's hands.
    #[must_use]
    pub fn current(&self) -> Arc<Vec<Maintenance>> {
        Arc::clone(&self.known.load().all)
    }

    /// The windows of the configuration.
    #[must_use]
    pub fn of_config(&self) -> &[Maintenance] {
        &self.of_config
    }

    /// The windows that were added and are not yet forgotten, in that order.
    #[must_use]
    pub fn added(&self, now: TimestampMs) -> Vec<Window> {
        let mut added = self.known.load().added.clone();
        forget_old(&mut added, now);
        added
    }

    /// Adds a window; it acts from the next step on. Waits for the disk.
    ///
    /// # Errors
    /// When it cannot be, its name is taken, there are enough, or the disk refuses.
    pub fn add(&self, request: WindowRequest, now: TimestampMs) -> Result<Window, RegistryError> {
        let window = request.check(now)?;
        if window.to() <= now.plus_ms(-KEPT_MS) {
            return Err(InvalidWindow::LongOver.into());
        }
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut added = self.added(now);
        let has_name = |other: &Window| other.name() == window.name() && other.state(now) != State::Expired;
        let of_config = self.of_config.iter().any(|other| other.name() == window.name());
        if of_config || added.iter().any(has_name) {
            return Err(RegistryError::NameTaken { name: window.name().to_owned() });
        }
        if added.len() >= MAX_WINDOWS {
            let ended = added.iter().position(|other| other.state(now) == State::Expired);
            added.remove(ended.ok_or(RegistryError::Full)?);
        }
        added.push(window.clone());
        self.replace(added)?;
        let (id, name, created_by) = (window.id(), window.name(), window.created_by());
        tracing::info!(id, name, times = %window.work().times(), created_by, "maintenance added by the API");
        Ok(window)
    }

    /// Ends the window with this id or name: one that is open now is cut off, one that has not begun or is over is forgotten. It acts
    /// from the next step on. Waits for the disk.
    ///
    /// # Errors
    /// When there is none, it is one of the configuration, or the disk refuses.
    pub fn end(&self, given: &str, now: TimestampMs) -> Result<Window, RegistryError> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut added = self.added(now);
        // Of one name all but the last have ended.
        let by_name = || added.iter().rposition(|window| window.name() == given);
        let Some(place) = added.iter().position(|window| window.id() == given).or_else(by_name) else {
            let of_config = self.of_config.iter().any(|window| window.name() == given);
            let given = given.to_owned();
            return Err(match of_config {
                true => RegistryError::OfConfig { name: given },
                false => RegistryError::Unknown { given },
            });
        };
        let window = match added[place].until(now) {
            Some(cut) => {
                added[place] = cut.clone();
                cut
            }
            None => added.remove(place),
        };
        self.replace(added)?;
        tracing::info!(id = window.id(), name = window.name(), "maintenance ended by the API");
        Ok(window)
    }

    /// The file first: what is answered is kept.
    fn replace(&self, added: Vec<Window>) -> Result<(), RegistryError> {
        file::write(&self.file, &added)
            .map_err(|source| RegistryError::File { file: self.file.clone(), source })?;
        self.known.store(Arc::new(Known::new(&self.of_config, added)));
        Ok(())
    }
}

// === impl Known ===

impl Known {
    fn new(of_config: &[Maintenance], added: Vec<Window>) -> Self {
        let all = of_config.iter().chain(added.iter().map(Window::work)).cloned();
        Self { all: Arc::new(all.collect()), added }
    }
}

fn forget_old(added: &mut Vec<Window>, now: TimestampMs) {
    added.retain(|window| window.to() > now.plus_ms(-KEPT_MS));
}

#[cfg(test)]
mod tests;
