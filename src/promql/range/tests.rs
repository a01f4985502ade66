use super::*;
use crate::{
    promql::{
        Budget, Grid, LeafMatrix, Point,
        ast::Moment,
        leaf::{Answer, Leaf, Read},
    },
    series::{LabelSet, STALE_NAN},
    window::SeriesView,
};

fn samples(pairs: &[(i64, f64)]) -> Vec<Sample> {
    pairs.iter().map(|&(seconds, value)| Sample::new(seconds * 1000, value)).collect()
}

/// The function of the samples in the `range` seconds before 600 s.
fn at_600(function: RangeFunction, range: i64, pairs: &[(i64, f64)]) -> Option<f64> {
    with(function, [0.0; 2], range, pairs)
}

fn with(function: RangeFunction, arguments: Arguments, range: i64, pairs: &[(i64, f64)]) -> Option<f64> {
    leaf(Read::Range { range_ms: range * 1000, function, arguments }, 0, pairs)
}

fn leaf(read: Read, offset_ms: i64, pairs: &[(i64, f64)]) -> Option<f64> {
    let labels = LabelSet::from_pairs([("__name__", "a")]).unwrap();
    evaluated(read, offset_ms, &labels, &samples(pairs)).map(|(_, value)| value)
}

fn evaluated(read: Read, offset_ms: i64, labels: &LabelSet, samples: &[Sample]) -> Option<(LabelSet, f64)> {
    let view = SeriesView { labels, samples: samples.into(), histograms: &[] };
    let moment = Moment { offset_ms, at: None };
    let leaf = Leaf { matchers: Vec::new().into(), read, moment, subqueries: Vec::new() };
    let request = leaf.request(&Grid::instant(TimestampMs(600_000)));
    let answer = request.evaluate([view].into_iter(), &mut Budget::unlimited()).unwrap();
    let LeafMatrix { answer: Answer::Steps(matrix), .. } = answer else { panic!("not a matrix") };
    let (labels, cells) = matrix.into_parts();
    Some((labels.into_iter().next()?, cells[0].as_ref().and_then(Point::float)?))
}

#[test]
fn a_rate_reaches_to_both_ends_of_a_covered_range() {
    // 6 per 60 s between 320 and 580; the gaps of 20 s are closer than 1.1 x 65 s, so the growth of
    // 26 in 260 s stands for all 300 s: 0.1 per second, 30 in total.
    let covered = [(320, 1000.0), (385, 1006.5), (450, 1013.0), (515, 1019.5), (580, 1026.0)];
    let close = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-12, "{a:?} is not {b}");
    close(at_600(RangeFunction::Rate, 300, &covered), 0.1);
    close(at_600(RangeFunction::Increase, 300, &covered), 30.0);
    close(at_600(RangeFunction::Delta, 300, &covered), 30.0);
}

#[test]
fn a_series_inside_the_range_is_stretched_by_half_a_distance() {
    // Samples every 10 s from 400 to 500: both gaps are larger than 11 s, so 5 s are added at each
    // end: 10 grows to 11.
    let inside: Vec<_> = (0..=10).map(|n| (400 + n * 10, 100.0 + n as f64)).collect();
    assert_eq!(at_600(RangeFunction::Increase, 300, &inside), Some(10.0 * (110.0 / 100.0)));
}

#[test]
fn a_counter_is_not_stretched_to_below_zero() {
    // From 1 to 11 in 100 s: zero was 10 s before the first sample, nearer than the start (50 s).
    let young = [(350, 1.0), (450, 11.0)];
    let to_end = 50.0; // half of the distance of 100 s, as the gap of 150 s is too large
    let factor = (100.0 + 10.0 + to_end) / 100.0;
    assert_eq!(at_600(RangeFunction::Increase, 300, &young), Some(10.0 * factor));
}

#[test]
fn a_reset_adds_what_the_counter_had() {
    // 5 -> 8, reset, 2 -> 4: growth 3 + 2 + 2.
    let reset = [(310, 5.0), (400, 8.0), (500, 2.0), (600, 4.0)];
    let sampled = 290.0;
    let factor = (sampled + 10.0) / sampled;
    assert_eq!(at_600(RangeFunction::Increase, 300, &reset), Some(7.0 * factor));
    assert_eq!(at_600(RangeFunction::Resets, 300, &reset), Some(1.0));
    assert_eq!(at_600(RangeFunction::Changes, 300, &reset), Some(3.0));
    assert_eq!(at_600(RangeFunction::Irate, 300, &reset), Some(2.0 / 100.0));
    assert_eq!(at_600(RangeFunction::Irate, 300, &reset[..3]), Some(2.0 / 100.0));
    assert_eq!(at_600(RangeFunction::Idelta, 300, &reset[..3]), Some(-6.0));
}

