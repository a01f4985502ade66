//! Why remote read fails.

use super::{ChunkError, chunk::encoding_name};
use crate::{
    series::InvalidMatcher,
    wire::{Damage, InvalidCounts, InvalidHistogram, WireError, read::Fault},
};

/// Why a request or an answer of remote read is refused: always as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Compression, protobuf structure, or a limit of the message.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The size in front of a frame has more than 64 bits.
    #[error("the size of the frame at byte {offset} is no number of 64 bits")]
    FrameSize {
        /// Where the frame begins, in bytes of the stream.
        offset: u64,
    },
    /// A frame larger than allowed.
    #[error("the frame at byte {offset} has {bytes} bytes, at most {limit} are taken")]
    FrameTooLarge {
        /// Where the frame begins.
        offset: u64,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: usize,
    },
    /// A frame whose checksum is another than it says.
    #[error("the frame of {bytes} bytes at byte {offset} has checksum {found:08x}, not {expected:08x}")]
    Checksum {
        /// Where the frame begins.
        offset: u64,
        /// Its size.
        bytes: usize,
        /// What stands in front of it.
        expected: u32,
        /// What it has.
        found: u32,
    },
    /// The stream ends inside a frame.
    #[error("the stream ends {arrived} bytes into the frame at byte {offset}")]
    EndInFrame {
        /// Where the frame begins.
        offset: u64,
        /// Bytes of it that came, its head included.
        arrived: usize,
    },
    /// An answer to a query that was not asked.
    #[error("an answer to query {index}, of {queries} that were asked")]
    QueryIndex {
        /// The query.
        index: i64,
        /// Queries of the request.
        queries: usize,
    },
    /// Another number of results than queries.
    #[error("{results} results for {queries} queries")]
    Results {
        /// Results that came.
        results: usize,
        /// Queries of the request.
        queries: usize,
    },
    /// A chunk of an encoding that is not read here.
    #[error("a chunk of the unknown encoding {number} ({})", encoding_name(*number))]
    UnknownEncoding {
        /// Its number.
        number: i32,
    },
    /// A damaged chunk.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// A series of chunks whose labels break a rule.
    #[error("invalid series: {0}")]
    Invalid(Box<InvalidCounts>),
    /// A series with more of something than allowed.
    #[error("a series has more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A request with more of something than allowed.
    #[error("the request has more than {limit} {what}")]
    RequestTooLarge {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A matcher of a type that there is not.
    #[error("the matcher of label {name:?} has the unknown type {number}")]
    MatcherType {
        /// The label.
        name: String,
        /// The type.
        number: i32,
    },
    /// A matcher with a broken pattern.
    #[error(transparent)]
    Matcher(#[from] InvalidMatcher),
    /// Text that is not UTF-8.
    #[error("a text in a {message} is not UTF-8")]
    Utf8 {
        /// The protobuf message that holds it.
        message: &'static str,
    },
}

// === impl ReadError ===

impl ReadError {
    /// Whether the same query may succeed with [`super::ResponseType::Samples`]: the server has chunks that are not
    /// read here, and can unpack them itself.
    #[must_use]
    pub fn is_of_newer_chunks(&self) -> bool {
        match self {
            Self::UnknownEncoding { .. } => true,
            Self::Chunk(error) => matches!(error.fault, Fault::Histogram(InvalidHistogram::Schema { .. })),
            _ => false,
        }
    }

    /// Damage of the structure of `message`.
    #[cold]
    pub(super) fn damaged(message: &'static str, damage: Damage) -> Self {
        Self::Wire(WireError::Damaged { message, damage })
    }
}
