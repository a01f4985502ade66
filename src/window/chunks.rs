//! The samples of one series, compressed.
//!
//! ```text
//! [header token token ...][header token ...][header token ...]  + newest sample, distance, run
//!  closed chunk            closed chunk      open chunk            beside the bytes
//! ```
//!
//! All chunks of a series lie one behind the other in one piece of memory; a chunk has a header with
//! its first sample and can be read alone. A sample is a token that refers to the sample before it
//! (see [`token`]). What a token refers to is also kept beside the bytes, so that a sample that repeats
//! the value before it at the same distance in time, as most do, only counts up a run: a series that
//! never changes has no bytes at all.
//!
//! It promises that what comes out is what went in, bit for bit, whatever the timestamps and values are;
//! that reading a stretch of time only unpacks the chunks that reach into it; and that memory is only
//! asked for when samples that are no longer wanted have made no room.

mod chunk;

mod decimal;

mod token;

mod varint;

#[cfg(test)]
mod tests;

use super::AppendOutcome;
use crate::series::{Sample, TimestampMs};
use chunk::Chunk;
use std::ops::Range;
use token::State;
use varint::Scratch;

/// A chunk is closed before it is longer than this: its length is one byte. Half of a chunk is unpacked
/// in vain when a range begins inside it; a header costs a tenth of a full one.
const MAX_CHUNK_BYTES: usize = 192;

/// The most bytes of a run.
const MAX_RUN_BYTES: usize = 2;

/// Memory comes in multiples of this at the least.
const GRANULE: usize = 16;

/// Samples sorted by time, one a timestamp.
#[derive(Clone, Debug, Default)]
pub struct Chunks {
    /// Invariant: only the first `used` bytes mean anything; they are whole chunks.
    bytes: Box<[u8]>,
    used: u32,
    /// Samples after the last token that repeat its sample.
    run: u16,
    /// Length of the open chunk; 0 while its header is not written. Its first sample is then the first of
    /// the run.
    open_length: u8,
    /// Decimals of the values of the open chunk.
    exponent: u8,
    /// The newest sample. Until there is a second one in the open chunk, its `delta` is 0.
    newest: State,
    filled: bool,
}

/// Memory over the limit: nothing more can be asked for.
#[derive(Clone, Copy, Debug)]
struct NoRoom;

/// What bounds the memory of a series while a sample is taken.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Samples before this are no longer wanted and make room.
    pub keep_from: TimestampMs,
    /// Whether memory may be asked for.
    pub may_grow: bool,
}

// === impl Chunks ===

impl Chunks {
    /// Takes a sample to its place in time.
    ///
    /// A value is never replaced: the same timestamp is a duplicate, or a conflict when the value
    /// differs (compared by bits, so NaN equals itself).
    #[inline]
    pub fn append(&mut self, sample: Sample, room: Room) -> AppendOutcome {
        if self.filled && sample.timestamp.0 <= self.newest.timestamp {
            return self.insert(sample, room);
        }
        match self.push(sample, room) {
            Ok(()) => AppendOutcome::Appended,
            Err(NoRoom) => AppendOutcome::BytesLimit,
        }
    }

    /// The newest sample.
    #[must_use]
    #[inline]
    pub fn newest(&self) -> Option<Sample> {
        self.filled.then(|| Sample::new(self.newest.timestamp, f64::from_bits(self.newest.bits)))
    }

    /// Bytes of memory held beside the struct itself.
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Copies the samples with `from <= timestamp <= until` behind what `into` holds.
    pub fn copy(&self, from: TimestampMs, until: TimestampMs, into: &mut Vec<Sample>) {
        for (_, chunk) in self.chunks_from(from.0) {
            if chunk.first_timestamp() > until.0 || !chunk.copy(from.0, until.0, into) {
                return;
            }
        }
    }

    /// The newest sample with `from <= timestamp <= until`.
    #[must_use]
    pub fn newest_between(&self, from: TimestampMs, until: TimestampMs) -> Option<Sample> {
        let newest = self.newest().filter(|newest| newest.timestamp <= until);
        if let Some(newest) = newest {
            return Some(newest).filter(|newest| newest.timestamp >= from);
        }
        let (_, chunk) = self.chunks().take_while(|(_, chunk)| chunk.first_timestamp() <= until.0).last()?;
        chunk.newest_until(until.0).filter(|newest| newest.timestamp >= from)
    }

    /// The time of the oldest sample with `timestamp >= from`.
    #[must_use]
    pub fn first_from(&self, from: TimestampMs) -> Option<TimestampMs> {
        for (_, mut chunk) in self.chunks_from(from.0) {
            while let Some(stretch) = chunk.next() {
                let before = stretch.count_before(from.0);
                if before < stretch.count {
                    return Some(TimestampMs(stretch.state(before).timestamp));
                }
            }
        }
        None
    }

