//! Hand-worked values, and what must hold for all histograms.

use super::*;
use crate::series::{Bucket, CUSTOM_BUCKETS_SCHEMA, HistogramSample, ResetHint, Sample, TimestampMs};
use proptest::prelude::*;

fn buckets(buckets: &[(i32, f64)]) -> Vec<Bucket> {
    buckets.iter().map(|(index, count)| Bucket { index: *index, count: *count }).collect()
}

/// Schema 0 with a zero bucket of half width 0.001; the count is what the buckets hold.
fn exponential(zero_count: f64, positive: &[(i32, f64)], sum: f64) -> NativeHistogram {
    NativeHistogram {
        zero_threshold: 0.001,
        zero_count,
        count: zero_count + positive.iter().map(|bucket| bucket.1).sum::<f64>(),
        sum,
        positive: buckets(positive),
        ..NativeHistogram::default()
    }
}

/// Bounds 1, 2, 5.
fn custom(positive: &[(i32, f64)], sum: f64) -> NativeHistogram {
    NativeHistogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        count: positive.iter().map(|bucket| bucket.1).sum(),
        sum,
        positive: buckets(positive),
        custom_bounds: vec![1.0, 2.0, 5.0],
        ..NativeHistogram::default()
    }
}

fn sum_of(one: &NativeHistogram, other: &NativeHistogram) -> Result<NativeHistogram, Incompatible> {
    let mut sum = one.clone();
    add(&mut sum, other).map(|()| sum)
}

fn total(buckets: &[Bucket]) -> f64 {
    buckets.iter().map(|bucket| bucket.count).sum()
}

// === sums ===

#[test]
fn a_sum_has_the_buckets_of_both() {
    let sum =
        sum_of(&exponential(1.0, &[(1, 2.0), (3, 4.0)], 10.0), &exponential(2.0, &[(2, 1.0), (3, 1.0)], 5.0));
    assert_eq!(sum.unwrap(), exponential(3.0, &[(1, 2.0), (2, 1.0), (3, 5.0)], 15.0));
}

#[test]
fn a_sum_of_schemas_has_the_coarser_one() {
    // In schema 1, buckets 1 and 2 end at 1.41 and 2: together they are bucket 1 of schema 0; 3 is half of 2.
    let fine = NativeHistogram { schema: 1, ..exponential(0.0, &[(1, 1.0), (2, 2.0), (3, 3.0)], 1.0) };
    let coarse = exponential(0.0, &[(1, 10.0)], 1.0);
    let expected = exponential(0.0, &[(1, 13.0), (2, 3.0)], 2.0);
    assert_eq!(sum_of(&fine, &coarse).unwrap(), expected);
    assert_eq!(sum_of(&coarse, &fine).unwrap(), expected);
}

#[test]
fn a_wider_zero_bucket_swallows_what_lies_within_it() {
    // A zero bucket to 2 takes (0.5, 1] and (1, 2].
    let wide = NativeHistogram { zero_threshold: 2.0, ..exponential(5.0, &[(2, 1.0)], 1.0) };
    let narrow = exponential(1.0, &[(0, 2.0), (1, 4.0), (2, 8.0)], 1.0);
    let expected = NativeHistogram { zero_threshold: 2.0, ..exponential(12.0, &[(2, 9.0)], 2.0) };
    assert_eq!(sum_of(&wide, &narrow).unwrap(), expected);
    assert_eq!(sum_of(&narrow, &wide).unwrap(), expected);
}

#[test]
fn a_zero_bucket_that_would_cut_a_bucket_grows_to_its_end() {
    // 1.5 lies in (1, 2], which holds something: both zero buckets end at 2.
    let wide = NativeHistogram { zero_threshold: 1.5, ..exponential(5.0, &[], 0.0) };
    let narrow = exponential(1.0, &[(1, 4.0)], 0.0);
    let expected = NativeHistogram { zero_threshold: 2.0, ..exponential(10.0, &[], 0.0) };
    assert_eq!(sum_of(&wide, &narrow).unwrap(), expected);
    assert_eq!(sum_of(&narrow, &wide).unwrap(), expected);
}

