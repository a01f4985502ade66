//! For all bytes, an answer of remote read with samples is read or refused.
#![no_main]

use emberwatch::wire::{
    Limits,
    read::{ReadQuery, read_samples},
};

libfuzzer_sys::fuzz_target!(|message: &[u8]| {
    let body = snap::raw::Encoder::new().compress_vec(message).unwrap_or_default();
    let queries = [ReadQuery::default(), ReadQuery::default()];
    drop(read_samples(&body, &queries, &Limits::for_reading(), &mut |_| ()));
});
