//! The life of models on disk and in the running process.
//!
//! `models/<detector>/<version>.ewm` holds every version, `models/<detector>/current` the name of the
//! one in use, `candidate/` the one that is to be tried, `rejected/` those that were tried and found worse. Files appear whole or not at all (written beside, synced, renamed). A reload reads and
//! checks everything first and swaps pointers last; any error keeps every old model.

mod candidates;

mod directory;

mod live;

mod reload;

pub use candidates::{Candidates, RefusedCandidate};
pub use directory::{ModelDirectory, RejectedVersion, StoredVersion};
pub use live::LiveModels;
pub use reload::{ModelSource, ReloadError, Reloaded, reload};
