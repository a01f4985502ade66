//! Incidents, whom people blamed for them, and what is seen of their features.

use anyhow::{Context as _, Result};
use emberwatch::explain::Contribution;
use std::{collections::BTreeSet, ops::Range, path::Path};

/// One incident.
pub(crate) struct Incident {
    /// Its rows in the test file.
    pub(crate) rows: Range<usize>,
    /// The features that people blamed.
    pub(crate) blamed: BTreeSet<usize>,
    contributions: Vec<f64>,
    /// For value and deviation: sum and maximum of |z| over the steps.
    deviations: [(Vec<f64>, Vec<f64>); 2],
}

/// Reads the incidents of a machine; its features are named `features`.
pub(crate) fn read(path: &Path, features: &[String]) -> Result<Vec<Incident>> {
    let mut reader = csv::Reader::from_path(path).with_context(|| path.display().to_string())?;
    let mut incidents = Vec::new();
    for line in reader.deserialize() {
        let (start, end, metrics): (usize, usize, String) = line?;
        let place = |metric: &str| {
            let place = features.iter().position(|feature| feature == metric);
            place.with_context(|| format!("{}: no feature {metric:?}", path.display()))
        };
        let blamed = metrics.split_whitespace().map(place).collect::<Result<BTreeSet<_>>>()?;
        incidents.push(Incident::new(start..end, blamed, features.len()));
    }
    Ok(incidents)
}

// === impl Incident ===

impl Incident {
    fn new(rows: Range<usize>, blamed: BTreeSet<usize>, n_features: usize) -> Self {
        let zeros = || vec![0.0; n_features];
        let deviations = [(zeros(), zeros()), (zeros(), zeros())];
        Self { rows, blamed, contributions: zeros(), deviations }
    }

    /// Adds what the model says of one step.
    pub(crate) fn add_contributions(&mut self, contributions: &[Contribution]) {
        for contribution in contributions {
            self.contributions[contribution.feature] += contribution.share;
        }
    }

    /// Adds the z-scores of one step.
    pub(crate) fn add_deviations(&mut self, deviations: &[Vec<f64>; 2]) {
        for ((sums, largest), z) in self.deviations.iter_mut().zip(deviations) {
            for ((sum, largest), z) in sums.iter_mut().zip(largest).zip(z) {
                *sum += z;
                *largest = f64::max(*largest, *z);
            }
        }
    }

    /// Whether the model explained any of its steps.
    pub(crate) fn is_explained(&self) -> bool {
        self.contributions.iter().any(|share| *share > 0.0)
    }

    pub(crate) fn n_features(&self) -> usize {
        self.contributions.len()
    }

    /// The features by falling contribution, then by z-score in the order of `RANKINGS`; those with none are left
    /// out.
    pub(crate) fn rankings(&self) -> Vec<Vec<usize>> {
        let [(value, largest_value), (deviation, largest_deviation)] = &self.deviations;
        [&self.contributions, value, largest_value, deviation, largest_deviation]
            .map(|by| ranking(by))
            .to_vec()
    }
}

fn ranking(by: &[f64]) -> Vec<usize> {
    let mut features: Vec<usize> = (0..by.len()).filter(|feature| by[*feature] > 0.0).collect();
    features.sort_by(|a, b| by[*b].total_cmp(&by[*a]));
    features
}
