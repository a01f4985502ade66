//! Chunks of any samples, of any histograms, and of any bytes.

use super::*;
use crate::{
    series::{Bucket, CUSTOM_BUCKETS_SCHEMA, HistogramSample, NativeHistogram, ResetHint, STALE_NAN, Sample},
    wire::{Limits, read::chunked::read_chunk},
};
use proptest::{collection::vec, prelude::*};

/// A history of all time.
fn history() -> History {
    History::new(TimestampMs(i64::MIN)..=TimestampMs(i64::MAX), &Limits::for_reading())
}

fn borrowed(chunk: &EncodedChunk) -> Chunk<'_> {
    Chunk { start: chunk.start, end: chunk.end, encoding: chunk.encoding.number(), data: &chunk.data }
}

fn decode_all(chunks: &[EncodedChunk]) -> (Vec<Sample>, Vec<HistogramSample>) {
    let mut history = history();
    chunks.iter().for_each(|chunk| borrowed(chunk).decode(&mut history).unwrap());
    let (samples, histograms) = history.merged();
    (samples.to_vec(), histograms.to_vec())
}

fn bits(samples: &[Sample]) -> Vec<(i64, u64)> {
    samples.iter().map(|sample| (sample.timestamp.0, sample.value.to_bits())).collect()
}

fn of_xor(data: &[u8]) -> Chunk<'_> {
    Chunk { encoding: ChunkEncoding::Xor.number(), data, ..Chunk::default() }
}

// === by hand ===

