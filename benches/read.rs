//! Chunks of remote read: decoding, and writing the frames of a series. divan prints the time a sample (items = samples).
//!
//! A series of 12,000 samples, 15 s apart with some jitter: a counter, as most are.

use divan::{Bencher, black_box, counter::ItemsCount};
use emberwatch::{
    series::{LabelSet, Sample, TimestampMs},
    wire::{
        Limits,
        read::{ChunkedReader, ReadQuery, ReadSeries, write_chunked},
    },
};

const SAMPLES: i64 = 12_000;

fn main() {
    divan::main();
}

#[divan::bench]
fn read(bencher: Bencher<'_, '_>) {
    let (stream, limits) = (stream(&samples()), Limits::for_reading());
    let queries = [ReadQuery { end: TimestampMs(i64::MAX), ..ReadQuery::default() }];
    bencher.counter(ItemsCount::new(SAMPLES as usize)).bench_local(|| {
        let mut reader = ChunkedReader::new(&queries, &limits);
        let read = reader.read(black_box(&stream), &mut |_| ());
        let mut sink = |series: ReadSeries<'_>| {
            black_box(series);
        };
        read.and_then(|()| reader.finish(&mut sink)).is_ok()
    });
}

#[divan::bench]
fn write(bencher: Bencher<'_, '_>) {
    let samples = samples();
    bencher.counter(ItemsCount::new(SAMPLES as usize)).bench_local(|| stream(black_box(&samples)));
}

fn samples() -> Vec<Sample> {
    let sample = |k: i64| Sample::new(k * 15_000 + k * k % 7, (k * 700 + k * k % 1_009) as f64 / 100.0);
    (0..SAMPLES).map(sample).collect()
}

fn stream(samples: &[Sample]) -> Vec<u8> {
    let labels = LabelSet::from_pairs([("__name__", "node_cpu_seconds_total"), ("instance", "node-1:9100")]);
    let mut stream = Vec::new();
    write_chunked(0, labels.unwrap_or_default().iter(), samples, &[], &mut stream);
    stream
}
