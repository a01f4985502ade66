//! Snappy, block format.

use super::{Limits, WireError};

/// No snappy element yields more than 64 bytes from 3: a body that claims more than this many times
/// its own length is damaged.
const MAX_EXPANSION: u64 = 22;

/// Decompresses a request body into `into`, whose memory is reused between requests.
///
/// The length that the body claims is checked against the limit, and against what snappy can reach
/// at all, before anything is allocated. On error `into` is empty.
///
/// # Errors
/// When the body or what it claims to hold is over the limit, or it is not one whole snappy block:
/// empty (protocol: the shortest body is the single byte 0), framed, plain, cut short or with bytes behind.
pub fn decompress(body: &[u8], limits: &Limits, into: &mut Vec<u8>) -> Result<(), WireError> {
    let result = decompress_block(body, limits, into);
    if result.is_err() {
        into.clear();
    }
    result
}

/// Compresses a message.
///
/// # Errors
/// When it has more than 4 GiB, the most that the format can say.
pub(super) fn compress(message: &[u8]) -> Result<Vec<u8>, WireError> {
    Ok(snap::raw::Encoder::new().compress_vec(message)?)
}

fn decompress_block(body: &[u8], limits: &Limits, into: &mut Vec<u8>) -> Result<(), WireError> {
    if body.len() > limits.max_compressed_bytes {
        return Err(WireError::CompressedTooLarge { bytes: body.len(), limit: limits.max_compressed_bytes });
    }
    let decoded = snap::raw::decompress_len(body)?;
    if decoded > limits.max_decoded_bytes {
        return Err(WireError::DecodedTooLarge { bytes: decoded, limit: limits.max_decoded_bytes });
    }
    if decoded as u64 > body.len() as u64 * MAX_EXPANSION {
        return Err(WireError::ImpossibleLength { claimed: decoded, compressed: body.len() });
    }
    // Without a `clear` first: bytes that are overwritten anyway need not be zeroed again.
    into.resize(decoded, 0);
    snap::raw::Decoder::new().decompress(body, into)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compress(message: &[u8]) -> Vec<u8> {
        super::compress(message).unwrap()
    }

    #[test]
    fn a1_a_whole_block_is_taken_and_the_buffer_is_reused() {
        let mut into = vec![7; 100];
        decompress(&compress(b"abc"), &Limits::default(), &mut into).unwrap();
        assert_eq!(into, b"abc");
        let long = vec![5; 1000];
        decompress(&compress(&long), &Limits::default(), &mut into).unwrap();
        assert_eq!(into, long);
    }

    #[test]
    fn a1_framed_plain_truncated_and_trailing_bytes_are_refused() {
        let whole = compress(b"the same, the same, the same, the same");
        let framed = b"\xff\x06\x00\x00sNaPpY\x01\x07\x00\x00\x00\x00\x00\x00abc".to_vec();
        let plain = b"\x0a\x10not compressed at all".to_vec();
        let truncated = whole[..whole.len() - 1].to_vec();
        let trailing = [&whole[..], &[0, b'x']].concat();
        for body in [framed, plain, truncated, trailing] {
            let mut into = vec![1];
            assert!(decompress(&body, &Limits::default(), &mut into).is_err(), "{body:?}");
            assert!(into.is_empty());
        }
    }

    #[test]
    fn a10_one_zero_byte_is_an_empty_message_and_an_empty_body_is_not_snappy() {
        let mut into = vec![1];
        decompress(&[0], &Limits::default(), &mut into).unwrap();
        assert!(into.is_empty());
        let error = decompress(&[], &Limits::default(), &mut into).unwrap_err();
        assert!(matches!(error, WireError::Snappy(snap::Error::Empty)), "{error}");
    }

    #[test]
    fn a18_sizes_are_refused_before_anything_is_allocated() {
        let limits = Limits { max_compressed_bytes: 10, max_decoded_bytes: 100, ..Limits::default() };
        let mut into = Vec::new();
        let error = decompress(&[0; 11], &limits, &mut into).unwrap_err();
        assert!(matches!(error, WireError::CompressedTooLarge { bytes: 11, limit: 10 }));
        // The header alone: 101 bytes.
        let error = decompress(&[101], &limits, &mut into).unwrap_err();
        assert!(matches!(error, WireError::DecodedTooLarge { bytes: 101, limit: 100 }));
        // 4 GiB in five bytes.
        let error = decompress(&[0xff, 0xff, 0xff, 0xff, 0x0f], &Limits::default(), &mut into).unwrap_err();
        assert!(matches!(error, WireError::DecodedTooLarge { bytes: 4_294_967_295, .. }));
        // 16 MiB in five bytes: within the limit, beyond what snappy can do.
        let error = decompress(&[0x80, 0x80, 0x80, 0x08, 0x00], &Limits::default(), &mut into).unwrap_err();
        assert!(matches!(error, WireError::ImpossibleLength { claimed: 0x100_0000, compressed: 5 }));
        assert_eq!(into.capacity(), 0);
    }

    #[test]
    fn the_most_compressible_message_stays_within_the_expansion_bound() {
        let zeros = vec![0; 1 << 20];
        let mut into = Vec::new();
        decompress(&compress(&zeros), &Limits::default(), &mut into).unwrap();
        assert_eq!(into, zeros);
    }
}
