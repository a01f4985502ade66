//! Between the messages of `proto/features.proto` and what they say.

use super::proto;
use crate::{
    series::{LabelSet, TimestampMs},
    train::{GatherState, Present},
};

pub(super) fn write_entity(entity: &LabelSet) -> proto::Entity {
    let label = |label: crate::series::LabelRef<'_>| proto::Label {
        name: label.name.into(),
        value: label.value.into(),
    };
    proto::Entity { labels: entity.iter().map(label).collect() }
}

/// None where the labels are no label set.
pub(super) fn read_entity(entity: &proto::Entity) -> Option<LabelSet> {
    LabelSet::from_pairs(entity.labels.iter().map(|label| (&label.name, &label.value))).ok()
}

/// The first as it is, each other as its distance to the one before.
pub(super) fn write_times(times: impl Iterator<Item = TimestampMs>) -> Vec<i64> {
    let mut before = 0;
    times.map(|at| at.0.wrapping_sub(std::mem::replace(&mut before, at.0))).collect()
}

/// None where they do not ascend.
pub(super) fn read_times(distances: &[i64]) -> Option<Vec<TimestampMs>> {
    let mut before = 0_i64;
    let mut times = Vec::with_capacity(distances.len());
    for (place, distance) in distances.iter().enumerate() {
        if place > 0 && *distance <= 0 {
            return None;
        }
        before = before.checked_add(*distance)?;
        times.push(TimestampMs(before));
    }
    Some(times)
}

pub(super) fn write_state(state: &GatherState) -> proto::State {
    let GatherState { first, last_job, not_before, present } = *state;
    let ms = |at: Option<TimestampMs>| at.map(|at| at.0);
    proto::State {
        first_ms: ms(first),
        last_job_ms: ms(last_job),
        not_before_ms: ms(not_before),
        day: present.day,
        entities_today: present.today as u64,
        entities_day_before: present.day_before as u64,
    }
}

/// None where a number of entities is none that this machine can hold.
pub(super) fn read_state(state: &proto::State) -> Option<GatherState> {
    let count = |count: u64| usize::try_from(count).ok().filter(|count| u32::try_from(*count).is_ok());
    Some(GatherState {
        first: state.first_ms.map(TimestampMs),
        last_job: state.last_job_ms.map(TimestampMs),
        not_before: state.not_before_ms.map(TimestampMs),
        present: Present {
            day: state.day,
            today: count(state.entities_today)?,
            day_before: count(state.entities_day_before)?,
        },
    })
}
