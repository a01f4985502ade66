//! Says what happened when.

use std::time::Instant;

/// Prints notes with the time since its beginning.
pub(crate) struct Diary(Instant);

// === impl Diary ===

impl Diary {
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn note(&self, what: &str) {
        println!("{:6.1} s: {what}", self.0.elapsed().as_secs_f64());
    }
}
