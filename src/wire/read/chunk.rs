//! Chunks: samples of one kind, compressed as in Prometheus' storage.
//!
//! Format: prometheus/prometheus, `tsdb/docs/format/chunks.md` and `tsdb/chunkenc/`. What is read is what was written, bit
//! for bit: stale markers, payloads of NaN, negative zeros. Native histograms are checked by the rules of
//! Remote-Write.

mod bits;

mod cut;

mod histograms;

mod layout;

mod tally;

#[cfg(test)]
mod tests;

mod varbit;

mod xor;

use super::{History, ReadError};
use crate::{
    series::TimestampMs,
    wire::{InvalidHistogram, histogram::Parts},
};
pub(super) use cut::chunks;
use histograms::HistogramSamples;
use tally::{Integer, Tally};
use xor::{XorFloat, XorSamples};

/// A chunk as it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Time of its first sample, as the server says.
    pub start: TimestampMs,
    /// Time of its last sample, as the server says.
    pub end: TimestampMs,
    /// Number of its encoding; see [`ChunkEncoding`].
    pub encoding: i32,
    /// The samples.
    pub data: &'a [u8],
}

/// The encodings that are read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkEncoding {
    /// Float samples.
    Xor,
    /// Native histograms of integers.
    Histogram,
    /// Native histograms of floats.
    FloatHistogram,
}

/// A chunk that contradicts itself, and where.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("damaged {} chunk of {bytes} bytes, at sample {sample} of {samples}: {fault}", encoding.as_str())]
pub struct ChunkError {
    /// Its encoding.
    pub encoding: ChunkEncoding,
    /// Its length.
    pub bytes: usize,
    /// The sample, counted from 1; 0 is the head.
    pub sample: u16,
    /// Samples that it claims to have.
    pub samples: u16,
    /// What is wrong.
    pub fault: Fault,
}

/// What can be wrong in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// Its end comes first.
    #[error("ends inside it")]
    Truncated,
    /// A variable-length integer has more than 64 bits.
    #[error("a varint is longer than 64 bits")]
    Varint,
    /// More than the 64 bits of a float.
    #[error("{leading} zeros and {length} bits behind them are more than a float has")]
    Window {
        /// Zeros in front.
        leading: u32,
        /// Bits that follow.
        length: u32,
    },
    /// A native histogram breaks a rule.
    #[error("{0}")]
    Histogram(#[from] InvalidHistogram),
}

/// A chunk on its way out.
#[derive(Debug)]
pub(super) struct EncodedChunk {
    pub(super) start: TimestampMs,
    pub(super) end: TimestampMs,
    pub(super) encoding: ChunkEncoding,
    pub(super) data: Vec<u8>,
}

// === impl Chunk ===

impl Chunk<'_> {
    /// Decodes all samples into `history`, which keeps those of its range.
    ///
    /// # Errors
    /// When the encoding is not known, the data contradicts itself, or the history is full. The samples before the error
    /// are in the history then.
    pub fn decode(&self, history: &mut History) -> Result<(), ReadError> {
        let number = self.encoding;
        let encoding = ChunkEncoding::of_number(number).ok_or(ReadError::UnknownEncoding { number })?;
        let Some((samples, data)) = self.data.split_first_chunk::<2>() else {
            return Err(self.error(encoding, 0, 0, Fault::Truncated));
        };
        let samples = u16::from_be_bytes(*samples);
        match encoding {
            ChunkEncoding::Xor => self.decode_xor(samples, data, history),
            ChunkEncoding::Histogram => self.decode_histograms::<Integer>(encoding, samples, data, history),
            ChunkEncoding::FloatHistogram => {
                self.decode_histograms::<XorFloat>(encoding, samples, data, history)
            }
        }
    }

    fn decode_xor(&self, samples: u16, data: &[u8], history: &mut History) -> Result<(), ReadError> {
        let mut reader = XorSamples::new(data);
        for sample in 1..=samples {
            let next =
                reader.next().map_err(|fault| self.error(ChunkEncoding::Xor, sample, samples, fault))?;
            history.add_sample(next)?;
        }
        Ok(())
    }

    fn decode_histograms<T: Tally>(
        &self,
        encoding: ChunkEncoding,
        samples: u16,
        data: &[u8],
        history: &mut History,
    ) -> Result<(), ReadError> {
        let error = |sample, fault| self.error(encoding, sample, samples, fault);
        let mut reader = HistogramSamples::<T>::new(data).map_err(|fault| error(0, fault))?;
        let mut parts = Parts::default();
        for sample in 1..=samples {
            let timestamp = reader.next().map_err(|fault| error(sample, fault))?;
            if history.wants(TimestampMs(timestamp)) {
                let histogram = reader.histogram(&mut parts).map_err(|fault| error(sample, fault.into()))?;
                history.add_histogram(histogram)?;
            }
        }
        Ok(())
    }

    #[cold]
    fn error(&self, encoding: ChunkEncoding, sample: u16, samples: u16, fault: Fault) -> ReadError {
        ReadError::Chunk(ChunkError { encoding, bytes: self.data.len(), sample, samples, fault })
    }
}

// === impl ChunkEncoding ===

impl ChunkEncoding {
    /// Its number on the wire.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Xor => 1,
            Self::Histogram => 2,
            Self::FloatHistogram => 3,
        }
    }

    /// The encoding with this number on the wire.
    #[must_use]
    pub fn of_number(number: i32) -> Option<Self> {
        [Self::Xor, Self::Histogram, Self::FloatHistogram].into_iter().find(|known| known.number() == number)
    }

    /// Its name in the protobuf messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Xor => "XOR",
            Self::Histogram => "HISTOGRAM",
            Self::FloatHistogram => "FLOAT_HISTOGRAM",
        }
    }
}

/// The name of any encoding, those among them that are only known by name.
pub(super) fn encoding_name(number: i32) -> &'static str {
    match ChunkEncoding::of_number(number) {
        Some(known) => known.as_str(),
        None => match number {
            4 => "XOR2",
            5 => "HISTOGRAM_ST",
            6 => "FLOAT_HISTOGRAM_ST",
            _ => "no name known here",
        },
    }
}

// === impl EncodedChunk ===

impl EncodedChunk {
    fn new(
        encoding: ChunkEncoding,
        times: impl DoubleEndedIterator<Item = TimestampMs> + Clone,
        data: Vec<u8>,
    ) -> Self {
        let start = times.clone().next().unwrap_or_default();
        Self { start, end: { times }.next_back().unwrap_or(start), encoding, data }
    }
}
