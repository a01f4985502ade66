//! Reading one chunk.

use super::{
    decimal,
    token::{self, State, Token},
    varint::{self, Scratch, unzigzag, zigzag},
};
use crate::series::{Sample, TimestampMs};

/// Writes the header of a chunk whose first sample is that of `first`. Its first byte is the length of
/// the whole chunk, which is filled in when the chunk is closed.
pub(super) fn write_header(first: &State, exponent: u8, into: &mut Scratch) {
    into.push(0);
    into.push(exponent);
    into.extend(&first.timestamp.to_le_bytes());
    into.extend(&first.bits.to_le_bytes());
    into.put(zigzag(first.delta));
}

/// A chunk on its way through a reader.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk<'a> {
    state: State,
    mantissa: i64,
    exponent: u8,
    /// What has not been read.
    tokens: &'a [u8],
    /// Samples behind the last token that repeat its sample.
    run: u16,
    begun: bool,
}

/// Samples of one value at one distance from each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// The first one; its `delta` is their distance.
    pub(super) first: State,
    /// How many there are, at least one.
    pub(super) count: u16,
}

// === impl Chunk ===

impl<'a> Chunk<'a> {
    /// The chunk that is `bytes`, with `run` more samples behind its last one; `None` without a header.
    #[inline]
    pub(super) fn read(bytes: &'a [u8], run: u16) -> Option<Self> {
        let (head, mut tokens) = bytes.split_first_chunk::<18>()?;
        let [_, exponent, numbers @ ..] = head;
        let (timestamp, bits) = numbers.split_first_chunk::<8>()?;
        let delta = unzigzag(varint::take(&mut tokens)?);
        let timestamp = i64::from_le_bytes(*timestamp);
        let state = State { timestamp, delta, bits: u64::from_le_bytes(bits.try_into().ok()?) };
        Some(Self::new(state, *exponent, tokens, run))
    }

    /// A chunk that begins with the sample of `first`.
    pub(super) fn new(first: State, exponent: u8, tokens: &'a [u8], run: u16) -> Self {
        Self { state: first, mantissa: 0, exponent, tokens, run, begun: false }
    }

    /// Time of the first sample; only before anything was read.
    pub(super) fn first_timestamp(&self) -> i64 {
        self.state.timestamp
    }

    /// Samples behind the last token that have not been read.
    pub(super) fn run(&self) -> u16 {
        self.run
    }

    /// The exponent of its decimals.
    pub(super) fn exponent(&self) -> u8 {
        self.exponent
    }

    /// The bytes that have not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.tokens
    }

    /// The next samples.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Stretch> {
        if !self.begun {
            self.begun = true;
            self.mantissa = decimal::nearest(self.state.bits, self.exponent);
            return Some(Stretch { first: self.state, count: 1 });
        }
        match token::read(&self.state, self.mantissa, self.exponent, &mut self.tokens) {
            Some(Token::Next(state, mantissa)) => {
                let of_bits = || decimal::nearest(state.bits, self.exponent);
                self.mantissa = mantissa.unwrap_or_else(of_bits);
                self.state = state;
                Some(Stretch { first: state, count: 1 })
            }
            Some(Token::Run(run)) => self.repeat(run),
            None => {
                let run = std::mem::take(&mut self.run);
                self.repeat(run)
            }
        }
    }

    fn repeat(&mut self, run: u16) -> Option<Stretch> {
        let count = std::num::NonZeroU16::new(run)?.get();
        let first = State { timestamp: self.state.timestamp.wrapping_add(self.state.delta), ..self.state };
        self.state.timestamp = first.after(count - 1);
        Some(Stretch { first, count })
    }

    /// Copies the samples with `from <= timestamp <= until`; says whether later ones may be of interest.
    #[inline]
    pub(super) fn copy(mut self, from: i64, until: i64, into: &mut Vec<Sample>) -> bool {
        while let Some(stretch) = self.next() {
            let value = f64::from_bits(stretch.first.bits);
            for at in stretch.count_before(from)..stretch.count {
                let timestamp = stretch.first.after(at);
                if timestamp > until {
                    return false;
                }
                into.push(Sample { timestamp: TimestampMs(timestamp), value });
            }
        }
        true
    }

    /// The newest sample with `timestamp <= until`.
    pub(super) fn newest_until(mut self, until: i64) -> Option<Sample> {
        let mut newest = None;
        while let Some(stretch) = self.next() {
            let count = until.checked_add(1).map_or(stretch.count, |after| stretch.count_before(after));
            newest = count.checked_sub(1).map(|last| stretch.state(last)).or(newest);
            if count < stretch.count {
                break;
            }
        }
        newest.map(|state: State| Sample::new(state.timestamp, f64::from_bits(state.bits)))
    }
}

// === impl Stretch ===

impl Stretch {
    /// How many of the samples are before `from`.
    #[inline]
    pub(super) fn count_before(&self, from: i64) -> u16 {
        if self.first.timestamp >= from {
            return 0;
        }
        // Chunks that were written here only go forward, so the distance is positive, as unsigned.
        let distance = (self.first.delta as u64).max(1);
        let before = (from.wrapping_sub(self.first.timestamp) as u64 - 1) / distance;
        before.saturating_add(1).min(u64::from(self.count)) as u16
    }

    /// The state at its sample number `at`.
    pub(super) fn state(&self, at: u16) -> State {
        State { timestamp: self.first.after(at), ..self.first }
    }
}

// === impl State ===

impl State {
    /// The time of the sample that comes `count` distances later.
    #[inline]
    fn after(&self, count: u16) -> i64 {
        self.timestamp.wrapping_add(self.delta.wrapping_mul(i64::from(count)))
    }
}
