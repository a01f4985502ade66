//! Remote read, both directions: the history of series, asked for and answered.
//!
//! ```text
//! ReadRequest::encode -> body            body -> ReadRequest::decode
//! read_samples   <- body   (snappy)      SamplesResponse::encode -> body
//! ChunkedReader  <- stream (frames)      write_chunked           -> stream
//! ```
//!
//! The client knows by the content type of the answer which of the two it is. Either way it gets the same: series by
//! series the canonical labels, the samples and the native histograms, cut to the range of the query, sorted, each
//! instant once ([`ReadSeries`]).
//!
//! What comes from a peer is walked over in place, as Remote-Write is (a result of samples has even the same form), and
//! what goes out is built from the generated types: prost would copy each text and each chunk, and a message of a few
//! megabytes that is all empty entries would become a hundred times as much.
//!
//! It promises:
//! - any bytes give an answer or an error, never a panic, in time linear in their number, and in memory that [`Limits`]
//!   bound, whatever sizes and counts the bytes claim;
//! - nothing is cut short or skipped in silence: an answer is whole or an error, and where a server unpacked what
//!   breaks a rule, [`read_samples`] says what it left out;
//! - values are read as they were written, to the last bit; chunks of a newer kind are named, so that the
//!   caller can ask for samples instead ([`ReadError::is_of_newer_chunks`]).
//!
//! Of what is known of counter resets only "gauge" is kept, as by Remote-Write: the rest is said of the sample before in the
//! same chunk, and is wrong as soon as chunks are cut and merged. So history equals what the stream has brought.
//!
//! It does not know HTTP, does not split queries, and adds no labels.

mod buckets;

mod chunk;

mod chunked;

mod error;

mod frame;

mod history;

mod request;

mod samples;

#[cfg(test)]
mod tests;

use super::Limits;
use crate::series::{HistogramSample, Sample};
pub use chunk::{Chunk, ChunkEncoding, ChunkError, Fault};
pub use chunked::{ChunkedReader, write_chunked};
pub use error::ReadError;
pub use frame::{FrameReader, write_frame};
pub use history::History;
pub use request::{ReadHints, ReadQuery, ReadRequest, ResponseType};
pub use samples::{SamplesResponse, read_samples};

/// A series of an answer.
#[derive(Clone, Copy, Debug)]
pub struct ReadSeries<'a> {
    /// Place of the query in the request.
    pub query: usize,
    /// Canonical label text, as [`crate::series::LabelSet::canonical_text`].
    pub labels: &'a str,
    /// Samples by time.
    pub samples: &'a [Sample],
    /// Native histograms by time.
    pub histograms: &'a [HistogramSample],
}

impl ReadSeries<'_> {
    /// A series without anything in the range is none.
    fn hand_to(self, sink: &mut impl FnMut(ReadSeries<'_>)) {
        if !self.samples.is_empty() || !self.histograms.is_empty() {
            sink(self);
        }
    }
}

impl Limits {
    /// How much one answer of remote read may hold: 50 MB of a message or frame (Prometheus'
    /// `chunked_read_limit`) and five million samples (80 MB) of one result or series.
    #[must_use]
    pub fn for_reading() -> Self {
        Self {
            max_compressed_bytes: 50_000_000,
            max_decoded_bytes: 50_000_000,
            max_series: 1_000_000,
            max_samples: 5_000_000,
            max_histogram_bytes: 256 << 20,
            ..Self::default()
        }
    }
}
