//! The identity of a series.
//!
//! A label set is one immutable piece of text (`text`): every name and value, sorted by name, each
//! preceded by its length. Lengths are written in bytes below 0x80, so the whole stays valid UTF-8 and
//! every part can be borrowed as `&str` without checking it again. One allocation, cheap clones,
//! equality and hashing over the bytes.

mod text;

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};
use text::{MAX_PART, common_labels, common_prefix, push_label, take_part};

/// The label that holds the metric name.
pub const METRIC_NAME: &str = "__name__";

/// One label, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelRef<'a> {
    /// Label name.
    pub name: &'a str,
    /// Label value; never empty inside a [`LabelSet`].
    pub value: &'a str,
}

/// Why labels are not a label set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabels {
    /// A label has no name.
    #[error("a label has an empty name (its value is {value:?})")]
    EmptyName {
        /// The value that stood beside it.
        value: String,
    },
    /// A name occurs twice.
    #[error("label {name:?} occurs more than once")]
    Repeated {
        /// The name.
        name: String,
    },
    /// A name or value is longer than the encoding can say.
    #[error("label {name:?} is too long: {length} bytes, at most {MAX_PART}")]
    TooLong {
        /// The (shortened) name.
        name: String,
        /// Its or its value's length in bytes.
        length: usize,
    },
}

/// The labels of a series, sorted by name, without repeats and without empty values.
///
/// Cloning copies a pointer, and so does leaving out the metric name, which as a rule comes first.
/// Ordering is Prometheus' own: label by label, name before value.
#[derive(Clone)]
pub struct LabelSet {
    /// Invariant: from `start` on as [`LabelSetBuilder::finish`] writes it.
    text: Arc<str>,
    /// Where a label begins; before it are labels that this set does not have.
    start: u32,
}

// === impl LabelSet ===

impl LabelSet {
    /// The label set without labels.
    #[must_use]
    pub fn empty() -> Self {
        Self::of_text(String::new())
    }

    /// A label set from pairs in any order; empty values are left out.
    ///
    /// # Errors
    /// When a name is empty or occurs twice, or a part is too long.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, InvalidLabels> {
        let owned: Vec<(N, V)> = pairs.into_iter().collect();
        let mut builder = LabelSetBuilder::default();
        for (name, value) in &owned {
            builder.push(name.as_ref(), value.as_ref());
        }
        let mut text = String::new();
        builder.finish(&mut text)?;
        Ok(Self::of_text(text))
    }

    /// Wraps text that [`LabelSetBuilder::finish`] wrote. Crate-internal: the invariant is the caller's.
    #[must_use]
    pub(crate) fn from_canonical(text: &str) -> Self {
        debug_assert!(canonical(text), "not written by LabelSetBuilder: {text:?}");
        Self { text: text.into(), start: 0 }
    }

    fn of_text(text: String) -> Self {
        Self { text: text.into(), start: 0 }
    }

    /// The canonical text: equal exactly when the label sets are equal. Input of hashes.
    #[must_use]
    pub fn canonical_text(&self) -> &str {
        &self.text[self.start as usize..]
    }

    /// Whether both are cut from the text of one label set, be it by different cuts.
    #[must_use]
    pub fn shares_text_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.text, &other.text)
    }

    /// The value of label `name`; `None` when absent (Prometheus treats absent as empty).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|label| label.name == name).map(|label| label.value)
    }

    /// The metric name, empty when there is none.
    #[must_use]
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME).unwrap_or("")
    }

    /// The labels, sorted by name.
    #[must_use]
    pub fn iter(&self) -> Labels<'_> {
        Labels { rest: self.canonical_text() }
    }

    /// Number of labels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no label at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.canonical_text().is_empty()
    }

    /// The labels for which `keep` holds. Where it leaves out the first ones only, nothing is copied.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(LabelRef<'_>) -> bool) -> Self {
        let text = self.canonical_text();
        let mut labels = self.iter();
        let mut kept = labels.rest;
        while labels.next().is_some_and(|first| !keep(first)) {
            kept = labels.rest;
        }
        if labels.all(&keep) {
            let left_out = (text.len() - kept.len()) as u32;
            return Self { text: Arc::clone(&self.text), start: self.start + left_out };
        }
        let mut text = String::new();
        for label in (Labels { rest: kept }).filter(|label| keep(*label)) {
            push_label(&mut text, label);
        }
        Self::of_text(text)
    }

    /// Only the labels named in `names`: PromQL's `by`.
    #[must_use]
    pub fn keep(&self, names: &[String]) -> Self {
        self.filtered(|label| names.iter().any(|name| name == label.name))
    }

    /// The labels but those named in `names` and the metric name: PromQL's `without`.
    #[must_use]
    pub fn drop(&self, names: &[String]) -> Self {
        self.filtered(|label| label.name != METRIC_NAME && !names.iter().any(|name| name == label.name))
    }

    /// These labels with `name` set to `value`; an empty value removes it.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut builder = LabelSetBuilder::default();
        for label in self.iter().filter(|label| label.name != name) {
            builder.push(label.name, label.value);
        }
        builder.push(name, value);
        let mut text = String::new();
        match builder.finish(&mut text) {
            Ok(()) => Self::of_text(text),
            // Only an empty name or an oversized part gets here: then the set stays as it was.
            Err(_) => self.clone(),
        }
    }
}

