//! The join of expression results into entity x feature.

use crate::series::{LabelSet, TimestampMs};
use ndarray::Array2;

/// All features of all entities at one step.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMatrix {
    /// The step.
    pub at: TimestampMs,
    /// The rows, ascending, without repeats.
    pub entities: Vec<LabelSet>,
    /// Entity x feature; NaN = missing. Never infinite.
    pub values: Array2<f64>,
    /// For each feature: entities for which its expression gave several results. Such a value is
    /// missing, because no choice among them would be right.
    pub ambiguous: Vec<usize>,
}

/// Joins one result vector a feature on the labels `by`.
///
/// Every entity that any feature knows gets a row. A result that is not finite (0/0, x/0) is a
/// missing value. The order of the results does not matter.
#[must_use]
pub fn join(by: &[String], at: TimestampMs, columns: &[Vec<(LabelSet, f64)>]) -> FeatureMatrix {
    let keyed: Vec<Vec<(LabelSet, f64)>> = columns
        .iter()
        .map(|column| {
            let mut keyed: Vec<_> = column.iter().map(|(labels, value)| (labels.keep(by), *value)).collect();
            keyed.sort_by(|a, b| a.0.cmp(&b.0));
            keyed
        })
        .collect();
    let mut entities: Vec<LabelSet> =
        keyed.iter().flat_map(|column| column.iter().map(|(entity, _)| entity.clone())).collect();
    entities.sort_unstable();
    entities.dedup();

    let mut values = Array2::from_elem((entities.len(), columns.len()), f64::NAN);
    let mut ambiguous = vec![0; columns.len()];
    for (feature, column) in keyed.iter().enumerate() {
        for results in column.chunk_by(|a, b| a.0 == b.0) {
            match (results, entities.binary_search(&results[0].0)) {
                ([(_, value)], Ok(row)) if value.is_finite() => values[[row, feature]] = *value,
                ([_], _) => {}
                _ => ambiguous[feature] += 1,
            }
        }
    }
    FeatureMatrix { at, entities, values, ambiguous }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> LabelSet {
        LabelSet::from_pairs(pairs.iter().copied()).unwrap()
    }

    #[test]
    fn results_meet_on_the_entity_labels_and_gaps_are_missing() {
        let by = ["instance".to_owned()];
        let a = labels(&[("instance", "a")]);
        let b = labels(&[("instance", "b")]);
        let cpu = vec![(labels(&[("instance", "b"), ("job", "n")]), 2.0), (a.clone(), 1.0)];
        let disk = vec![(a.clone(), f64::INFINITY), (b.clone(), 3.0)];
        let matrix = join(&by, TimestampMs(60_000), &[cpu, disk, vec![]]);
        assert_eq!(matrix.entities, [a, b]);
        let text = format!("{:?}", matrix.values.rows().into_iter().map(|r| r.to_vec()).collect::<Vec<_>>());
        assert_eq!(text, "[[1.0, NaN, NaN], [2.0, 3.0, NaN]]");
    }

    #[test]
    fn several_results_for_one_entity_are_missing_and_counted() {
        let by = ["instance".to_owned()];
        let of = |device: &str| labels(&[("instance", "a"), ("device", device)]);
        let matrix = join(&by, TimestampMs(0), &[vec![(of("eth0"), 1.0), (of("eth1"), 1.0)]]);
        assert!(matrix.values[[0, 0]].is_nan());
        assert_eq!(matrix.ambiguous, [1]);
    }
}
