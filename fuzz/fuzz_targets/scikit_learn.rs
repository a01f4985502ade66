//! For all bytes, reading a forest of scikit-learn ends.
#![no_main]

use emberwatch::model::ScikitLearnForest;

libfuzzer_sys::fuzz_target!(|json: &[u8]| {
    let _ = ScikitLearnForest::parse(json);
});
