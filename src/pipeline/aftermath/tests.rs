use super::*;
use crate::features::{FeatureColumn, FeatureMatrix, FeatureSchema, SchemaSettings};
use ndarray::Array2;

const MINUTE: i64 = 60_000;
const WINDOW: usize = 30;

/// One entity with features f0 and f1, and what is known of its alarms.
struct Entity {
    labels: LabelSet,
    windows: FeatureWindows,
    aftermaths: Aftermaths,
    /// Where the model says that both features usually are.
    usual: Option<Expected>,
    minute: i64,
}

impl Entity {
    /// Half an hour of a saw tooth: f0 within 10 to 14, f1 within 20 to 24.
    fn calm() -> Self {
        let column = |name: &str| FeatureColumn { name: name.to_owned(), expression: String::new() };
        let schema = FeatureSchema::new(SchemaSettings {
            step_ms: MINUTE,
            window_steps: WINDOW,
            features: vec![column("f0"), column("f1")],
            ..SchemaSettings::default()
        });
        let schema = schema.unwrap();
        let windows = FeatureWindows::new(&schema);
        let mut entity = Self {
            labels: LabelSet::from_pairs([("instance", "a")]).unwrap(),
            aftermaths: Aftermaths::new(&windows),
            windows,
            usual: None,
            minute: 0,
        };
        (0..30).for_each(|minute| {
            let tooth = f64::from(minute % 5);
            assert!(!entity.step([10.0 + tooth, 20.0 + tooth], None, &[0, 1]));
        });
        entity
    }

    /// A minute; whether it is in the aftermath of an alarm, given the features that drive its score. `alarm`: the minute in which
    /// the alarm that stands began.
    fn step(&mut self, values: [f64; 2], alarm: Option<i64>, drivers: &[usize]) -> bool {
        let at = TimestampMs(self.minute * MINUTE);
        self.minute += 1;
        let matrix = FeatureMatrix {
            at,
            entities: vec![self.labels.clone()],
            values: Array2::from_shape_vec((1, 2), values.to_vec()).unwrap(),
            ambiguous: vec![0; 2],
        };
        self.windows.push(&matrix).unwrap();
        let share = 1.0 / drivers.len().max(1) as f64;
        let mut drivers: Vec<Contribution> =
            drivers.iter().map(|feature| Contribution { feature: *feature, share }).collect();
        // Of next to no share: never asked for.
        drivers.push(Contribution { feature: 7, share: 0.05 });
        let value = |feature: usize| values[feature];
        self.aftermaths.forget_over(at);
        let holds = self.aftermaths.holds(&self.labels, &drivers, value);
        let alarm = alarm.filter(|_| !holds).map(|minute| (TimestampMs(minute * MINUTE), Severity::High));
        self.aftermaths.take(&self.labels, at, alarm, &self.windows, [self.usual; 2].into_iter(), value);
        holds
    }

    /// Ten minutes in which f0 is far up, from this minute on.
    fn incident(&mut self) {
        let begin = self.minute;
        (0..10).for_each(|_| assert!(!self.step([50.0, 22.0], Some(begin), &[0])));
    }
}

#[test]
fn what_is_back_where_it_was_is_over_for_as_long_as_the_window_holds_it() {
    let mut entity = Entity::calm();
    entity.incident();
    let held: Vec<bool> = (0..40).map(|_| entity.step([12.0, 22.0], None, &[0])).collect();
    // The inputs look back three steps more.
    assert!(held[..WINDOW + 3].iter().all(|held| *held), "{held:?}");
    assert!(held[WINDOW + 3..].iter().all(|held| !held), "{held:?}");
}

/// Half a width further out is as good as back, more is not.
#[test]
fn what_is_not_quite_back_is_not_over() {
    for (value, over) in [(15.9, true), (16.1, false), (8.1, true), (7.9, false), (f64::NAN, false)] {
        let mut entity = Entity::calm();
        entity.incident();
        assert_eq!(entity.step([value, 22.0], None, &[0]), over, "{value}");
    }
}

