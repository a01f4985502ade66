use super::*;
use proptest::prelude::*;

fn inputs(minute: i64, entities: usize) -> Inputs {
    let name = |n: usize| LabelSet::from_pairs([("instance", format!("{n}"))]).unwrap();
    let mut names: Vec<LabelSet> = (0..entities).map(name).collect();
    names.sort();
    Inputs {
        at: TimestampMs(minute * 60_000),
        entities: names,
        values: Array2::from_elem((entities, 1), minute as f64),
        present: Array2::zeros((entities, 1)),
        filled_steps: vec![1; entities],
        warm: vec![true; entities],
    }
}

fn reservoir(max_rows: usize) -> Reservoir {
    Reservoir::new(ReservoirSettings { max_rows, min_entity_rows: 1, ..ReservoirSettings::default() })
}

fn counts(kept: &Reservoir) -> Vec<usize> {
    kept.entities().map(|(_, rows)| rows).collect()
}

#[test]
fn a_long_day_does_not_push_out_a_short_one() {
    let mut kept = reservoir(30);
    for minute in (0..20).chain(60..180) {
        kept.offer(&inputs(minute, 1), |_| true);
    }
    let rows = kept.rows();
    let in_hour = |hour: i64| rows.at.iter().filter(|at| at.0 / 3_600_000 == hour).count();
    assert_eq!([in_hour(0), in_hour(1), in_hour(2)], [10, 10, 10]);
}

#[test]
fn a_newcomer_keeps_all_it_has_until_it_has_its_share() {
    let mut kept = reservoir(400);
    for minute in 0..1000 {
        kept.offer(&inputs(minute, 3), |_| true);
    }
    for minute in 1000..1090 {
        kept.offer(&inputs(minute, 4), |_| true);
    }
    assert_eq!(counts(&kept), [104, 103, 103, 90]);
    for minute in 1090..1200 {
        kept.offer(&inputs(minute, 4), |_| true);
    }
    assert_eq!(counts(&kept), [100, 100, 100, 100]);
}

#[test]
fn rows_are_counted_around_an_instant() {
    let mut kept = reservoir(1000);
    (0..100).for_each(|minute| _ = kept.offer(&inputs(minute, 2), |row| row == 0 || minute < 20));
    let minute = |minute: i64| TimestampMs(minute * 60_000);
    let counts: Vec<_> = kept.counts_around(minute(10), minute(30)).collect();
    assert_eq!(counts, [(20, 70), (10, 0)]);
}

/// A fleet so large that an equal share of the rows would be too few to know anyone.
#[test]
fn every_entity_present_may_keep_what_it_takes_to_know_it() {
    let settings = ReservoirSettings { max_rows: 100, min_entity_rows: 8, ..ReservoirSettings::default() };
    let mut kept = Reservoir::new(settings);
    for minute in 0..200 {
        kept.offer(&inputs(minute, 50), |_| true);
    }
    assert_eq!(counts(&kept), [8; 50]);
}

/// Pods come and go: what is kept does not grow with all that ever were.
#[test]
fn those_silent_for_longest_are_forgotten() {
    let settings = ReservoirSettings { max_rows: 60, min_entity_rows: 10, ..ReservoirSettings::default() };
    let mut kept = Reservoir::new(settings);
    for minute in 0..400 {
        let mut two = inputs(minute, 2);
        // The second is another one every 20 minutes.
        two.entities[1] = LabelSet::from_pairs([("instance", format!("pod {:04}", minute / 20))]).unwrap();
        kept.offer(&two, |_| true);
    }
    let names: Vec<_> = kept.entities().map(|(entity, _)| entity.get("instance").unwrap()).collect();
    assert_eq!(names, ["0", "pod 0015", "pod 0016", "pod 0017", "pod 0018", "pod 0019"]);
    assert_eq!(counts(&kept), [10; 6]);
}

/// Not the first ones, nor every tenth, which could be one entity's; in their order, and the same again.
#[test]
fn some_rows_are_drawn_from_all() {
    let mut kept = reservoir(1_000);
    for minute in 0..100 {
        kept.offer(&inputs(minute, 10), |_| true);
    }
    let rows = kept.rows();
    let drawn = rows.drawn(200, 7);
    assert_eq!((drawn.at.len(), drawn.entity_of.len(), drawn.values.nrows()), (200, 200, 200));
    assert!(drawn.at.iter().zip(&drawn.entity_of).is_sorted_by(|a, b| a < b));
    let of_entity = |entity| drawn.entity_of.iter().filter(|of| **of == entity).count();
    assert!((0..10).all(|entity| (8..=35).contains(&of_entity(entity))), "even over the entities");
    assert_eq!((&*drawn, &*rows.drawn(5_000, 7)), (&*rows.drawn(200, 7), &rows));
    assert_ne!(rows.drawn(200, 8), drawn);
}

