//! What a row costs beside the forests: the nearest ordinary rows, and the recent past.
//!
//! `cargo bench --bench verdict`. Data from a constant seed, built outside the loop; counted in rows.

#![allow(clippy::expect_used, reason = "a bench stops by panicking")]

use divan::{Bencher, counter::ItemsCount};
use emberwatch::{
    calibrate::{Memory, Recent},
    score::nearest::Nearest,
    series::TimestampMs,
};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;

const STEP_MS: i64 = 60_000;

fn main() {
    divan::main();
}

/// Features; the member has two columns for each.
#[divan::bench(args = [8, 20, 38])]
fn distances_of_1000_rows(bencher: Bencher<'_, '_>, d: usize) {
    let nearest = Nearest::fit(rows(20_000, 2 * d, 1).view(), 42).expect("the rows are finite");
    let rows = rows(1_000, 2 * d, 2);
    let mut distances = vec![0.0; 1_000];
    bencher
        .counter(ItemsCount::new(1_000_usize))
        .bench_local(|| nearest.distances(rows.view(), &mut distances));
}

/// An hour of one entity and member, the drawing of the tail with it.
#[divan::bench]
fn an_hour_of_recent_evidence(bencher: Bencher<'_, '_>) {
    let mut recent = Recent::new(Memory::new(Memory::DEFAULT_FADE, STEP_MS));
    let mut step = 0;
    bencher.counter(ItemsCount::new(60_usize)).bench_local(|| {
        let first = step;
        step += 60;
        (first..step)
            .map(|step| recent.judge((step % 37) as f64 / 10.0, TimestampMs(step * STEP_MS)))
            .sum::<f64>()
    });
}

fn rows(n: usize, columns: usize, seed: u64) -> Array2<f32> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    Array2::from_shape_fn((n, columns), |_| random.sample(StandardNormal))
}
