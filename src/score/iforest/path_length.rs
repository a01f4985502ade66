//! c(n), the yardstick of path lengths.

/// Euler's constant.
const GAMMA: f64 = 0.577_215_664_901_532_9;

/// The average length of an unsuccessful search in a binary search tree of `n` rows: "c(n)" in Liu et
/// al. 2008, equation 1, `2 H(n-1) - 2 (n-1) / n`. It stands in for the part of a tree below a leaf
/// that holds `n` rows, and it is the unit of path lengths.
///
/// H is the exact harmonic number. The paper and scikit-learn put `ln(n-1) + 0.5772` in its place, which
/// is far too small where it matters most, in small leaves: c(3) is 5/3, the approximation says 1.21.
/// (A converter that must reproduce scikit-learn's scores to the last digits has to replace the leaf
/// values by the approximation, with scikit-learn's special cases c(1) = 0 and c(2) = 1.)
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

    #[test]
    fn the_series_continues_the_sum() {
        let summed = (1..=257).rev().map(|i| 1.0 / f64::from(i)).sum::<f64>();
        assert!((harmonic(257) - summed).abs() < 4e-12);
    }
}
