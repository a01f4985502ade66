//! The Isolation Forest beside hessboost, the fastest engine for forests of trees that was found: the very
//! same trees, the same rows, one run.
//!
//! Both sides take turns, each turn is timed by the processor time of the process, and the least of all
//! turns counts. Before that the scores of both are compared.
//!
//! `forest-peers score` is for a program that times others: it prints one line of JSON for one cell.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "reads clocks and files, which only the core must not")]

mod data;

mod own;

mod peer;

mod xgboost;

use anyhow::ensure;
use clap::{Parser, Subcommand};
use cpu_time::ProcessTime;
use emberwatch::score::iforest::{BatchMethod, Forest, Registers};
use ndarray::{Array2, Axis};
use peer::Hessboost;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// Times the Isolation Forest beside hessboost
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// Turns of each side
    #[arg(long, default_value_t = 7)]
    turns: usize,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Grow a forest, score a file, print one line of JSON
    Score(own::ScoreArgs),
}

/// Scores that differ by more are a mistake, not rounding: the peer adds single-precision numbers.
const MAX_DIFFERENCE: f64 = 1e-6;

const BATCH: usize = 10_240;

const METHODS: [BatchMethod; 4] = [
    BatchMethod::Sweep(Registers::Avx512),
    BatchMethod::Sweep(Registers::Avx2),
    BatchMethod::Sweep(Registers::Baseline),
    BatchMethod::Walk,
];

pub(crate) const SINGLE_ROWS: usize = 2_048;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(Command::Score(args)) = args.command {
        return own::score(&args);
    }
    println!(
        "ns a row, least of {} turns of each side, processor time; two threads: wall time\n",
        args.turns
    );
    println!("| forest | d | rows at once | emberwatch | hessboost 0.4.6 | ratio | largest difference |");
    println!("|---|---|---|---|---|---|---|");
    for (trees, sample, d) in [(100, 256, 8), (100, 256, 16), (100, 256, 38), (200, 512, 16)] {
        compare(trees, sample, d, args.turns)?;
    }
    println!("\nBy method, times as fast as hessboost in brackets\n");
    println!("| d | rows at once | AVX-512 | AVX2 | baseline | walk |\n|---|---|---|---|---|---|");
    for d in [8, 16, 38] {
        methods(d, args.turns)?;
    }
    println!();
    two_threads(args.turns)?;
    fit(args.turns)
}

fn compare(trees: usize, sample: usize, d: usize, turns: usize) -> anyhow::Result<()> {
    let forest = own::fit(&data::rows(100_000, d, 1), trees, sample)?;
    let peer = Hessboost::new(&forest)?;
    let rows = data::rows(BATCH, d, 2);
    let difference = difference(&forest, &peer, &rows)?;
    for at_once in [BATCH, 1_000, 128, 64, 40, 1] {
        let rows = &first_rows(&rows, if at_once == 1 { SINGLE_ROWS } else { BATCH });
        let ours = || own::score_in_batches(&forest, rows, at_once);
        let theirs = || peer.score_in_batches(rows, at_once);
        let (ours, theirs) = in_turns(turns, ours, theirs);
        let per_row = |time: Duration| time.as_secs_f64() * 1e9 / rows.nrows() as f64;
        let (ours, theirs) = (per_row(ours), per_row(theirs));
        let ratio = theirs / ours;
        println!(
            "| {trees} x {sample} | {d} | {at_once} | {ours:.0} | {theirs:.0} | {ratio:.2} | {difference:.1e} |"
        );
    }
    Ok(())
}

/// Batches of 100 x 256 by every method that there is.
fn methods(d: usize, turns: usize) -> anyhow::Result<()> {
    let forest = own::fit(&data::rows(100_000, d, 1), 100, 256)?;
    let peer = Hessboost::new(&forest)?;
    let rows = data::rows(BATCH, d, 2);
    for at_once in [BATCH, 128, 64, 32] {
        let by = |method| {
            let ours = || own::score_in_batches_by(method, &forest, &rows, at_once);
            let (ours, theirs) = in_turns(turns, ours, || peer.score_in_batches(&rows, at_once));
            (ours.as_secs_f64() * 1e9 / BATCH as f64, theirs.as_secs_f64() / ours.as_secs_f64())
        };
        print!("| {d} | {at_once} |");
        for method in METHODS {
            let (ours, ratio) = by(method);
            print!(" {ours:.0} ({ratio:.2}) |");
        }
        println!();
    }
    Ok(())
}

/// The largest difference of two scores of a row.
fn difference(forest: &Forest, peer: &Hessboost, rows: &Array2<f32>) -> anyhow::Result<f64> {
    let mut scores = vec![0.0; rows.nrows()];
    forest.raw_scores(rows.view(), &mut scores);
    let others = peer.scores(rows)?;
    let difference = scores.iter().zip(others).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    ensure!(difference <= MAX_DIFFERENCE, "the scores of the two sides differ by {difference}");
    Ok(difference)
}

/// The least processor time of a call of each.
fn in_turns(turns: usize, mut ours: impl FnMut(), mut theirs: impl FnMut()) -> (Duration, Duration) {
    let mut least = (Duration::MAX, Duration::MAX);
    // The first turn warms up.
    for turn in 0..=turns {
        let (ours, theirs) = (processor_time(&mut ours), processor_time(&mut theirs));
        if turn > 0 {
            least = (least.0.min(ours), least.1.min(theirs));
        }
    }
    least
}

fn processor_time(work: &mut impl FnMut()) -> Duration {
    let begun = ProcessTime::now();
    work();
    begun.elapsed()
}

fn two_threads(turns: usize) -> anyhow::Result<()> {
    let forest = own::fit(&data::rows(100_000, 16, 1), 100, 256)?;
    let rows = data::rows(8 * BATCH, 16, 2);
    let mut least = [Duration::MAX; 2];
    for _ in 0..turns {
        for (threads, least) in [1, 2].into_iter().zip(&mut least) {
            let begun = Instant::now();
            own::score_on_threads(&forest, &rows, threads);
            *least = begun.elapsed().min(*least);
        }
    }
    let [one, two] = least.map(|time| time.as_secs_f64() * 1e9 / rows.nrows() as f64);
    println!("A second thread (100 x 256, d = 16): {one:.0} -> {two:.0} ns a row, {:.2}x", one / two);
    Ok(())
}

fn fit(turns: usize) -> anyhow::Result<()> {
    let rows = data::rows(100_000, 16, 1);
    let mut least = Duration::MAX;
    for _ in 0..turns {
        let begun = ProcessTime::now();
        own::fit(&rows, 100, 256)?;
        least = begun.elapsed().min(least);
    }
    println!("Fit of 100 x 256 from 100,000 x 16 rows: {:.1} ms", least.as_secs_f64() * 1e3);
    Ok(())
}

/// The first rows of a matrix, as one of its own.
pub(crate) fn first_rows(rows: &Array2<f32>, n: usize) -> Array2<f32> {
    rows.view().split_at(Axis(0), n.min(rows.nrows())).0.to_owned()
}

/// A file given on the command line.
pub(crate) type File = PathBuf;
