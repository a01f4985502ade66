//! What senders said of metric families: type, unit, help text.
//!
//! The receiver writes, the API reads. Senders say the same again and again (2.0 with every series), so
//! the usual case is a look under a shared lock, and nothing is copied. Memory is bounded: what is new beyond the
//! bound is refused and counted. What is known stays until the process ends.

use crate::wire::{MetricMetadata, MetricType};
use std::{
    collections::BTreeMap,
    mem,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// Most bytes held: about 100,000 families with help texts of usual length.
const MAX_BYTES: usize = 16 << 20;

/// Most different things said of one family: as a rule it is one, and a few while versions are rolled out.
const MAX_PER_FAMILY: usize = 32;

/// What is known of all families; one a process.
#[derive(Debug, Default)]
pub struct MetadataStore {
    known: RwLock<Known>,
}

/// One thing that is said of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its type.
    pub metric_type: MetricType,
    /// Unit; often empty.
    pub unit: Box<str>,
    /// Help text.
    pub help: Box<str>,
}

/// What became of something that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// It was known.
    Known,
    /// It is new, and there is room for it.
    New,
    /// It is new, and there is no room for it.
    Refused,
}

#[derive(Debug, Default)]
struct Known {
    families: BTreeMap<Box<str>, Vec<Metadata>>,
    bytes: usize,
}

// === impl MetadataStore ===

impl MetadataStore {
    /// Whether `metadata` is known, or could be learned.
    #[must_use]
    pub fn consider(&self, metadata: &MetricMetadata<'_>) -> Hearing {
        self.read().consider(metadata)
    }

    /// Keeps `metadata`, if it is new and there is room.
    pub fn learn(&self, metadata: &MetricMetadata<'_>) -> Hearing {
        let mut known = self.write();
        let hearing = known.consider(metadata);
        if hearing == Hearing::New {
            known.insert(metadata);
        }
        hearing
    }

    /// Calls `each` with every family and what was said of it, in the order of the names; with `family` alone
    /// where one is named.
    pub fn visit(&self, family: Option<&str>, mut each: impl FnMut(&str, &[Metadata])) {
        let known = self.read();
        match family {
            Some(family) => {
                if let Some((family, said)) = known.families.get_key_value(family) {
                    each(family, said);
                }
            }
            None => known.families.iter().for_each(|(family, said)| each(family, said)),
        }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.read().bytes
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Known ===

impl Known {
    fn consider(&self, metadata: &MetricMetadata<'_>) -> Hearing {
        let said = self.families.get(metadata.family).map_or(&[][..], Vec::as_slice);
        if said.iter().any(|known| known.says(metadata)) {
            Hearing::Known
        } else if said.len() >= MAX_PER_FAMILY || self.bytes + cost(metadata) > MAX_BYTES {
            Hearing::Refused
        } else {
            Hearing::New
        }
    }

    fn insert(&mut self, metadata: &MetricMetadata<'_>) {
        self.bytes += cost(metadata);
        let said = Metadata {
            metric_type: metadata.metric_type,
            unit: metadata.unit.into(),
            help: metadata.help.into(),
        };
        match self.families.get_mut(metadata.family) {
            Some(known) => known.push(said),
            None => _ = self.families.insert(metadata.family.into(), vec![said]),
        }
    }
}

/// Bytes that an entry takes, as if each had a family of its own.
fn cost(metadata: &MetricMetadata<'_>) -> usize {
    let texts = metadata.family.len() + metadata.unit.len() + metadata.help.len();
    texts + mem::size_of::<(Box<str>, Vec<Metadata>, Metadata)>()
}

// === impl Metadata ===

impl Metadata {
    fn says(&self, other: &MetricMetadata<'_>) -> bool {
        self.metric_type == other.metric_type && *self.unit == *other.unit && *self.help == *other.help
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter<'a>(family: &'a str, help: &'a str) -> MetricMetadata<'a> {
        MetricMetadata { family, metric_type: MetricType::Counter, unit: "", help }
    }

    fn listed(store: &MetadataStore, family: Option<&str>) -> Vec<(String, usize)> {
        let mut listed = Vec::new();
        store.visit(family, |family, said| listed.push((family.to_owned(), said.len())));
        listed
    }

    #[test]
    fn what_is_said_again_is_known() {
        let store = MetadataStore::default();
        assert_eq!(store.learn(&counter("b_total", "Bees.")), Hearing::New);
        let bytes = store.bytes();
        assert_eq!(store.consider(&counter("b_total", "Bees.")), Hearing::Known);
        assert_eq!(store.learn(&counter("b_total", "Bees.")), Hearing::Known);
        assert_eq!(store.bytes(), bytes);
        assert_eq!(store.learn(&counter("b_total", "Wasps.")), Hearing::New);
        assert_eq!(store.learn(&counter("a_total", "Ants.")), Hearing::New);
        assert_eq!(listed(&store, None), [("a_total".to_owned(), 1), ("b_total".to_owned(), 2)]);
        assert_eq!(listed(&store, Some("b_total")), [("b_total".to_owned(), 2)]);
        assert_eq!(listed(&store, Some("c_total")), []);
    }

    /// For any number of families and help texts, the store stays within its bounds and says what it refuses.
    #[test]
    fn what_is_too_much_is_refused() {
        let store = MetadataStore::default();
        let help = "x".repeat(10_000);
        let numbered = |n: usize| format!("m{n}");
        let refused = (0..2_000).filter(|n| store.learn(&counter(&numbered(*n), &help)) == Hearing::Refused);
        let refused = refused.count();
        assert!(store.bytes() <= MAX_BYTES && refused == 2_000 - listed(&store, None).len());
        assert!((300..340).contains(&refused), "{refused}");
        assert_eq!(store.consider(&counter("m0", &help)), Hearing::Known);

        let store = MetadataStore::default();
        for n in 0..MAX_PER_FAMILY {
            assert_eq!(store.learn(&counter("m", &numbered(n))), Hearing::New);
        }
        assert_eq!(store.learn(&counter("m", "one more")), Hearing::Refused);
    }
}
