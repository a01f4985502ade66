//! Floats as the XOR with the float before, and chunks of float samples.
//!
//! The bits that differ lie in a window: so many zeros before it, so long. A float that differs within the
//! window of the one before costs no more than the window.

use super::{
    Fault,
    bits::{BitReader, BitWriter},
    varbit::TIMES,
};
use crate::{series::Sample, wire::protobuf::zigzag};

/// A float on its way through a chunk; the next one is said by how it differs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct XorFloat {
    bits: u64,
    window: Option<Window>,
}

/// Where floats differ.
#[derive(Clone, Copy, Debug)]
struct Window {
    leading: u32,
    trailing: u32,
}

/// Reads the samples of an XOR chunk, header excluded.
#[derive(Debug)]
pub(super) struct XorSamples<'a> {
    bits: BitReader<'a>,
    read: u64,
    timestamp: i64,
    delta: i64,
    value: XorFloat,
}

/// The data of an XOR chunk; of no more samples than 65,535.
pub(super) fn encode(samples: &[Sample]) -> Vec<u8> {
    debug_assert!(u16::try_from(samples.len()).is_ok());
    let mut bits = BitWriter::after((samples.len() as u16).to_be_bytes().to_vec());
    let (mut timestamp, mut delta, mut value) = (0_i64, 0_i64, XorFloat::default());
    for (place, sample) in samples.iter().enumerate() {
        let next = sample.timestamp.0.wrapping_sub(timestamp);
        match place {
            0 => {
                bits.varint(to_zigzag(sample.timestamp.0));
                value = XorFloat::first(sample.value, &mut bits);
            }
            1 => bits.varint(next as u64),
            _ => bits.signed(next.wrapping_sub(delta), TIMES),
        }
        if place > 0 {
            value.write(sample.value, &mut bits);
        }
        (timestamp, delta) = (sample.timestamp.0, next);
    }
    bits.into_bytes()
}

/// The sign in the lowest bit; [`zigzag`] is the way back.
fn to_zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

// === impl XorSamples ===

impl<'a> XorSamples<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        let (bits, value) = (BitReader::new(data), XorFloat::default());
        Self { bits, read: 0, timestamp: 0, delta: 0, value }
    }

    pub(super) fn next(&mut self) -> Result<Sample, Fault> {
        match self.read {
            0 => {
                self.timestamp = zigzag(self.bits.varint()?);
                self.value = XorFloat::read_first(&mut self.bits)?;
            }
            1 => self.delta = self.bits.varint()? as i64,
            _ => self.delta = self.delta.wrapping_add(self.bits.signed(TIMES)?),
        }
        if self.read > 0 {
            self.timestamp = self.timestamp.wrapping_add(self.delta);
            self.value.read(&mut self.bits)?;
        }
        self.read += 1;
        Ok(Sample::new(self.timestamp, self.value.get()))
    }
}

// === impl XorFloat ===

impl XorFloat {
    pub(super) fn get(self) -> f64 {
        f64::from_bits(self.bits)
    }

    /// Reads a float that is written whole.
    pub(super) fn read_first(from: &mut BitReader<'_>) -> Result<Self, Fault> {
        Ok(Self { bits: from.bits(64)?, window: None })
    }

    /// Reads the next float and becomes it.
    #[inline]
    pub(super) fn read(&mut self, from: &mut BitReader<'_>) -> Result<(), Fault> {
        if !from.bit()? {
            return Ok(());
        }
        let window = if from.bit()? { Window::read(from)? } else { self.window.unwrap_or(Window::WHOLE) };
        self.bits ^= from.bits(window.length())? << window.trailing;
        self.window = Some(window);
        Ok(())
    }

    /// Writes a float whole.
    pub(super) fn first(value: f64, into: &mut BitWriter) -> Self {
        into.bits(value.to_bits(), 64);
        Self { bits: value.to_bits(), window: None }
    }

    /// Writes the next float and becomes it.
    pub(super) fn write(&mut self, value: f64, into: &mut BitWriter) {
        let xor = self.bits ^ value.to_bits();
        self.bits = value.to_bits();
        if xor == 0 {
            return into.bits(0, 1);
        }
        // Five bits say no more than 31.
        let exact = Window { leading: xor.leading_zeros().min(31), trailing: xor.trailing_zeros() };
        let window = match self.window.filter(|window| window.contains(exact)) {
            Some(window) => {
                into.bits(0b10, 2);
                window
            }
            None => {
                into.bits(0b11, 2);
                into.bits(u64::from(exact.leading), 5);
                // Of 64 bits remain six zeros, which no shorter window leaves.
                into.bits(u64::from(exact.length()), 6);
                exact
            }
        };
        into.bits(xor >> window.trailing, window.length());
        self.window = Some(window);
    }
}

// === impl Window ===

impl Window {
    const WHOLE: Self = Self { leading: 0, trailing: 0 };

    fn read(from: &mut BitReader<'_>) -> Result<Self, Fault> {
        let leading = from.bits(5)? as u32;
        let length = match from.bits(6)? as u32 {
            0 => 64,
            length => length,
        };
        let trailing = 64_u32.checked_sub(leading + length).ok_or(Fault::Window { leading, length })?;
        Ok(Self { leading, trailing })
    }

    fn length(self) -> u32 {
        64 - self.leading - self.trailing
    }

    fn contains(self, other: Self) -> bool {
        other.leading >= self.leading && other.trailing >= self.trailing
    }
}
