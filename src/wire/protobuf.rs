//! Walking over protobuf bytes without copying them.
//!
//! Only what the remote-write messages need: keys, varints, fixed and length-delimited values. A
//! walk never reads outside its slice, allocates nothing, and answers damage with an error. It is as
//! strict as prost in all but one point: groups (wire types 3 and 4) are refused even in
//! unknown fields; proto3 has none, and skipping them would need a stack.

/// What is wrong with the bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The message ends inside a field.
    #[error("ends inside a field: {needed} bytes needed, {left} left")]
    Truncated {
        /// Bytes that the field claims.
        needed: u64,
        /// Bytes that are there.
        left: usize,
    },
    /// A variable-length integer has more than 64 bits.
    #[error("a varint is longer than 64 bits")]
    Varint,
    /// Field numbers are 1 to 2^29 - 1.
    #[error("invalid field key {key}")]
    Key {
        /// The key as read.
        key: u64,
    },
    /// A field of a known number has another type than the specification says.
    #[error("field {field} has the wrong wire type {found}")]
    WireType {
        /// Field number.
        field: u32,
        /// Wire type found.
        found: u8,
    },
    /// A group, which proto3 does not have.
    #[error("field {field} is a group")]
    Group {
        /// Field number.
        field: u32,
    },
}

/// The fields of one message, in the order of the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    pub(super) value: Value<'a>,
}

/// The value of a field, as far as the wire knows it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

// === impl Fields ===

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field; `None` at the end of the message.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, Damage> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = take_varint(&mut self.rest)?;
        let number = u32::try_from(key).map_err(|_| Damage::Key { key })? >> 3;
        if number == 0 {
            return Err(Damage::Key { key });
        }
        let value = match key & 7 {
            0 => Value::Varint(take_varint(&mut self.rest)?),
            1 => Value::Fixed64(take_fixed64(&mut self.rest)?),
            2 => {
                let length = take_varint(&mut self.rest)?;
                Value::Bytes(take_bytes(&mut self.rest, length)?)
            }
            3 | 4 => return Err(Damage::Group { field: number }),
            5 => {
                take_bytes(&mut self.rest, 4)?;
                Value::Fixed32
            }
            _ => return Err(Damage::Key { key }),
        };
        Ok(Some(Field { number, value }))
    }
}

// === impl Field ===

impl Field<'_> {
    /// The error for a known field with a value of another type.
    #[cold]
    pub(super) fn wrong_type(&self) -> Damage {
        let found = match self.value {
            Value::Varint(_) => 0,
            Value::Fixed64(_) => 1,
            Value::Bytes(_) => 2,
            Value::Fixed32 => 5,
        };
        Damage::WireType { field: self.number, found }
    }
}

// === scalars ===

/// Calls `each` for every number of a repeated varint field: one alone, or many packed.
#[inline]
pub(super) fn for_each_varint(field: Field<'_>, mut each: impl FnMut(u64)) -> Result<(), Damage> {
    match field.value {
        Value::Varint(number) => each(number),
        Value::Bytes(mut packed) => {
            while !packed.is_empty() {
                each(take_varint(&mut packed)?);
            }
        }
        _ => return Err(field.wrong_type()),
    }
    Ok(())
}

/// Calls `each` for every number of a repeated double field: one alone, or many packed.
#[inline]
pub(super) fn for_each_double(field: Field<'_>, mut each: impl FnMut(f64)) -> Result<(), Damage> {
    match field.value {
        Value::Fixed64(bits) => each(f64::from_bits(bits)),
        Value::Bytes(mut packed) => {
            while !packed.is_empty() {
                each(f64::from_bits(take_fixed64(&mut packed)?));
            }
        }
        _ => return Err(field.wrong_type()),
    }
    Ok(())
}

/// `sint32` and `sint64`: the sign in the lowest bit.
pub(super) fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// `sint32`: as every 32-bit field, the upper half of the varint is cut off first.
pub(super) fn zigzag32(number: u64) -> i32 {
    zigzag(u64::from(number as u32)) as i32
}

// === bytes ===

#[inline(always)]
fn take_varint(rest: &mut &[u8]) -> Result<u64, Damage> {
    if let [first, tail @ ..] = *rest
        && *first < 0x80
    {
        *rest = tail;
        return Ok(u64::from(*first));
    }
    take_long_varint(rest)
}

fn take_long_varint(rest: &mut &[u8]) -> Result<u64, Damage> {
    let mut number = 0;
    for (index, byte) in rest.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            // The tenth byte has room for one bit.
            if index == 9 && *byte > 1 {
                return Err(Damage::Varint);
            }
            *rest = &rest[index + 1..];
            return Ok(number);
        }
    }
    if rest.len() < 10 {
        return Err(Damage::Truncated { needed: rest.len() as u64 + 1, left: rest.len() });
    }
    Err(Damage::Varint)
}

#[inline(always)]
fn take_fixed64(rest: &mut &[u8]) -> Result<u64, Damage> {
    let Some((number, tail)) = rest.split_first_chunk::<8>() else {
        return Err(Damage::Truncated { needed: 8, left: rest.len() });
    };
    *rest = tail;
    Ok(u64::from_le_bytes(*number))
}

#[inline(always)]
fn take_bytes<'a>(rest: &mut &'a [u8], length: u64) -> Result<&'a [u8], Damage> {
    let truncated = Damage::Truncated { needed: length, left: rest.len() };
    let (bytes, tail) =
        usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)).ok_or(truncated)?;
    *rest = tail;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn varints_have_at_most_64_bits() {
        let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(take_varint(&mut &max[..]), Ok(u64::MAX));
        let bit_65 = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(take_varint(&mut &bit_65[..]), Err(Damage::Varint));
        assert_eq!(take_varint(&mut &[0x80; 11][..]), Err(Damage::Varint));
        assert_eq!(take_varint(&mut &[0x80][..]), Err(Damage::Truncated { needed: 2, left: 1 }));
    }

    #[test]
    fn zigzag_alternates_between_signs() {
        assert_eq!([0, 1, 2, 3].map(zigzag), [0, -1, 1, -2]);
        assert_eq!((zigzag(u64::MAX), zigzag(u64::MAX - 1)), (i64::MIN, i64::MAX));
        assert_eq!((zigzag32(105), zigzag32(0xffff_ffff)), (-53, i32::MIN));
    }

    #[test]
    fn a_length_beyond_the_message_is_truncation_not_allocation() {
        let message = [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
        let damage = Fields::new(&message).next().unwrap_err();
        assert_eq!(damage, Damage::Truncated { needed: u64::from(u32::MAX), left: 1 });
    }

    proptest! {
        /// For all numbers, reading gives back what prost wrote, and nothing more is read.
        #[test]
        fn varint_round_trip(number: u64) {
            let mut bytes = Vec::new();
            prost::encoding::encode_varint(number, &mut bytes);
            bytes.push(0xff);
            let mut rest = &bytes[..];
            prop_assert_eq!(take_varint(&mut rest), Ok(number));
            prop_assert_eq!(rest, [0xff]);
        }
    }
}
