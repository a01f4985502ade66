//! The rows of a detector as bytes: a header, then one change after the other, appended.
//!
//! Described byte by byte in `docs/feature-store.md`. What is written together is read back together or not at all, so a write
//! that a crash broke off leaves the rows of before: [`read()`] gives what stood at the end of the last whole one, says what is
//! behind it, and gives the [`Writer`] that goes on there. Rows that are gone stay in the file until all of it is written anew.

mod frame;

mod message;

mod read;

mod write;

use crate::features::{FeatureSchema, InputLayout};

pub use frame::{FORMAT_VERSION, InvalidHeader, MAGIC};
pub use read::{Damage, End, Journal, read, read_header};
pub use write::Writer;

/// Types generated from `proto/features.proto`.
mod proto {
    #![allow(missing_docs, unreachable_pub, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/emberwatch.features.v1.rs"));
}

/// What the rows of a journal are rows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// [`FeatureSchema::fingerprint`](crate::features::FeatureSchema::fingerprint) of the detector: what a column means.
    pub fingerprint: u64,
    /// Columns of a row.
    pub n_columns: usize,
}

/// The same in words, for whoever looks at the file; nothing depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Name of the detector.
    pub detector: String,
    /// Names of its features, in their order: where a row has eight columns for each, and the calendar behind them.
    pub features: Vec<String>,
    /// [`FeatureSchema::fingerprint_text`] of the detector.
    pub schema: String,
}

// === impl Header ===

impl Header {
    /// The header of a detector's journal.
    #[must_use]
    pub fn of(schema: &FeatureSchema) -> Self {
        let layout = InputLayout { n_features: schema.features().len() };
        Self { fingerprint: schema.fingerprint(), n_columns: layout.n_columns() }
    }

    /// Bytes that a row takes in a journal that was just written, with its time and its share of everything else: 8 for each column and,
    /// as measured, a little over 3 more. One that is appended among few takes 13 more.
    #[must_use]
    pub fn bytes_a_row(self) -> usize {
        const BESIDE_COLUMNS: usize = 4;
        self.n_columns.saturating_mul(size_of::<f64>()).saturating_add(BESIDE_COLUMNS)
    }
}

// === impl About ===

impl About {
    /// What is said of a detector.
    #[must_use]
    pub fn of(schema: &FeatureSchema) -> Self {
        Self {
            detector: schema.detector().to_owned(),
            features: schema.features().iter().map(|feature| feature.name.clone()).collect(),
            schema: schema.fingerprint_text(),
        }
    }
}

#[cfg(test)]
mod tests;
