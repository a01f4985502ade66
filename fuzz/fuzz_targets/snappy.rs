//! For all bytes, decompression answers and stays within the limits.
#![no_main]

use emberwatch::wire::{Limits, decompress};

libfuzzer_sys::fuzz_target!(|body: &[u8]| drop(decompress(body, &Limits::default(), &mut Vec::new())));
