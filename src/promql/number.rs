//! Floating-point helpers that follow Go and Prometheus to the bit.

use std::cmp::Ordering;

/// A sum that also carries the rounding error it made (Kahan, with Neumaier's improvement).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct CompensatedSum {
    pub(super) sum: f64,
    /// What `sum` lacks.
    pub(super) compensation: f64,
}

impl CompensatedSum {
    /// This sum with `increment` added. Beyond the range of floats nothing is left to compensate.
    #[must_use]
    pub(super) fn plus(self, increment: f64) -> Self {
        let sum = self.sum + increment;
        let compensation = if sum.is_infinite() {
            0.0
        } else if self.sum.abs() >= increment.abs() {
            self.compensation + ((self.sum - sum) + increment)
        } else {
            self.compensation + ((increment - sum) + self.sum)
        };
        Self { sum, compensation }
    }

    pub(super) fn total(self) -> f64 {
        self.sum + self.compensation
    }

    fn scaled(self, factor: f64) -> Self {
        Self { sum: factor * self.sum, compensation: factor * self.compensation }
    }
}

/// An arithmetic mean: the compensated sum over the count, until the sum would overflow; from then
/// on the mean itself is carried from value to value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mean {
    count: f64,
    /// The sum, or the mean once `incremental`.
    carried: CompensatedSum,
    incremental: bool,
}

impl Mean {
    /// The mean of one value.
    pub(super) fn of(first: f64) -> Self {
        Self { count: 1.0, carried: CompensatedSum { sum: first, compensation: 0.0 }, incremental: false }
    }

    pub(super) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.incremental {
            let next = self.carried.plus(value);
            if !next.sum.is_infinite() {
                self.carried = next;
                return;
            }
            self.incremental = true;
            let before = self.count - 1.0;
            self.carried.sum /= before;
            self.carried.compensation /= before;
        }
        let weight = (self.count - 1.0) / self.count;
        self.carried = self.carried.scaled(weight).plus(value / self.count);
    }

    pub(super) fn value(self) -> f64 {
        if self.incremental {
            self.carried.total()
        } else {
            self.carried.sum / self.count + self.carried.compensation / self.count
        }
    }
}

/// Quantile `q` of `values`, linear between neighbours; sorts them, NaN first. NaN without values
/// or with a NaN `q`; infinite for a `q` outside 0..=1.
pub(super) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|a, b| nan_first(*a, *b));
    let last = values.len() - 1;
    let rank = q * last as f64;
    let lower = (rank.floor() as usize).min(last);
    let upper = (lower + 1).min(last);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}

fn nan_first(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

/// Ascending, NaN after everything.
pub(super) fn ascending(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Descending, NaN after everything.
pub(super) fn descending(a: f64, b: f64) -> Ordering {
    b.partial_cmp(&a).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// The larger one; NaN if any is NaN, unless the other is +Inf (Go's `math.Max`).
pub(super) fn max(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && b == 0.0 {
        if a.is_sign_negative() { b } else { a }
    } else if a > b {
        a
    } else {
        b
    }
}

/// The smaller one; NaN if any is NaN, unless the other is -Inf (Go's `math.Min`).
pub(super) fn min(a: f64, b: f64) -> f64 {
    -max(-a, -b)
}

/// The shortest decimal text that means `value`, without exponent, as Go writes it: of two equally
/// near ones the one that ends in an even digit.
#[must_use]
pub fn shortest(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let shortest = value.to_string();
    let Some((_, decimals)) = shortest.split_once('.') else { return shortest };
    let even = format!("{value:.*}", decimals.len());
    if even.parse() == Ok(value) { even } else { shortest }
}

/// 1 for true, 0 for false: a truth value as PromQL has it.
pub(super) fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compensation_keeps_what_a_float_sum_loses() {
        let mut sum = CompensatedSum::default();
        for value in [1.0, 1e100, 1.0, -1e100] {
            sum = sum.plus(value);
        }
        assert_eq!(sum.total(), 2.0);
    }

    #[test]
    fn a_mean_survives_the_overflow_of_its_sum() {
        let mut mean = Mean::of(f64::MAX);
        mean.add(f64::MAX);
        mean.add(f64::MAX);
        assert!((mean.value() / f64::MAX - 1.0).abs() < 1e-15);
        let mut mean = Mean::of(1.0);
        mean.add(2.0);
        assert_eq!(mean.value(), 1.5);
        let mut mean = Mean::of(f64::INFINITY);
        mean.add(1.0);
        assert_eq!(mean.value(), f64::INFINITY);
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        let mut values = [3.0, 1.0, 2.0];
        assert_eq!(quantile(0.5, &mut values), 2.0);
        assert_eq!(quantile(0.25, &mut values), 1.5);
        assert_eq!(quantile(1.0, &mut values), 3.0);
        assert_eq!(quantile(-0.1, &mut values), f64::NEG_INFINITY);
        assert_eq!(quantile(1.1, &mut values), f64::INFINITY);
        assert!(quantile(f64::NAN, &mut values).is_nan());
        assert!(quantile(0.5, &mut []).is_nan());
        let mut values = [1.0, f64::NAN];
        assert!(quantile(0.0, &mut values).is_nan());
        assert_eq!(quantile(1.0, &mut values), 1.0);
    }

    #[test]
    fn the_shortest_text_of_a_tie_is_even() {
        // 2^44 + 13/16 lies in the middle between two texts of three decimals.
        let tie = f64::from(1u32 << 22).powi(2) + 0.8125;
        assert_eq!(shortest(tie), "17592186044416.812");
        assert_eq!(shortest(0.1), "0.1");
        assert_eq!(shortest(1e22), "10000000000000000000000");
        assert_eq!(shortest(-f64::INFINITY), "-Inf");
        assert_eq!(shortest(f64::NAN), "NaN");
    }

    #[test]
    fn infinity_wins_over_nan() {
        assert_eq!(max(f64::NAN, f64::INFINITY), f64::INFINITY);
        assert!(max(f64::NAN, f64::NEG_INFINITY).is_nan());
        assert_eq!(min(f64::NEG_INFINITY, f64::NAN), f64::NEG_INFINITY);
        assert_eq!(min(2.0, 1.0), 1.0);
        assert_eq!(max(-0.0, 0.0).to_bits(), 0.0f64.to_bits());
    }
}
