//! Made signals: each shows what it was made to show, and nothing else.

use super::*;
use crate::{explain::Aspect, series::TimestampMs};
use proptest::prelude::*;

const STEP_MS: i64 = 60_000;
const AT: TimestampMs = TimestampMs(1_795_271_880_000);

/// What white noise of mean 10 and standard deviation 1 ordinarily does over 30 steps: the mean of a window has the
/// standard deviation 1 / sqrt(30) = 0.18, its spread 1 / sqrt(60) = 0.13 about 1, three steps against thirty
/// sqrt(1/3 + 1/30) = 0.61.
const NOISE: FeatureScales = FeatureScales {
    value: Scale { center: 10.0, unit: 1.0 },
    level: Scale { center: 10.0, unit: 0.18 },
    spread: Scale { center: 1.0, unit: 0.13 },
    deviation: Scale { center: 0.0, unit: 0.61 },
    range: Expected { low: 8.0, high: 12.0 },
    constant: false,
};

/// Thirty numbers of mean 0 and standard deviation 1 without order, the same every time: the multiples of the golden
/// ratio are spread evenly over 0 to 1, whose standard deviation is 1 / sqrt(12).
fn noise() -> Vec<f64> {
    let uniform: Vec<f64> = (1..=30).map(|n| (f64::from(n) * 0.618_033_988_75).fract()).collect();
    uniform.into_iter().map(|u| (u - 0.5) * 12.0_f64.sqrt()).collect()
}

/// The reasons for a window of mean 10 and noise, to each step of which `made` gives (shift, factor of the noise).
fn reasons(made: impl Fn(usize) -> (f64, f64)) -> Vec<Reason> {
    let value = |(step, noise): (usize, f64)| {
        let (shift, factor) = made(step);
        10.0 + shift + factor * noise
    };
    let values: Vec<f64> = noise().into_iter().enumerate().map(value).collect();
    find(&values)
}

fn find(values: &[f64]) -> Vec<Reason> {
    Reason::find(&Recent { values, at: AT, step_ms: STEP_MS }, &NOISE)
}

fn change_of(reasons: &[Reason]) -> Option<Change> {
    reasons.iter().find_map(|reason| match reason {
        Reason::Change(change) => Some(*change),
        Reason::Outlier { .. } => None,
    })
}

fn steps_before(steps: i64) -> Option<TimestampMs> {
    Some(AT.plus_ms(-steps * STEP_MS))
}

#[test]
fn noise_has_no_reason() {
    assert_eq!(reasons(|_| (0.0, 1.0)), []);
}

#[test]
fn a_spike_is_an_outlier_and_no_change() {
    for steps in 1..=3 {
        let found = reasons(|step| (if step + steps >= 30 { 50.0 } else { 0.0 }, 1.0));
        let [Reason::Outlier { sigmas, value, at }] = found[..] else { panic!("{found:?}") };
        assert!((sigmas - 50.0).abs() < 2.0 && (value - sigmas - 10.0).abs() < 1e-9 && at == AT, "{sigmas}");
        assert_eq!(found[0].criterion(), Criterion::StatisticalOutlier);
    }
}

#[test]
fn a_spike_that_is_over_is_nothing() {
    assert_eq!(reasons(|step| (if (10..13).contains(&step) { -80.0 } else { 0.0 }, 1.0)), []);
}

/// Its last step is ordinary again, and the model still sees it: the farther one of the two before is named.
#[test]
fn a_spike_of_the_last_three_steps_is_named_with_its_time() {
    let found = reasons(|step| {
        (
            if step == 27 {
                -40.0
            } else if step == 28 {
                -30.0
            } else {
                0.0
            },
            1.0,
        )
    });
    let [Reason::Outlier { sigmas, at, .. }] = found[..] else { panic!("{found:?}") };
    assert!((sigmas + 40.0).abs() < 2.0 && Some(at) == steps_before(2), "{sigmas} at {at}");
}

/// Within the usual range, from one side of it to the other: 3.6 down, where three steps differ by 0.6 from the others.
/// Level and spread of this one are ordinarily restless.
#[test]
fn a_leap_within_the_usual_range_is_a_change() {
    let restless = Scale { center: 10.0, unit: 1.0 };
    let usual = FeatureScales { level: restless, spread: Scale { center: 1.0, unit: 1.0 }, ..NOISE };
    let values: Vec<f64> = (0..30).map(|step| if step >= 27 { 8.25 } else { 11.75 }).collect();
    let recent = Recent { values: &values, at: AT, step_ms: STEP_MS };
    let jump = Change { aspect: Aspect::Jump, upwards: false, since: None };
    assert_eq!(Reason::find(&recent, &usual), [Reason::Change(jump)]);
    assert_eq!(recent.left(&usual), Some(11.75));
    assert_eq!(Recent { values: &values[..27], ..recent }.left(&usual), None);
}

