//! Label sets of results: names dropped, projections compared, vectors sorted.

use super::LeafVector;
use crate::series::{LabelRef, LabelSet, LabelSetBuilder, METRIC_NAME};

/// Labels that say what a metric is; an operation that changes the meaning of a value drops them.
const METADATA: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// Whether `label` is one of those an operation drops when it changes the meaning of a value.
pub(super) fn is_metadata(label: LabelRef<'_>) -> bool {
    METADATA.contains(&label.name)
}

/// The labels without those that say what the metric is.
pub(super) fn without_name(labels: &LabelSet) -> LabelSet {
    labels.filtered(|label| !is_metadata(label))
}

/// Brings a vector into label order; equal labels keep their order.
pub(super) fn sort<T>(vector: &mut [(LabelSet, T)]) {
    if !vector.is_sorted_by(|a, b| a.0 <= b.0) {
        vector.sort_by(|a, b| a.0.cmp(&b.0));
    }
}

/// Vectors of several shards as one, ascending by labels.
///
/// Each of `parts` must be ascending by labels, as [`super::Leaf::evaluate`] returns it.
#[must_use]
pub fn merge(parts: Vec<LeafVector>) -> LeafVector {
    // The stable sort finds the sorted runs and merges them.
    let mut merged: LeafVector = parts.into_iter().flatten().collect();
    sort(&mut merged);
    merged
}

/// Writes parts of label sets as text that is equal exactly when the parts are, without allocating
/// for each.
#[derive(Debug, Default)]
pub(super) struct Projection<'a> {
    builder: LabelSetBuilder<'a>,
    text: String,
}

impl<'a> Projection<'a> {
    /// The labels of `labels` that satisfy `keep`.
    pub(super) fn of(&mut self, labels: &'a LabelSet, keep: impl Fn(LabelRef<'_>) -> bool) -> &str {
        self.builder.clear();
        self.text.clear();
        for label in labels.iter().filter(|label| keep(*label)) {
            self.builder.push(label.name, label.value);
        }
        let written = self.builder.finish(&mut self.text);
        debug_assert!(written.is_ok(), "labels of a label set are valid: {written:?}");
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> LabelSet {
        LabelSet::from_pairs(pairs.iter().copied()).unwrap()
    }

    #[test]
    fn merging_keeps_label_order_and_repeats() {
        let (a, b, c) = (set(&[("i", "a")]), set(&[("i", "b")]), set(&[("i", "c")]));
        let parts =
            vec![vec![(a.clone(), 1.0), (c.clone(), 3.0)], vec![], vec![(a.clone(), 4.0), (b.clone(), 2.0)]];
        assert_eq!(merge(parts), [(a.clone(), 1.0), (a, 4.0), (b, 2.0), (c, 3.0)]);
    }

    #[test]
    fn projections_are_equal_when_the_kept_labels_are() {
        let (a, b) = (set(&[("i", "1"), ("m", "x")]), set(&[("i", "1"), ("m", "y")]));
        let mut projection = Projection::default();
        let of_a = projection.of(&a, |label| label.name == "i").to_owned();
        assert_eq!(projection.of(&b, |label| label.name == "i"), of_a);
        assert_ne!(projection.of(&b, |_| true), of_a);
    }
}
