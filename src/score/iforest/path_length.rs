//! c(n), the yardstick of path lengths.

/// How a forest works out the harmonic number in c(n). Its trees and its scores belong to one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HarmonicNumbers {
    /// As the sum that it is: [`average_path_length`]. Every forest that is grown here.
    #[default]
    Exact,
    /// `H(n) = ln(n) + 0.5772...`, with c(2) = 1: the paper's and scikit-learn's. A forest that was grown
    /// there gives the scores that it gives there only with these.
    Approximate,
}

// === impl HarmonicNumbers ===

impl HarmonicNumbers {
    /// c(n), see [`average_path_length`].
    #[must_use]
    pub fn average_path_length(self, n: usize) -> f64 {
        match self {
            Self::Exact => average_path_length(n),
            // Of both kinds of numbers: what two rows are short of is one split.
            Self::Approximate if n <= 2 => average_path_length(n),
            Self::Approximate => {
                let n = n as f64;
                2.0 * ((n - 1.0).ln() + GAMMA) - 2.0 * (n - 1.0) / n
            }
        }
    }
}

/// Euler's constant.
const GAMMA: f64 = 0.577_215_664_901_532_9;

/// The average length of an unsuccessful search in a binary search tree of `n` rows: "c(n)" in Liu et
/// al. 2008, equation 1, `2 H(n-1) - 2 (n-1) / n`. It stands in for the part of a tree below a leaf
/// that holds `n` rows, and it is the unit of path lengths.
///
/// H is the exact harmonic number. The paper and scikit-learn put `ln(n-1) + 0.5772` in its place, which
/// is far too small where it matters most, in small leaves: c(3) is 5/3, the approximation says 1.21. (For
/// forests that come from there: [`HarmonicNumbers::Approximate`].)
#[must_use]
pub fn average_path_length(n: usize) -> f64 {
    if n < 2 {
        return 0.0;
    }
    2.0 * harmonic(n - 1) - 2.0 * (n - 1) as f64 / n as f64
}

/// H(n): summed from the small end up to 256, above that by its asymptotic series, whose first
/// omitted term (1 / 120 n^4) is below 2e-12 there.
fn harmonic(n: usize) -> f64 {
    if n <= 256 {
        return (1..=n).rev().map(|i| 1.0 / i as f64).sum();
    }
    let n = n as f64;
    n.ln() + GAMMA + 1.0 / (2.0 * n) - 1.0 / (12.0 * n * n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// H(1) = 1, H(2) = 3/2, H(3) = 11/6, H(4) = 25/12 put into the formula.
    #[test]
    fn small_values_by_hand() {
        let close = |n, expected: f64| (average_path_length(n) - expected).abs() < 1e-15;
        assert_eq!(average_path_length(0), 0.0);
        assert_eq!(average_path_length(1), 0.0);
        assert_eq!(average_path_length(2), 1.0);
        assert!(close(3, 3.0 - 4.0 / 3.0));
        assert!(close(4, 11.0 / 3.0 - 3.0 / 2.0));
        assert!(close(5, 25.0 / 6.0 - 8.0 / 5.0));
    }

    /// scikit-learn's special cases, then ln 2 and ln 255 = 5.541263... put into its formula.
    #[test]
    fn approximate_values_by_hand() {
        let c = |n| HarmonicNumbers::Approximate.average_path_length(n);
        assert_eq!([c(0), c(1), c(2)], [0.0, 0.0, 1.0]);
        assert!((c(3) - (2.0 * (std::f64::consts::LN_2 + 0.577_215_664_901_533) - 4.0 / 3.0)).abs() < 1e-14);
        let of_256 = 2.0 * (5.541_263_545_158_426 + 0.577_215_664_901_533) - 2.0 * 255.0 / 256.0;
        assert!((c(256) - of_256).abs() < 1e-12);
        assert_eq!(HarmonicNumbers::Exact.average_path_length(5), average_path_length(5));
    }

    #[test]
    fn the_series_continues_the_sum() {
        let summed = (1..=257).rev().map(|i| 1.0 / f64::from(i)).sum::<f64>();
        assert!((harmonic(257) - summed).abs() < 4e-12);
    }
}
