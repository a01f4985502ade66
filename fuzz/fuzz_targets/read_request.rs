//! For all bytes, a request of remote read is read or refused, and what is read can be written and read again.
#![no_main]

use emberwatch::wire::{Limits, read::ReadRequest};

libfuzzer_sys::fuzz_target!(|message: &[u8]| {
    let body = snap::raw::Encoder::new().compress_vec(message).unwrap_or_default();
    if let Ok(request) = ReadRequest::decode(&body, &Limits::default()) {
        let again = request.encode().and_then(|body| ReadRequest::decode(&body, &Limits::default()));
        assert_eq!(again.ok(), Some(request));
    }
});
