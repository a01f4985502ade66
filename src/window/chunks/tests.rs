//! What comes out is what went in.

use super::{AppendOutcome, Chunks, Room};
use crate::series::{STALE_NAN, Sample, TimestampMs};
use proptest::prelude::*;
use std::collections::BTreeMap;

const EVERYTHING: Room = Room { keep_from: TimestampMs::MIN, may_grow: true };

fn keeping_from(keep_from: i64) -> Room {
    Room { keep_from: TimestampMs(keep_from), may_grow: true }
}

/// All samples from `from` on, by time and bits.
fn held(chunks: &Chunks, from: i64) -> Vec<(i64, u64)> {
    let mut samples = Vec::new();
    chunks.copy(TimestampMs(from), TimestampMs::MAX, &mut samples);
    samples.iter().map(|s| (s.timestamp.0, s.value.to_bits())).collect()
}

/// Values as they are measured, and everything else that a float can be.
fn value() -> impl Strategy<Value = f64> {
    let decimal = (-100_000i64..100_000, 0..10).prop_map(|(m, e)| m as f64 / 10f64.powi(e));
    prop_oneof![
        4 => Just(1.0),
        4 => (0u32..50).prop_map(f64::from),
        4 => decimal.clone(),
        2 => (decimal, -9i64..9).prop_map(|(v, steps)| f64::from_bits(v.to_bits().wrapping_add(steps as u64))),
        1 => any::<f64>(),
        1 => any::<u64>().prop_map(f64::from_bits),
        1 => prop::sample::select(vec![0.0, -0.0, f64::NAN, STALE_NAN, f64::INFINITY, 9.007_199_254_740_993e15]),
    ]
}

/// Distances between samples: mostly regular, jittered, or anything at all.
fn distance() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(15_000i64), 2 => 14_990i64..15_010, 1 => 1i64..10, 1 => 1i64..(1 << 60)]
}

fn ascending(steps: Vec<(i64, f64)>, start: i64) -> Vec<Sample> {
    let mut timestamp = start;
    let mut samples = vec![];
    for (distance, value) in steps {
        samples.push(Sample::new(timestamp, value));
        let Some(next) = timestamp.checked_add(distance) else { break };
        timestamp = next;
    }
    samples
}

fn packed(samples: &[Sample]) -> Chunks {
    let mut chunks = Chunks::default();
    for sample in samples {
        assert_eq!(chunks.append(*sample, EVERYTHING), AppendOutcome::Appended);
    }
    chunks
}

fn plain(samples: &[Sample]) -> Vec<(i64, u64)> {
    samples.iter().map(|s| (s.timestamp.0, s.value.to_bits())).collect()
}

