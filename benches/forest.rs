//! The Isolation Forest: 100 trees of 256 rows, as by default.
//!
//! `cargo bench --bench forest`. Data: normal clusters from a constant seed, built outside the loop. Batches are
//! counted in rows, so the report gives rows a second.

#![allow(clippy::expect_used, reason = "a bench stops by panicking")]

use divan::{Bencher, counter::ItemsCount};
use emberwatch::score::iforest::{Attribution, Forest, Hyperparams};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Numbers of features.
const D: [usize; 3] = [8, 16, 38];

const BATCH: usize = 10_240;

fn main() {
    divan::main();
}

#[divan::bench(args = [16])]
fn fit_from_100k_rows(bencher: Bencher<'_, '_>, d: usize) {
    let rows = rows(100_000, d, 1);
    bencher.bench(|| fit(&rows));
}

#[divan::bench(args = D)]
fn score_batch(bencher: Bencher<'_, '_>, d: usize) {
    let forest = fit(&rows(20_000, d, 1));
    let rows = rows(BATCH, d, 2);
    let mut scores = vec![0.0; BATCH];
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| forest.raw_scores(rows.view(), &mut scores));
}

#[divan::bench(args = D)]
fn score_single_row(bencher: Bencher<'_, '_>, d: usize) {
    let forest = fit(&rows(20_000, d, 1));
    let rows = rows(1_024, d, 2);
    let mut at = 0;
    bencher.bench_local(|| {
        at = (at + 1) % 1_024;
        rows.row(at).as_slice().map(|x| forest.raw_score(x))
    });
}

#[divan::bench(args = D)]
fn path_credit(bencher: Bencher<'_, '_>, d: usize) {
    attribute(bencher, d, Attribution::PathCredit);
}

#[divan::bench(args = D)]
fn shap_values(bencher: Bencher<'_, '_>, d: usize) {
    attribute(bencher, d, Attribution::Shap);
}

fn attribute(bencher: Bencher<'_, '_>, d: usize, attribution: Attribution) {
    let forest = fit(&rows(20_000, d, 1));
    let rows = rows(1_024, d, 2);
    let mut credits = vec![0.0; d];
    let mut at = 0;
    bencher.bench_local(|| {
        at = (at + 1) % 1_024;
        if let Some(x) = rows.row(at).as_slice() {
            forest.attribute(attribution, x, &mut credits);
        }
    });
}

fn fit(rows: &Array2<f32>) -> Forest {
    let params = Hyperparams::default().check().expect("the defaults are valid");
    params.fit(rows.view()).expect("the rows are finite")
}

/// Four clusters with heavy tails in a quarter of the columns.
fn rows(n: usize, d: usize, seed: u64) -> Array2<f32> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    Array2::from_shape_fn((n, d), |(row, column)| {
        let noise: f32 = random.sample(StandardNormal);
        let centre = ((row * 7 + column * 3) % 4) as f32 * 2.0;
        if column < d / 4 { noise * noise * noise } else { centre + noise }
    })
}
