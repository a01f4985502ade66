//! For all bytes, walk and reference agree (Remote-Write 1.0).
#![no_main]

use emberwatch::wire::{MessageType::V1, reference::disagreement};

libfuzzer_sys::fuzz_target!(|body: &[u8]| assert_eq!(disagreement(V1, body), None));