#[test]
fn buckets_of_different_kinds_or_bounds_have_no_sum() {
    let other_bounds = NativeHistogram { custom_bounds: vec![1.0, 2.0, 6.0], ..custom(&[(0, 1.0)], 1.0) };
    let one = custom(&[(0, 1.0)], 1.0);
    assert_eq!(sum_of(&one, &other_bounds), Err(Incompatible::Bounds));
    assert_eq!(sum_of(&one, &exponential(0.0, &[], 0.0)), Err(Incompatible::Kinds));
    assert_eq!(sum_of(&one, &custom(&[(3, 2.0)], 9.0)).unwrap(), custom(&[(0, 1.0), (3, 2.0)], 10.0));
}

#[test]
fn the_hint_of_a_sum_is_true_of_both() {
    use ResetHint::{Gauge, No, Unknown, Yes};
    for (one, other, expected) in
        [(Gauge, No, Gauge), (No, Gauge, Gauge), (Unknown, No, Unknown), (No, Yes, Unknown), (No, No, No)]
    {
        let with = |reset_hint| NativeHistogram { reset_hint, ..exponential(1.0, &[], 0.0) };
        assert_eq!(sum_of(&with(one), &with(other)).unwrap().reset_hint, expected, "{one:?} {other:?}");
    }
}

#[test]
fn division_by_zero_leaves_no_buckets() {
    let mut divided = exponential(0.0, &[(1, 2.0)], -3.0);
    divide(&mut divided, 0.0);
    assert!(divided.positive.is_empty() && divided.zero_count.is_nan());
    assert_eq!((divided.count, divided.sum), (f64::INFINITY, f64::NEG_INFINITY));
}

#[test]
fn a_mean_is_carried_from_histogram_to_histogram() {
    let mut mean = exponential(0.0, &[(1, 2.0)], 4.0);
    add_to_mean(&mut mean, &exponential(2.0, &[(1, 4.0)], 8.0), 2.0).unwrap();
    assert_eq!(mean, exponential(1.0, &[(1, 3.0)], 6.0));
}

// === resets ===

#[test]
fn a_reset_is_a_count_that_fell_or_a_bucket_that_is_gone() {
    let before = exponential(1.0, &[(1, 2.0), (2, 3.0)], 5.0);
    assert!(!is_reset(&before, &before));
    assert!(!is_reset(&exponential(1.0, &[(1, 2.0), (2, 3.0), (5, 1.0)], -5.0), &before), "the sum may fall");
    assert!(is_reset(&exponential(0.0, &[(1, 9.0), (2, 3.0)], 5.0), &before), "the zero bucket fell");
    assert!(is_reset(&exponential(1.0, &[(1, 9.0)], 5.0), &before), "bucket 2 is gone");
    assert!(is_reset(&exponential(1.0, &[(1, 1.0), (2, 9.0)], 5.0), &before), "bucket 1 fell");
    let empty_gone = exponential(1.0, &[(1, 2.0), (2, 3.0), (7, 0.0)], 5.0);
    assert!(!is_reset(&before, &empty_gone));
}

#[test]
fn a_running_counter_may_lose_resolution_but_not_gain_it() {
    let fine = NativeHistogram { schema: 1, ..exponential(0.0, &[(1, 1.0), (2, 2.0)], 1.0) };
    let coarse = exponential(0.0, &[(1, 3.0)], 1.0);
    assert!(!is_reset(&coarse, &fine));
    assert!(is_reset(&fine, &coarse));
    let wide = NativeHistogram { zero_threshold: 2.0, ..exponential(3.0, &[], 1.0) };
    assert!(!is_reset(&wide, &coarse));
    assert!(is_reset(&coarse, &wide));
    let cuts = NativeHistogram { zero_threshold: 1.5, ..exponential(9.0, &[], 1.0) };
    assert!(is_reset(&cuts, &coarse), "1.5 lies within a bucket that holds something");
}

