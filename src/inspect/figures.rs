//! What some values are together.

/// Number, range and mean of finite values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// How many there are.
    pub present: u64,
    /// The smallest, NaN without any.
    pub min: f64,
    /// The largest, NaN without any.
    pub max: f64,
    /// Their mean, NaN without any.
    pub mean: f64,
}

// === impl Figures ===

impl Figures {
    /// Of no values.
    pub(super) const NONE: Self = Self { present: 0, min: f64::NAN, max: f64::NAN, mean: f64::NAN };

    /// Takes a finite value; gives how far it lies from the mean of those before, which is taken for 0 where there are none.
    pub(super) fn take(&mut self, value: f64) -> f64 {
        let mean = if self.present == 0 { 0.0 } else { self.mean };
        self.present += 1;
        // `min` and `max` pass over the NaN of the beginning.
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let step = value - mean;
        self.mean = mean + step / self.present as f64;
        step
    }
}
