//! Made-up rows: four clusters, heavy tails in a quarter of the columns, one row in a hundred far out.

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;

/// `n` rows of `d` columns; the same for the same seed.
pub(crate) fn rows(n: usize, d: usize, seed: u64) -> Array2<f32> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    Array2::from_shape_fn((n, d), |(row, column)| {
        let noise: f32 = random.sample(StandardNormal);
        let centre = ((row * 7 + column * 3) % 4) as f32 * 2.0;
        let value = if column < d / 4 { noise * noise * noise } else { centre + noise };
        if row % 100 == 0 { value * 6.0 } else { value }
    })
}
