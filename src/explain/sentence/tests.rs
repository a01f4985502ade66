//! What a person reads, to the letter.

use super::*;
use crate::calibrate::AnomalyScore;
use insta::assert_snapshot;

/// 2026-11-21 14:38 UTC.
const AT: TimestampMs = TimestampMs(1_795_271_880_000);
const MINUTE_MS: i64 = 60_000;

fn minutes_ago(minutes: i64) -> TimestampMs {
    AT.plus_ms(-minutes * MINUTE_MS)
}

fn driver(name: &str, seen: f64, (low, high): (f64, f64), share: f64, reasons: Vec<Reason>) -> Driver<'_> {
    let expected = Some(Expected { low, high });
    let feature = Quantity::of(name);
    Driver { feature, seen: Some(seen), expected, share, before: None, reasons: Some(reasons) }
}

fn outlier(sigmas: f64) -> Reason {
    Reason::Outlier { value: 0.0, at: AT, sigmas }
}

fn change(aspect: Aspect, upwards: bool, since: Option<TimestampMs>) -> Reason {
    Reason::Change(Change { aspect, upwards, since })
}

fn evidence<'a>(drivers: &'a [Driver<'a>], tail_probability: f64) -> Evidence<'a> {
    Evidence {
        drivers,
        n_features: 10,
        tail_probability,
        floor: 1e-6,
        ordinary_from: 0.05,
        at: AT,
        since: None,
        peak: None,
        missing: &[],
    }
}

fn memory() -> Driver<'static> {
    let reasons = vec![outlier(7.24), change(Aspect::Level, true, Some(minutes_ago(18)))];
    driver("memory_usage_pct", 91.26, (40.0, 55.5), 0.58, reasons)
}

fn cpu() -> Driver<'static> {
    driver("cpu_usage_avg", 0.9712, (0.21, 0.38), 0.31, vec![outlier(4.0)])
}

fn load() -> Driver<'static> {
    driver("load_per_core", 1.4, (0.1, 1.0), 0.06, vec![change(Aspect::Spread, true, None)])
}

