//! Seeded small mistakes in valid expressions: what a parser must be exact about.

use super::expressions;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Pieces that change the meaning of what stands around them.
const PIECES: &[&str] = &[
    "_", "0", "e", ".", "x", ":", "\\", "'", "-", " ", "#", "[", "(", "offset", "by", "1m", "bool", "\n",
    ",", "=",
];

/// `count` mutated expressions; the same for the same `seed`.
///
/// Expressions with regular expressions are left out: the two engines differ in what they accept.
pub(super) fn expressions(seed: u64, count: usize) -> Vec<String> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mutable = |text: &&str| text.is_ascii() && !text.contains('~');
    let seeds: Vec<&str> = expressions::evaluated().filter(mutable).collect();
    (0..count)
        .map(|_| {
            let mut text = seeds[rng.random_range(0..seeds.len())].to_owned();
            let other = seeds[rng.random_range(0..seeds.len())];
            let mut cut = |text: &str| {
                let start = rng.random_range(0..=text.len());
                start..(start + rng.random_range(0..8)).min(text.len())
            };
            let (here, there) = (cut(&text), cut(other));
            match rng.random_range(0..4) {
                0 => text.replace_range(here, ""),
                1 => text.replace_range(here, &other[there]),
                2 => text.insert_str(here.start, &other[there]),
                _ => text.insert_str(here.start, PIECES[rng.random_range(0..PIECES.len())]),
            }
            text
        })
        .collect()
}
