//! For all bytes, behind the checksum too, reading a model ends; what is read can be written again.
#![no_main]

use emberwatch::model::{FORMAT_VERSION, MAGIC, Model};

libfuzzer_sys::fuzz_target!(|payload: &[u8]| {
    let packed = snap::raw::Encoder::new().compress_vec(payload).unwrap_or_default();
    let mut file = MAGIC.to_vec();
    file.extend(FORMAT_VERSION.to_le_bytes());
    file.extend((packed.len() as u32).to_le_bytes());
    file.extend(packed);
    let checksum = crc32fast::hash(&file);
    file.extend(checksum.to_le_bytes());
    for bytes in [payload, &file] {
        if let Ok(model) = Model::decode(bytes) {
            assert!(model.encode().is_ok());
        }
    }
});