/// Worked out by hand from the format: three samples 1,000 ms apart, the second 12, the others 10.
///
/// 10.0 is `40 24 0..`, 12.0 is `40 28 0..`: their XOR, `0c` in the second byte, has 12 zeros before its two ones and 50
/// behind. The third is one millisecond late.
#[test]
fn d7_an_xor_chunk_is_that_of_the_format() {
    let samples = [Sample::new(1_000, 10.0), Sample::new(2_000, 12.0), Sample::new(3_001, 10.0)];
    let bits = [
        "0000000000000011",                                                 // three samples
        "1101000000001111",                                                 // 2,000 = zigzag of 1,000
        "0100000000100100000000000000000000000000000000000000000000000000", // 10.0
        "1110100000000111",                                                 // 1,000 later
        "11",                                                               // a new window:
        "01100",                                                            // behind 12 zeros
        "000010",                                                           // of 2 bits,
        "11",                                                               // both ones
        "1000000000000001",                                                 // 10, one more than 1,000
        "10",                                                               // the window as before,
        "11",                                                               // both ones
    ];
    let joined = bits.concat();
    let padded = format!("{joined:0<width$}", width = joined.len().next_multiple_of(8));
    let bytes: Vec<u8> = padded
        .as_bytes()
        .chunks(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let chunk = chunks(&samples, &[]).next().unwrap();
    assert_eq!(chunk.data, bytes);
    assert_eq!((chunk.start, chunk.end), (TimestampMs(1_000), TimestampMs(3_001)));
    assert_eq!(decode_all(&[chunk]).0, samples);
}

#[test]
fn d6_an_encoding_that_is_not_known_is_named() {
    for (number, name) in [(0, "no name"), (4, "XOR2"), (5, "HISTOGRAM_ST"), (6, "FLOAT_HISTOGRAM_ST")] {
        let error = Chunk { encoding: number, ..Chunk::default() }.decode(&mut history()).unwrap_err();
        assert!(error.is_of_newer_chunks() && error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_schema_that_is_not_known_asks_for_samples() {
    let finer = HistogramSample::new(1, NativeHistogram { schema: 9, ..NativeHistogram::default() });
    let chunk = chunks(&[], std::slice::from_ref(&finer)).next().unwrap();
    let error = borrowed(&chunk).decode(&mut history()).unwrap_err();
    assert!(error.is_of_newer_chunks(), "{error}");
    let text =
        format!("damaged HISTOGRAM chunk of {} bytes, at sample 1 of 1: unknown schema 9", chunk.data.len());
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_window_beyond_a_float_is_refused() {
    // One sample, then: one later, a difference (11) behind 31 zeros (11111) of 63 bits (111111).
    let data = [&[0, 2, 0], &[0; 8][..], &[1, 0b1111_1111, 0b1111_1000, 0]].concat();
    let error = of_xor(&data).decode(&mut history()).unwrap_err();
    let ReadError::Chunk(error) = error else { panic!("{error}") };
    assert_eq!((error.sample, error.fault), (2, Fault::Window { leading: 31, length: 63 }));
}

// === where chunks end ===

fn counter(timestamp: i64, positive: &[(i32, f64)]) -> HistogramSample {
    let positive: Vec<_> =
        positive.iter().map(|(index, count)| Bucket { index: *index, count: *count }).collect();
    let count = positive.iter().map(|bucket| bucket.count).sum();
    HistogramSample::new(
        timestamp,
        NativeHistogram { count, sum: 1.0, positive, ..NativeHistogram::default() },
    )
}

fn kinds(samples: &[Sample], histograms: &[HistogramSample]) -> Vec<(ChunkEncoding, u8)> {
    chunks(samples, histograms).map(|chunk| (chunk.encoding, chunk.data[1])).collect()
}

#[test]
fn a_chunk_has_120_samples() {
    use ChunkEncoding::{Histogram, Xor};
    let samples: Vec<_> = (0..250).map(|at| Sample::new(at, 1.0)).collect();
    let histograms: Vec<_> = (300..550).map(|at| counter(at, &[(1, at as f64)])).collect();
    let expected = [(Xor, 120), (Xor, 120), (Xor, 10), (Histogram, 120), (Histogram, 120), (Histogram, 10)];
    assert_eq!(kinds(&samples, &histograms), expected);
}

#[test]
fn a_chunk_ends_where_the_kind_of_samples_changes() {
    use ChunkEncoding::{FloatHistogram, Histogram, Xor};
    let histograms =
        [counter(2, &[(1, 1.0)]), counter(3, &[(1, 2.0)]), counter(6, &[(1, 2.5)]), counter(7, &[(1, 3.5)])];
    let samples = [1, 4, 5, 8].map(|at| Sample::new(at, 0.5));
    let expected = [(Xor, 1), (Histogram, 2), (Xor, 2), (FloatHistogram, 2), (Xor, 1)];
    assert_eq!(kinds(&samples, &histograms), expected);
}

/// Readers take it that nothing was reset within a chunk of counters.
#[test]
fn a_chunk_ends_where_a_counter_was_reset() {
    let lengths = |histograms: &[HistogramSample]| -> Vec<u8> {
        kinds(&[], histograms).into_iter().map(|(_, length)| length).collect()
    };
    let grows =
        [counter(1, &[(1, 1.0)]), counter(2, &[(0, 1.0), (1, 2.0)]), counter(3, &[(0, 1.0), (1, 4.0)])];
    assert_eq!(lengths(&grows), [3]);
    // The count grows, a bucket falls; a bucket that is gone held something, or did not.
    assert_eq!(lengths(&[counter(1, &[(1, 3.0)]), counter(2, &[(1, 2.0), (2, 5.0)])]), [1, 1]);
    assert_eq!(lengths(&[counter(1, &[(1, 3.0)]), counter(2, &[(2, 5.0)])]), [1, 1]);
    assert_eq!(lengths(&[counter(1, &[(1, 0.0), (2, 3.0)]), counter(2, &[(2, 5.0)])]), [2]);
    let changed = |change: fn(&mut NativeHistogram)| {
        let mut later = NativeHistogram::clone(&counter(2, &[(1, 9.0)]).histogram);
        change(&mut later);
        lengths(&[counter(1, &[(1, 3.0)]), HistogramSample::new(2, later)])
    };
    assert_eq!(changed(|later| later.reset_hint = ResetHint::Yes), [1, 1]);
    assert_eq!(changed(|later| later.reset_hint = ResetHint::Gauge), [1, 1]);
    assert_eq!(changed(|later| later.schema = 1), [1, 1]);
    assert_eq!(changed(|later| later.zero_threshold = 1.0), [1, 1]);
    assert_eq!(changed(|_| ()), [2]);
    // Only stale markers follow a stale marker.
    let stale = |at| HistogramSample::new(at, NativeHistogram::stale_marker());
    let series = [counter(1, &[(1, 3.0)]), stale(2), stale(3), counter(4, &[(1, 5.0)]), stale(5)];
    assert_eq!(lengths(&series), [3, 2]);
    assert_eq!(lengths(&[stale(1), counter(2, &[(1, 5.0)])]), [1, 1]);
}

/// Gauges rise and fall, each with buckets of its own: a reader takes no chunk with more than 10,000 a side.
#[test]
fn a_chunk_has_no_more_buckets_than_a_reader_takes() {
    let gauge = |at: i64| {
        let positive =
            (0..3_000).map(|place| Bucket { index: (at * 3_000) as i32 + place, count: 0.5 }).collect();
        let reset_hint = ResetHint::Gauge;
        HistogramSample::new(at, NativeHistogram { reset_hint, positive, ..NativeHistogram::default() })
    };
    let histograms: Vec<_> = (0..7).map(gauge).collect();
    let chunks: Vec<_> = chunks(&[], &histograms).collect();
    assert_eq!(chunks.iter().map(|chunk| chunk.data[1]).collect::<Vec<_>>(), [3, 3, 1]);
    assert_same(&decode_all(&chunks).1, &histograms);
}

fn assert_same(ours: &[HistogramSample], expected: &[HistogramSample]) {
    assert_eq!(ours.len(), expected.len());
    for (ours, expected) in ours.iter().zip(expected) {
        assert_eq!(ours.timestamp, expected.timestamp);
        if expected.histogram.is_stale_marker() {
            assert!(ours.histogram.is_stale_marker());
            continue;
        }
        assert!(ours.histogram.same_data(&expected.histogram), "{ours:?}\n{expected:?}");
        assert_eq!(ours.histogram.reset_hint, expected.histogram.reset_hint);
    }
}

// === any samples ===

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-1_000..1_000_i32).prop_map(|number| f64::from(number) / 8.0),
        2 => any::<f64>(),
        1 => any::<u64>().prop_map(f64::from_bits),
        1 => Just(STALE_NAN),
    ]
}

/// Timestamps that ascend, by regular and by wild steps.
fn times(number: usize) -> impl Strategy<Value = Vec<i64>> {
    let step = prop_oneof![6 => Just(15_000_i64), 3 => 1..40_000_i64, 1 => 1..i64::MAX / 512];
    let start =
        prop_oneof![Just(1_763_700_000_000_i64), Just(0), Just(i64::MIN), any::<i64>().prop_map(|n| n / 4)];
    (start, vec(step, number)).prop_map(|(start, steps)| {
        let times = steps.into_iter().scan(start, |now, step| {
            *now = now.checked_add(step)?;
            Some(*now)
        });
        times.collect()
    })
}

fn any_samples() -> impl Strategy<Value = Vec<Sample>> {
    (0..300_usize).prop_flat_map(|number| (times(number), vec(float(), number))).prop_map(
        |(times, values)| {
            times.into_iter().zip(values).map(|(time, value)| Sample::new(time, value)).collect()
        },
    )
}

/// What changes from one histogram to the next: additions to buckets, and how else.
type Change = (Vec<(i32, u32)>, u8, f64);

/// Series of native histograms of one kind: counters and gauges, of integers and floats, exponential and custom, with
/// resets, other layouts and stale markers.
fn any_histograms() -> impl Strategy<Value = Vec<HistogramSample>> {
    let change = || (vec((-9..9_i32, 0..50_u32), 0..5), 0..40_u8, float());
    (1..200_usize)
        .prop_flat_map(move |number| (times(number), vec(change(), number), any::<[bool; 3]>()))
        .prop_map(|(times, changes, [is_gauge, is_float, is_custom])| {
            let mut histogram = NativeHistogram::default();
            if is_custom {
                histogram.schema = CUSTOM_BUCKETS_SCHEMA;
                histogram.custom_bounds = (0..9).map(|bound| f64::from(bound) / 3.0).collect();
            }
            if is_gauge {
                histogram.reset_hint = ResetHint::Gauge;
            }
            let changed = |change| {
                let is_stale = apply(change, is_float, &mut histogram);
                if is_stale { NativeHistogram::stale_marker() } else { histogram.clone() }
            };
            let histograms: Vec<_> = changes.into_iter().map(changed).collect();
            times.into_iter().zip(histograms).map(|(time, h)| HistogramSample::new(time, h)).collect()
        })
}

/// Whether the change is the end of the series.
fn apply((additions, kind, sum): Change, is_float: bool, histogram: &mut NativeHistogram) -> bool {
    let is_custom = histogram.has_custom_buckets();
    match kind {
        0 => return true,
        // A reset.
        1 => (histogram.positive, histogram.negative) = (vec![], vec![]),
        2 if !is_custom => histogram.schema = (histogram.schema + 5) % 9 - 4,
        3 if !is_custom => histogram.zero_threshold += 0.25,
        _ => {}
    }
    for (index, amount) in additions {
        let amount = if is_float { f64::from(amount) / 7.0 } else { f64::from(amount) };
        let (side, index) = match index {
            0 if !is_custom => {
                histogram.zero_count += amount;
                continue;
            }
            ..0 if !is_custom => (&mut histogram.negative, -index),
            _ => (&mut histogram.positive, index.abs()),
        };
        match side.binary_search_by_key(&index, |bucket| bucket.index) {
            Ok(place) => side[place].count += amount,
            Err(place) => side.insert(place, Bucket { index, count: amount }),
        }
    }
    histogram.sum = if sum.is_nan() { 0.5 } else { sum };
    let buckets = histogram.positive.iter().chain(&histogram.negative).map(|bucket| bucket.count);
    histogram.count = histogram.zero_count + buckets.sum::<f64>();
    false
}

proptest! {
    /// D7, D8: for all samples, chunks hold them to the last bit, in order, at most 120 each, and decode anew to the same.
    #[test]
    fn d8_samples_are_read_as_written(samples in any_samples()) {
        let chunks: Vec<_> = chunks(&samples, &[]).collect();
        prop_assert_eq!(chunks.len(), samples.len().div_ceil(120));
        for (chunk, samples) in chunks.iter().zip(samples.chunks(120)) {
            let ends = (samples[0].timestamp, samples[samples.len() - 1].timestamp);
            prop_assert_eq!((chunk.start, chunk.end), ends);
        }
        prop_assert_eq!(bits(&decode_all(&chunks).0), bits(&samples));
    }

    /// D7, D8: for all series of native histograms, chunks hold their data to the last bit.
    #[test]
    fn d8_histograms_are_read_as_written(histograms in any_histograms()) {
        let chunks: Vec<_> = chunks(&[], &histograms).collect();
        prop_assert!(chunks.iter().all(|chunk| (1..=120).contains(&chunk.data[1])));
        assert_same(&decode_all(&chunks).1, &histograms);
    }

    /// For all series of samples and histograms, chunks follow each other in time.
    #[test]
    fn chunks_follow_each_other(samples in any_samples(), histograms in any_histograms()) {
        let chunks: Vec<_> = chunks(&samples, &histograms).collect();
        prop_assert!(chunks.is_sorted_by(|a, b| a.end <= b.start), "{chunks:?}");
        let (read_samples, read_histograms) = decode_all(&chunks);
        prop_assert_eq!(bits(&read_samples), bits(&samples));
        assert_same(&read_histograms, &histograms);
    }

    /// For all chunks that are cut short, the end is found missing.
    #[test]
    fn a_chunk_that_is_cut_short_is_refused(
        samples in any_samples(),
        histograms in any_histograms(),
        cut: prop::sample::Index,
    ) {
        for chunk in chunks(&samples, &histograms) {
            let data = &chunk.data[..cut.index(chunk.data.len())];
            let error = Chunk { data, ..borrowed(&chunk) }.decode(&mut history()).unwrap_err();
            let is_truncated = matches!(
                error,
                ReadError::Chunk(ChunkError { fault: Fault::Truncated, encoding, .. }) if encoding == chunk.encoding
            );
            prop_assert!(is_truncated, "{error}");
        }
    }

    /// For all bytes, decoding ends with an answer or an error, within the limits, and all that is taken is well-formed.
    #[test]
    fn any_bytes_are_taken_or_refused(encoding in 0..5_i32, data in vec(any::<u8>(), 0..200)) {
        let limits = Limits { max_samples: 50, ..Limits::for_reading() };
        let mut history = History::new(TimestampMs(i64::MIN)..=TimestampMs(i64::MAX), &limits);
        let _ = Chunk { encoding, data: &data, ..Chunk::default() }.decode(&mut history);
        let (samples, histograms) = history.merged();
        prop_assert!(samples.len() + histograms.len() <= 50);
        prop_assert!(histograms.iter().all(|sample| sample.histogram.is_well_formed()));
    }

    /// For all chunks with a changed byte, decoding ends with an answer or an error.
    #[test]
    fn damaged_chunks_are_taken_or_refused(
        histograms in any_histograms(),
        at: prop::sample::Index,
        byte: u8,
    ) {
        for mut chunk in chunks(&[], &histograms) {
            let at = at.index(chunk.data.len());
            chunk.data[at] = byte;
            let mut history = history();
            let _ = borrowed(&chunk).decode(&mut history);
            prop_assert!(history.merged().1.iter().all(|sample| sample.histogram.is_well_formed()));
        }
    }

    /// For all bytes, the message of a chunk is read or refused.
    #[test]
    fn any_message_of_a_chunk_is_taken_or_refused(message in vec(any::<u8>(), 0..60)) {
        if let Ok(chunk) = read_chunk(&message) {
            prop_assert!(chunk.data.len() <= message.len());
        }
    }
}
