//! What splits beyond the plain one are for: rows that are ordinary in every feature and strange in how the features go together,
//! and clusters of strange rows.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use emberwatch::score::iforest::{Forest, Hyperparams, Scoring, Splits};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Two features that follow each other, for each row a.
fn following(n: usize, seed: u64) -> Array2<f32> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut rows = Array2::zeros((n, 2));
    for mut row in rows.rows_mut() {
        let (level, own): (f32, f32) = (random.sample(StandardNormal), random.sample(StandardNormal));
        row[0] = level;
        row[1] = level + own / 10.0;
    }
    rows
}

fn fit(rows: &Array2<f32>, splits: Splits, scoring: Scoring) -> Forest {
    Hyperparams { splits, scoring, ..Hyperparams::default() }.check().unwrap().fit(rows.view()).unwrap()
}

/// The share of ordinary rows that score below the row.
fn rank(forest: &Forest, ordinary: &Array2<f32>, x: [f32; 2]) -> f64 {
    let score = forest.raw_score(&x);
    let below = ordinary.outer_iter().filter(|row| forest.raw_score(row.as_slice().unwrap()) < score).count();
    below as f64 / ordinary.nrows() as f64
}

/// Off the diagonal, within the range of both features: hyperplanes rank such rows above nearly all ordinary ones,
/// axis-parallel splits among those towards the ends of the diagonal. Mean over rows.
#[test]
fn hyperplanes_see_rows_off_the_diagonal_that_axis_parallel_splits_rank_lower() {
    let (train, ordinary) = (following(4_000, 1), following(1_000, 2));
    let off_diagonal = [[0.6, -0.6], [-0.7, 0.5], [0.4, -0.8], [-0.4, 0.8], [1.0, -0.2], [-1.0, 0.2]];
    let mean_rank = |splits| {
        let forest = fit(&train, splits, Scoring::Depth);
        off_diagonal.iter().map(|x| rank(&forest, &ordinary, *x)).sum::<f64>() / off_diagonal.len() as f64
    };
    let plain = mean_rank(Splits::Plain);
    for splits in [Splits::Extended { features: 2 }, Splits::Guided { features: 2, candidates: 10 }] {
        let oblique = mean_rank(splits);
        assert!(oblique > 0.95 && oblique > plain + 0.03, "{splits}: {oblique}, plain {plain}");
    }
}

/// Past the outermost splits a path hardly gets shorter; penalised, further is stranger.
#[test]
fn penalised_depth_tells_far_from_further() {
    let train = following(4_000, 1);
    for splits in [Splits::Plain, Splits::Extended { features: 2 }] {
        let depth = fit(&train, splits, Scoring::Depth);
        let penalized = fit(&train, splits, Scoring::PenalizedDepth);
        let further = |forest: &Forest| forest.raw_score(&[30.0, 0.0]) - forest.raw_score(&[5.0, 0.0]);
        let (depth, penalized) = (further(&depth), further(&penalized));
        assert!(penalized > depth + 0.02, "{splits}: {depth}, penalised {penalized}");
    }
}

/// A change detector, as for plain forests in `forest_properties`: change the numbers knowingly, and say so in the
/// changelog.
#[test]
fn the_forests_of_a_seed_have_not_changed() {
    // Whole numbers made without any generator or library function.
    let rows = Array2::from_shape_fn((600, 5), |(i, j)| ((i * 37 + j * 101 + i * i % 89) % 211) as f32);
    let checksum = |splits| {
        let params =
            Hyperparams { n_trees: 20, splits, scoring: Scoring::PenalizedDepth, ..Hyperparams::default() };
        let forest = params.check().unwrap().fit(rows.view()).unwrap();
        let nodes = forest.hyperplane_trees().iter().flat_map(|tree| tree.nodes());
        crc32fast::hash(nodes.map(|node| format!("{node:?}\n")).collect::<String>().as_bytes())
    };
    assert_eq!(checksum(Splits::Extended { features: 2 }), 3_381_712_933);
    assert_eq!(checksum(Splits::Guided { features: 2, candidates: 5 }), 2_028_553_131);
}
