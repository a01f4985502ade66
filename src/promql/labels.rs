//! Label sets of results: names dropped, projections compared.

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
    fn projections_are_equal_when_the_kept_labels_are() {
        let (a, b) = (set(&[("i", "1"), ("m", "x")]), set(&[("i", "1"), ("m", "y")]));
        let mut projection = Projection::default();
        let of_a = projection.of(&a, |label| label.name == "i").to_owned();
        assert_eq!(projection.of(&b, |label| label.name == "i"), of_a);
        assert_ne!(projection.of(&b, |_| true), of_a);
    }
}
