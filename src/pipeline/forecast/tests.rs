use super::*;
use crate::calibrate::Severity;
use ndarray::Array2;
use proptest::prelude::*;
use std::{f64::consts::TAU, time::Duration};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60;
/// Where the feature of these tests usually is.
const USUAL: Expected = Expected { low: 40.0, high: 50.0 };

fn limits() -> Limits {
    Limits::new(Some(90.0), Some(10.0), Severity::Medium).unwrap()
}

/// What is said at each minute of a feature with these values; the feature beside it has no limits and does the same.
fn run(values: impl Iterator<Item = f64>) -> Vec<Option<Forecast>> {
    let entity = LabelSet::from_pairs([("instance", "a")]).unwrap();
    let rules = [FeatureRules::default(), FeatureRules { limits: Some(limits()), ..FeatureRules::default() }];
    let mut forecasts = Forecasts::new(MINUTE);
    let step = |(minute, value): (usize, f64)| {
        let matrix = FeatureMatrix {
            at: TimestampMs(minute as i64 * MINUTE),
            entities: vec![entity.clone()],
            values: Array2::from_shape_vec((1, 2), vec![value; 2]).unwrap(),
            ambiguous: vec![0; 2],
        };
        forecasts.take(&matrix, |_| &rules);
        let of = |feature| forecasts.of(&entity, feature, matrix.at, value, limits(), || Some(USUAL));
        assert_eq!(of(0), None, "nobody asked for it");
        of(1)
    };
    values.enumerate().map(step).collect()
}

/// `hours` of minutes: the value at each, in hours from the first.
fn hours(hours: i64, value: impl Fn(f64) -> f64) -> impl Iterator<Item = f64> {
    (0..hours * HOUR).map(move |minute| value(minute as f64 / HOUR as f64))
}

/// 5 an hour from 45 on: out of what is usual by half of its width after two hours; at 90 after nine.
#[test]
fn an_even_rise_is_said_with_the_time_that_is_left() {
    let said = run(hours(10, |hour| 45.0 + 5.0 * hour));
    assert!(said[..=120].iter().all(Option::is_none));
    for (minute, forecast) in said.iter().enumerate().take(9 * 60 + 1).skip(121) {
        let Forecast { bound, after_ms } = forecast.unwrap();
        let left_ms = (9 * 60 - minute as i64) * MINUTE;
        assert_eq!(bound, Bound::Above(90.0));
        assert!((after_ms - left_ms).abs() <= 1, "{minute}: {after_ms} and {left_ms}");
    }
    // Beyond the limit nothing is foretold: it is there.
    assert!(said[9 * 60 + 1..].iter().all(Option::is_none));
}

#[test]
fn a_fall_is_heading_for_the_lower_limit() {
    let said = run(hours(3, |hour| 42.0 - 4.0 * hour));
    let Forecast { bound, after_ms } = said.last().unwrap().unwrap();
    assert_eq!(bound, Bound::Below(10.0));
    let left = Duration::from_millis(after_ms as u64).as_secs_f64() / 3600.0;
    assert!((left - 5.0).abs() < 0.1, "{left}");
}

#[test]
fn what_moves_otherwise_is_no_line() {
    let jump = |hour: f64| if hour < 2.0 { 45.0 } else { 60.0 };
    let noise = |hour: f64| 60.0 + 9.0 * (hour * 77.7).sin();
    let cycle = |hour: f64| 60.0 + 20.0 * (hour * TAU).sin();
    // A day of it: each morning is a line, and where it usually is.
    let day = |hour: f64| 45.0 + 5.0 * (hour / 24.0 * TAU).sin();
    let slow = |hour: f64| 51.0 + hour;
    let constant = |_: f64| 60.0;
    for (name, value) in [
        ("jump", &jump as &dyn Fn(f64) -> f64),
        ("noise", &noise),
        ("cycle", &cycle),
        ("day", &day),
        ("slow", &slow),
        ("constant", &constant),
    ] {
        let said = run(hours(12, value));
        let count = said.iter().flatten().count();
        assert_eq!(count, 0, "{name}: {:?}", said.iter().position(Option::is_some));
    }
}

/// Not from ten minutes' silence on, and again once there are means of five more periods.
#[test]
fn a_line_ends_with_its_values() {
    let rise = |hour: f64| 50.0 + 5.0 * hour;
    let gap = hours(4, move |hour| if (2.0..3.0).contains(&hour) { f64::NAN } else { rise(hour) });
    let said = run(gap);
    assert!(said[110..120].iter().all(Option::is_some));
    assert!(said[130..180].iter().all(Option::is_none));
    assert!(said[190..].iter().all(Option::is_some), "the means before the gap lie on the same line");
}

/// A machine an hour, each for an hour, as where machines are made for a job: those of the last hours are remembered.
#[test]
fn who_is_gone_is_forgotten() {
    let rules = [FeatureRules { limits: Some(limits()), ..FeatureRules::default() }];
    let mut forecasts = Forecasts::new(MINUTE);
    for minute in 0..100 * HOUR {
        let matrix = FeatureMatrix {
            at: TimestampMs(minute * MINUTE),
            entities: vec![LabelSet::from_pairs([("instance", format!("job-{}", minute / HOUR))]).unwrap()],
            values: Array2::from_elem((1, 1), 45.0),
            ambiguous: vec![0],
        };
        forecasts.take(&matrix, |_| &rules);
        assert!(forecasts.entities.len() <= 4, "{minute}: {}", forecasts.entities.len());
    }
    assert!(forecasts.entities.len() >= 2);
}

proptest! {
    /// Whatever comes, what is said is ahead: within a day, towards a limit, beyond what is usual.
    #[test]
    fn what_is_said_is_ahead(
        values in prop::collection::vec(prop_oneof![8 => 0.0..100.0, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)], 1..60),
        repeats in 1_usize..40,
    ) {
        let values: Vec<f64> = values.into_iter().flat_map(|value| vec![value; repeats]).collect();
        for (value, forecast) in values.iter().zip(run(values.iter().copied())) {
            let Some(Forecast { bound, after_ms }) = forecast else { continue };
            prop_assert!((0..=HORIZON_MS).contains(&after_ms));
            match bound {
                Bound::Above(limit) => prop_assert!(*value > USUAL.high + 5.0 && *value <= limit),
                Bound::Below(limit) => prop_assert!(*value < USUAL.low - 5.0 && *value >= limit),
            }
        }
    }
}
