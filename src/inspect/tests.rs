use super::*;
use proptest::prelude::*;

const STEP_MS: i64 = 60_000;
const START: i64 = 1_767_571_200_000;

fn at(step: i64) -> TimestampMs {
    TimestampMs(START + step * STEP_MS)
}

/// One entity and feature: a calm saw of values at these steps.
fn inspected(steps: impl IntoIterator<Item = i64>) -> Report {
    let mut inspector = Inspector::new(["f".to_owned()]);
    for step in steps {
        inspector.take("a", at(step), &[(step.rem_euclid(7)) as f64 + 1.0]);
    }
    inspector.report()
}

fn said(report: &Report) -> Vec<(&'static str, &str)> {
    report.findings.iter().map(|finding| (finding.concern.name(), finding.what.as_str())).collect()
}

#[test]
fn a_table_without_fault_has_nothing_to_say() {
    let report = inspected(0..1440);
    assert_eq!(said(&report), []);
    assert_eq!(report.times.step_ms, Some(STEP_MS));
    assert_eq!((report.days.len(), report.days[0].rows), (1, 1440));
    let column = &report.columns[0];
    assert_eq!((column.values.present, column.values.min, column.values.max), (1440, 1.0, 7.0));
}

/// Ten rows are gone in one place and one in another; a row comes twice, and one lies before the row above it.
#[test]
fn gaps_repeated_and_backward_rows_are_counted() {
    let steps = (0..100).chain(110..500).chain([499, 400]).chain(501..900);
    let report = inspected(steps);
    let times = &report.times;
    assert_eq!((times.gaps, times.missing_rows, times.repeated, times.backwards), (2, 11, 1, 1));
    let longest: Vec<_> = times.longest.iter().map(|gap| (gap.from, gap.to)).collect();
    assert_eq!(longest, [(at(99), at(110)), (at(499), at(501))]);
    assert_eq!(
        said(&report),
        [
            ("error", "1 of 891 rows repeat the time of the entity's row before"),
            ("error", "1 of 891 rows lie before the entity's row above"),
            ("warning", "2 gaps, 11 rows that are not there"),
        ]
    );
}

/// Steps of five minutes around the last Sunday of October and of March, as clocks on walls go.
#[test]
fn local_time_is_suspected_where_an_hour_is_repeated_or_left_out() {
    let five = |range: std::ops::Range<i64>| range.map(|n| n * 5);
    let autumn = inspected(five(0..300).chain(five(288..600)));
    assert!(autumn.times.hour_back == 1, "{:?}", autumn.times);
    let spring = inspected(five(0..300).chain(five(312..600)));
    assert_eq!(spring.times.hour_forth, 1);
    for report in [autumn, spring] {
        assert!(said(&report).iter().any(|(_, what)| what.starts_with("time leaves out an hour")));
    }
}

#[test]
fn what_is_odd_about_a_feature_is_said_with_its_name() {
    let names = ["counter", "constant", "missing", "rare", "infinite", "calm"];
    let mut inspector = Inspector::new(names.map(str::to_owned));
    for step in 0..1000_i64 {
        let counter = (step % 400) as f64 * 10.0;
        let rare = if step % 10 == 0 { 1.0 + step as f64 } else { f64::NAN };
        let infinite = if step == 500 { f64::INFINITY } else { (step % 3) as f64 };
        inspector.take("a", at(step), &[counter, 4.0, f64::NAN, rare, infinite, (step % 5) as f64]);
    }
    inspector.unreadable_cell(5);
    let report = inspector.report();
    let by_feature: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.feature.as_deref().unwrap_or(""), finding.what.as_str()))
        .collect();
    assert_eq!(
        by_feature,
        [
            ("counter", "grows like a counter: 997 rises, 2 falls, 2 of them to less than a tenth (resets)"),
            ("missing", "no value at all"),
            ("calm", "cells that are no number: 1"),
            ("rare", "90.0 % missing"),
            ("infinite", "infinite values: 1"),
            ("constant", "always 4"),
            ("infinite", "0.1 % missing"),
        ]
    );
}

#[test]
fn few_rows_of_many_entities_are_too_few() {
    let mut inspector = Inspector::new(["f".to_owned()]);
    for step in 0..100 {
        for entity in ["a", "b"] {
            inspector.take(entity, at(step), &[step as f64 % 5.0]);
        }
    }
    let report = inspector.report();
    assert_eq!(report.entities, ["a", "b"]);
    assert_eq!(said(&report), [("error", "200 rows of 2 entities")]);
}

#[test]
fn days_beyond_those_that_are_told_apart_are_said() {
    let report = inspected((0..MAX_DAYS as i64 + 3).map(|day| day * 1440));
    assert_eq!((report.days.len(), report.columns[0].values.present), (MAX_DAYS, MAX_DAYS as u64 + 3));
    assert_eq!(said(&report), [("note", "3 rows lie outside of the 4000 days that came first")]);
}

proptest! {
    /// The figures of a column are those of its values taken together.
    #[test]
    fn figures_are_those_of_all_values(values in prop::collection::vec(-1e6_f64..1e6, 2..200)) {
        let mut inspector = Inspector::new(["f".to_owned()]);
        for (step, value) in values.iter().enumerate() {
            inspector.take("a", at(step as i64), &[*value]);
        }
        let report = inspector.report();
        let column = &report.columns[0];
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        prop_assert_eq!((column.values.min, column.values.max), (low, high));
        prop_assert!((column.values.mean - mean).abs() <= 1e-6);
        prop_assert!((column.standard_deviation() - (squares / (n - 1.0)).sqrt()).abs() <= 1e-5);
    }

    /// Whatever the times, every row is counted once: after the one before, repeated, or backwards.
    #[test]
    fn every_row_is_counted_once(steps in prop::collection::vec(-50_i64..50, 1..200)) {
        let report = inspected(steps.iter().copied());
        let times = &report.times;
        let taken: u64 = report.columns[0].values.present;
        prop_assert_eq!(taken + times.repeated + times.backwards, steps.len() as u64);
        prop_assert!(times.longest.iter().all(|gap| gap.to.since_ms(gap.from) > STEP_MS));
    }
}
