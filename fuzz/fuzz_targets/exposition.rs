//! For all bytes, each line is a sample, says nothing, or is refused at a place that it has, and the end is reached.
#![no_main]

use emberwatch::exposition::Exposition;

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let mut exposition = Exposition::default();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if let Err(error) = exposition.take(line) {
            assert!(error.column <= line.len() + 1);
            return;
        }
    }
    let _ = exposition.finish();
});