#[test]
fn hints_say_more_than_buckets() {
    let before = exponential(1.0, &[(1, 2.0)], 5.0);
    let with = |reset_hint| NativeHistogram { reset_hint, ..exponential(1.0, &[(1, 1.0)], 5.0) };
    assert!(is_reset(&NativeHistogram { reset_hint: ResetHint::Yes, ..before.clone() }, &before));
    assert!(!is_reset(&with(ResetHint::No), &before));
    assert!(is_reset(&with(ResetHint::Gauge), &before));
}

#[test]
fn custom_bounds_that_changed_are_a_reset() {
    let before = custom(&[(0, 1.0)], 1.0);
    let after = NativeHistogram { custom_bounds: vec![1.0, 3.0], ..custom(&[(0, 2.0)], 1.0) };
    assert!(is_reset(&after, &before));
    assert!(is_reset(&exponential(5.0, &[], 1.0), &before));
}

#[test]
fn kinds_that_change_are_resets_and_changes() {
    let floats = [Sample::new(10, 1.0), Sample::new(40, 0.5)];
    let histograms = [20, 30].map(|t| HistogramSample::new(t, exponential(1.0, &[], 1.0)));
    // Float, histogram, histogram, float.
    assert_eq!((resets(&floats, &histograms), changes(&floats, &histograms)), (2.0, 2.0));
    assert_eq!((resets(&floats, &[]), changes(&floats, &[])), (1.0, 1.0));
}

// === rates ===

fn every_15_s(histograms: &[NativeHistogram]) -> Vec<HistogramSample> {
    let at = |(n, h): (usize, &NativeHistogram)| HistogramSample::new(n as i64 * 15_000, h.clone());
    histograms.iter().enumerate().map(at).collect()
}

fn window(samples: &[HistogramSample]) -> HistogramWindow<'_> {
    HistogramWindow { samples, start: TimestampMs(-5_000), end: TimestampMs(50_000) }
}

#[test]
fn an_increase_is_extended_to_the_ends_of_its_window() {
    let samples = every_15_s(&[
        exponential(0.0, &[(1, 1.0)], 1.0),
        exponential(0.0, &[(1, 4.0), (2, 1.0)], 4.0),
        exponential(0.0, &[(1, 5.0), (2, 3.0)], 10.0),
        exponential(0.0, &[(1, 10.0), (2, 3.0)], 19.0),
    ]);
    // 45 s are sampled, 5 s lie before and after: a factor of 55/45 = 11/9 on 9, 3 and 18.
    let increase = increase(window(&samples)).unwrap();
    assert_eq!(increase.reset_hint, ResetHint::Gauge);
    for (found, expected) in increase.positive.iter().map(|b| b.count).zip([11.0, 11.0 / 3.0]) {
        assert!((found - expected).abs() < 1e-12);
    }
    assert!((increase.sum - 22.0).abs() < 1e-12);
    let rate = rate(window(&samples)).unwrap();
    assert!((rate.sum - 22.0 / 55.0).abs() < 1e-12);
}

#[test]
fn what_was_there_before_a_reset_is_added() {
    let samples = every_15_s(&[
        exponential(0.0, &[(1, 5.0)], 5.0),
        exponential(0.0, &[(1, 9.0)], 9.0),
        exponential(0.0, &[(1, 2.0)], 2.0),
        exponential(0.0, &[(1, 3.0)], 3.0),
    ]);
    // 4 up to the reset, 3 since.
    let edges = HistogramWindow { samples: &samples, start: TimestampMs(0), end: TimestampMs(45_000) };
    assert_eq!(increase(edges).unwrap().positive, buckets(&[(1, 7.0)]));
}