    /// Every chunk with its place among the bytes.
    fn chunks(&self) -> impl Iterator<Item = (Range<usize>, Chunk<'_>)> {
        let (open_at, used) = (self.open_at(), self.used as usize);
        let mut at = 0;
        let closed = std::iter::from_fn(move || {
            let length = usize::from(*self.bytes.get(at).filter(|_| at < open_at)?);
            let range = at..at + length;
            at = range.end;
            Some((range.clone(), Chunk::read(self.bytes.get(range)?, 0)?))
        });
        let open = if self.open_length > 0 {
            self.bytes.get(open_at..used).and_then(|bytes| Chunk::read(bytes, self.run))
        } else {
            self.filled.then(|| Chunk::new(self.first_of_run(), self.exponent, &[], self.run))
        };
        closed.chain(open.map(|open| (open_at..used, open)))
    }

    /// The chunks that may hold samples at or after `from`.
    fn chunks_from(&self, from: i64) -> impl Iterator<Item = (Range<usize>, Chunk<'_>)> {
        let mut chunks = self.chunks().peekable();
        std::iter::from_fn(move || {
            let mut chunk = chunks.next();
            while chunks.peek().is_some_and(|(_, next)| next.first_timestamp() <= from) {
                chunk = chunks.next();
            }
            chunk
        })
    }

    fn open_at(&self) -> usize {
        self.used as usize - usize::from(self.open_length)
    }

    // === appending ===

    /// Appends a sample newer than all others.
    #[inline]
    fn push(&mut self, sample: Sample, room: Room) -> Result<(), NoRoom> {
        let (timestamp, bits) = (sample.timestamp.0, sample.value.to_bits());
        if !self.filled {
            self.begin_chunk(timestamp, bits);
            return Ok(());
        }
        let regular = self.is_alone() || self.newest.is_regular(timestamp);
        if bits == self.newest.bits && regular && self.run < token::MAX_RUN {
            self.newest = self.newest.followed_by(timestamp, bits);
            self.run += 1;
            return Ok(());
        }
        self.push_token(timestamp, bits, room)
    }

    /// Appends a sample that continues no run.
    fn push_token(&mut self, timestamp: i64, bits: u64, room: Room) -> Result<(), NoRoom> {
        let next = self.newest.followed_by(timestamp, bits);
        let full = usize::from(self.open_length) + MAX_RUN_BYTES + token::MAX_BYTES > MAX_CHUNK_BYTES;
        let finer = || {
            decimal::mantissa(bits, self.exponent).is_none()
                && decimal::exponent(bits, self.exponent.saturating_add(1)).is_some()
        };
        if full || finer() {
            self.write(None, room)?;
            let at = self.open_at();
            self.bytes[at] = self.open_length;
            self.begin_chunk(timestamp, bits);
        } else {
            self.write(Some(next), room)?;
            self.run = 0;
            self.newest = next;
        }
        Ok(())
    }

    /// Whether the open chunk has one sample.
    fn is_alone(&self) -> bool {
        self.open_length == 0 && self.run == 0
    }

    fn begin_chunk(&mut self, timestamp: i64, bits: u64) {
        self.newest = State { timestamp, delta: 0, bits };
        (self.open_length, self.run, self.filled) = (0, 0, true);
        // Decimals are never taken back: a value that happens to be whole would begin a coarse chunk.
        self.exponent = decimal::exponent(bits, self.exponent).unwrap_or(self.exponent);
    }

    /// Writes what is only kept beside the bytes, and the token that leads to `next`.
    fn write(&mut self, next: Option<State>, room: Room) -> Result<(), NoRoom> {
        let mut scratch = self.encode(next);
        if self.used as usize + scratch.len() > self.bytes.len() {
            self.make_room(scratch.len(), room)?;
            // The run may have lost its oldest samples; it takes no more bytes for that.
            scratch = self.encode(next);
        }
        let used = self.used as usize;
        self.bytes[used..used + scratch.len()].copy_from_slice(scratch.as_slice());
        self.used += scratch.len() as u32;
        self.open_length += scratch.len() as u8;
        Ok(())
    }

    fn encode(&self, next: Option<State>) -> Scratch {
        let mut scratch = Scratch::new();
        // The distance to the second sample stands in the header: its token need not say it.
        let delta = next.filter(|_| self.is_alone()).map_or(self.newest.delta, |next| next.delta);
        if self.open_length == 0 {
            chunk::write_header(&State { delta, ..self.first_of_run() }, self.exponent, &mut scratch);
        }
        if self.run > 0 {
            token::write_run(self.run, &mut scratch);
        }
        if let Some(next) = next {
            token::write(&State { delta, ..self.newest }, &next, self.exponent, &mut scratch);
        }
        scratch
    }