impl PartialEq for LabelSet {
    fn eq(&self, other: &Self) -> bool {
        let is_same_text = self.shares_text_with(other) && self.start == other.start;
        is_same_text || self.canonical_text() == other.canonical_text()
    }
}

impl Eq for LabelSet {}

impl Hash for LabelSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical_text().hash(state);
    }
}

impl Default for LabelSet {
    fn default() -> Self {
        Self::empty()
    }
}

impl PartialOrd for LabelSet {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LabelSet {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.canonical_text(), other.canonical_text());
        // Labels that are equal in both need not be taken apart one by one.
        let same = common_labels(a, common_prefix(a.as_bytes(), b.as_bytes()));
        Labels { rest: &a[same..] }.cmp(Labels { rest: &b[same..] })
    }
}

/// As Prometheus writes it: `name{a="b"}`.
impl fmt::Display for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric_name())?;
        let mut labels = self.iter().filter(|label| label.name != METRIC_NAME).peekable();
        if labels.peek().is_none() {
            return if self.metric_name().is_empty() { f.write_str("{}") } else { Ok(()) };
        }
        f.write_str("{")?;
        let mut separator = "";
        for label in labels {
            write!(f, "{separator}{}={:?}", label.name, label.value)?;
            separator = ", ";
        }
        f.write_str("}")
    }
}

impl fmt::Debug for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'a> IntoIterator for &'a LabelSet {
    type Item = LabelRef<'a>;
    type IntoIter = Labels<'a>;

    fn into_iter(self) -> Labels<'a> {
        self.iter()
    }
}

/// Iterator over the labels of a [`LabelSet`].
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    rest: &'a str,
}

impl<'a> Labels<'a> {
    /// The labels in a canonical text, as [`LabelSetBuilder::finish`] writes it; of any other text some
    /// arbitrary (but finite) list.
    #[must_use]
    pub fn of_canonical_text(text: &'a str) -> Self {
        Self { rest: text }
    }
}

impl<'a> Iterator for Labels<'a> {
    type Item = LabelRef<'a>;

    fn next(&mut self) -> Option<LabelRef<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let (name, rest) = take_part(self.rest)?;
        let (value, rest) = take_part(rest)?;
        self.rest = rest;
        Some(LabelRef { name, value })
    }
}

// === impl LabelSetBuilder ===

/// Collects borrowed labels and writes them in canonical form; reusable, so that a decoder
/// allocates nothing per series.
#[derive(Debug, Default)]
pub struct LabelSetBuilder<'a> {
    labels: Vec<LabelRef<'a>>,
}

impl<'a> LabelSetBuilder<'a> {
    /// Adds a label; order does not matter.
    pub fn push(&mut self, name: &'a str, value: &'a str) {
        self.labels.push(LabelRef { name, value });
    }

    /// Forgets all labels and keeps the memory.
    pub fn clear(&mut self) {
        self.labels.clear();
    }

    /// The labels as pushed (sorted after [`Self::finish`]).
    #[must_use]
    pub fn labels(&self) -> &[LabelRef<'a>] {
        &self.labels
    }

    /// Appends the canonical text to `into` (unchanged on error).
    ///
    /// # Errors
    /// When a name is empty or occurs twice, or a part is too long.
    pub fn finish(&mut self, into: &mut String) -> Result<(), InvalidLabels> {
        // Senders sort as a rule; vmagent does not (external labels come last).
        let ascending = self.labels.is_sorted_by(|a, b| a.name < b.name);
        if !ascending {
            self.labels.sort_unstable_by(|a, b| a.name.cmp(b.name));
        }
        // The empty name sorts first, and what ascends strictly has no repeats.
        if let Some(first) = self.labels.first().filter(|label| label.name.is_empty()) {
            return Err(InvalidLabels::EmptyName { value: shorten(first.value) });
        }
        if !ascending && let Some([label, _]) = self.labels.array_windows().find(|[a, b]| a.name == b.name) {
            return Err(InvalidLabels::Repeated { name: shorten(label.name) });
        }
        let mut bytes = 0;
        for label in &self.labels {
            let length = label.name.len().max(label.value.len());
            if length > MAX_PART {
                return Err(InvalidLabels::TooLong { name: shorten(label.name), length });
            }
            bytes += label.name.len() + label.value.len() + 2;
        }
        into.reserve(bytes);
        for label in self.labels.iter().filter(|label| !label.value.is_empty()) {
            push_label(into, *label);
        }
        Ok(())
    }
}

