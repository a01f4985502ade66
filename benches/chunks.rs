//! The samples of one series, in and out: nanoseconds a sample (items = samples).
//!
//! An hour of 15 s scrapes for each way in which values move; `unpack` reads the last five minutes of it,
//! as a rate at the newest step does.

use divan::{Bencher, black_box, counter::ItemsCount};
use emberwatch::{
    series::{Sample, TimestampMs},
    window::{Chunks, Room},
};

const SAMPLES: i64 = 240;
const SCRAPE_MS: i64 = 15_000;
const ROOM: Room = Room { keep_from: TimestampMs::MIN, may_grow: true };

/// How a value moves, and how exactly it is scraped.
#[derive(Clone, Copy, Debug)]
enum Moves {
    Never,
    /// Hundredths of a second.
    Counter,
    /// Bytes.
    Gauge,
    /// A float with a full mantissa.
    Noise,
    /// A counter whose scrapes are some milliseconds early or late.
    Jitter,
}

const ALL: [Moves; 5] = [Moves::Never, Moves::Counter, Moves::Gauge, Moves::Noise, Moves::Jitter];

fn main() {
    divan::main();
}

#[divan::bench(args = ALL)]
fn pack(bencher: Bencher<'_, '_>, moves: Moves) {
    let samples = samples(moves);
    bencher.counter(ItemsCount::new(samples.len())).bench_local(|| packed(black_box(&samples)));
}

#[divan::bench(args = ALL)]
fn unpack(bencher: Bencher<'_, '_>, moves: Moves) {
    let chunks = packed(&samples(moves));
    let from = TimestampMs((SAMPLES - 20) * SCRAPE_MS);
    let mut into = Vec::new();
    bencher.counter(ItemsCount::new(20_usize)).bench_local(|| {
        into.clear();
        black_box(&chunks).copy(from, TimestampMs::MAX, &mut into);
        into.len()
    });
}

fn packed(samples: &[Sample]) -> Chunks {
    let mut chunks = Chunks::default();
    for sample in samples {
        black_box(chunks.append(*sample, ROOM));
    }
    chunks
}

fn samples(moves: Moves) -> Vec<Sample> {
    let sample = |k: i64| {
        let (timestamp, ragged) = (k * SCRAPE_MS, k * k % 1_009);
        match moves {
            Moves::Never => Sample::new(timestamp, 1.0),
            Moves::Counter => Sample::new(timestamp, (k * 700 + ragged) as f64 / 100.0),
            Moves::Gauge => Sample::new(timestamp, 8e9 + (ragged * 4_096) as f64),
            Moves::Noise => Sample::new(timestamp, (k as f64 + 0.5).sqrt()),
            Moves::Jitter => Sample::new(timestamp + ragged % 7, (k * 700 + ragged) as f64 / 100.0),
        }
    };
    (0..SAMPLES).map(sample).collect()
}