#[test]
fn the_left_end_of_a_range_is_open() {
    let edge = [(300, 1.0), (450, 2.0), (600, 3.0)];
    assert_eq!(at_600(RangeFunction::CountOverTime, 300, &edge), Some(2.0));
    assert_eq!(at_600(RangeFunction::Rate, 150, &edge), None);
}

#[test]
fn the_newest_sample_counts_for_less_than_five_minutes_and_not_when_stale() {
    assert_eq!(leaf(Read::Newest, 0, &[(301, 7.0)]), Some(7.0));
    assert_eq!(leaf(Read::Newest, 0, &[(300, 7.0)]), None);
    assert_eq!(leaf(Read::Newest, 0, &[(590, 7.0), (595, STALE_NAN)]), None);
    assert_eq!(leaf(Read::Newest, 10_000, &[(590, 7.0), (595, STALE_NAN)]), Some(7.0));
    assert_eq!(leaf(Read::Newest, -10_000, &[(600, 7.0), (610, 8.0)]), Some(8.0));
}

#[test]
fn ranges_leave_stale_markers_out() {
    let marked = [(400, 1.0), (450, STALE_NAN), (500, 4.0)];
    assert_eq!(at_600(RangeFunction::AvgOverTime, 300, &marked), Some(2.5));
    assert_eq!(at_600(RangeFunction::CountOverTime, 300, &marked), Some(2.0));
    assert_eq!(at_600(RangeFunction::LastOverTime, 300, &[(400, 1.0), (450, STALE_NAN)]), Some(1.0));
    assert_eq!(at_600(RangeFunction::SumOverTime, 300, &[(450, STALE_NAN)]), None);
}

#[test]
fn statistics_of_a_range() {
    let values =
        [(400, 2.0), (410, 4.0), (420, 4.0), (430, 4.0), (440, 5.0), (450, 5.0), (460, 7.0), (470, 9.0)];
    assert_eq!(at_600(RangeFunction::StddevOverTime, 300, &values), Some(2.0));
    assert_eq!(at_600(RangeFunction::StdvarOverTime, 300, &values), Some(4.0));
    assert_eq!(with(RangeFunction::QuantileOverTime, [0.5, 0.0], 300, &values), Some(4.5));
    assert_eq!(at_600(RangeFunction::SumOverTime, 300, &values), Some(40.0));
    assert_eq!(at_600(RangeFunction::MaxOverTime, 300, &values), Some(9.0));
    let with_nan = [(400, f64::NAN), (410, 3.0), (420, 1.0)];
    assert_eq!(at_600(RangeFunction::MinOverTime, 300, &with_nan), Some(1.0));
    assert_eq!(at_600(RangeFunction::MaxOverTime, 300, &with_nan), Some(3.0));
}

#[test]
fn lines_through_a_range() {
    // y = 2 + 0.5 (t - 500)
    let line = [(500, 2.0), (510, 7.0), (520, 12.0)];
    assert_eq!(at_600(RangeFunction::Deriv, 300, &line), Some(0.5));
    assert_eq!(with(RangeFunction::PredictLinear, [100.0, 0.0], 300, &line), Some(102.0));
    assert_eq!(at_600(RangeFunction::Deriv, 300, &line[..1]), None);
    assert_eq!(with(RangeFunction::PredictLinear, [9.0, 0.0], 300, &[(500, 3.0), (510, 3.0)]), Some(3.0));
}

#[test]
fn the_metric_name_goes_unless_the_value_is_a_sample() {
    let labels = LabelSet::from_pairs([("__name__", "a"), ("__unit__", "s"), ("job", "n")]).unwrap();
    let samples = samples(&[(500, 1.0), (590, 2.0)]);
    let evaluate = |read| evaluated(read, 0, &labels, &samples).unwrap().0;
    let range = |function| Read::Range { range_ms: 300_000, function, arguments: [0.0; 2] };
    assert_eq!(evaluate(Read::Newest), labels);
    assert_eq!(evaluate(range(RangeFunction::LastOverTime)), labels);
    assert_eq!(evaluate(range(RangeFunction::Rate)), LabelSet::from_pairs([("job", "n")]).unwrap());
}
