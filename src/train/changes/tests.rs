use super::*;
use crate::{
    features::Inputs,
    train::{ReservoirSettings, TrainingRows},
};
use ndarray::Array2;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What happens to a reservoir.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A step with so many entities.
    Offer(usize),
    TakeBack(usize, i64),
    ForgetBefore(i64),
    ForgetFrom(i64),
    /// Somebody asks, and may want everything.
    Take(bool),
}

fn entity(number: usize) -> LabelSet {
    LabelSet::from_pairs([("instance", number.to_string())]).unwrap()
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => (0_usize..6).prop_map(Event::Offer),
        1 => (0_usize..6, 0_i64..30).prop_map(|(entity, back)| Event::TakeBack(entity, back)),
        1 => (0_i64..40).prop_map(Event::ForgetBefore),
        1 => (0_i64..10).prop_map(Event::ForgetFrom),
        4 => any::<bool>().prop_map(Event::Take),
    ]
}

pub(crate) fn reservoir(max_rows: usize) -> Reservoir {
    let settings = ReservoirSettings { max_rows, min_entity_rows: 1, ..ReservoirSettings::default() };
    let mut reservoir = Reservoir::new(settings);
    reservoir.note_changes();
    reservoir
}

/// Lets an event at minute `now` happen; gives what somebody was told who asked.
pub(crate) fn happen(reservoir: &mut Reservoir, now: i64, event: &Event) -> Option<RowChanges> {
    let minute = |minute: i64| TimestampMs(minute * 60_000);
    match *event {
        Event::Offer(n) => {
            let mut entities: Vec<LabelSet> = (0..n).map(entity).collect();
            entities.sort();
            let values = Array2::from_shape_fn((n, 2), |(row, column)| {
                (now * 10 + row as i64) as f64 / (column + 1) as f64
            });
            reservoir.offer(
                &Inputs {
                    at: minute(now),
                    entities,
                    values,
                    present: Array2::zeros((n, 1)),
                    filled_steps: vec![1; n],
                    warm: vec![true; n],
                },
                |_| true,
            );
        }
        Event::TakeBack(who, back) => _ = reservoir.take_back(&entity(who), minute(now - back)),
        Event::ForgetBefore(back) => reservoir.forget_before(minute(now - back)),
        Event::ForgetFrom(back) => reservoir.forget_from(minute(now - back)),
        Event::Take(everything) => return reservoir.take_changes(everything),
    }
    None
}

/// Whoever listened from the beginning.
#[derive(Default)]
struct Listener(BTreeMap<(LabelSet, TimestampMs), Columns>);

impl Listener {
    fn hear(&mut self, changes: RowChanges) {
        if changes.is_complete {
            self.0.clear();
        }
        for EntityChanges { entity, rows, gone } in changes.entities {
            gone.into_iter().for_each(|at| _ = self.0.remove(&(entity.clone(), at)));
            self.0.extend(rows.into_iter().map(|(at, columns)| ((entity.clone(), at), columns)));
        }
    }

    fn rows(&self) -> Vec<(TimestampMs, LabelSet, Vec<f64>)> {
        let mut rows: Vec<_> =
            self.0.iter().map(|((entity, at), columns)| (*at, entity.clone(), columns.to_vec())).collect();
        rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        rows
    }
}

fn plain(rows: &TrainingRows) -> Vec<(TimestampMs, LabelSet, Vec<f64>)> {
    let row = |row: usize| {
        (rows.at[row], rows.entities[rows.entity_of[row]].clone(), rows.values.row(row).to_vec())
    };
    (0..rows.at.len()).map(row).collect()
}

#[test]
fn a_row_that_came_and_went_is_gone() {
    let mut kept = reservoir(100);
    for minute in 0..3 {
        happen(&mut kept, minute, &Event::Offer(1));
    }
    happen(&mut kept, 2, &Event::TakeBack(0, 0));
    let changes = kept.take_changes(false).unwrap();
    assert_eq!(changes.entities.len(), 1);
    let own = &changes.entities[0];
    assert_eq!((own.rows.len(), own.gone.as_slice()), (2, &[TimestampMs(120_000)][..]));
    assert_eq!(kept.take_changes(false).unwrap(), RowChanges::default(), "it was told");
}

/// As when the past is learned beside the stream.
#[test]
fn rows_of_another_one_are_told() {
    let (mut kept, mut other) = (reservoir(100), reservoir(100));
    happen(&mut other, 1, &Event::Offer(2));
    happen(&mut kept, 2, &Event::Offer(1));
    kept.take_changes(false);
    kept.join(other);
    let mut listener = Listener::default();
    listener.hear(kept.take_changes(false).unwrap());
    assert_eq!((listener.rows(), kept.len()), (plain(&kept.rows()), 3));
}

/// A disk that hangs for days must not cost more memory than the rows.
#[test]
fn too_many_notes_are_given_up_for_all_rows() {
    let mut kept = reservoir(50);
    for minute in 0..2_000 {
        happen(&mut kept, minute, &Event::Offer(3));
        let noted = kept.changes.as_ref().unwrap().noted.len();
        assert!(noted <= FREE_NOTES, "{noted}");
    }
    let changes = kept.take_changes(false).unwrap();
    assert!(changes.is_complete);
    assert_eq!(changes.entities.iter().map(|own| own.rows.len()).sum::<usize>(), kept.len());
}

#[test]
fn room_for_fewer_rows_bounds_what_entities_may_keep() {
    let settings =
        ReservoirSettings { max_rows: 10, most_rows: 40, min_entity_rows: 8, ..ReservoirSettings::default() };
    let mut kept = Reservoir::new(settings);
    happen(&mut kept, 0, &Event::Offer(5));
    assert!(!kept.is_short_of_room());
    for minute in 1..100 {
        happen(&mut kept, minute, &Event::Offer(6));
    }
    assert!(kept.is_short_of_room());
    let counts: Vec<usize> = kept.entities().map(|(_, rows)| rows).collect();
    assert_eq!(counts.iter().sum::<usize>(), 40);
    assert!(counts.len() == 6 && counts.iter().all(|rows| (6..=7).contains(rows)), "{counts:?}");
}

proptest! {
    /// For all that can happen to a reservoir, whoever listens knows its rows each time he has asked; and a reservoir that is
    /// restored from them goes on as if nothing had been.
    #[test]
    fn what_is_told_adds_up(events in prop::collection::vec(event(), 1..120), max_rows in 1_usize..40) {
        let mut kept = reservoir(max_rows);
        let mut listener = Listener::default();
        for (now, event) in events.iter().enumerate() {
            if let Some(changes) = happen(&mut kept, now as i64, event) {
                listener.hear(changes);
                prop_assert_eq!(listener.rows(), plain(&kept.rows()));
            }
        }
        listener.hear(kept.take_changes(false).unwrap());
        prop_assert_eq!(listener.rows(), plain(&kept.rows()));

        let mut restored = reservoir(max_rows);
        let rows = kept.all_rows().entities.into_iter().map(|own| (own.entity, own.rows)).collect();
        let state = GatherState { present: kept.present(), ..GatherState::default() };
        restored.restore(Gathered { rows, state });
        for (now, event) in (events.len()..).zip(&events) {
            happen(&mut kept, now as i64, event);
            happen(&mut restored, now as i64, event);
            prop_assert_eq!(kept.len(), restored.len());
        }
        prop_assert_eq!(kept.rows(), restored.rows());
    }
}
