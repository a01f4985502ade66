//! The measures.

use std::collections::BTreeSet;

/// Sums over incidents or machines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    pub(crate) hit_100: f64,
    pub(crate) hit_150: f64,
    /// Whether the first of the ranking was blamed.
    pub(crate) first: f64,
    /// How many were summed.
    pub(crate) count: f64,
}

// === impl Rates ===

impl Rates {
    /// Adds one incident.
    pub(crate) fn add(&mut self, blamed: &BTreeSet<usize>, ranking: &[usize]) {
        let hit = |percent: usize| {
            let named = ranking.iter().take(percent * blamed.len() / 100);
            named.filter(|feature| blamed.contains(feature)).count() as f64 / blamed.len() as f64
        };
        let first = ranking.first().is_some_and(|feature| blamed.contains(feature));
        self.add_up(hit(100), hit(150), f64::from(u8::from(first)), 1.0);
    }

    /// Adds what a random order of `n_features` comes to on average: each place of it holds one that is blamed
    /// with the same probability.
    pub(crate) fn add_random(&mut self, blamed: &BTreeSet<usize>, n_features: usize) {
        let hit = |percent: usize| (percent * blamed.len() / 100).min(n_features) as f64 / n_features as f64;
        self.add_up(hit(100), hit(150), blamed.len() as f64 / n_features as f64, 1.0);
    }

    /// The sum of several.
    pub(crate) fn sum(rates: impl Iterator<Item = Self>) -> Self {
        rates.fold(Self::default(), |mut sum, rates| {
            sum.add_up(rates.hit_100, rates.hit_150, rates.first, rates.count);
            sum
        })
    }

    /// The mean of what was summed, as one.
    pub(crate) fn mean(self) -> Self {
        let Self { hit_100, hit_150, first, count } = self;
        Self { hit_100: hit_100 / count, hit_150: hit_150 / count, first: first / count, count: 1.0 }
    }

    fn add_up(&mut self, hit_100: f64, hit_150: f64, first: f64, count: f64) {
        self.hit_100 += hit_100;
        self.hit_150 += hit_150;
        self.first += first;
        self.count += count;
    }
}
