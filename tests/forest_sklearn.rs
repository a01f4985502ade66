//! Our forest against scikit-learn's: other random numbers, so equal in distribution only.
//!
//! Needs Python with scikit-learn, see `support/python.rs`.

#![allow(clippy::unwrap_used, reason = "a test stops by panicking")]

#[cfg(test)]
#[path = "support/python.rs"]
mod python;

use std::{fmt::Write as _, io::Write as _, process::Stdio};

use emberwatch::score::iforest::Hyperparams;
use ndarray::{Array2, Axis};
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;

const N_TRAIN: usize = 2_000;
const N_SCORED: usize = 1_000;
const D: usize = 6;
const SEEDS: u64 = 5;

/// Over five seeds the mean AUROC of both is equal within 0.04, and so are the mean scores within 0.02.
///
/// scikit-learn's AUROC on such data has a standard deviation of 0.02 from seed to seed (measured over
/// 12 seeds), so the difference of two means of five has 0.013; 0.04 is three times that.
#[test]
fn auroc_and_scores_equal_those_of_scikit_learn() {
    if python::find("sklearn").is_none() {
        return;
    }
    let (rows, anomalous) = data();
    let (mut ours, mut theirs) = (0.0, 0.0);
    for seed in 0..SEEDS {
        let our_scores = our_scores(&rows, seed);
        let their_scores = scikit_learn_scores(&rows, seed);
        ours += auroc(&our_scores, &anomalous) / SEEDS as f64;
        theirs += auroc(&their_scores, &anomalous) / SEEDS as f64;
        let apart = our_scores.iter().zip(&their_scores).map(|(a, b)| a - b).sum::<f64>() / N_SCORED as f64;
        assert!(apart.abs() < 0.02, "mean difference of the scores: {apart}");
    }
    println!("AUROC over {SEEDS} seeds: ours {ours:.4}, scikit-learn {theirs:.4}");
    assert!((ours - theirs).abs() < 0.04, "AUROC: ours {ours}, scikit-learn {theirs}");
}

/// Two clusters; every tenth scored row is moved by 1.5 in three of its columns: hard enough that the AUROC is
/// well below 1.
fn data() -> (Array2<f32>, Vec<bool>) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(2026);
    let mut rows =
        Array2::from_shape_simple_fn((N_TRAIN + N_SCORED, D), || random.sample::<f32, _>(StandardNormal));
    let mut anomalous = vec![false; N_SCORED];
    for (i, mut row) in rows.outer_iter_mut().enumerate() {
        if i % 2 == 0 {
            row += 3.0;
        }
        if i >= N_TRAIN && i % 10 == 0 {
            row.iter_mut().take(3).for_each(|value| *value += 1.5);
            anomalous[i - N_TRAIN] = true;
        }
    }
    (rows, anomalous)
}

fn our_scores(rows: &Array2<f32>, seed: u64) -> Vec<f64> {
    let params = Hyperparams { seed, ..Hyperparams::default() };
    let (train, scored) = rows.view().split_at(Axis(0), N_TRAIN);
    let forest = params.check().unwrap().fit(train).unwrap();
    let mut scores = vec![0.0; N_SCORED];
    forest.raw_scores(scored, &mut scores);
    scores
}

fn scikit_learn_scores(rows: &Array2<f32>, seed: u64) -> Vec<f64> {
    let mut csv = String::new();
    for row in rows.outer_iter() {
        let values: Vec<String> = row.iter().map(f32::to_string).collect();
        writeln!(csv, "{}", values.join(",")).unwrap();
    }
    let Hyperparams { n_trees, subsample_size, .. } = Hyperparams::default();
    let mut child = python::command()
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/isolation_forest.py"))
        .args([N_TRAIN, n_trees, subsample_size, seed as usize].map(|number| number.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(csv.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the oracle failed: {}", output.status);
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

/// The chance that an anomalous row scores above an ordinary one, ties counting half.
fn auroc(scores: &[f64], anomalous: &[bool]) -> f64 {
    let of = |kind: bool| scores.iter().zip(anomalous).filter(move |(_, a)| **a == kind).map(|(s, _)| *s);
    let (mut won, mut pairs) = (0.0, 0.0);
    for high in of(true) {
        for low in of(false) {
            won += if high > low {
                1.0
            } else if high == low {
                0.5
            } else {
                0.0
            };
            pairs += 1.0;
        }
    }
    won / pairs
}