/// The part before the first full stop.
fn told(drivers: &[Driver<'_>]) -> String {
    what(&evidence(drivers, 1e-3))
}

#[test]
fn the_whole_sentence() {
    let drivers = [memory(), cpu(), load()];
    let since = Some(minutes_ago(6));
    let whole = Evidence { since, missing: &["disk_usage_pct"], ..evidence(&drivers, 2.5e-5) };
    assert_snapshot!(sentence(&whole), @"memory_usage_pct is 91.3 %, 7.2 sigma above its usual 40 to 55.5 %, and its level has risen since about 14:20 UTC; also cpu_usage_avg 0.971 (usually 0.21 to 0.38) and load_per_core 1.4 (usually 0.1 to 1, it varies more than usual). About one window in 40,000 is as unusual; anomalous since 14:32 UTC (6 min). No data for disk_usage_pct.");
}

#[test]
fn each_criterion_has_its_words() {
    let one = |name, seen, range, reasons| told(&[driver(name, seen, range, 0.6, reasons)]);
    let outliers = [7.24, -3.1, 41.6, 4e5].map(|sigmas| one("load", 7.0, (1.0, 2.0), vec![outlier(sigmas)]));
    assert_snapshot!(outliers.join("\n"), @r"
    load is 7, 7.2 sigma above its usual 1 to 2
    load is 7, 3.1 sigma below its usual 1 to 2
    load is 7, 42 sigma above its usual 1 to 2
    load is 7, more than 100 sigma above its usual 1 to 2
    ");
    assert_snapshot!(one("error_ratio", 0.02, (0.0, 0.0), vec![outlier(f64::INFINITY)]), @"error_ratio is 0.02, always 0 before");
    let ago = Some(minutes_ago(18));
    let changes = [
        change(Aspect::Level, true, ago),
        change(Aspect::Level, false, None),
        change(Aspect::Trend, true, None),
        change(Aspect::Trend, false, None),
        change(Aspect::Spread, true, Some(minutes_ago(26 * 60))),
        change(Aspect::Spread, false, None),
        change(Aspect::Jump, true, None),
        change(Aspect::Jump, false, None),
    ]
    .map(|reason| one("load", 1.5, (1.0, 2.0), vec![reason]));
    assert_snapshot!(changes.join("\n"), @r"
    load is 1.5, usually 1 to 2, and its level has risen since about 14:20 UTC
    load is 1.5, usually 1 to 2, and its level has fallen
    load is 1.5, usually 1 to 2, and it keeps rising
    load is 1.5, usually 1 to 2, and it keeps falling
    load is 1.5, usually 1 to 2, and it varies more than usual since about 2026-11-20 12:38 UTC
    load is 1.5, usually 1 to 2, and it varies less than usual
    load is 1.5, usually 1 to 2, and it has jumped up
    load is 1.5, usually 1 to 2, and it has dropped
    ");
}

#[test]
fn each_unit_has_its_words() {
    let one = |name, seen, range| told(&[driver(name, seen, range, 0.6, vec![outlier(5.0)])]);
    let units = [
        one("heap_bytes", 5.1e9, (1.2e9, 3.4e9)),
        one("disk_read_bytes_per_second", 0.0, (8e5, 1.2e6)),
        one("request_duration_seconds", 2.5, (0.02, 0.25)),
        one("memory_usage_pct", 93.0, (40.0, 55.5)),
        one("requests", 12_345.0, (1_000.0, 2_000.0)),
    ];
    assert_snapshot!(units.join("\n"), @r"
    heap_bytes is 5.1 GB, 5.0 sigma above its usual 1.2 to 3.4 GB
    disk_read_bytes_per_second is 0 B/s, 5.0 sigma above its usual 800 kB/s to 1.2 MB/s
    request_duration_seconds is 2.5 s, 5.0 sigma above its usual 20 to 250 ms
    memory_usage_pct is 93 %, 5.0 sigma above its usual 40 to 55.5 %
    requests is 12,300, 5.0 sigma above its usual 1,000 to 2,000
    ");
}

#[test]
fn one_two_and_three_features_are_named_and_no_more() {
    let drivers = [memory(), cpu(), cpu(), cpu(), cpu()];
    assert_snapshot!(told(&drivers[..2]), @"memory_usage_pct is 91.3 %, 7.2 sigma above its usual 40 to 55.5 %, and its level has risen since about 14:20 UTC; also cpu_usage_avg 0.971 (usually 0.21 to 0.38)");
    assert_eq!(told(&drivers[..3]), told(&drivers));
    assert_snapshot!(told(&[load()]), @"load_per_core is 1.4, usually 0.1 to 1, and it varies more than usual");
}

/// Shares like those of all others, and nothing unusual about any of them: nobody is blamed.
#[test]
fn where_nothing_drove_it_nothing_is_blamed() {
    let calm = |share| driver("load", 1.5, (1.0, 2.0), share, Vec::new());
    assert_snapshot!(told(&[calm(0.1), calm(0.1), calm(0.1)]), @"No single feature stands out");
    assert_snapshot!(told(&[calm(0.3), calm(0.1)]), @"Nothing stands out by itself; most of it is load 1.5 (usually 1 to 2)");
    assert_snapshot!(told(&[calm(0.3), calm(0.2), calm(0.16), calm(0.15)]), @"Nothing stands out by itself; unusual together are load 1.5 (usually 1 to 2), load 1.5 (usually 1 to 2) and load 1.5 (usually 1 to 2)");
    assert_snapshot!(sentence(&evidence(&[], 0.01)), @"No single feature stands out. About one window in 100 is as unusual.");
    assert_snapshot!(sentence(&evidence(&[], f64::NAN)), @"No single feature stands out. How rare it is cannot be told.");
}

/// An outlier of the last three steps is what the model sees, and the present value no longer shows it.
#[test]
fn an_outlier_before_the_step_is_told_in_the_past() {
    let spike = Reason::Outlier { value: 97.0, at: minutes_ago(2), sigmas: 8.0 };
    let spiked = driver("memory_usage_pct", 50.0, (40.0, 55.5), 0.6, vec![spike]);
    assert_snapshot!(told(&[spiked.clone(), spiked]), @"memory_usage_pct was 97 % at 14:36 UTC, 8.0 sigma above its usual 40 to 55.5 %; also memory_usage_pct 97 % at 14:36 UTC (usually 40 to 55.5 %)");
}

#[test]
fn what_leapt_with_others_is_told_with_what_it_was_before() {
    let leapt =
        |name, before| Driver { before: Some(before), ..driver(name, 0.28, (0.17, 0.9), 0.2, Vec::new()) };
    assert_snapshot!(told(&[leapt("a", 0.61), leapt("b", 0.7)]), @"Nothing stands out by itself; unusual together are a 0.28 (before 0.61, usually 0.17 to 0.9) and b 0.28 (before 0.7, usually 0.17 to 0.9)");
    let dropped = |name, before| Driver {
        reasons: Some(vec![change(Aspect::Jump, false, None)]),
        ..leapt(name, before)
    };
    assert_snapshot!(told(&[dropped("a", 0.61), dropped("b", 0.7)]), @"a is 0.28, usually 0.17 to 0.9, and it has dropped from 0.61; also b 0.28 (usually 0.17 to 0.9, it has dropped from 0.7)");
}

/// A plain model knows no ordinary variation: shares above chance have to do.
#[test]
fn without_scales_shares_above_chance_are_named() {
    let plain = |name, share| Driver {
        expected: None,
        reasons: None,
        ..driver(name, 7.0, (0.0, 0.0), share, Vec::new())
    };
    assert_snapshot!(told(&[plain("a", 0.4), plain("b", 0.2), plain("c", 0.14)]), @"a is 7; also b 7");
    assert_snapshot!(told(&[plain("a", 0.14), plain("b", 0.14)]), @"No single feature stands out");
}

#[test]
fn a_feature_without_a_value_is_named_too() {
    let silent = Driver { seen: None, reasons: Some(vec![change(Aspect::Level, true, None)]), ..memory() };
    assert_snapshot!(told(&[silent.clone(), silent]), @"memory_usage_pct has no value, usually 40 to 55.5 %, and its level has risen; also memory_usage_pct without a value (usually 40 to 55.5 %, its level has risen)");
}

/// An episode outlives its peak: what is told of the present must not pass for what raised the alarm.
#[test]
fn the_peak_of_an_episode_is_named_when_it_is_over() {
    let peak =
        |minutes, p| Some(Peak { at: minutes_ago(minutes), score: AnomalyScore::from_tail_probability(p) });
    let since = Some(minutes_ago(60));
    let drivers = [cpu()];
    let later = Evidence { since, peak: peak(50, 2.5e-5), ..evidence(&drivers, 0.008) };
    assert_snapshot!(sentence(&later), @"cpu_usage_avg is 0.971, 4.0 sigma above its usual 0.21 to 0.38. About one window in 120 is as unusual now; at its peak, 13:48 UTC, it was about one window in 40,000; anomalous since 13:38 UTC (1 h).");
    let calm = Evidence { drivers: &[], tail_probability: 0.6, peak: peak(50, 1e-9), ..later };
    assert_snapshot!(sentence(&calm), @"Nothing is unusual any more. At its peak, 13:48 UTC, it was fewer than one window in 670,000; anomalous since 13:38 UTC (1 h).");
    for (peak, p) in [(peak(0, 1e-4), 1e-4), (peak(5, 1e-4), 1.9e-4)] {
        let still = Evidence { since, peak, ..evidence(&drivers, p) };
        assert!(!sentence(&still).contains("peak"), "{}", sentence(&still));
    }
}

/// The floor of 1e-6, with the half that the estimate may lie above it: 1 in 670,000.
#[test]
fn rarity_ends_where_the_calibration_ends() {
    assert_snapshot!(rarity(1.1e-6, 1e-6), @"fewer than one window in 670,000");
    assert_snapshot!(rarity(2e-6, 1e-6), @"about one window in 500,000");
    assert_snapshot!(rarity(0.3, 1e-6), @"about one window in 3");
}

#[test]
fn times_on_other_days_carry_the_date() {
    assert_snapshot!(since_text(minutes_ago(26 * 60), AT), @"anomalous since 2026-11-20 12:38 UTC (1 d 2 h)");
    assert_snapshot!(since_text(minutes_ago(61), AT), @"anomalous since 13:37 UTC (1 h 1 min)");
    assert_snapshot!(since_text(AT.plus_ms(-15_000), AT), @"anomalous since 14:37 UTC (15 s)");
    assert_snapshot!(since_text(AT, AT), @"anomalous since 14:38 UTC");
    assert_snapshot!(since_text(TimestampMs::MIN, TimestampMs(0)), @"anomalous for 106,751,991,167 d 7 h");
}

#[test]
fn missing_features_are_listed_and_many_are_counted() {
    let missing = ["a", "b", "c", "d", "e", "f", "g"];
    let texts = [1, 2, 3, 5, 6, 7].map(|n| first_missing(missing[..n].iter()));
    assert_snapshot!(texts.join("\n"), @r"
    a
    a and b
    a, b and c
    a, b, c, d and e
    a, b, c, d, e and 1 more
    a, b, c, d, e and 2 more
    ");
}
