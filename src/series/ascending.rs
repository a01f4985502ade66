//! Values kept for label sets, looked up for many of them in one walk.

use super::LabelSet;
use std::collections::BTreeMap;

/// The value of each of `keys`, which ascend without repeats; made by `fresh` where there is none yet.
///
/// A search compares labels at every level of the map. Here map and keys are walked side by side: as a rule every key is
/// there already, its labels are the very same text, and nothing else is compared.
pub fn values_of<'m, V>(
    map: &'m mut BTreeMap<LabelSet, V>,
    keys: &[LabelSet],
    mut fresh: impl FnMut() -> V,
) -> impl Iterator<Item = &'m mut V> {
    debug_assert!(keys.is_sorted_by(|a, b| a < b), "keys ascend without repeats");
    let mut known = map.keys().peekable();
    let is_new = |key: &&LabelSet| {
        while known.next_if(|other| *other != *key && *other < *key).is_some() {}
        known.next_if(|other| *other == *key).is_none()
    };
    let new: Vec<LabelSet> = keys.iter().filter(is_new).cloned().collect();
    map.extend(new.into_iter().map(|key| (key, fresh())));
    let mut entries = map.iter_mut();
    keys.iter().filter_map(move |key| entries.find(|(other, _)| *other == key).map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// For all maps and keys, the values are those that a search for each key would find or make.
        #[test]
        fn a_walk_finds_what_searches_find(known in "[a-h]{0,8}", asked in "[a-h]{0,8}") {
            let set = |name: char| LabelSet::from_pairs([("n", name.to_string())]).unwrap();
            let mut map: BTreeMap<LabelSet, u32> = known.chars().map(|name| (set(name), u32::from(name))).collect();
            let mut searched = map.clone();
            let keys: Vec<LabelSet> = asked.chars().map(set).collect::<BTreeSet<_>>().into_iter().collect();
            let expected: Vec<u32> = keys.iter().map(|key| *searched.entry(key.clone()).or_insert(7)).collect();
            let found: Vec<u32> = values_of(&mut map, &keys, || 7).map(|value| *value).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(map, searched);
        }
    }
}