/// From 50, where it never is, it may come back to wherever it usually is; from 25, where it may be, to where it was.
#[test]
fn who_left_what_is_usual_is_back_there() {
    for (far, value, over) in
        [(50.0, 31.0, true), (50.0, 33.0, false), (25.0, 29.0, false), (25.0, 12.0, true)]
    {
        let mut entity = Entity::calm();
        entity.usual = Some(Expected { low: 5.0, high: 30.0 });
        let begin = entity.minute;
        (0..10).for_each(|_| assert!(!entity.step([far, 22.0], Some(begin), &[0])));
        assert_eq!(entity.step([value, 22.0], None, &[0]), over, "{far} {value}");
    }
}

#[test]
fn another_feature_is_other_news() {
    let mut entity = Entity::calm();
    entity.incident();
    assert!(entity.step([12.0, 22.0], None, &[0]));
    // It never left: what it does to the score is none of that alarm's doing.
    assert!(!entity.step([12.0, 22.0], None, &[1]));
    assert!(!entity.step([12.0, 22.0], None, &[0, 1]));
    // Without a driver nobody knows.
    assert!(!entity.step([12.0, 22.0], None, &[]));
    assert!(entity.step([12.0, 22.0], None, &[0]));
}

/// Two hours far up, of which the alarm stood for ten minutes only, because what lasts is forgotten: the way back is no second alarm.
#[test]
fn the_end_of_what_lasted_is_no_news() {
    let mut entity = Entity::calm();
    entity.incident();
    (0..110).for_each(|_| assert!(!entity.step([50.0, 22.0], None, &[0])));
    assert!(entity.step([12.0, 22.0], None, &[0]));
    assert!(entity.aftermaths.hold_high(&entity.labels));
}

/// A noisy value that is out now and then belongs to no alarm that is over: what it does hours later is news, with its end.
#[test]
fn who_was_back_is_not_away_for_it() {
    let mut entity = Entity::calm();
    entity.incident();
    for minute in 0..180 {
        entity.step([if minute % 20 == 19 { 17.0 } else { 12.0 }, 22.0], None, &[0]);
    }
    assert!(!entity.step([50.0, 22.0], None, &[0]));
    assert!(!entity.step([12.0, 22.0], None, &[0]));
}

/// After a day there it is at home there.
#[test]
fn the_end_of_what_lasted_for_a_day_is_news() {
    let mut entity = Entity::calm();
    entity.incident();
    (0..1_440).for_each(|_| assert!(!entity.step([50.0, 22.0], None, &[0])));
    assert!(!entity.step([12.0, 22.0], None, &[0]));
    assert!(!entity.aftermaths.hold_high(&entity.labels));
}

/// Of an entity that never comes back nothing is kept for longer than its window would hold it.
#[test]
fn who_is_gone_is_forgotten() {
    let mut entity = Entity::calm();
    entity.incident();
    let gone = |entity: &mut Entity, minutes: i64| {
        entity.aftermaths.forget_over(TimestampMs((entity.minute - 1 + minutes) * MINUTE));
        entity.aftermaths.entities.is_empty()
    };
    assert!(!gone(&mut entity, WINDOW as i64 + 3));
    assert!(gone(&mut entity, WINDOW as i64 + 4));
}

/// A second rise within the window is news as the first one was, and its end is over as that was.
#[test]
fn it_can_happen_again() {
    let mut entity = Entity::calm();
    for _ in 0..3 {
        entity.incident();
        (0..5).for_each(|_| assert!(entity.step([12.0, 22.0], None, &[0])));
    }
}

#[test]
fn who_was_not_known_before_the_alarm_has_no_range_to_come_back_to() {
    let mut entity = Entity::calm();
    entity.aftermaths.forget(&entity.labels.clone());
    let since = entity.minute - 27;
    (0..10).for_each(|_| assert!(!entity.step([50.0, 22.0], Some(since), &[0])));
    assert!(!entity.step([12.0, 22.0], None, &[0]));
}