#[test]
fn a_reset_behind_the_first_sample_makes_it_irrelevant_whatever_its_buckets() {
    let samples = every_15_s(&[
        custom(&[(0, 9.0)], 5.0),
        exponential(0.0, &[(1, 9.0)], 9.0),
        exponential(0.0, &[(1, 10.0)], 9.5),
    ]);
    let edges = HistogramWindow { samples: &samples, start: TimestampMs(0), end: TimestampMs(30_000) };
    assert_eq!(increase(edges).unwrap().positive, buckets(&[(1, 10.0)]));
    assert_eq!(delta(edges), None);
    let back = every_15_s(&[
        exponential(0.0, &[(1, 9.0)], 9.0),
        exponential(0.0, &[(1, 9.0)], 9.0),
        custom(&[(0, 9.0)], 5.0),
    ]);
    assert_eq!(increase(window(&back)), None);
}

#[test]
fn one_histogram_has_no_rate() {
    let one = every_15_s(&[exponential(0.0, &[(1, 5.0)], 5.0)]);
    assert_eq!((rate(window(&one)), delta(window(&one))), (None, None));
}

#[test]
fn an_instant_rate_is_that_of_the_last_two() {
    let [one, two] = [exponential(0.0, &[(1, 5.0)], 5.0), exponential(0.0, &[(1, 2.0)], 2.0)]
        .map(|h| HistogramSample::new(0, h));
    let later = HistogramSample { timestamp: TimestampMs(2_000), ..two };
    assert_eq!(instant_change(Change::Idelta, &one, &later).unwrap().positive, buckets(&[(1, -3.0)]));
    assert_eq!(
        instant_change(Change::Irate, &one, &later).unwrap().positive,
        buckets(&[(1, 1.0)]),
        "a reset"
    );
    assert_eq!(
        instant_change(Change::Idelta, &one, &HistogramSample { timestamp: TimestampMs(0), ..later }),
        None
    );
}

// === quantiles and fractions ===

#[test]
fn a_quantile_in_an_exponential_bucket_is_where_a_finer_one_would_end() {
    // 4 in (1, 2], 4 in (2, 4].
    let h = exponential(0.0, &[(1, 4.0), (2, 4.0)], 18.0);
    assert_eq!(quantile_of(0.25, &h), 2.0_f64.sqrt());
    assert!((quantile_of(0.75, &h) - 8.0_f64.sqrt()).abs() < 1e-15);
    assert_eq!((quantile_of(0.5, &h), quantile_of(1.0, &h), quantile_of(0.0, &h)), (2.0, 4.0, 1.0));
    assert_eq!((quantile_of(-0.1, &h), quantile_of(1.1, &h)), (f64::NEG_INFINITY, f64::INFINITY));
    assert!(quantile_of(f64::NAN, &h).is_nan() && quantile_of(0.5, &NativeHistogram::default()).is_nan());
}

#[test]
fn the_zero_bucket_is_even_and_ends_at_zero_where_all_others_are_above() {
    let h = NativeHistogram { zero_threshold: 1.0, ..exponential(4.0, &[(1, 4.0)], 0.0) };
    assert_eq!(quantile_of(0.25, &h), 0.5);
    let both = NativeHistogram { negative: buckets(&[(1, 4.0)]), count: 12.0, ..h.clone() };
    // Rank 4.8: 0.8 of the 4 between -1 and 1.
    assert!((quantile_of(0.4, &both) - -0.6).abs() < 1e-15);
    let mirrored = NativeHistogram { negative: h.positive.clone(), positive: Vec::new(), ..h };
    assert_eq!(quantile_of(0.75, &mirrored), -0.5);
    assert_eq!(quantile_of(0.25, &mirrored), -(2.0_f64.sqrt()));
}

#[test]
fn custom_buckets_are_even_the_first_begins_at_zero_and_the_last_is_its_bound() {
    let h = custom(&[(0, 2.0), (1, 2.0), (3, 4.0)], 30.0);
    assert_eq!((quantile_of(0.125, &h), quantile_of(0.375, &h), quantile_of(0.9, &h)), (0.5, 1.5, 5.0));
    let below_zero = NativeHistogram { custom_bounds: vec![-1.0, 2.0, 5.0], ..h };
    assert_eq!(quantile_of(0.125, &below_zero), -1.0);
}

