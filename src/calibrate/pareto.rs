//! The generalised Pareto distribution of excesses over a high threshold.

/// Shapes outside are pulled in. From 1/2 on the variance is infinite, so sample moments cannot tell heavier
/// tails apart. Below -1/2 the tail ends so abruptly that a small error of its threshold halves or doubles
/// the probabilities near the end; pulled in, they err to the careful side (too large).
pub(super) const SHAPE: std::ops::RangeInclusive<f64> = -0.5..=0.5;

/// Below this the shape counts as zero and the distribution as exponential.
const EXPONENTIAL: f64 = 1e-6;

/// `S(y) = (1 + shape * y / scale)^(-1 / shape)`, with the limit `exp(-y / scale)` at shape 0.
///
/// A negative shape has an end, where the probability is zero: a claim that no sample supports. So a
/// short tail is followed as far as the sample reached (`S = 1 / (n + 1)` for n excesses) and goes on
/// exponentially from there, with the slope it has there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct GeneralisedPareto {
    scale: f64,
    shape: f64,
    /// Where the exponential continuation of a short tail begins; infinite for other shapes.
    join: f64,
    /// Natural logarithm of S at the join.
    log_at_join: f64,
    /// Scale of the continuation.
    scale_beyond: f64,
}

// === impl GeneralisedPareto ===

impl GeneralisedPareto {
    /// From its parameters and the number of excesses it was fitted to. `scale` must be positive and
    /// finite; the shape is pulled into its bounds.
    pub(super) fn new(scale: f64, shape: f64, excesses: u32) -> Self {
        let shape = shape.clamp(*SHAPE.start(), *SHAPE.end());
        let n = f64::from(excesses) + 1.0;
        if shape >= -EXPONENTIAL {
            return Self { scale, shape, join: f64::INFINITY, log_at_join: 0.0, scale_beyond: scale };
        }
        let join = scale / shape * (n.powf(shape) - 1.0);
        Self { scale, shape, join, log_at_join: -n.ln(), scale_beyond: scale + shape * join }
    }

    /// Fits excesses (ascending, not negative) by probability-weighted moments: J. R. M. Hosking, J. R.
    /// Wallis, "Parameter and quantile estimation for the generalized Pareto distribution",
    /// Technometrics 1987. (Their k is minus the shape.) None when all excesses are zero or there is none.
    pub(super) fn fit(excesses: &[f64]) -> Option<Self> {
        let n = excesses.len() as f64;
        let mean = excesses.iter().sum::<f64>() / n;
        if !(mean > 0.0 && mean.is_finite()) {
            return None;
        }
        let weighted =
            excesses.iter().enumerate().map(|(i, y)| (1.0 - (i as f64 + 0.65) / n) * y).sum::<f64>() / n;
        let spread = mean - 2.0 * weighted;
        let shape = if spread > 0.0 { 2.0 - mean / spread } else { *SHAPE.start() };
        let shape = shape.clamp(*SHAPE.start(), *SHAPE.end());
        // With the shape given (or bounded), the scale that keeps the mean: mean = scale / (1 - shape).
        let count = u32::try_from(excesses.len()).unwrap_or(u32::MAX);
        Some(Self::new(mean * (1.0 - shape), shape, count))
    }

    /// The probability that an excess is larger than `y` (`y` >= 0).
    pub(super) fn survival(&self, y: f64) -> f64 {
        if y > self.join {
            return (self.log_at_join - (y - self.join) / self.scale_beyond).exp();
        }
        if self.shape.abs() < EXPONENTIAL {
            return (-y / self.scale).exp();
        }
        (-(self.shape * y / self.scale).ln_1p() / self.shape).exp()
    }

    /// The parameters: scale, shape.
    pub(super) fn parameters(&self) -> (f64, f64) {
        (self.scale, self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For plotting positions of an exact distribution, the fit gives its parameters back. The excess at
    /// survival s is scale (s^-shape - 1) / shape.
    #[test]
    fn parameters_are_recovered_from_exact_quantiles() {
        for shape in [-0.4_f64, -0.2, 0.1, 0.3] {
            let excesses: Vec<f64> = (0..4_000)
                .map(|i| 1.0 - (f64::from(i) + 0.65) / 4_000.0)
                .map(|s| 2.0 * (s.powf(-shape) - 1.0) / shape)
                .collect();
            let (scale, fitted) = GeneralisedPareto::fit(&excesses).unwrap().parameters();
            assert!((fitted - shape).abs() < 0.03 && (scale - 2.0).abs() < 0.06, "{shape}: {scale} {fitted}");
        }
    }

    /// At shape -1/2 and scale 1, S(y) = (1 - y / 2)^2 ends at 2. With 99 excesses the join is where
    /// S = 1/100, at y = 1.8; the hazard there is 1 / (1 - 0.9) = 10.
    #[test]
    fn a_short_tail_goes_on_exponentially_where_the_sample_ends() {
        let tail = GeneralisedPareto::new(1.0, -0.5, 99);
        assert!((tail.survival(1.0) - 0.25).abs() < 1e-12);
        assert!((tail.survival(1.8) - 0.01).abs() < 1e-12);
        assert!((tail.survival(2.0) - 0.01 * (-2.0_f64).exp()).abs() < 1e-12);
    }

    #[test]
    fn nothing_to_fit() {
        assert_eq!(GeneralisedPareto::fit(&[]), None);
        assert_eq!(GeneralisedPareto::fit(&[0.0, 0.0]), None);
    }
}
