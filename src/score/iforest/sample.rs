//! The rows that a tree is grown from.

use ndarray::ArrayView2;

/// Some rows, feature by feature: `columns[feature * size + row]`.
pub(super) struct Sample {
    columns: Vec<f32>,
    size: usize,
}

// === impl Sample ===

impl Sample {
    /// The rows of these numbers.
    pub(super) fn new(rows: ArrayView2<'_, f32>, numbers: &[usize]) -> Self {
        let size = numbers.len();
        let mut columns = vec![0.0; size * rows.ncols()];
        for (to, &from) in numbers.iter().enumerate() {
            for (feature, &value) in rows.row(from).iter().enumerate() {
                columns[feature * size + to] = value;
            }
        }
        Self { columns, size }
    }

    /// The values of a feature.
    pub(super) fn column(&self, feature: u16) -> &[f32] {
        let from = usize::from(feature) * self.size;
        &self.columns[from..from + self.size]
    }

    /// Smallest and largest value of `feature` among some of the rows.
    pub(super) fn range(&self, rows: &[u32], feature: u16) -> (f32, f32) {
        let column = self.column(feature);
        rows.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), &row| {
            let value = column[row as usize];
            (min.min(value), max.max(value))
        })
    }
}

/// The point `fraction` of the way from `min` to `max`, with `min <= threshold < max`: so at least one
/// row goes to each side. Calculated in `f64`, as the difference of two `f32` may overflow.
pub(super) fn threshold_between(min: f32, max: f32, fraction: f64) -> f32 {
    let (low, high) = (f64::from(min), f64::from(max));
    ((low + fraction * (high - low)) as f32).clamp(min, max.next_down())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_numbers_can_be_parted() {
        let (min, max) = (1.0_f32, 1.0_f32.next_up());
        assert_eq!(threshold_between(min, max, 0.999_999), min);
        assert!(threshold_between(f32::MIN, f32::MAX, 0.75).is_finite());
    }
}
