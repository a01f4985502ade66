//! The promises of the module, against a naive store.

use super::{Config, Cursor, Progress, Store};
use crate::series::{
    HistogramSample, LabelMatcher, LabelSet, MatchOp, NativeHistogram, STALE_NAN, Sample, SampleBatch,
    TimestampMs, series_hash,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const FAR_FUTURE: TimestampMs = TimestampMs(i64::MAX / 2);

fn labels(name: &str) -> LabelSet {
    LabelSet::from_pairs([("__name__", name), ("instance", "a:9100")]).unwrap()
}

/// Every place of a selector's list.
const ALL: std::ops::Range<usize> = 0..usize::MAX;

fn batch(name: &str, samples: &[(i64, f64)]) -> SampleBatch {
    let labels = labels(name);
    let mut batch = SampleBatch::default();
    let hash = series_hash(labels.canonical_text(), 7);
    batch.push(hash, labels.canonical_text(), samples.iter().map(|(t, v)| Sample::new(*t, *v)));
    batch
}

/// A store whose selector 0 takes every series whose name starts with "wanted".
fn store(config: Config) -> Store {
    let matcher = LabelMatcher::new("__name__", MatchOp::Regex, "wanted.*").unwrap();
    Store::new(config, vec![vec![matcher]])
}

fn window_of(store: &Store, name: &str) -> Vec<(i64, f64)> {
    let wanted = labels(name);
    let Some(series) = store.select(0, ALL).find(|series| *series.labels == wanted) else {
        return Vec::new();
    };
    let all = series.samples.between(TimestampMs::MIN, TimestampMs::MAX, &mut Vec::new()).to_vec();
    all.iter().map(|s| (s.timestamp.0, s.value)).collect()
}

#[test]
fn a_question_not_known_beforehand_finds_series_that_no_selector_lists() {
    let mut store = store(Config::default());
    store.append(&batch("wanted", &[(0, 1.0)]), TimestampMs(0));
    store.append(&batch("other", &[(0, 1.0)]), TimestampMs(0));
    let other = LabelMatcher::new("__name__", MatchOp::Equal, "other").unwrap();
    let found: Vec<&str> = {
        let named = store.series_from(Cursor::default()).filter(|(_, series)| other.matches(series.labels));
        named.map(|(_, series)| series.labels.metric_name()).collect()
    };
    assert_eq!(found, ["other"]);
}

/// The first series and the second leave the windows between two looks, and the first begins again in the place of
/// the second, which the reader has yet to come to.
#[test]
fn a_reader_that_stops_and_goes_on_sees_no_series_twice() {
    let mut store = store(Config { retention_ms: 1_000, ..Config::default() });
    for (name, at) in [("wanted_a", 0), ("wanted_b", 0), ("wanted_c", 5_000)] {
        store.append(&batch(name, &[(at, 1.0)]), FAR_FUTURE);
    }
    let mut first_look = store.series_from(Cursor::default());
    assert_eq!(first_look.next().unwrap().1.labels.metric_name(), "wanted_a");
    let cursor = first_look.next().unwrap().0;
    drop(first_look);

    store.mark_evaluated(TimestampMs(5_000));
    store.begin_step(TimestampMs(6_000));
    store.append(&batch("wanted_a", &[(6_000, 1.0)]), FAR_FUTURE);
    let names = |cursor| {
        let series = store.series_from(cursor).map(|(_, series)| series.labels.metric_name().to_owned());
        series.collect::<Vec<_>>()
    };
    assert_eq!(names(cursor), ["wanted_c"]);
    assert_eq!(names(Cursor::default()), ["wanted_a", "wanted_c"], "a reader that begins now sees both");
}

#[test]
fn a_sample_beyond_the_wall_clock_bound_is_refused_and_does_not_block_the_series() {
    let mut store = store(Config { max_ahead_ms: 1_000, ..Config::default() });
    let counts = store.append(&batch("wanted", &[(5_000, 1.0), (900, 2.0)]), TimestampMs(0));
    assert_eq!((counts.too_far_in_future, counts.appended), (1, 1));
    assert_eq!(window_of(&store, "wanted"), [(900, 2.0)]);
}

#[test]
fn a_refused_sample_creates_no_series() {
    let mut store = store(Config { max_ahead_ms: 0, ..Config::default() });
    let counts = store.append(&batch("wanted", &[(1, 1.0)]), TimestampMs(0));
    assert_eq!((counts.series_created, store.series_count(), store.bytes()), (0, 0, 0));
}

#[test]
fn series_over_the_limit_are_refused_and_counted_and_the_known_ones_go_on() {
    let mut store = store(Config { max_series: 1, ..Config::default() });
    store.append(&batch("wanted_a", &[(1, 1.0)]), FAR_FUTURE);
    let refused = store.append(&batch("wanted_b", &[(1, 1.0), (2, 1.0)]), FAR_FUTURE);
    let known = store.append(&batch("wanted_a", &[(2, 1.0)]), FAR_FUTURE);
    assert_eq!((refused.series_limit, refused.written(), known.appended), (2, 0, 1));
}

#[test]
fn bytes_over_the_limit_are_refused_and_counted() {
    let mut store = store(Config { max_bytes: 4_096, ..Config::default() });
    let many: Vec<(i64, f64)> = (0..10_000).map(|t| (t, 1.0 / (t + 1) as f64)).collect();
    let counts = store.append(&batch("wanted", &many), FAR_FUTURE);
    assert_eq!(counts.appended + counts.bytes_limit, 10_000);
    assert!(counts.bytes_limit > 9_000, "{counts:?}");
}

#[test]
fn old_samples_and_then_empty_series_leave_when_steps_pass() {
    let mut store = store(Config { retention_ms: 100, ..Config::default() });
    store.append(&batch("wanted", &[(0, 1.0), (50, 2.0)]), FAR_FUTURE);
    store.append(&batch("unwanted", &[(0, 1.0)]), FAR_FUTURE);
    store.mark_evaluated(TimestampMs(120));
    store.begin_step(TimestampMs(130));
    assert_eq!(window_of(&store, "wanted"), [(50, 2.0)]);
    assert_eq!(store.series_count(), 1, "the other one has nothing left");
    store.mark_evaluated(TimestampMs(200));
    store.begin_step(TimestampMs(210));
    assert_eq!((store.series_count(), store.bytes()), (0, 0));
    let too_old = store.append(&batch("wanted", &[(99, 1.0)]), FAR_FUTURE);
    assert_eq!(too_old.too_old, 1);
}

#[test]
fn a_late_sample_enters_the_window_and_is_counted() {
    let mut store = store(Config::default());
    store.append(&batch("wanted", &[(100, 1.0)]), FAR_FUTURE);
    store.mark_evaluated(TimestampMs(100));
    store.begin_step(TimestampMs(200));
    let counts = store.append(&batch("wanted", &[(90, 0.5)]), FAR_FUTURE);
    assert_eq!((counts.late, counts.out_of_order), (1, 1));
    assert_eq!(window_of(&store, "wanted"), [(90, 0.5), (100, 1.0)]);
}

#[test]
fn a_step_waits_for_the_live_series_a_detector_reads_and_for_no_other() {
    let mut store = store(Config::default());
    for name in ["wanted_a", "wanted_b", "unwanted"] {
        store.append(&batch(name, &[(10, 1.0)]), FAR_FUTURE);
    }
    store.begin_step(TimestampMs(15));
    assert_eq!(store.progress().behind, 2);
    store.append(&batch("wanted_a", &[(15, 1.0)]), FAR_FUTURE);
    assert_eq!(store.progress().behind, 1, "a sample at the step passes it");
    store.append(&batch("wanted_b", &[(14, STALE_NAN)]), FAR_FUTURE);
    let expected = Progress { behind: 0, newest: Some(TimestampMs(15)), oldest: Some(TimestampMs(10)) };
    assert_eq!(store.progress(), expected, "an ended series is not waited for");
}

#[test]
fn a_silent_series_delays_one_step_at_the_most() {
    let mut store = store(Config::default());
    store.append(&batch("wanted_a", &[(10, 1.0), (25, 1.0)]), FAR_FUTURE);
    store.append(&batch("wanted_b", &[(10, 1.0)]), FAR_FUTURE);
    store.mark_evaluated(TimestampMs(10));
    store.begin_step(TimestampMs(20));
    assert_eq!(store.progress().behind, 1);
    store.mark_evaluated(TimestampMs(20));
    store.begin_step(TimestampMs(30));
    assert_eq!(store.progress().behind, 1, "a, and no longer b");
    store.append(&batch("wanted_a", &[(30, 1.0)]), FAR_FUTURE);
    assert_eq!(store.progress().behind, 0);
}

/// Steps of 15; what is read aside comes every 15 or every 60, or is seen for the first time.
#[test]
fn a_step_waits_for_what_is_read_aside_only_where_that_comes_at_every_step() {
    let mut store = store(Config { retention_ms: 1_000, ..Config::default() }).read_aside([0]);
    let send = |store: &mut Store, name: &str, at: i64| store.append(&batch(name, &[(at, 1.0)]), FAR_FUTURE);
    store.begin_step(TimestampMs(15));
    for step in [15, 30, 45, 60, 75, 90, 105, 120] {
        send(&mut store, "wanted_often", step + 2);
        if step % 60 == 0 {
            send(&mut store, "wanted_seldom", step + 3);
        }
        assert_eq!(store.progress(), Progress::default(), "it says nothing of how far the data is");
        store.mark_evaluated(TimestampMs(step));
        store.begin_step(TimestampMs(step + 15));
        let behind = usize::from(step >= 30);
        assert_eq!(store.progress().behind, behind, "from the second on, and never the other: {step}");
        send(&mut store, "wanted_often", step + 15);
        assert_eq!(store.progress().behind, 0);
    }
}

#[test]
fn a_series_that_appears_while_a_step_is_awaited_is_waited_for() {
    let mut store = store(Config::default());
    store.begin_step(TimestampMs(20));
    store.append(&batch("wanted", &[(18, 1.0)]), FAR_FUTURE);
    assert_eq!(store.progress().behind, 1);
    store.append(&batch("wanted", &[(21, 1.0)]), FAR_FUTURE);
    assert_eq!(store.progress().behind, 0);
}

#[test]
fn selected_series_come_in_label_order_whatever_the_order_of_arrival() {
    let mut store = store(Config::default());
    for name in ["wanted_c", "wanted_a", "wanted_b"] {
        store.append(&batch(name, &[(1, 1.0)]), FAR_FUTURE);
        store.prepare();
    }
    let names: Vec<&str> = store.select(0, ALL).map(|s| s.labels.metric_name()).collect();
    assert_eq!(names, ["wanted_a", "wanted_b", "wanted_c"]);
    store.mark_evaluated(TimestampMs(i64::MAX / 4));
    store.begin_step(FAR_FUTURE);
    assert_eq!(store.select(0, ALL).count(), 0, "evicted series leave the lists");
}

fn histogram(count: f64) -> NativeHistogram {
    NativeHistogram { count, ..NativeHistogram::default() }
}

fn histogram_batch(name: &str, histograms: &[(i64, NativeHistogram)]) -> SampleBatch {
    let labels = labels(name);
    let histograms = histograms.iter().map(|(t, h)| HistogramSample::new(*t, h.clone()));
    let mut batch = SampleBatch::default();
    let hash = series_hash(labels.canonical_text(), 7);
    batch.push_with_histograms(hash, labels.canonical_text(), [], histograms);
    batch
}

fn histograms_of(store: &Store, name: &str) -> Vec<(i64, f64)> {
    let wanted = labels(name);
    let Some(series) = store.select(0, ALL).find(|series| *series.labels == wanted) else {
        return Vec::new();
    };
    series.histograms.iter().map(|sample| (sample.timestamp.0, sample.histogram.count)).collect()
}

#[test]
fn histograms_are_samples_in_order_once_a_timestamp_and_counted_apart() {
    let mut store = store(Config::default());
    let arrivals = [(20, 2.0), (10, 1.0), (20, 2.0), (20, 3.0)].map(|(t, count)| (t, histogram(count)));
    let counts = store.append(&histogram_batch("wanted", &arrivals), FAR_FUTURE);
    assert_eq!((counts.appended, counts.out_of_order, counts.duplicate, counts.conflict), (1, 1, 1, 1));
    assert_eq!((counts.written(), counts.histograms_written), (3, 3));
    assert_eq!(histograms_of(&store, "wanted"), [(10, 1.0), (20, 2.0)]);
}

#[test]
fn a_timestamp_has_a_float_or_a_histogram_never_both() {
    let mut store = store(Config::default());
    store.append(&batch("wanted", &[(10, 1.0)]), FAR_FUTURE);
    let counts =
        store.append(&histogram_batch("wanted", &[(10, histogram(1.0)), (20, histogram(2.0))]), FAR_FUTURE);
    assert_eq!((counts.conflict, counts.appended, counts.histograms_written), (1, 1, 1));
    let counts = store.append(&batch("wanted", &[(20, 1.0), (15, 1.0)]), FAR_FUTURE);
    assert_eq!((counts.conflict, counts.out_of_order, counts.histograms_written), (1, 1, 0));
    assert_eq!(window_of(&store, "wanted"), [(10, 1.0), (15, 1.0)]);
    assert_eq!(histograms_of(&store, "wanted"), [(20, 2.0)]);
}

#[test]
fn old_histograms_leave_and_their_bytes_with_them() {
    let mut store = store(Config { retention_ms: 100, ..Config::default() });
    store.append(&histogram_batch("wanted", &[(0, histogram(1.0)), (50, histogram(2.0))]), FAR_FUTURE);
    let both = store.bytes();
    store.mark_evaluated(TimestampMs(120));
    store.begin_step(TimestampMs(130));
    assert_eq!(histograms_of(&store, "wanted"), [(50, 2.0)]);
    assert!(store.bytes() < both);
    let too_old = store.append(&histogram_batch("wanted", &[(19, histogram(1.0))]), FAR_FUTURE);
    assert_eq!(too_old.too_old, 1);
    store.mark_evaluated(TimestampMs(200));
    store.begin_step(TimestampMs(210));
    assert_eq!((store.series_count(), store.bytes()), (0, 0));
}

#[test]
fn bytes_of_histograms_count_for_the_limit() {
    let mut store = store(Config { max_bytes: 20_000, ..Config::default() });
    let many: Vec<_> = (0..1_000).map(|t| (t, histogram(t as f64))).collect();
    let counts = store.append(&histogram_batch("wanted", &many), FAR_FUTURE);
    assert_eq!(counts.appended + counts.bytes_limit, 1_000);
    assert!((1..150).contains(&counts.appended), "{counts:?}");
}

#[test]
fn a_step_waits_for_histograms_as_for_floats_and_not_beyond_a_stale_one() {
    let mut store = store(Config::default());
    for name in ["wanted_a", "wanted_b"] {
        store.append(&histogram_batch(name, &[(10, histogram(1.0))]), FAR_FUTURE);
    }
    store.begin_step(TimestampMs(15));
    assert_eq!(store.progress().behind, 2);
    store.append(&histogram_batch("wanted_a", &[(15, histogram(1.0))]), FAR_FUTURE);
    assert_eq!(store.progress().behind, 1);
    let stale =
        store.append(&histogram_batch("wanted_b", &[(14, NativeHistogram::stale_marker())]), FAR_FUTURE);
    assert_eq!(stale.stale_markers, 1);
    let expected = Progress { behind: 0, newest: Some(TimestampMs(15)), oldest: Some(TimestampMs(10)) };
    assert_eq!(store.progress(), expected);
    assert_eq!(store.next_after(TimestampMs(10)), Some(TimestampMs(14)));
    store.mark_evaluated(TimestampMs(15));
    store.begin_step(TimestampMs(20));
    assert_eq!(store.progress().behind, 1, "the ended one is not awaited");
}

proptest! {
    /// For all sequences of samples, in any order of arrival, windows and outcome counts equal those of a
    /// naive map, and every sample has exactly one outcome.
    #[test]
    fn store_equals_naive_store(
        arrivals in prop::collection::vec((0usize..4, 0i64..400, 0u8..2), 1..150),
        steps in prop::collection::vec(0usize..150, 0..4),
    ) {
        const RETENTION: i64 = 60;
        let names = ["wanted_a", "wanted_b", "wanted_c", "wanted_d"];
        let mut store = store(Config { retention_ms: RETENTION, ..Config::default() });
        let mut naive: BTreeMap<(usize, i64), f64> = BTreeMap::new();
        let mut evaluated = i64::MIN;
        for (index, (series, t, v)) in arrivals.into_iter().enumerate() {
            if steps.contains(&index) {
                evaluated = evaluated.max(index as i64);
                store.mark_evaluated(TimestampMs(evaluated));
    store.begin_step(TimestampMs(evaluated + 10));
                naive.retain(|(_, t), _| *t >= evaluated.saturating_sub(RETENTION));
            }
            let value = f64::from(v);
            let counts = store.append(&batch(names[series], &[(t, value)]), FAR_FUTURE);
            let held = naive.get(&(series, t)).copied();
            let acceptable = t >= evaluated.saturating_sub(RETENTION);
            if acceptable {
                naive.entry((series, t)).or_insert(value);
            }
            let outcome = (counts.too_old, counts.duplicate, counts.conflict, counts.appended + counts.out_of_order);
            let expected = match held {
                _ if !acceptable => (1, 0, 0, 0),
                Some(old) if old == value => (0, 1, 0, 0),
                Some(_) => (0, 0, 1, 0),
                None => (0, 0, 0, 1),
            };
            prop_assert_eq!(outcome, expected);
        }
        for (series, name) in names.iter().enumerate() {
            let expected: Vec<(i64, f64)> =
                naive.range((series, i64::MIN)..=(series, i64::MAX)).map(|((_, t), v)| (*t, *v)).collect();
            prop_assert_eq!(window_of(&store, name), expected);
        }
    }
}
