//! For all bytes, walk and reference agree (Remote-Write 2.0).
#![no_main]

use emberwatch::wire::{MessageType::V2, reference::disagreement};

libfuzzer_sys::fuzz_target!(|body: &[u8]| assert_eq!(disagreement(V2, body), None));
