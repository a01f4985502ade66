//! Which metadata a decoder need not ask about again.

use crate::wire::MetricMetadata;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Places, a power of two: ten times the families of node_exporter.
const PLACES: usize = 1 << 12;

/// Metadata that is known to be kept, by its hash; what is newer takes the place of what is older. In 2.0 metadata
/// comes with every series, and a look into the store for each would cost a third of the decoding.
///
/// The hash has 64 bits and a seed that no sender knows. Should two be the same, the store never hears of one.
#[derive(Debug)]
pub(super) struct Heard {
    hashes: Box<[u64]>,
}

// === impl Heard ===

impl Heard {
    pub(super) fn contains(&self, hash: u64) -> bool {
        self.hashes[place(hash)] == hash
    }

    pub(super) fn insert(&mut self, hash: u64) {
        self.hashes[place(hash)] = hash;
    }
}

impl Default for Heard {
    fn default() -> Self {
        Self { hashes: vec![0; PLACES].into() }
    }
}

fn place(hash: u64) -> usize {
    hash as usize % PLACES
}

/// A hash of all that is said. Never 0, which is what an empty place holds.
pub(super) fn hash_of(metadata: &MetricMetadata<'_>, seed: u64) -> u64 {
    let MetricMetadata { family, metric_type, unit, help } = metadata;
    // Each hash is the seed of the next, so texts do not run into one another.
    let hash = xxh3_64_with_seed(family.as_bytes(), seed.wrapping_add(*metric_type as u64));
    let hash = xxh3_64_with_seed(unit.as_bytes(), hash);
    xxh3_64_with_seed(help.as_bytes(), hash) | 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MetricType;

    #[test]
    fn what_differs_in_any_part_is_not_the_same() {
        let said = MetricMetadata { family: "a", metric_type: MetricType::Counter, unit: "b", help: "c" };
        let hash = hash_of(&said, 7);
        let mut heard = Heard::default();
        assert!(!heard.contains(hash));
        heard.insert(hash);
        assert!(heard.contains(hash_of(&said, 7)));
        for other in [
            MetricMetadata { family: "ab", unit: "", ..said },
            MetricMetadata { metric_type: MetricType::Gauge, ..said },
            MetricMetadata { unit: "", help: "bc", ..said },
            MetricMetadata { help: "d", ..said },
        ] {
            assert!(!heard.contains(hash_of(&other, 7)), "{other:?}");
        }
        assert!(!heard.contains(hash_of(&said, 8)));
    }
}
