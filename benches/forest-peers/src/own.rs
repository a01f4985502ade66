//! The forest of emberwatch.

use crate::{File, SINGLE_ROWS, first_rows};
use anyhow::{Context, ensure};
use clap::Args;
use cpu_time::ProcessTime;
use emberwatch::score::iforest::{BatchMethod, Forest, Hyperparams};
use ndarray::{Array2, ArrayView2, Axis};
use serde_json::json;
use std::{hint::black_box, thread, time::Instant};

/// One cell of another program's table
#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    /// Rows to grow from: single precision, little-endian, row by row
    #[arg(long)]
    train: File,
    /// Rows to score
    #[arg(long)]
    test: File,
    /// Columns of both
    #[arg(long)]
    dim: usize,
    #[arg(long, default_value_t = 100)]
    trees: usize,
    #[arg(long, default_value_t = 256)]
    sample: usize,
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Rows at once
    #[arg(long, default_value_t = 10_000)]
    batch: usize,
}

pub(crate) fn fit(rows: &Array2<f32>, n_trees: usize, subsample_size: usize) -> anyhow::Result<Forest> {
    let params = Hyperparams { n_trees, subsample_size, ..Hyperparams::default() }.check()?;
    Ok(params.fit(rows.view())?)
}

pub(crate) fn score_in_batches(forest: &Forest, rows: &Array2<f32>, at_once: usize) {
    if at_once == 1 {
        for row in rows.outer_iter() {
            if let Some(row) = row.as_slice() {
                black_box(forest.raw_score(row));
            }
        }
        return;
    }
    let mut scores = vec![0.0; at_once];
    for rows in rows.axis_chunks_iter(Axis(0), at_once) {
        forest.raw_scores(rows, &mut scores[..rows.nrows()]);
        black_box(&scores);
    }
}

pub(crate) fn score_in_batches_by(method: BatchMethod, forest: &Forest, rows: &Array2<f32>, at_once: usize) {
    let mut scores = vec![0.0; at_once];
    for rows in rows.axis_chunks_iter(Axis(0), at_once) {
        forest.raw_scores_by(method, rows, &mut scores[..rows.nrows()]);
        black_box(&scores);
    }
}

pub(crate) fn score_on_threads(forest: &Forest, rows: &Array2<f32>, threads: usize) {
    let part = rows.nrows().div_ceil(threads);
    let score = |rows: ArrayView2<'_, f32>| {
        let mut scores = vec![0.0; rows.nrows()];
        forest.raw_scores(rows, &mut scores);
        black_box(scores);
    };
    thread::scope(|scope| {
        for rows in rows.axis_chunks_iter(Axis(0), part) {
            scope.spawn(move || score(rows));
        }
    });
}

/// Grows, scores, prints the figures as one line of JSON.
pub(crate) fn score(args: &ScoreArgs) -> anyhow::Result<()> {
    let (train, test) = (read(&args.train, args.dim)?, read(&args.test, args.dim)?);
    let begun = ProcessTime::now();
    let forest = fit(&train, args.trees, args.sample)?;
    let fit = begun.elapsed();
    let rows = first_rows(&test, if args.batch <= 1 { SINGLE_ROWS } else { args.batch });
    let mut least = f64::INFINITY;
    for _ in 0..9 {
        let (wall, processor) = (Instant::now(), ProcessTime::now());
        match args.threads {
            1 => score_in_batches(&forest, &rows, args.batch.max(1)),
            threads => score_on_threads(&forest, &rows, threads),
        }
        let time = if args.threads == 1 { processor.elapsed() } else { wall.elapsed() };
        least = least.min(time.as_secs_f64() * 1e9 / rows.nrows() as f64);
    }
    println!("{}", json!({ "fit_ns": fit.as_nanos() as u64, "ns_per_row": least }));
    Ok(())
}

fn read(file: &File, columns: usize) -> anyhow::Result<Array2<f32>> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let (values, rest) = bytes.as_chunks::<4>();
    ensure!(
        columns > 0 && rest.is_empty() && values.len() % columns == 0,
        "{} holds {} bytes, which are no rows of {columns} numbers",
        file.display(),
        bytes.len()
    );
    let values = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Ok(Array2::from_shape_vec((bytes.len() / 4 / columns, columns), values)?)
}