#[test]
fn observations_of_nan_lie_above_all_others() {
    let h = NativeHistogram { count: 8.0, sum: f64::NAN, ..exponential(0.0, &[(1, 4.0)], 0.0) };
    assert!(quantile_of(0.75, &h).is_nan());
    assert_eq!(quantile_of(0.25, &h), 2.0_f64.sqrt());
    assert_eq!(fraction(f64::NEG_INFINITY, f64::INFINITY, &h), 0.5);
}

#[test]
fn a_fraction_is_the_share_between_two_values() {
    let h = exponential(0.0, &[(1, 4.0), (2, 4.0)], 18.0);
    assert_eq!(fraction(0.0, 2.0, &h), 0.5);
    assert_eq!(fraction(2.0_f64.sqrt(), 4.0, &h), 0.75);
    assert_eq!((fraction(2.0, 2.0, &h), fraction(9.0, 10.0, &h)), (0.0, 0.0));
    assert!(fraction(f64::NAN, 1.0, &h).is_nan());
    assert_eq!(fraction(1.5, 2.0, &custom(&[(1, 4.0), (2, 4.0)], 0.0)), 0.25);
    let both = NativeHistogram { negative: buckets(&[(1, 4.0)]), count: 12.0, ..h };
    assert!((fraction(-(2.0_f64.sqrt()), 0.0, &both) - 1.0 / 6.0).abs() < 1e-15);
}

// === moments and text ===

#[test]
fn the_variance_is_that_of_the_middles_of_buckets() {
    // Means of (1, 4], twice: 2; of the zero bucket: 0. Around 1: 1, 1, 1, 1.
    let h = NativeHistogram { schema: -1, ..exponential(2.0, &[(1, 2.0)], 4.0) };
    assert_eq!((average(&h), variance(&h)), (1.0, 1.0));
    // Arithmetic middles: 1.5 and 3.5, around 2.5.
    let h = custom(&[(1, 2.0), (2, 2.0)], 10.0);
    assert_eq!((average(&h), variance(&h)), (2.5, 1.0));
}

#[test]
fn a_histogram_reads_as_in_go() {
    let mut h = exponential(1.0, &[(1, 2.0), (2, 0.0), (21, 2e6)], 4.5);
    h.zero_threshold = 0.00001;
    h.negative = buckets(&[(-14, 0.5)]);
    let expected = "{count:2.000003e+06, sum:4.5, [-6.103515625e-05,-3.0517578125e-05):0.5, [-1e-05,1e-05]:1, \
                    (1,2]:2, (1.048576e+06,2.097152e+06]:2e+06}";
    assert_eq!(text(&h), expected);
    assert_eq!(text(&custom(&[(0, 1.0), (3, 2.0)], f64::NAN)), "{count:3, sum:NaN, [-Inf,1]:1, (5,+Inf]:2}");
}

// === properties ===

fn arbitrary_buckets() -> impl Strategy<Value = Vec<Bucket>> {
    prop::collection::btree_map(-20..40, 0..50u32, 0..12)
        .prop_map(|map| map.into_iter().map(|(index, n)| Bucket { index, count: f64::from(n) }).collect())
}

prop_compose! {
    /// Whole numbers, so that sums are exact; no bucket reaches into the zero bucket, which ends where a bucket of
    /// every schema does (or else a sum in a coarser one counts what it swallowed twice, as Prometheus does).
    fn arbitrary()(
        schema in -4..=8, zero in 0..20u32,
        zero_threshold in prop::sample::select(vec![0.0, 1.0 / 65_536.0, 1.0]),
        mut positive in arbitrary_buckets(), mut negative in arbitrary_buckets(), sum in -100..100i32,
    ) -> NativeHistogram {
        let mut h = NativeHistogram { schema, zero_threshold, zero_count: f64::from(zero), ..NativeHistogram::default() };
        positive.retain(|bucket| h.upper_bound(bucket.index - 1) >= zero_threshold);
        negative.retain(|bucket| h.upper_bound(bucket.index - 1) >= zero_threshold);
        h.count = h.zero_count + total(&positive) + total(&negative);
        h.sum = f64::from(sum);
        NativeHistogram { positive, negative, ..h }
    }
}

