//! For all bytes, behind the checksum too, a stream of remote read ends with an answer or an error, within the limits.
#![no_main]

use emberwatch::{
    series::TimestampMs,
    wire::{
        Limits,
        read::{Chunk, ChunkedReader, History, ReadQuery, write_frame},
    },
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { max_samples: 10_000, max_histogram_bytes: 10 << 20, ..Limits::for_reading() };
    let query = ReadQuery { end: TimestampMs(i64::MAX), ..ReadQuery::default() };
    let mut frame = Vec::new();
    write_frame(bytes, &mut frame);
    for stream in [bytes, &frame] {
        let mut reader = ChunkedReader::new(std::slice::from_ref(&query), &limits);
        let whole = stream.chunks(7).try_for_each(|piece| reader.read(piece, &mut |_| ()));
        drop(whole.and_then(|()| reader.finish(&mut |_| ())));
    }
    for encoding in 1..=3 {
        let mut history = History::new(query.range(), &limits);
        drop(Chunk { encoding, data: bytes, ..Chunk::default() }.decode(&mut history));
        assert!(history.merged().1.iter().all(|sample| sample.histogram.is_well_formed()));
    }
});
