//! What is learned from when inputs have drifted: what has been so since, and a little of what was before.

use super::TrainingRows;
use crate::series::TimestampMs;
use ndarray::Axis;

/// What is as it is now for so long has shown every hour of every weekday.
pub const NEW_NORMAL_MS: i64 = 7 * 86_400_000;

// === impl TrainingRows ===

impl TrainingRows {
    /// The rows since inputs are as they are now, and of each entity at most as many of the week before, drawn by `seed`: those know the hours that
    /// have not come again yet. None from before once a week is known.
    #[must_use]
    pub fn since(self, drifted: TimestampMs, seed: u64) -> Self {
        let Some(last) = self.at.last() else { return self };
        let first = self.at.partition_point(|at| *at < drifted);
        let oldest = match last.since_ms(drifted) {
            known if known >= NEW_NORMAL_MS => first,
            _ => self.at.partition_point(|at| *at < drifted.plus_ms(-NEW_NORMAL_MS)),
        };
        let mut places = vec![0_usize; self.entities.len()];
        self.entity_of[first..].iter().for_each(|entity| places[*entity] += 1);
        let present: Vec<bool> = places.iter().map(|count| *count > 0).collect();
        let mut old: Vec<usize> = (oldest..first).collect();
        old.sort_unstable_by_key(|row| {
            (xxhash_rust::xxh3::xxh3_64_with_seed(&row.to_le_bytes(), seed), *row)
        });
        old.retain(|row| {
            let places = &mut places[self.entity_of[*row]];
            let is_taken = *places > 0;
            *places = places.saturating_sub(1);
            is_taken
        });
        old.sort_unstable();
        let chosen: Vec<usize> = old.into_iter().chain(first..self.at.len()).collect();
        self.only(&chosen, &present)
    }

    /// The rows of these places, of which each is of a `present` entity.
    fn only(mut self, chosen: &[usize], present: &[bool]) -> Self {
        let mut number = 0;
        let numbers: Vec<usize> = present
            .iter()
            .map(|is_present| {
                number += usize::from(*is_present);
                number.saturating_sub(1)
            })
            .collect();
        let mut is_present = present.iter();
        self.entities.retain(|_| is_present.next().is_some_and(|is_present| *is_present));
        Self {
            at: chosen.iter().map(|row| self.at[*row]).collect(),
            entity_of: chosen.iter().map(|row| numbers[self.entity_of[*row]]).collect(),
            values: self.values.select(Axis(0), chosen),
            entities: self.entities,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::LabelSet;
    use ndarray::Array2;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    /// Rows (hour, entity), as they come out of a reservoir.
    fn rows(of: &[(i64, usize)]) -> TrainingRows {
        let mut of = of.to_vec();
        of.sort_unstable();
        of.dedup();
        let name = |n: usize| LabelSet::from_pairs([("instance", format!("{n}"))]).unwrap();
        TrainingRows {
            entities: (0..4).map(name).collect(),
            at: of.iter().map(|(hour, _)| TimestampMs(hour * HOUR)).collect(),
            entity_of: of.iter().map(|(_, entity)| *entity).collect(),
            values: Array2::from_shape_fn((of.len(), 1), |(row, _)| {
                (of[row].0 * 10 + of[row].1 as i64) as f64
            }),
        }
    }

    proptest! {
        /// For all rows and instants, every row since is there; each entity that has some has as many of the week before as it has since, or all that there
        /// are; of others there is nothing, and no row is of another entity than it was.
        #[test]
        fn old_rows_are_never_more_than_new_ones(
            of in prop::collection::vec((0_i64..400, 0_usize..4), 1..200), drifted in 0_i64..400, seed in any::<u64>(),
        ) {
            let all = rows(&of);
            let kept = all.clone().since(TimestampMs(drifted * HOUR), seed);
            let week_before = match all.at.last() {
                Some(last) if last.0 - drifted * HOUR < NEW_NORMAL_MS => (drifted - 168)..drifted,
                _ => 0..0,
            };
            let count = |rows: &TrainingRows, name: &LabelSet, hours: std::ops::Range<i64>| {
                let of = rows.entity_of.iter().map(|entity| &rows.entities[*entity]);
                of.zip(&rows.at).filter(|(entity, at)| *entity == name && hours.contains(&(at.0 / HOUR))).count()
            };
            for name in &all.entities {
                let new = count(&all, name, drifted..400);
                prop_assert_eq!(count(&kept, name, drifted..400), new);
                prop_assert_eq!(count(&kept, name, 0..drifted), count(&all, name, week_before.clone()).min(new));
                prop_assert_eq!(kept.entities.contains(name), new > 0);
            }
            for (row, entity) in kept.entity_of.iter().enumerate() {
                let own = kept.at[row].0 / HOUR * 10;
                let name = format!("{}", kept.values[[row, 0]] as i64 - own);
                prop_assert_eq!(kept.entities[*entity].get("instance"), Some(name.as_str()));
            }
            prop_assert!(kept.at.is_sorted());
        }
    }
}
