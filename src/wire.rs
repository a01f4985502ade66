//! Remote-Write bodies, 1.0 and 2.0, from compressed bytes to series and samples.
//!
//! ```text
//! body --decompress--> message --Decoder::decode--> sink(canonical labels, samples, histograms; metadata)  + WriteSummary
//! ```
//!
//! It holds the decompression, one walk over the protobuf bytes for each version with a common path
//! behind them, and the generated types ([`mod@reference`]) that serve for sending and as the reference.
//!
//! It promises:
//! - any bytes give an answer, never a panic, in time linear in their number (and in
//!   [`Limits::max_label_bytes`]);
//! - nothing is allocated per series or per sample once the buffers have grown, and they grow no
//!   further than [`Limits`] allow, whatever lengths and counts the bytes claim; a native histogram is
//!   allocated once, for the buckets that it has;
//! - damage of the protobuf structure refuses the whole request, a series that breaks a rule is left
//!   out alone and counted with its reason;
//! - labels arrive sorted and in canonical form, however the sender ordered them.
//!
//! It does not know HTTP, does not judge timestamps (order, age, future belong to `window` and
//! `receive`) and keeps no exemplars: they are checked and counted.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod decoder;

mod histogram;

mod metadata;

mod protobuf;

pub mod read;

pub mod reference;

mod snappy;

mod summary;

mod write_v1;

mod write_v2;

pub use decoder::{Decoder, Sink};
pub use histogram::InvalidHistogram;
pub use metadata::{MetricMetadata, MetricType};
pub use protobuf::Damage;
pub use snappy::decompress;
pub use summary::{InvalidCounts, InvalidReason, WriteSummary};

/// Which of the two messages a body holds; the content type decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// `prometheus.WriteRequest`, Remote-Write 1.0.
    V1,
    /// `io.prometheus.write.v2.Request`, Remote-Write 2.0.
    V2,
}

/// How much one request may hold.
///
/// A request that exceeds one of the first seven is refused; a series that exceeds one of the others
/// is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the body as received.
    pub max_compressed_bytes: usize,
    /// Bytes after decompression.
    pub max_decoded_bytes: usize,
    /// Series entries; the same series may have several.
    pub max_series: usize,
    /// Samples and native histograms together.
    pub max_samples: usize,
    /// Entries of the symbol table (2.0 only).
    pub max_symbols: usize,
    /// Bytes of all labels written out, series by series: in 2.0 far more than the body can be.
    pub max_label_bytes: usize,
    /// Bytes of all native histograms as they are kept: a bucket of one byte on the wire takes sixteen.
    pub max_histogram_bytes: usize,
    /// Labels of one series, the metric name among them.
    pub max_labels_per_series: usize,
    /// Bytes of a label name; more than 1 MiB counts as 1 MiB.
    pub max_label_name_bytes: usize,
    /// Bytes of a label value; more than 1 MiB counts as 1 MiB.
    pub max_label_value_bytes: usize,
}

/// Senders batch 500 to 10,000 samples (Prometheus 2,000, vmagent 10,000) in less than 2 MB. The
/// counts leave twenty times that, and keep the decoder's own memory below 16 MB: 200,000 x 16 bytes
/// for the samples, for the histograms, and for the symbols. 200,000 series of ordinary labels (200 bytes)
/// are 40 MB when written out, as are 14,000 histograms of 160 buckets.
impl Default for Limits {
    fn default() -> Self {
        Self {
            max_compressed_bytes: 32 << 20,
            max_decoded_bytes: 32 << 20,
            max_series: 200_000,
            max_samples: 200_000,
            max_symbols: 200_000,
            max_label_bytes: 64 << 20,
            max_histogram_bytes: 40 << 20,
            max_labels_per_series: 128,
            max_label_name_bytes: 1 << 10,
            max_label_value_bytes: 16 << 10,
        }
    }
}

/// Why a request is refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The body is larger than allowed.
    #[error("compressed body has {bytes} bytes, at most {limit} are taken")]
    CompressedTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The decompressed message would be larger than allowed.
    #[error("body decompresses to {bytes} bytes, at most {limit} are taken")]
    DecodedTooLarge {
        /// The size that the body claims.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The claimed size is more than snappy can reach.
    #[error("body is not snappy: {compressed} bytes cannot decompress to the claimed {claimed}")]
    ImpossibleLength {
        /// The size that the body claims.
        claimed: usize,
        /// Its size.
        compressed: usize,
    },
    /// The body is not one snappy block.
    #[error("body is not a snappy block: {0}")]
    Snappy(#[from] snap::Error),
    /// The bytes are not the message.
    #[error("damaged {message}: {damage}")]
    Damaged {
        /// The protobuf message that was read.
        message: &'static str,
        /// What is wrong in it.
        damage: Damage,
    },
    /// The request holds more of something than allowed.
    #[error("request has more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A reference points outside the symbol table. Sender and receiver then disagree about the
    /// table, and no other reference can be trusted either.
    #[error("symbol {reference} does not exist, the table has {symbols}")]
    SymbolReference {
        /// The reference.
        reference: u32,
        /// Length of the table.
        symbols: usize,
    },
    /// The references of a label list are name and value in turn; here one is left over.
    #[error("a series or exemplar has {references} label references, an odd number")]
    OddReferences {
        /// Number of references.
        references: usize,
    },
}
