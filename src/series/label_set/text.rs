//! The canonical text: parts, each preceded by its length.

use super::LabelRef;

/// Lengths up to this are one byte; this byte announces a long one.
const LONG: u8 = 0x7f;

/// The most bytes a name or a value can have: three digits of seven bits.
pub(super) const MAX_PART: usize = (1 << 21) - 1;

#[inline]
pub(super) fn push_label(text: &mut String, label: LabelRef<'_>) {
    push_part(text, label.name);
    push_part(text, label.value);
}

#[inline]
fn push_part(text: &mut String, part: &str) {
    push_length(text, part.len());
    text.push_str(part);
}

#[inline]
fn push_length(text: &mut String, length: usize) {
    if length < usize::from(LONG) {
        text.push(char::from(length as u8));
    } else {
        text.push(char::from(LONG));
        for shift in [14, 7, 0] {
            text.push(char::from((length >> shift) as u8 & 0x7f));
        }
    }
}

pub(super) fn take_part(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let (head, length) = match *bytes.first()? {
        LONG => (4, bytes.get(1..4)?.iter().fold(0, |n, b| n << 7 | usize::from(*b))),
        short => (1, usize::from(short)),
    };
    Some((text.get(head..head + length)?, text.get(head + length..)?))
}

/// How many bytes, about, `a` and `b` have in common at the front: never more than they do.
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const STRIDE: usize = 16;
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<STRIDE>(), b.as_chunks::<STRIDE>());
    let strides = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let all = strides == a.len() && strides == b.len() && a_rest == b_rest;
    strides * STRIDE + if all { a_rest.len() } else { 0 }
}

/// The end of the last label of `text` that is within its first `length` bytes.
pub(super) fn common_labels(text: &str, length: usize) -> usize {
    let mut rest = text;
    while let Some((_, behind)) = take_part(rest).and_then(|(_, value)| take_part(value))
        && text.len() - behind.len() <= length
    {
        rest = behind;
    }
    text.len() - rest.len()
}
