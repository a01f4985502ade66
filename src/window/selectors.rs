//! Which series each registered selector matches.
//!
//! A detector's selectors are known beforehand, so a series is matched against them once, when it
//! is created, and a step only walks lists.

use super::store::SeriesId;
use crate::series::{LabelMatcher, LabelSet};

/// The series of every registered selector, by ascending labels.
#[derive(Debug, Default)]
pub(super) struct SelectorIndex {
    selectors: Vec<Selector>,
}

/// Who reads a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reading {
    /// Nobody.
    #[default]
    None,
    /// Only who takes it as it comes, see [`super::Store::read_aside`].
    Aside,
    /// Somebody who needs it for a step.
    Awaited,
}

#[derive(Debug)]
struct Selector {
    matchers: Vec<LabelMatcher>,
    reading: Reading,
    ids: Vec<SeriesId>,
    /// How many of `ids`, from the front, are in label order.
    sorted: usize,
}

impl SelectorIndex {
    pub(super) fn new(selectors: Vec<Vec<LabelMatcher>>) -> Self {
        let selector =
            |matchers| Selector { matchers, reading: Reading::Awaited, ids: Vec::new(), sorted: 0 };
        Self { selectors: selectors.into_iter().map(selector).collect() }
    }

    /// Says of a selector that it reads aside.
    pub(super) fn set_aside(&mut self, selector: usize) {
        if let Some(selector) = self.selectors.get_mut(selector) {
            selector.reading = Reading::Aside;
        }
    }

    /// Files a new series; says who reads it.
    pub(super) fn insert(&mut self, id: SeriesId, labels: &LabelSet) -> Reading {
        let mut reading = Reading::None;
        for selector in &mut self.selectors {
            if selector.matchers.iter().all(|matcher| matcher.matches(labels)) {
                selector.ids.push(id);
                reading = reading.max(selector.reading);
            }
        }
        reading
    }

    /// Forgets the series for which `gone` holds.
    pub(super) fn remove(&mut self, gone: impl Fn(SeriesId) -> bool) {
        for selector in &mut self.selectors {
            let mut kept_of_sorted = 0;
            let mut at = 0;
            let sorted = selector.sorted;
            selector.ids.retain(|id| {
                let keep = !gone(*id);
                kept_of_sorted += usize::from(keep && at < sorted);
                at += 1;
                keep
            });
            selector.sorted = kept_of_sorted;
        }
    }

    /// Brings every list into label order; only lists that got new series are touched.
    pub(super) fn sort<'a>(&mut self, labels: impl Fn(SeriesId) -> &'a LabelSet) {
        for selector in self.selectors.iter_mut().filter(|s| s.sorted < s.ids.len()) {
            // Stable sort finds the sorted run at the front and merges the new ones into it.
            selector.ids.sort_by(|a, b| labels(*a).cmp(labels(*b)));
            selector.sorted = selector.ids.len();
        }
    }

    pub(super) fn ids(&self, selector: usize) -> &[SeriesId] {
        self.selectors.get(selector).map_or(&[], |s| &s.ids)
    }
}