fn canonical(text: &str) -> bool {
    let mut labels = Labels { rest: text };
    let mut previous = "";
    for label in labels.by_ref() {
        if label.name <= previous || label.value.is_empty() {
            return false;
        }
        previous = label.name;
    }
    labels.rest.is_empty()
}

/// The head of a text for an error message: a message never grows with hostile input.
fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn set(pairs: &[(&str, &str)]) -> LabelSet {
        LabelSet::from_pairs(pairs.iter().copied()).unwrap()
    }

    #[test]
    fn order_does_not_matter_and_empty_is_absent() {
        assert_eq!(set(&[("b", "2"), ("a", "1"), ("c", "")]), set(&[("a", "1"), ("b", "2")]));
        assert_eq!(set(&[("a", "")]), LabelSet::empty());
    }

    #[test]
    fn repeats_and_empty_names_are_refused() {
        let repeated = LabelSet::from_pairs([("a", "1"), ("a", "2")]).unwrap_err();
        assert_eq!(repeated, InvalidLabels::Repeated { name: "a".into() });
        let empty = LabelSet::from_pairs([("", "1")]).unwrap_err();
        assert_eq!(empty, InvalidLabels::EmptyName { value: "1".into() });
    }

    #[test]
    fn by_and_without_follow_promql() {
        let labels = set(&[(METRIC_NAME, "up"), ("instance", "a"), ("job", "n")]);
        assert_eq!(labels.keep(&["job".into()]), set(&[("job", "n")]));
        assert_eq!(labels.drop(&["job".into()]), set(&[("instance", "a")]));
        assert_eq!(labels.to_string(), r#"up{instance="a", job="n"}"#);
    }

    proptest! {
        /// For all sets and choices of names, the filtered set is the one made of the chosen labels.
        #[test]
        fn filtered_is_made_of_the_chosen(
            map in prop::collection::btree_map("[a-f]{1,2}", "[x-z]{1,3}", 0..6),
            chosen in "[a-f]{0,4}",
            again in "[a-f]{0,4}",
        ) {
            let is_chosen = |name: &str, chosen: &str| name.chars().all(|c| !chosen.contains(c));
            let labels = LabelSet::from_pairs(&map).unwrap();
            let filtered = labels.filtered(|label| is_chosen(label.name, &chosen));
            let filtered = filtered.filtered(|label| is_chosen(label.name, &again));
            let rest = map.iter().filter(|(name, _)| is_chosen(name, &chosen) && is_chosen(name, &again));
            let expected = LabelSet::from_pairs(rest).unwrap();
            prop_assert_eq!(filtered.cmp(&expected), Ordering::Equal);
            prop_assert_eq!(filtered, expected);
        }

        /// For all pairs of sets, the order is that of their labels, one by one.
        #[test]
        fn order_is_that_of_the_labels(
            same in prop::collection::btree_map("[a-f]{1,9}", "[x-z]{1,130}", 0..6),
            mut a in prop::collection::btree_map("[a-f]{1,2}", "[x-z]{1,3}", 0..4),
            mut b in prop::collection::btree_map("[a-f]{1,2}", "[x-z]{1,3}", 0..4),
        ) {
            a.extend(same.clone());
            b.extend(same);
            let (x, y) = (LabelSet::from_pairs(&a).unwrap(), LabelSet::from_pairs(&b).unwrap());
            prop_assert_eq!(x.cmp(&y), a.iter().cmp(b.iter()));
        }

        /// For all label maps, a set gives back exactly its non-empty labels, in order.
        #[test]
        fn round_trip(map in prop::collection::btree_map("[a-zä]{1,9}", "\\PC{0,200}", 0..8)) {
            let labels = LabelSet::from_pairs(map.iter().rev()).unwrap();
            let back: BTreeMap<String, String> =
                labels.iter().map(|l| (l.name.to_owned(), l.value.to_owned())).collect();
            let expected: BTreeMap<String, String> =
                map.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            prop_assert!(labels.iter().is_sorted_by(|a, b| a.name < b.name));
            prop_assert_eq!(back, expected);
        }
    }
}
