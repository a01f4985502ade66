//! Where to cut a list of numbers so that both sides are tight.

/// A place between two neighbours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cut {
    /// By how much the sides are tighter than the whole, 0 to 1.
    pub(super) gain: f64,
    /// The last number on the left.
    pub(super) left: f64,
    /// The first number on the right, above `left`.
    pub(super) right: f64,
}

/// The cut of the largest averaged gain, "SD_gain" in Liu, Ting, Zhou 2010, equation 1: `(s - (s_left + s_right) / 2) / s`
/// with the standard deviations of the whole and of the sides. Of equal ones the leftmost, none where all
/// numbers are equal.
///
/// Some cut gains: one of the two outermost groups of equal numbers, cut off, holds at most half
/// of the numbers, so the other side deviates by at most sqrt(2) s, and the gain is at least 1 - sqrt(1/2).
///
/// `sorted` ascends; `deviations` is room to work in.
pub(super) fn best_cut(sorted: &[f64], deviations: &mut Vec<f64>) -> Option<Cut> {
    // For each number the standard deviation of it and all behind it.
    deviations.clear();
    let mut behind = Spread::default();
    deviations.extend(sorted.iter().rev().map(|value| behind.push(*value)));
    deviations.reverse();

    let whole = *deviations.first()?;
    let mut before = Spread::default();
    let mut best: Option<Cut> = None;
    for (pair, behind) in sorted.windows(2).zip(&deviations[1..]) {
        let before = before.push(pair[0]);
        if pair[0] == pair[1] {
            continue;
        }
        let gain = 1.0 - (before + behind) / (2.0 * whole);
        if best.is_none_or(|best| gain > best.gain) {
            best = Some(Cut { gain, left: pair[0], right: pair[1] });
        }
    }
    best
}

/// A running standard deviation (Welford, Technometrics 1962).
#[derive(Clone, Copy, Debug, Default)]
struct Spread {
    n: f64,
    mean: f64,
    squares: f64,
}

// === impl Spread ===

impl Spread {
    /// Takes a number in; gives the standard deviation so far.
    fn push(&mut self, value: f64) -> f64 {
        self.n += 1.0;
        let from_old_mean = value - self.mean;
        self.mean += from_old_mean / self.n;
        self.squares += from_old_mean * (value - self.mean);
        (self.squares / self.n).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(sorted: &[f64]) -> Option<Cut> {
        best_cut(sorted, &mut Vec::new())
    }

    /// 0, 2, 10: the whole has mean 4 and variance (16 + 4 + 36) / 3 = 56/3. Cut behind 0 the right side (2, 10) deviates
    /// by 4, cut behind 2 the left side (0, 2) by 1: the latter gains 1 - 1 / (2 sqrt(56/3)).
    #[test]
    fn the_tightest_sides_by_hand() {
        let best = cut(&[0.0, 2.0, 10.0]).unwrap();
        assert_eq!((best.left, best.right), (2.0, 10.0));
        assert!((best.gain - (1.0 - 0.5 / (56.0_f64 / 3.0).sqrt())).abs() < 1e-15);
    }

    #[test]
    fn two_numbers_are_parted_with_all_the_gain_and_equal_ones_not() {
        assert_eq!(cut(&[-1.0, 3.0]), Some(Cut { gain: 1.0, left: -1.0, right: 3.0 }));
        assert_eq!(cut(&[2.0, 2.0, 2.0]), None);
        assert_eq!(cut(&[]), None);
    }

    proptest! {
        /// For all numbers that are not all equal, the best cut is that of trying each with two-pass deviations, and it
        /// gains at least what its documentation promises.
        #[test]
        fn the_best_cut_equals_trying_all(values in prop::collection::vec(-20_i32..20, 2..40)) {
            let mut sorted: Vec<f64> = values.into_iter().map(f64::from).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            prop_assume!(sorted.first() != sorted.last());
            let deviation = |values: &[f64]| {
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
            };
            let gain = |at: usize| {
                let (left, right) = sorted.split_at(at);
                1.0 - (deviation(left) + deviation(right)) / (2.0 * deviation(&sorted))
            };
            let places = (1..sorted.len()).filter(|at| sorted[at - 1] < sorted[*at]);
            let expected = places.map(gain).fold(f64::NEG_INFINITY, f64::max);
            let best = cut(&sorted).unwrap();
            prop_assert!((best.gain - expected).abs() < 1e-12);
            prop_assert!(best.gain > 1.0 - 0.5_f64.sqrt() - 1e-12 && best.left < best.right);
        }
    }
}