fn held(h: &NativeHistogram) -> f64 {
    h.zero_count + total(&h.positive) + total(&h.negative)
}

proptest! {
    /// For all histograms, a sum holds what both hold, whichever is added to which, and is well formed.
    #[test]
    fn nothing_gets_lost_in_a_sum(one in arbitrary(), other in arbitrary()) {
        let sum = sum_of(&one, &other).unwrap();
        prop_assert!(sum.is_well_formed());
        prop_assert_eq!(sum.count, one.count + other.count);
        prop_assert_eq!(held(&sum), sum.count);
        let mut reverse = sum_of(&other, &one).unwrap();
        let mut compacted = sum;
        compact(&mut compacted);
        compact(&mut reverse);
        prop_assert!(compacted.same_data(&reverse));
    }

    /// For all histograms, what was added can be subtracted again: nothing is left but the first one, in the
    /// buckets of the sum.
    #[test]
    fn what_was_added_can_be_subtracted(one in arbitrary(), other in arbitrary()) {
        let mut difference = sum_of(&one, &other).unwrap();
        subtract(&mut difference, &other).unwrap();
        compact(&mut difference);
        let mut nothing = NativeHistogram { zero_threshold: other.zero_threshold, schema: other.schema, ..NativeHistogram::default() };
        nothing = sum_of(&nothing, &sum_of(&one, &other).unwrap()).unwrap();
        scale(&mut nothing, 0.0);
        let mut expected = sum_of(&nothing, &one).unwrap();
        compact(&mut expected);
        prop_assert_eq!(held(&difference), held(&one));
        prop_assert_eq!(difference.positive, expected.positive);
        prop_assert_eq!(difference.negative, expected.negative);
    }

    /// For all histograms, less resolution moves observations and loses none.
    #[test]
    fn a_coarser_schema_keeps_the_total(h in arbitrary(), by in 0..12i32) {
        let coarse = combine::in_schema(&h, (h.schema - by).max(-4));
        prop_assert!(coarse.is_well_formed());
        prop_assert_eq!(held(&coarse), held(&h));
        prop_assert!(!is_reset(&coarse, &h));
    }

    /// For all histograms, quantiles lie in a bucket that holds something, and ascend.
    #[test]
    fn quantiles_ascend_within_buckets(h in arbitrary(), a in 0.0..=1.0f64, b in 0.0..=1.0f64) {
        prop_assume!(h.count > 0.0);
        let (low, high) = (quantile_of(a.min(b), &h), quantile_of(a.max(b), &h));
        prop_assert!(low <= high + high.abs() * 1e-12, "{} {}", low, high);
        let within = |value: f64| h.ranges().filter(|range| range.count > 0.0).any(|range| {
            let slack = value.abs() * 1e-12;
            range.lower - slack <= value && value <= range.upper + slack
        });
        prop_assert!(within(low) && within(high), "{} {}", low, high);
    }

    /// For all histograms, a quantile has its share of the observations below it.
    #[test]
    fn a_fraction_up_to_a_quantile_is_the_quantile(h in arbitrary(), q in 0.01..0.99f64) {
        // A zero bucket without width has no place within it.
        prop_assume!(h.count > 0.0 && h.zero_threshold > 0.0);
        let share = fraction(f64::NEG_INFINITY, quantile_of(q, &h), &h);
        prop_assert!((share - q).abs() < 1e-9, "{} {}", share, q);
    }
}

fn quantile_of(q: f64, histogram: &NativeHistogram) -> f64 {
    quantile(q, histogram).0
}