/// Two halves of a time make what the whole would have made, as long as nothing had to be given up; else as much.
#[test]
fn one_joins_another() {
    let offered = |minutes: std::ops::Range<i64>, max_rows: usize| {
        let mut kept = reservoir(max_rows);
        minutes.for_each(|minute| _ = kept.offer(&inputs(minute, 3), |_| true));
        kept
    };
    for (most, rows) in [(1_000, 600), (90, 90)] {
        let (early, mut late) = (offered(0..120, most), offered(80..200, most));
        late.join(early);
        assert_eq!(late.len(), rows);
        assert_eq!(counts(&late), [rows / 3; 3]);
        if rows == 600 {
            assert_eq!(late.rows(), offered(0..200, most).rows());
        }
        let at = late.rows().at;
        assert!(at.iter().any(|at| at.0 < 60 * 60_000) && at.iter().any(|at| at.0 > 180 * 60_000));
    }
}

#[test]
fn cold_and_excluded_rows_stay_out() {
    let mut kept = reservoir(10);
    let mut cold = inputs(1, 3);
    cold.warm[0] = false;
    assert_eq!(kept.offer(&cold, |row| row != 1), 1);
    assert_eq!(kept.rows().entities, [cold.entities[2].clone()]);
}

/// Forty entities of which half are silent for a step, then all: nobody's rows are given up.
#[test]
fn a_step_without_most_of_the_entities_costs_no_rows() {
    let settings = ReservoirSettings { max_rows: 40, min_entity_rows: 8, ..ReservoirSettings::default() };
    let mut kept = Reservoir::new(settings);
    let mut step = |minute, entities| {
        kept.offer(&inputs(minute, entities), |_| true);
        kept.entities().count()
    };
    assert_eq!((0..20).map(|minute| step(minute, 40)).last(), Some(40));
    assert_eq!([step(20, 20), step(21, 0), step(5_000, 0), step(5_001, 40)], [40; 4]);
}

#[test]
fn rows_from_an_instant_on_are_forgotten() {
    let mut kept = reservoir(40);
    for minute in 0..20 {
        kept.offer(&inputs(minute, if minute < 15 { 1 } else { 2 }), |_| true);
    }
    kept.forget_from(TimestampMs(15 * 60_000));
    assert_eq!((counts(&kept), kept.len()), (vec![15], 15), "nobody is kept without rows");
    assert_eq!(kept.rows().at.last(), Some(&TimestampMs(14 * 60_000)));
}

#[test]
fn rows_that_are_taken_back_make_room() {
    let mut kept = reservoir(40);
    for minute in 0..20 {
        kept.offer(&inputs(minute, 2), |_| true);
    }
    let second = inputs(0, 2).entities.remove(1);
    assert_eq!(kept.take_back(&second, TimestampMs(15 * 60_000)), 5);
    assert_eq!((counts(&kept), kept.len()), (vec![20, 15], 35));
    assert_eq!(kept.take_back(&LabelSet::empty(), TimestampMs(0)), 0);
    assert_eq!(kept.take_back(&second, TimestampMs(0)), 15);
    assert_eq!((counts(&kept), kept.len()), (vec![20], 20), "nobody is kept without rows");
}

proptest! {
    /// For all streams, a reservoir keeps everything while there is room, then at most its bound (or a row
    /// for each entity of one day); rows ascend, and are the same ones again when they are offered again.
    #[test]
    fn bounded_sorted_and_repeatable(steps in prop::collection::vec(1_usize..6, 1..80), max in 1_usize..40) {
        let run = || {
            let mut kept = reservoir(max);
            for (minute, entities) in steps.iter().enumerate() {
                kept.offer(&inputs(minute as i64 * 7, *entities), |_| true);
            }
            kept
        };
        let rows = run().rows();
        let (offered, bound) = (steps.iter().sum::<usize>(), max.max(*steps.iter().max().unwrap()));
        prop_assert!(rows.at.len() <= bound && (offered > max || rows.at.len() == offered));
        let keys: Vec<_> = rows.at.iter().zip(&rows.entity_of).collect();
        prop_assert!(keys.is_sorted_by(|a, b| a < b));
        prop_assert_eq!(rows, run().rows());
    }
}