    /// The sample that the run repeats.
    fn first_of_run(&self) -> State {
        let back = self.newest.delta.wrapping_mul(i64::from(self.run));
        State { timestamp: self.newest.timestamp.wrapping_sub(back), ..self.newest }
    }

    // === out of order ===

    /// Takes a sample that is not the newest: the chunks from its place on are unpacked and written again.
    #[cold]
    fn insert(&mut self, sample: Sample, room: Room) -> AppendOutcome {
        let at = self.chunks_from(sample.timestamp.0).next().map_or(0, |(range, _)| range.start);
        let mut samples = Vec::new();
        for (_, chunk) in self.chunks().skip_while(|(range, _)| range.start < at) {
            chunk.copy(i64::MIN, i64::MAX, &mut samples);
        }
        match samples.binary_search_by_key(&sample.timestamp, |s| s.timestamp) {
            Ok(found) if samples[found].value.to_bits() == sample.value.to_bits() => AppendOutcome::Duplicate,
            Ok(_) => AppendOutcome::Conflict,
            Err(_) if !room.may_grow => AppendOutcome::BytesLimit,
            Err(place) => {
                samples.insert(place, sample);
                (self.used, self.open_length, self.run, self.filled) = (at as u32, 0, 0, false);
                for sample in samples {
                    // With leave to grow there is always room.
                    let pushed = self.push(sample, room);
                    debug_assert!(pushed.is_ok());
                }
                AppendOutcome::OutOfOrder
            }
        }
    }

    // === memory ===

    /// Makes room for `more` bytes: by what is no longer wanted, or by asking for memory.
    #[cold]
    fn make_room(&mut self, more: usize, room: Room) -> Result<(), NoRoom> {
        self.drop_chunks_before(room.keep_from.0);
        self.trim_first_chunk(room.keep_from.0);
        let needed = self.used as usize + more;
        let held = self.bytes.len();
        if needed <= held && (needed + held / 8 <= held || !room.may_grow) {
            return Ok(());
        }
        if !room.may_grow {
            return Err(NoRoom);
        }
        // A little room is not worth being made again and again.
        let grown = size_class(needed.max(held + 1));
        let mut bytes = vec![0; grown].into_boxed_slice();
        let used = self.used as usize;
        bytes[..used].copy_from_slice(&self.bytes[..used]);
        self.bytes = bytes;
        Ok(())
    }

    /// Drops the chunks that end before `keep_from`.
    fn drop_chunks_before(&mut self, keep_from: i64) {
        let cut = self.chunks_from(keep_from).next().map_or(0, |(range, _)| range.start);
        self.bytes.copy_within(cut..self.used as usize, 0);
        self.used -= cut as u32;
    }

    /// Lets the first chunk begin with its first sample at or after `keep_from`, if it has one.
    fn trim_first_chunk(&mut self, keep_from: i64) {
        let Some((range, mut chunk)) = self.chunks().next() else { return };
        while let Some(stretch) = chunk.next() {
            let before = stretch.count_before(keep_from);
            if before == stretch.count {
                continue;
            }
            let rest = stretch.count - before - 1;
            // Is it the run beside the bytes?
            let beside = range.start == self.open_at() && chunk.run() < self.run;
            let mut front = Scratch::new();
            chunk::write_header(&stretch.state(before), chunk.exponent(), &mut front);
            if rest > 0 && !beside {
                token::write_run(rest, &mut front);
            }
            let tokens = chunk.rest().len();
            if (range.is_empty() || self.replace_front(range, &front, tokens)) && beside {
                self.run = rest;
            }
            return;
        }
    }

    /// Puts `front` in the place of all but the last `kept` bytes of the first chunk, if that is shorter.
    fn replace_front(&mut self, chunk: Range<usize>, front: &Scratch, kept: usize) -> bool {
        let is_open = chunk.start == self.open_at();
        let removed = chunk.len() - kept;
        let Some(saved) = removed.checked_sub(front.len()) else { return false };
        self.bytes.copy_within(removed..self.used as usize, front.len());
        self.bytes[..front.len()].copy_from_slice(front.as_slice());
        self.used -= saved as u32;
        if is_open {
            self.open_length -= saved as u8;
        } else {
            self.bytes[0] = (chunk.len() - saved) as u8;
        }
        true
    }
}

/// The least size that holds `bytes` of those in which allocators hand out memory: four for each doubling.
fn size_class(bytes: usize) -> usize {
    bytes.next_multiple_of((bytes.next_power_of_two() / 8).max(GRANULE))
}
