//! Protobuf by hand: bytes that no encoder would write, for tests of the walk.

pub(crate) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

pub(crate) fn concat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// A field of wire type 0.
pub(crate) fn number(field: u64, number: u64) -> Vec<u8> {
    concat(&[&varint(field << 3), &varint(number)])
}

/// A field of wire type 1.
pub(crate) fn double(field: u64, value: f64) -> Vec<u8> {
    concat(&[&varint(field << 3 | 1), &value.to_bits().to_le_bytes()])
}

/// A field of wire type 2: text, a message, or packed numbers.
pub(crate) fn bytes(field: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    concat(&[&varint(field << 3 | 2), &varint(content.len() as u64), content])
}

/// A field of wire type 5.
pub(crate) fn fixed32(field: u64) -> Vec<u8> {
    concat(&[&varint(field << 3 | 5), &[1, 2, 3, 4]])
}

/// A group with one field in it: wire types 3 and 4.
pub(crate) fn group(field: u64) -> Vec<u8> {
    concat(&[&varint(field << 3 | 3), &number(1, 1), &varint(field << 3 | 4)])
}

/// One field of every type that may be skipped.
pub(crate) fn unknown(field: u64) -> Vec<u8> {
    concat(&[&number(field, u64::MAX), &double(field, 1.0), &bytes(field, "skip \u{0}"), &fixed32(field)])
}
