//! Values as decimal fractions: `mantissa / 10^exponent`.
//!
//! What is measured is mostly whole, or has a few decimals: bytes, packets, hundredths of a second.
//! Neighbouring values then differ by a small whole number of their last decimal, where their
//! binary forms differ in every bit. Only a value that is given back bit for bit counts as decimal,
//! so what the arithmetic here rounds can make a chunk longer but never wrong.

/// Powers of ten by exponent; all are exact.
const POWERS: [f64; FINEST as usize + 1] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Beyond this not every whole number is a float.
const MAX_MANTISSA: u64 = 1 << 53;

/// The largest exponent.
const FINEST: u8 = 9;

/// Exponents that are tried first: a value with fewer decimals is on the grid of each.
const PROBES: [u8; 3] = [3, 6, FINEST];

/// The value of a mantissa. An exponent that is out of range reads as the largest.
#[inline]
pub(super) fn value(mantissa: i64, exponent: u8) -> f64 {
    mantissa as f64 / POWERS[usize::from(exponent.min(FINEST))]
}

/// The mantissa of the float with these bits; `None` where [`value`] would not give it back.
#[inline]
pub(super) fn mantissa(bits: u64, exponent: u8) -> Option<i64> {
    let mantissa = nearest(bits, exponent);
    (value(mantissa, exponent).to_bits() == bits).then_some(mantissa)
}

/// The mantissa whose value is near the float with these bits; 0 where there is none.
#[inline]
pub(super) fn nearest(bits: u64, exponent: u8) -> i64 {
    let scaled = f64::from_bits(bits) * POWERS[usize::from(exponent.min(FINEST))];
    // To the nearest; the cast cuts the fraction off and makes 0 of NaN.
    let mantissa = (scaled + 0.5_f64.copysign(scaled)) as i64;
    if mantissa.unsigned_abs() <= MAX_MANTISSA { mantissa } else { 0 }
}

/// The least exponent from `from` on by which the float is decimal.
pub(super) fn exponent(bits: u64, from: u8) -> Option<u8> {
    let on_grid = |exponent: &u8| mantissa(bits, *exponent).is_some();
    let probes = PROBES.into_iter().filter(|probe| *probe > from);
    let probe = [from].into_iter().filter(|from| *from <= FINEST).chain(probes).find(on_grid)?;
    Some((from..probe).find(on_grid).unwrap_or(probe))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::STALE_NAN;

    #[test]
    fn the_least_exponent_is_found() {
        let of = |value: f64| exponent(value.to_bits(), 0);
        assert_eq!([0.0, 17.0, -4e15, 0.5, 1234.25, 0.000_029_875].map(of), [0, 0, 0, 1, 2, 9].map(Some));
        assert_eq!([-0.0, f64::NAN, STALE_NAN, f64::INFINITY, 1.0 / 3.0, 1e300, 5e-324].map(of), [None; 7]);
        assert_eq!(exponent(17_f64.to_bits(), 2), Some(2), "none below the one asked for");
    }

    #[test]
    fn a_mantissa_gives_the_float_back() {
        for number in [0.1_f64, 0.29, 99_999.99, -1_234_567.891, 1e15] {
            let exponent = exponent(number.to_bits(), 0).unwrap();
            assert_eq!(mantissa(number.to_bits(), exponent).map(|m| value(m, exponent)), Some(number));
        }
    }
}