#[test]
fn a_level_shift_is_a_change_since_its_first_step() {
    for (shift, upwards) in [(2.5, true), (-2.5, false)] {
        let found = reasons(|step| (if step >= 18 { shift } else { 0.0 }, 0.3));
        let change = Change { aspect: Aspect::Level, upwards, since: steps_before(11) };
        assert_eq!(change_of(&found), Some(change));
        assert_eq!(Reason::Change(change).criterion(), Criterion::BehaviourChange);
    }
}

/// Longer ago than the window: the level is another one, and since when is not known.
#[test]
fn an_old_level_shift_has_no_time() {
    let found = reasons(|_| (1.2, 1.0));
    assert_eq!(found, [Reason::Change(Change { aspect: Aspect::Level, upwards: true, since: None })]);
}

#[test]
fn a_level_that_came_back_is_no_change_of_level() {
    let found = reasons(|step| (if step < 15 { 6.0 } else { 0.0 }, 0.3));
    assert!(change_of(&found).is_none_or(|change| change.aspect != Aspect::Level), "{found:?}");
}

#[test]
fn a_drift_is_a_trend() {
    for (slope, upwards) in [(0.3, true), (-0.3, false)] {
        let found = reasons(|step| (slope * (step as f64 - 10.0), 0.5));
        assert_eq!(change_of(&found), Some(Change { aspect: Aspect::Trend, upwards, since: None }));
    }
}

#[test]
fn a_wider_spread_is_a_change_and_no_level() {
    let found = reasons(|step| (0.0, if step >= 15 { 5.0 } else { 1.0 }));
    let change = change_of(&found).unwrap();
    assert_eq!((change.aspect, change.upwards), (Aspect::Spread, true));
    // Nothing tells it to the step: noise may be small by chance.
    let since = change.since.unwrap();
    assert!((12..=16).contains(&(AT.since_ms(since) / STEP_MS)), "{since}");
}

#[test]
fn a_value_that_stands_still_is_a_narrower_spread() {
    let found = reasons(|_| (0.0, 0.0));
    assert_eq!(found, [Reason::Change(Change { aspect: Aspect::Spread, upwards: false, since: None })]);
}

#[test]
fn what_never_varied_is_an_outlier_as_soon_as_it_does() {
    let constant = FeatureScales { constant: true, value: Scale { center: 0.0, unit: 1.0 }, ..NOISE };
    let find = |value| Reason::find(&Recent { values: &[value], at: AT, step_ms: STEP_MS }, &constant);
    assert_eq!(find(0.02), [Reason::Outlier { value: 0.02, at: AT, sigmas: f64::INFINITY }]);
    assert_eq!(find(-0.02), [Reason::Outlier { value: -0.02, at: AT, sigmas: f64::NEG_INFINITY }]);
    assert_eq!(find(0.0), []);
}

#[test]
fn too_few_values_show_no_change() {
    let mut values = vec![f64::NAN; 30];
    values[22..].fill(19.0);
    assert!(change_of(&find(&values)).is_some(), "eight");
    values[22] = f64::NAN;
    assert_eq!(change_of(&find(&values)), None, "seven");
}

proptest! {
    /// For all windows, finite or not, there is an answer, each criterion stands once, and a change lies in the window.
    #[test]
    fn every_window_has_an_answer(values in prop::collection::vec(prop_oneof![-20.0..40.0, prop::num::f64::ANY], 0..60)) {
        let found = find(&values);
        prop_assert!(found.is_sorted_by(|a, b| a.criterion() < b.criterion()));
        if let Some(since) = change_of(&found).and_then(|change| change.since) {
            prop_assert!(since <= AT && AT.since_ms(since) < values.len() as i64 * STEP_MS);
        }
    }

    /// For all noise, adding the same number to window and center, or stretching all by the same factor, changes no reason.
    #[test]
    fn neither_zero_nor_unit_matter(shift in -5.0..5.0, at in 4_usize..26, zero in -100_i32..100, power in -3_i32..4) {
        let values: Vec<f64> = noise().into_iter().enumerate().map(|(n, x)| 10.0 + x + if n >= at { shift } else { 0.0 }).collect();
        // Powers of two and small whole numbers: no rounding.
        let (zero, factor) = (f64::from(zero), 2.0_f64.powi(power));
        let of = |o: Scale, zero: f64| Scale { center: (o.center + zero) * factor, unit: o.unit * factor };
        let usual = FeatureScales {
            value: of(NOISE.value, zero),
            level: of(NOISE.level, zero),
            spread: of(NOISE.spread, 0.0),
            deviation: of(NOISE.deviation, 0.0),
            ..NOISE
        };
        let moved: Vec<f64> = values.iter().map(|x| (x + zero) * factor).collect();
        let recent = Recent { values: &moved, at: AT, step_ms: STEP_MS };
        let kinds = |reasons: Vec<Reason>| reasons.iter().map(Reason::criterion).collect::<Vec<_>>();
        prop_assert_eq!(kinds(Reason::find(&recent, &usual)), kinds(Reason::find(&Recent { values: &values, ..recent }, &NOISE)));
    }
}
