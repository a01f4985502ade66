//! Where thresholds come from.

/// Training scores above this quantile are peaks.
const PEAK_QUANTILE: f64 = 0.98;

/// Fewer peaks than this make no tail.
const MIN_PEAKS: usize = 10;

/// A tail whose shape is nearer to 0 is exponential.
const EXPONENTIAL_BELOW: f64 = 1e-6;

/// The thresholds that training scores give, by name; none without a finite score.
pub(super) fn from_training(train: &[f64]) -> impl Iterator<Item = (&'static str, f64)> {
    let sorted = sorted_finite(train);
    let quantiles = [("q99", 0.99), ("q995", 0.995), ("q999", 0.999)];
    // Just above: of scores that are all the same, none is an alarm.
    let quantiles = quantiles.map(|(name, q)| (name, quantile(&sorted, q).map(f64::next_up)));
    let peaks = [("pot_1e-3", 1e-3), ("pot_1e-4", 1e-4)];
    let peaks = peaks.map(|(name, q)| (name, peaks_over_threshold(&sorted, q)));
    quantiles.into_iter().chain(peaks).filter_map(|(name, threshold)| Some((name, threshold?)))
}

/// The finite ones, ascending.
pub(super) fn sorted_finite(scores: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = scores.iter().copied().filter(|score| score.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// The quantile of ascending values by linear interpolation (type 7 in Hyndman & Fan 1996); none of no values.
pub(super) fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let place = sorted.len().checked_sub(1)? as f64 * q;
    let below = (place.floor() as usize).min(sorted.len() - 1);
    let (a, b) = (sorted[below], sorted[(below + 1).min(sorted.len() - 1)]);
    let part = place - below as f64;
    // From the nearer end: exact at both.
    Some(if part < 0.5 { a + (b - a) * part } else { b - (b - a) * (1.0 - part) })
}

/// Quantiles of the finite scores from 0.4 to 0.85 and, evenly on a logarithmic scale, from 0.9 to 0.9999, with the
/// finite ones of `more`: ascending, each once.
pub(super) fn grid(scores: &[f64], more: impl Iterator<Item = f64>) -> Vec<f64> {
    let sorted = sorted_finite(scores);
    let body = evenly(0.4, 0.85, 8);
    let tail = evenly(-1.0, -4.0, 60).map(|exponent| 1.0 - 10.0_f64.powf(exponent));
    let quantiles = body.chain(tail).filter_map(|q| quantile(&sorted, q));
    let mut grid: Vec<f64> = quantiles.chain(more.filter(|score| score.is_finite())).collect();
    grid.sort_unstable_by(f64::total_cmp);
    grid.dedup();
    grid
}

/// `n` values from `first` to `last`, both exact.
fn evenly(first: f64, last: f64, n: usize) -> impl Iterator<Item = f64> {
    let step = (last - first) / (n - 1) as f64;
    (0..n).map(move |i| if i + 1 == n { last } else { i as f64 * step + first })
}

/// The score that one row in `1 / q` of normal operation exceeds: a generalised Pareto distribution is fitted to the
/// excesses over the 0.98 quantile by probability-weighted moments (Hosking & Wallis 1987, whose `k` is our `-xi`).
/// The highest score, where there are too few peaks or they make no such tail.
fn peaks_over_threshold(sorted: &[f64], q: f64) -> Option<f64> {
    let highest = *sorted.last()?;
    let base = quantile(sorted, PEAK_QUANTILE)?;
    let excesses = sorted.iter().filter(|score| **score > base).map(|score| score - base);
    let n_peaks = excesses.clone().count();
    let n = n_peaks as f64;
    if n_peaks < MIN_PEAKS {
        return Some(highest);
    }
    let mean = excesses.clone().sum::<f64>() / n;
    let weighted = |(i, excess): (usize, f64)| excess * (1.0 - ((i + 1) as f64 - 0.35) / n);
    let moment = excesses.enumerate().map(weighted).sum::<f64>() / n;
    let spread = mean - 2.0 * moment;
    if spread <= 0.0 {
        return Some(highest);
    }
    let (shape, scale) = (2.0 - mean / spread, 2.0 * mean * moment / spread);
    let ratio = q * sorted.len() as f64 / n;
    Some(if shape.abs() < EXPONENTIAL_BELOW {
        base - scale * ratio.ln()
    } else {
        base + scale / shape * (ratio.powf(-shape) - 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_values() {
        let values = [1.0, 2.0, 4.0, 8.0, 16.0];
        let at = |q| quantile(&values, q).unwrap();
        assert_eq!([at(0.0), at(0.25), at(0.375), at(0.9), at(1.0)], [1.0, 2.0, 3.0, 12.8, 16.0]);
        assert_eq!(quantile(&[3.0], 0.7), Some(3.0));
        assert_eq!(quantile(&[], 0.7), None);
    }

    #[test]
    fn training_thresholds_lie_just_above_the_quantile() {
        let thresholds: Vec<_> = from_training(&[0.5; 100]).collect();
        let above = 0.5_f64.next_up();
        // Of equal scores there are no peaks: the threshold is the highest of them.
        let expected =
            [("q99", above), ("q995", above), ("q999", above), ("pot_1e-3", 0.5), ("pot_1e-4", 0.5)];
        assert_eq!(thresholds, expected);
        assert_eq!(from_training(&[f64::NAN, f64::INFINITY]).count(), 0);
    }

    /// Of the 10,000 quantiles of an exponential distribution, one in 1,000 lies above ln(1,000) = 6.9, one in
    /// 10,000 above ln(10,000) = 9.2.
    #[test]
    fn peaks_over_threshold_goes_on_with_the_tail() {
        let scores: Vec<f64> = (0..10_000).map(|i| -(1.0 - (f64::from(i) + 0.5) / 10_000.0).ln()).collect();
        let at = |q| peaks_over_threshold(&scores, q).unwrap();
        assert!((at(1e-3) - 1000.0_f64.ln()).abs() < 0.05, "{}", at(1e-3));
        assert!((at(1e-4) - 10_000.0_f64.ln()).abs() < 0.3, "{}", at(1e-4));
    }

    #[test]
    fn the_grid_ascends_and_holds_what_was_added() {
        let scores: Vec<f64> = (0..1000).map(f64::from).collect();
        let grid = grid(&scores, [2000.0, f64::NEG_INFINITY, 2000.0].into_iter());
        assert_eq!(grid.len(), 8 + 60 + 1);
        assert!(grid.is_sorted());
        assert!((grid[0] - 999.0 * 0.4).abs() < 1e-9 && (grid[8] - 999.0 * 0.9).abs() < 1e-9);
        assert_eq!(grid.last(), Some(&2000.0));
    }
}
