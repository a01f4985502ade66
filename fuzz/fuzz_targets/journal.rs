//! For all bytes, behind the checksums too, reading a journal of rows ends; what is read can be written and read again.
#![no_main]

use emberwatch::train::{
    EntityChanges, GatherUpdate, RowChanges,
    journal::{End, Header, Writer, read, read_header},
};
use std::convert::Infallible;

const HEADER: Header = Header { fingerprint: 7, n_columns: 3 };

/// Cut into records at each 0xFF, with a frame before each.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut journal = Vec::new();
    for record in bytes.split(|byte| *byte == 0xFF) {
        let length = (record.len() as u32).to_le_bytes();
        journal.extend(length);
        journal.extend(crc32c::crc32c(&length).to_le_bytes());
        journal.extend(crc32c::crc32c(record).to_le_bytes());
        journal.extend(record);
    }
    journal
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    drop(read_header(bytes));
    for journal in [bytes, &framed(bytes)] {
        let Ok(first) = read(HEADER, journal) else { unreachable!("memory can be read") };
        assert!(first.gathered.n_rows() <= journal.len());
        let rows = first.gathered.rows.iter().cloned();
        let entities = rows.map(|(entity, rows)| EntityChanges { entity, rows, gone: Vec::new() }).collect();
        let changes = RowChanges { is_complete: true, entities };
        let (n_rows, n_entities) = (first.gathered.n_rows(), first.gathered.rows.len());
        let update = GatherUpdate { changes, state: first.gathered.state, n_rows, n_entities };
        let mut written = Vec::new();
        let Ok(()) = Writer::new(HEADER).append(&update, |piece| {
            written.extend_from_slice(piece);
            Ok::<_, Infallible>(())
        });
        let Ok(second) = read(HEADER, written.as_slice()) else { unreachable!("memory can be read") };
        // Not a number is not equal to itself.
        assert_eq!(format!("{:?}", second.gathered), format!("{:?}", first.gathered));
        assert_eq!(second.end, End::Whole);
    }
});
