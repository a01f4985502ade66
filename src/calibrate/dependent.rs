//! The law of a mean of evidence whose parts depend on each other.
//!
//! Evidence is -log10 of a tail probability, so under normal operation evidence times ln 10 is exponential of mean one.
//! The members of a model look at the same row: the mean of k independent parts would follow a gamma law of shape k,
//! that of k equal parts the exponential law, which is shape one. M. B. Brown, "A method for combining non-independent,
//! one-sided tests of significance", Biometrics 1975, takes the law between them whose variance is the one seen.
//!
//! **Why a law, where scores could be counted?** Because the counted tail is the least certain part of a model. It rests
//! on a few dozen rows, among them whatever incidents the training held, and a threshold read off it differs from server to
//! server by chance. The law has one number, from all rows.

use super::{Tail, TailError};
use std::f64::consts::LN_10;

/// Never more independent than this. The variance speaks of ordinary rows; far out, where it matters, members agree more.
/// Of the training rows of 23 servers (scores of models that had not seen them, no labels) 0.7 to 1.8 times as many lie
/// above what the law of this shape calls one in 100, 250 and 1,000 as it says; by the shapes of the variances, 1.4 to
/// 1.8, it would be far more.
const MOST_INDEPENDENT: f64 = 1.45;

/// Knots of the law's body.
const N_KNOTS: usize = 128;

/// Where the tail's slope is taken, below [`Tail::SHARE`].
const FAR: f64 = 1e-3;

/// The calibration of means of evidence, by what normal rows gave, in any order.
///
/// # Errors
/// As [`Tail::fit`].
pub fn tail_of_means(evidence: &[f64]) -> Result<Tail, TailError> {
    Tail::check(evidence)?;
    let n = evidence.len() as f64;
    let mean = evidence.iter().sum::<f64>() / n;
    let variance = evidence.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / n * LN_10 * LN_10;
    // Comparisons with NaN are false: all equal is as dependent as can be.
    let shape = if variance > 0.0 { (1.0 / variance).clamp(1.0, MOST_INDEPENDENT) } else { 1.0 };
    let threshold = quantile(shape, Tail::SHARE);
    let knot = |i: usize| {
        let at = threshold * (i + 1) as f64 / N_KNOTS as f64;
        (at, gamma_survival(shape, shape * LN_10 * at))
    };
    let scale = (quantile(shape, FAR) - threshold) / (Tail::SHARE / FAR).ln();
    Ok(Tail::of_law((0..N_KNOTS).map(knot).collect(), scale, evidence.len()))
}

/// The evidence that the law of this shape exceeds with probability `p`, by bisection.
fn quantile(shape: f64, p: f64) -> f64 {
    let (mut low, mut high) = (0.0, 12.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if gamma_survival(shape, shape * LN_10 * middle) > p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The probability that a gamma variable of this shape and scale 1 exceeds `x` >= 0: the regularised upper incomplete
/// gamma function, by its series or its continued fraction (modified Lentz), as in NIST's DLMF 8.7.1 and 8.9.2.
fn gamma_survival(shape: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    if x <= 0.0 {
        return 1.0;
    }
    let front = (shape * x.ln() - x).exp() / gamma(shape);
    if x < shape + 1.0 {
        let (mut term, mut sum) = (1.0 / shape, 1.0 / shape);
        for k in 1..200 {
            term *= x / (shape + f64::from(k));
            sum += term;
        }
        return 1.0 - front * sum;
    }
    let mut b = x + 1.0 - shape;
    let (mut c, mut d) = (1.0 / TINY, 1.0 / b);
    let mut fraction = d;
    for k in 1..200 {
        let k = f64::from(k);
        let a = -k * (k - shape);
        b += 2.0;
        d = 1.0 / at_least(TINY, a * d + b);
        c = at_least(TINY, b + a / c);
        fraction *= d * c;
    }
    front * fraction
}

fn at_least(tiny: f64, value: f64) -> f64 {
    if value.abs() < tiny { tiny } else { value }
}

/// The gamma function between 1 and 2, where a law's shape is: M. Abramowitz, I. A. Stegun, 6.1.36, to 3e-7.
fn gamma(shape: f64) -> f64 {
    const COEFFICIENTS: [f64; 8] = [
        0.035_868_343,
        -0.193_527_818,
        0.482_199_394,
        -0.756_704_078,
        0.918_206_857,
        -0.897_056_937,
        0.988_205_891,
        -0.577_191_652,
    ];
    let x = shape - 1.0;
    COEFFICIENTS.into_iter().fold(0.0, |sum, coefficient| (sum + coefficient) * x) + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of scipy.stats.gamma.sf.
    #[test]
    fn survival_agrees_with_scipy() {
        for (shape, x, expected) in [
            (1.0, 0.5, 6.065306597e-01),
            (1.0, 8.0, 3.354626279e-04),
            (1.2, 1.0, 4.530469147e-01),
            (1.2, 9.5, 1.303858399e-04),
            (1.4, 0.2, 9.246267210e-01),
            (1.4, 3.0, 9.707989295e-02),
            (1.4, 6.4, 4.161999166e-03),
            (1.4, 14.0, 2.767216567e-06),
        ] {
            let survival = gamma_survival(shape, x);
            assert!((survival / expected - 1.0).abs() < 1e-6, "{shape} {x}: {survival}, not {expected}");
        }
    }

    /// Exponential evidence of one part, and the mean of equal parts, keeps its probability.
    #[test]
    fn one_part_means_what_it_says() {
        let n = 10_000;
        let evidence: Vec<f64> = (0..n).map(|i| -((i as f64 + 0.5) / n as f64).log10()).collect();
        let tail = tail_of_means(&evidence).unwrap();
        for e in [0.5, 1.0, 2.0, 3.0, 4.0] {
            let p = tail.probability(e);
            assert!((p.log10() + e).abs() < 0.05, "evidence {e} has probability {p}");
        }
    }

    /// Independent parts are taken for more dependent than they are: too careful, never too bold.
    #[test]
    fn independent_parts_are_judged_with_care() {
        let mean = |i: u64| {
            let part = |j: u64| {
                let draw = xxhash_rust::xxh3::xxh3_64(&(4 * i + j).to_le_bytes()) >> 11;
                -((draw as f64 + 0.5) / (1_u64 << 53) as f64).log10()
            };
            (0..4).map(part).sum::<f64>() / 4.0
        };
        let mut means: Vec<f64> = (0..40_000).map(mean).collect();
        let tail = tail_of_means(&means).unwrap();
        means.sort_unstable_by(f64::total_cmp);
        for above in [40, 400] {
            let seen = f64::from(above) / 40_000.0;
            let said = tail.probability(means[40_000 - above as usize]);
            assert!(said > seen, "{said} is said of what occurs {seen}");
        }
    }

    #[test]
    fn what_is_no_evidence_is_refused() {
        assert!(matches!(tail_of_means(&[1.0; 3]), Err(TailError::TooFew { given: 3 })));
        assert!(matches!(tail_of_means(&[f64::NAN; 30]), Err(TailError::NotFinite { index: 0, .. })));
        assert!(tail_of_means(&[0.5; 30]).unwrap().probability(3.0) < 0.002);
    }
}
