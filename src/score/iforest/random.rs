//! Randomness of one tree.
//!
//! The generator and the few draws made from it are fixed here, by name and by formula, because a
//! forest must come out the same in every version of the product: the distributions of the `rand`
//! crate may change between its releases.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The generator of one tree.
pub(super) struct TreeRandom(Xoshiro256PlusPlus);

impl TreeRandom {
    /// The generator of tree number `tree` of a forest with this seed. Trees do not share a
    /// generator, so the order in which they are grown cannot matter.
    pub(super) fn new(seed: u64, tree: usize) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(split_mix(seed, tree as u64)))
    }

    /// A whole number in `0..bound` (`bound` > 0): the upper half of a 128-bit product
    /// (D. Lemire, 2019). Without his rejection step a number's chance is off by `bound` / 2^64.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.0.next_u64()) * bound as u128;
        (product >> 64) as usize
    }

    /// A number in `0.0..1.0`, one of 2^53 equally spaced.
    pub(super) fn fraction(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// A number from the standard normal distribution, never 0: the polar method (Marsaglia, Bray, "A Convenient
    /// Method for Generating Normal Variables", SIAM Review 1964). Its second number is not kept.
    pub(super) fn normal(&mut self) -> f64 {
        loop {
            let (u, v) = (2.0 * self.fraction() - 1.0, 2.0 * self.fraction() - 1.0);
            let square = u * u + v * v;
            if square < 1.0 && u != 0.0 {
                return u * (-2.0 * square.ln() / square).sqrt();
            }
        }
    }

    /// `size` distinct numbers of `0..n` (`size` <= `n`), each set equally likely: R. Floyd's
    /// algorithm (Bentley, "Programming Pearls", CACM 1987), with one bit a number.
    pub(super) fn sample(&mut self, n: usize, size: usize) -> Vec<usize> {
        debug_assert!(size <= n);
        let mut taken = vec![0_u64; n.div_ceil(64)];
        let mut numbers = Vec::with_capacity(size);
        for last in n - size..n {
            let drawn = self.below(last + 1);
            let number = if taken[drawn / 64] >> (drawn % 64) & 1 == 0 { drawn } else { last };
            taken[number / 64] |= 1 << (number % 64);
            numbers.push(number);
        }
        numbers
    }
}

/// Output number `stream` of a SplitMix64 generator (Steele, Lea, Flood, OOPSLA 2014) with this seed.
fn split_mix(seed: u64, stream: u64) -> u64 {
    const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut z = seed.wrapping_add(stream.wrapping_add(1).wrapping_mul(GAMMA));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The first outputs of SplitMix64 with seed 1234567, as listed on Rosetta Code ("Pseudo-random
    /// numbers/Splitmix64").
    #[test]
    fn split_mix_gives_the_published_outputs() {
        assert_eq!(split_mix(1_234_567, 0), 6_457_827_717_110_365_317);
        assert_eq!(split_mix(1_234_567, 1), 3_203_168_211_198_807_973);
    }

    proptest! {
        /// For all sizes, a sample has that many distinct numbers, all below `n`.
        #[test]
        fn samples_are_distinct(seed: u64, n in 1_usize..300, part in 0.0..=1.0) {
            let size = (n as f64 * part) as usize;
            let mut numbers = TreeRandom::new(seed, 3).sample(n, size);
            numbers.sort_unstable();
            numbers.dedup();
            prop_assert_eq!(numbers.len(), size);
            prop_assert!(numbers.iter().all(|&number| number < n));
        }
    }

    /// 20,000 samples of 2 of 5: each number is expected 8,000 times, standard deviation 69.
    #[test]
    fn every_number_is_sampled_equally_often() {
        let mut seen = [0_i32; 5];
        let mut random = TreeRandom::new(42, 0);
        for _ in 0..20_000 {
            for number in random.sample(5, 2) {
                seen[number] += 1;
            }
        }
        assert!(seen.iter().all(|count| (count - 8_000).abs() < 350), "{seen:?}");
    }

    /// Of 20,000 numbers the mean has the standard deviation 0.007, the variance 0.01; 317 in 1,000 are beyond 1,
    /// give or take 3.3.
    #[test]
    fn normal_numbers_have_the_moments_of_the_distribution() {
        let mut random = TreeRandom::new(42, 0);
        let numbers: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let mean = |of: &dyn Fn(f64) -> f64| numbers.iter().map(|x| of(*x)).sum::<f64>() / 20_000.0;
        assert!(mean(&|x| x).abs() < 0.035);
        assert!((mean(&|x| x * x) - 1.0).abs() < 0.05);
        assert!((mean(&|x| f64::from(u8::from(x.abs() > 1.0))) - 0.317_3).abs() < 0.017);
    }
}
