//! One sample as the difference to the sample before it.
//!
//! A token is a number of variable length whose two lowest bits say what follows:
//!
//! | bits | meaning of the other bits | behind it |
//! |---|---|---|
//! | 00 | difference of the decimal mantissas | |
//! | 01 | the same | how much the distance in time changed |
//! | 10 | `irregular + 2 length + 32 shift`: the XOR of the two floats is `length` bytes, shifted left by `shift` bytes | the change of the distance, if irregular; the bytes |
//! | 10 | `irregular + 2 * 9`: the float is some steps beside a decimal, as sums of decimals are | the change of the distance, if irregular; the difference of the mantissas; the steps |
//! | 11, even | half of that many samples follow with the same value at the same distance | |
//! | 11, odd | half of it: how much the distance changed; the value is the same | |

use super::{
    decimal,
    varint::{self, Scratch, unzigzag, zigzag},
};

/// The most bytes of a token: a changed distance and an XOR.
pub(super) const MAX_BYTES: usize = 2 + varint::MAX_BYTES + 8;

/// In the place of the length of an XOR: the float is beside a decimal.
const BESIDE: u64 = 9;

/// The longest run of one token, which is two bytes then.
pub(super) const MAX_RUN: u16 = (1 << 11) - 1;

const DECIMAL: u64 = 0;
const DECIMAL_IRREGULAR: u64 = 1;
const XOR: u64 = 2;
const SAME: u64 = 3;

/// Where a chunk is after some sample: all that the next token refers to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Time of the sample, in milliseconds.
    pub(super) timestamp: i64,
    /// Its distance from the sample before it.
    pub(super) delta: i64,
    /// Its value.
    pub(super) bits: u64,
}

// === impl State ===

impl State {
    /// Whether a sample at `timestamp` keeps the distance.
    #[inline]
    pub(super) fn is_regular(&self, timestamp: i64) -> bool {
        timestamp == self.timestamp.wrapping_add(self.delta)
    }

    /// The state after a sample at `timestamp`.
    #[inline]
    pub(super) fn followed_by(&self, timestamp: i64, bits: u64) -> Self {
        Self { timestamp, delta: timestamp.wrapping_sub(self.timestamp), bits }
    }
}

/// Writes the token that leads from `from` to `to`; `to` follows it.
pub(super) fn write(from: &State, to: &State, exponent: u8, into: &mut Scratch) {
    let change = to.delta.wrapping_sub(from.delta);
    let irregular = u64::from(change != 0);
    if to.bits == from.bits && change != 0 && zigzag(change) < 1 << 60 {
        into.put((zigzag(change) << 1 | 1) << 2 | SAME);
        return;
    }
    let mantissa = decimal::nearest(to.bits, exponent);
    let difference = mantissa - decimal::nearest(from.bits, exponent);
    let steps = to.bits.wrapping_sub(decimal::value(mantissa, exponent).to_bits()) as i64;
    if steps == 0 {
        into.put(zigzag(difference) << 2 | if change == 0 { DECIMAL } else { DECIMAL_IRREGULAR });
        put_change(change, into);
        return;
    }
    let (xor, shift, length) = xor_bytes(from.bits, to.bits);
    if varint::len(zigzag(difference)) + varint::len(zigzag(steps)) < length {
        into.put((BESIDE << 1 | irregular) << 2 | XOR);
        put_change(change, into);
        into.put(zigzag(difference));
        into.put(zigzag(steps));
        return;
    }
    into.put(((shift as u64) << 5 | (length as u64) << 1 | irregular) << 2 | XOR);
    put_change(change, into);
    into.extend(&xor.to_le_bytes()[..length]);
}

/// The XOR without the zero bytes at its low end, their number, and its own.
fn xor_bytes(a: u64, b: u64) -> (u64, usize, usize) {
    let xor = a ^ b;
    if xor == 0 {
        return (0, 0, 0);
    }
    let shift = xor.trailing_zeros() as usize / 8;
    (xor >> (8 * shift), shift, 8 - xor.leading_zeros() as usize / 8 - shift)
}

fn put_change(change: i64, into: &mut Scratch) {
    if change != 0 {
        into.put(zigzag(change));
    }
}

/// Writes that `run` samples repeat the one before them.
pub(super) fn write_run(run: u16, into: &mut Scratch) {
    into.put(u64::from(run) << 3 | SAME);
}

/// What a token says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token {
    /// A sample that brings the chunk to this state. The second part is its mantissa, where known.
    Next(State, Option<i64>),
    /// That many samples like the one before.
    Run(u16),
}

/// Reads the token at the front of `bytes`, which is moved behind it; `None` at their end, and where
/// they are not what [`write()`] writes. `mantissa` is that of the sample before.
#[inline]
pub(super) fn read(from: &State, mantissa: i64, exponent: u8, bytes: &mut &[u8]) -> Option<Token> {
    let token = varint::take(bytes)?;
    let payload = token >> 2;
    let (state, mantissa) = match token & 3 {
        SAME if payload & 1 == 0 => return Some(Token::Run(u16::try_from(payload >> 1).ok()?)),
        SAME => {
            let delta = from.delta.wrapping_add(unzigzag(payload >> 1));
            (State { timestamp: from.timestamp.wrapping_add(delta), delta, bits: from.bits }, mantissa)
        }
        XOR => {
            let delta = changed(from.delta, payload & 1 == 1, bytes)?;
            let timestamp = from.timestamp.wrapping_add(delta);
            if payload >> 1 & 15 == BESIDE {
                let mantissa = mantissa.wrapping_add(unzigzag(varint::take(bytes)?));
                let steps = unzigzag(varint::take(bytes)?) as u64;
                let bits = decimal::value(mantissa, exponent).to_bits().wrapping_add(steps);
                return Some(Token::Next(State { timestamp, delta, bits }, Some(mantissa)));
            }
            let (length, shift) = ((payload >> 1 & 15) as usize, (payload >> 5) as u32);
            let (low, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            let mut xor = [0; 8];
            xor.get_mut(..length)?.copy_from_slice(low);
            let xor = u64::from_le_bytes(xor).checked_shl(shift.checked_mul(8)?)?;
            return Some(Token::Next(State { timestamp, delta, bits: from.bits ^ xor }, None));
        }
        kind => {
            let delta = changed(from.delta, kind == DECIMAL_IRREGULAR, bytes)?;
            let mantissa = mantissa.wrapping_add(unzigzag(payload));
            let bits = decimal::value(mantissa, exponent).to_bits();
            (State { timestamp: from.timestamp.wrapping_add(delta), delta, bits }, mantissa)
        }
    };
    Some(Token::Next(state, Some(mantissa)))
}

/// The distance in time, after its change has been read if there is one.
#[inline]
fn changed(delta: i64, irregular: bool, bytes: &mut &[u8]) -> Option<i64> {
    if irregular { Some(delta.wrapping_add(unzigzag(varint::take(bytes)?))) } else { Some(delta) }
}