proptest! {
    /// For all samples in order of time, what is read is bit for bit what was appended.
    #[test]
    fn what_comes_out_is_what_went_in(
        steps in prop::collection::vec((distance(), value()), 1..400),
        start in prop_oneof![Just(i64::MIN), any::<i64>(), Just(1_763_700_000_000)],
    ) {
        let samples = ascending(steps, start);
        prop_assert_eq!(held(&packed(&samples), i64::MIN), plain(&samples));
    }

    /// For all samples and stretches of time, every reader sees the same as in a plain list.
    #[test]
    fn readers_see_what_a_plain_list_shows(
        steps in prop::collection::vec((distance(), value()), 1..300),
        (from, until) in (-100_000i64..5_000_000, -100_000i64..5_000_000),
    ) {
        let samples = ascending(steps, 0);
        let chunks = packed(&samples);
        let expected: Vec<Sample> =
            samples.iter().filter(|s| (from..=until).contains(&s.timestamp.0)).copied().collect();
        let mut range = Vec::new();
        chunks.copy(TimestampMs(from), TimestampMs(until), &mut range);
        prop_assert_eq!(plain(&range), plain(&expected));
        let newest = chunks.newest_between(TimestampMs(from), TimestampMs(until));
        prop_assert_eq!(plain(newest.as_slice()), plain(expected.last().copied().as_slice()));
        let first = samples.iter().map(|s| s.timestamp.0).find(|t| *t >= from);
        prop_assert_eq!(chunks.first_from(TimestampMs(from)).map(|t| t.0), first);
    }

    /// For all sequences of samples in any order, with any progress of the window, samples and outcomes
    /// are those of a naive sorted map.
    #[test]
    fn chunks_equal_naive_map(
        ops in prop::collection::vec((0i64..300, value(), 0i64..3), 0..600),
        backwards in 0i64..40,
        unit in prop::sample::select(vec![1i64, 15_000]),
    ) {
        let mut chunks = Chunks::default();
        let mut naive: BTreeMap<i64, u64> = BTreeMap::new();
        let (mut now, mut keep_from) = (0, i64::MIN);
        for (jump, value, forward) in ops {
            now += forward;
            if jump == 0 {
                keep_from = (now - 30) * unit;
                naive.retain(|t, _| *t >= keep_from);
            }
            let t = (now - jump % (backwards + 1)) * unit;
            if t < keep_from {
                continue;
            }
            let newest = naive.keys().next_back().copied();
            let expected = match naive.get(&t) {
                Some(bits) if *bits == value.to_bits() => AppendOutcome::Duplicate,
                Some(_) => AppendOutcome::Conflict,
                None if newest.is_some_and(|n| t < n) => AppendOutcome::OutOfOrder,
                None => AppendOutcome::Appended,
            };
            naive.entry(t).or_insert(value.to_bits());
            let outcome = chunks.append(Sample::new(t, value), keeping_from(keep_from));
            prop_assert_eq!(outcome, expected);
            prop_assert_eq!(held(&chunks, keep_from), naive.clone().into_iter().collect::<Vec<_>>());
        }
    }

    /// For all bytes in the place of chunks, reading ends, and without a panic.
    #[test]
    fn any_bytes_can_be_read(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        open_length in any::<u8>(),
        run in any::<u16>(),
        (from, until) in (any::<i64>(), any::<i64>()),
    ) {
        let used = bytes.len() as u32;
        let open_length = open_length.min(used as u8);
        let chunks = Chunks { bytes: bytes.into(), used, run, open_length, filled: true, ..Chunks::default() };
        let (from, until) = (TimestampMs(from), TimestampMs(until));
        chunks.copy(from, until, &mut Vec::new());
        let _ = (chunks.newest_between(from, until), chunks.first_from(from));
    }

    /// For all samples, a series that may not grow refuses what needs memory and keeps what it has.
    #[test]
    fn without_leave_to_grow_nothing_is_lost(steps in prop::collection::vec((distance(), value()), 1..100)) {
        let samples = ascending(steps, 0);
        let mut chunks = packed(&samples[..samples.len() / 2]);
        let bytes = chunks.capacity_bytes();
        let mut expected = plain(&samples[..samples.len() / 2]);
        for sample in &samples[samples.len() / 2..] {
            match chunks.append(*sample, Room { may_grow: false, ..EVERYTHING }) {
                AppendOutcome::Appended => expected.extend(plain(&[*sample])),
                refused => prop_assert_eq!(refused, AppendOutcome::BytesLimit),
            }
        }
        prop_assert_eq!(chunks.capacity_bytes(), bytes);
        prop_assert_eq!(held(&chunks, i64::MIN), expected);
    }
}

#[test]
fn a_series_that_never_changes_has_no_bytes() {
    let samples: Vec<Sample> = (0..2_000).map(|k| Sample::new(k * 15_000, 3.25)).collect();
    assert_eq!(packed(&samples).capacity_bytes(), 0);
}

/// 240 samples, an hour at 15 s, of a counter of hundredths: two bytes each and two headers.
#[test]
fn a_counter_costs_two_bytes_a_sample() {
    let hundredths = |k: i64| (123_456 + k * 700 + k % 7) as f64 / 100.0;
    let samples: Vec<Sample> = (0..240).map(|k| Sample::new(k * 15_000, hundredths(k))).collect();
    let bytes = packed(&samples).used;
    assert!((480..600).contains(&bytes), "{bytes}");
}

/// A counter to which hundredths are added as floats is beside a decimal soon, by less than it moves.
#[test]
fn a_sum_of_decimals_costs_four_bytes_a_sample() {
    let mut sum = 123_456.78;
    let mut next = |k: i64| {
        sum += (k * 37 % 1_500) as f64 / 100.0;
        Sample::new(k * 15_000, sum)
    };
    let samples: Vec<Sample> = (0..240).map(&mut next).collect();
    let bytes = packed(&samples).used;
    assert!((480..1_100).contains(&bytes), "{bytes}");
}

/// A scrape that is some milliseconds early or late changes the distance to both neighbours.
#[test]
fn a_constant_that_is_scraped_raggedly_costs_a_byte_a_sample() {
    let samples: Vec<Sample> = (0..240).map(|k| Sample::new(k * 15_000 + k * k % 4, 1.0)).collect();
    let bytes = packed(&samples).used;
    assert!((120..300).contains(&bytes), "{bytes}");
}

#[test]
fn a_window_that_moves_on_stays_as_small_as_it_is() {
    let mut chunks = Chunks::default();
    for k in 0..10_000_i64 {
        let sample = Sample::new(k * 15_000, (k * 7 + k % 3) as f64);
        chunks.append(sample, keeping_from((k - 20) * 15_000));
        assert!(chunks.capacity_bytes() <= 96, "{} bytes at {k}", chunks.capacity_bytes());
    }
}
