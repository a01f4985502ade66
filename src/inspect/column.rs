//! What one feature looks like.

use super::Figures;

/// A column that falls at no more than one of so many changes, and rises else, grows as counters do.
const RISES_A_FALL: u64 = 20;
/// Fewer changes than these say nothing of how a column grows.
const LEAST_CHANGES: u64 = 100;

/// Figures of one feature over all entities.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its finite values.
    pub values: Figures,
    /// Values that are missing.
    pub missing: u64,
    /// Values that are infinite.
    pub infinite: u64,
    /// Cells that are no number.
    pub unreadable: u64,
    /// Values that are exactly zero.
    pub zeros: u64,
    /// Values above that of the entity's row before.
    pub rises: u64,
    /// Values below that of the entity's row before.
    pub falls: u64,
    /// Falls to less than a tenth of what was before.
    pub resets: u64,
    /// Sum of squared distances from the mean (Welford).
    squares: f64,
}

/// The last finite value of an entity.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Previous(Option<f64>);

// === impl Column ===

impl Column {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            values: Figures::NONE,
            missing: 0,
            infinite: 0,
            unreadable: 0,
            zeros: 0,
            rises: 0,
            falls: 0,
            resets: 0,
            squares: 0.0,
        }
    }

    /// Standard deviation of the finite values; NaN with fewer than two.
    #[must_use]
    pub fn standard_deviation(&self) -> f64 {
        if self.values.present < 2 {
            f64::NAN
        } else {
            (self.squares / (self.values.present - 1) as f64).sqrt()
        }
    }

    /// Share of the rows without a finite value.
    #[must_use]
    pub fn missing_share(&self) -> f64 {
        let gone = self.missing + self.infinite;
        gone as f64 / (gone + self.values.present).max(1) as f64
    }

    /// Whether it has one value only.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.values.present > 0 && self.values.min == self.values.max
    }

    /// Whether it grows as a counter that nobody made a rate of: it rises, and seldom falls.
    #[must_use]
    pub fn grows_like_a_counter(&self) -> bool {
        self.rises >= LEAST_CHANGES && self.falls * RISES_A_FALL <= self.rises && self.values.min >= 0.0
    }

    pub(super) fn take(&mut self, value: f64, previous: &mut Previous) {
        if value.is_nan() {
            self.missing += 1;
            return;
        }
        if value.is_infinite() {
            self.infinite += 1;
            return;
        }
        let step = self.values.take(value);
        self.squares += step * (value - self.values.mean);
        self.zeros += u64::from(value == 0.0);
        if let Some(before) = previous.0.replace(value) {
            self.rises += u64::from(value > before);
            self.falls += u64::from(value < before);
            self.resets += u64::from(before > 0.0 && (0.0..before / 10.0).contains(&value));
        }
    }
}
