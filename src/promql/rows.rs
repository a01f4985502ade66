//! The labels of the rows of a matrix, shared from step to step.
//!
//! Labels cost more than numbers: comparing, sorting and grouping them would be most of a step over
//! many series. From one step to the next they are the same as a rule. So whoever makes a list of rows
//! keeps it, hands out the very same one as long as nothing changed, and what follows from labels
//! alone is worked out once for each list.

use crate::series::LabelSet;
use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};

/// Labels of rows. Copies are one list.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows(Arc<List>);

#[derive(Debug, Default)]
struct List {
    labels: Vec<LabelSet>,
    /// Worked out when it is first asked for.
    order: OnceLock<Order>,
}

/// What is known of the order of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Ascending, each once.
    Strict,
    /// Ascending; the labels at this place and the ones before them are equal.
    Repeats(usize),
    /// Not ascending.
    None,
}

// === impl Rows ===

impl Rows {
    /// Whether both are one list.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The labels; copied only where somebody else holds the list.
    pub(super) fn into_labels(self) -> Vec<LabelSet> {
        Arc::try_unwrap(self.0).map_or_else(|shared| shared.labels.clone(), |list| list.labels)
    }

    pub(super) fn order(&self) -> Order {
        *self.0.order.get_or_init(|| Order::of(&self.0.labels))
    }
}

impl From<Vec<LabelSet>> for Rows {
    fn from(labels: Vec<LabelSet>) -> Self {
        Self(Arc::new(List { labels, order: OnceLock::new() }))
    }
}

impl Deref for Rows {
    type Target = [LabelSet];

    fn deref(&self) -> &[LabelSet] {
        &self.0.labels
    }
}

// === impl Order ===

impl Order {
    pub(super) fn of(labels: &[LabelSet]) -> Self {
        let mut repeats = None;
        for (place, [before, labels]) in labels.array_windows().enumerate() {
            match before.cmp(labels) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => repeats = repeats.or(Some(place + 1)),
                std::cmp::Ordering::Greater => return Self::None,
            }
        }
        repeats.map_or(Self::Strict, Self::Repeats)
    }
}

/// Makes the rows of a step, following those of the step before as long as they are the same.
#[derive(Debug, Default)]
pub(super) struct Follower {
    before: Rows,
    followed: usize,
    /// From the first difference on: all rows.
    own: Option<Vec<LabelSet>>,
}

// === impl Follower ===

impl Follower {
    pub(super) fn new(before: Rows) -> Self {
        Self { before, followed: 0, own: None }
    }

    /// Adds a row with what `labels` makes of the labels `source`; the same as at the step before where
    /// the source is the same.
    #[inline]
    pub(super) fn push(&mut self, source: &LabelSet, labels: impl FnOnce(&LabelSet) -> LabelSet) {
        let Self { before, followed, own } = self;
        if own.is_none() && before.get(*followed).is_some_and(|known| known.shares_text_with(source)) {
            *followed += 1;
            return;
        }
        own.get_or_insert_with(|| before[..*followed].to_vec()).push(labels(source));
    }

    pub(super) fn finish(self) -> Rows {
        match self.own {
            Some(own) => own.into(),
            None if self.followed == self.before.len() => self.before,
            None => self.before[..self.followed].to_vec().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(name: &str) -> LabelSet {
        LabelSet::from_pairs([("n", name)]).unwrap()
    }

    proptest! {
        /// For all rows before, those of a step are the ones pushed; the very same list where nothing changed.
        #[test]
        fn followers_end_where_they_are_led(steps in prop::collection::vec(prop::collection::vec(0usize..6, 0..8), 1..6)) {
            let sources: Vec<LabelSet> = (0..6).map(|n| set(&n.to_string())).collect();
            let mut rows = Rows::default();
            for step in steps {
                let mut follower = Follower::new(rows.clone());
                step.iter().for_each(|n| follower.push(&sources[*n], LabelSet::clone));
                let next = follower.finish();
                let expected: Vec<LabelSet> = step.iter().map(|n| sources[*n].clone()).collect();
                prop_assert_eq!(&next[..], &expected[..]);
                prop_assert_eq!(next.is(&rows), rows[..] == expected[..]);
                rows = next;
            }
        }
    }

    #[test]
    fn order_says_where_labels_repeat() {
        let of = |names: &[&str]| Rows::from(names.iter().map(|name| set(name)).collect::<Vec<_>>()).order();
        assert_eq!(of(&[]), Order::Strict);
        assert_eq!(of(&["a", "b"]), Order::Strict);
        assert_eq!(of(&["a", "b", "b", "c", "c"]), Order::Repeats(2));
        assert_eq!(of(&["a", "b", "b", "a"]), Order::None);
    }
}
