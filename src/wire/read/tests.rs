//! Messages: ours against those that prost writes and reads, and whole answers.

use super::*;
use crate::{
    series::{Bucket, LabelMatcher, LabelSet, MatchOp, NativeHistogram, ResetHint, STALE_NAN, TimestampMs},
    wire::{reference::v1, snappy::compress},
};
use proptest::{collection::vec, prelude::*};
use prost::Message;

fn query(start: i64, end: i64) -> ReadQuery {
    ReadQuery { start: TimestampMs(start), end: TimestampMs(end), ..ReadQuery::default() }
}

fn labels(name: &str) -> LabelSet {
    LabelSet::from_pairs([("__name__", name), ("instance", "a")]).unwrap()
}

/// A series as it was handed out, NaNs as bits.
type Seen = (usize, LabelSet, Vec<(i64, u64)>, Vec<i64>);

fn seen(series: ReadSeries<'_>) -> Seen {
    let samples = series.samples.iter().map(|sample| (sample.timestamp.0, sample.value.to_bits()));
    let histograms = series.histograms.iter().map(|sample| sample.timestamp.0);
    (series.query, LabelSet::from_canonical(series.labels), samples.collect(), histograms.collect())
}

fn read_stream(stream: &[u8], queries: &[ReadQuery], piece: usize) -> Result<Vec<Seen>, ReadError> {
    let mut reader = ChunkedReader::new(queries, &Limits::for_reading());
    let mut all = Vec::new();
    for piece in stream.chunks(piece) {
        reader.read(piece, &mut |series| all.push(seen(series)))?;
    }
    reader.finish(&mut |series| all.push(seen(series)))?;
    Ok(all)
}

fn read_body(body: &[u8], queries: &[ReadQuery]) -> Result<Vec<Seen>, ReadError> {
    let mut all = Vec::new();
    read_samples(body, queries, &Limits::for_reading(), &mut |series| all.push(seen(series)))?;
    Ok(all)
}

// === requests ===

fn any_matcher() -> impl Strategy<Value = LabelMatcher> {
    let op = prop_oneof![
        Just(MatchOp::Equal),
        Just(MatchOp::NotEqual),
        Just(MatchOp::Regex),
        Just(MatchOp::NotRegex)
    ];
    (op, "[a-z_]{0,8}", "[a-z.*|é]{0,8}")
        .prop_filter_map("a broken pattern", |(op, name, value)| LabelMatcher::new(name, op, value).ok())
}

fn any_request() -> impl Strategy<Value = ReadRequest> {
    let time = || any::<i64>().prop_map(TimestampMs);
    let hints = (any::<[i64; 4]>(), "\\PC{0,9}", vec("[a-z]{0,5}", 0..4), any::<bool>()).prop_map(
        |([step_ms, start, end, range_ms], function, grouping, by)| {
            let (start, end) = (TimestampMs(start), TimestampMs(end));
            ReadHints { step_ms, function, start, end, grouping, by, range_ms }
        },
    );
    let query = (time(), time(), vec(any_matcher(), 0..4), prop::option::of(hints))
        .prop_map(|(start, end, matchers, hints)| ReadQuery { start, end, matchers, hints });
    let accepted = prop_oneof![
        Just(vec![]),
        Just(vec![ResponseType::StreamedChunks, ResponseType::Samples]),
        Just(vec![ResponseType::Other(7), ResponseType::Samples]),
    ];
    (vec(query, 0..4), accepted).prop_map(|(queries, accepted)| ReadRequest { queries, accepted })
}

/// D2, worked out by hand from the protobuf encoding and the numbers of the fields:
/// `up{job!~"n"}` from 1 to 2 ms, chunks before samples.
#[test]
fn d2_the_bytes_of_a_request_are_those_of_the_specification() {
    let matchers = vec![
        LabelMatcher::new("__name__", MatchOp::Equal, "up").unwrap(),
        LabelMatcher::new("job", MatchOp::NotRegex, "n").unwrap(),
    ];
    let request = ReadRequest {
        queries: vec![ReadQuery { matchers, ..query(1, 2) }],
        accepted: vec![ResponseType::StreamedChunks, ResponseType::Samples],
    };
    let body = request.encode().unwrap();
    let mut expected = vec![0x0a, 32, 0x08, 1, 0x10, 2];
    expected.extend(b"\x1a\x0e\x12\x08__name__\x1a\x02up");
    expected.extend(b"\x1a\x0a\x08\x03\x12\x03job\x1a\x01n");
    expected.extend([0x12, 2, 1, 0]);
    assert_eq!(snap::raw::Decoder::new().decompress_vec(&body).unwrap(), expected);
}

#[test]
fn e1_the_first_form_that_is_known_is_used_and_samples_where_none_is_named() {
    let of = |accepted: &[ResponseType]| {
        let accepted = accepted.to_vec();
        ReadRequest { queries: vec![], accepted }.response_type()
    };
    use ResponseType::{Other, Samples, StreamedChunks};
    assert_eq!(of(&[]), Some(Samples));
    assert_eq!(of(&[Other(2), StreamedChunks, Samples]), Some(StreamedChunks));
    assert_eq!(of(&[Samples, StreamedChunks]), Some(Samples));
    assert_eq!(of(&[Other(2)]), None);
}

#[test]
fn e1_requests_that_ask_too_much_are_refused() {
    let decode = |request: v1::ReadRequest| ReadRequest::read(&request.encode_to_vec()).map(|_| ());
    let of = |queries| v1::ReadRequest { queries, ..v1::ReadRequest::default() };
    let many = |number| of(vec![v1::Query::default(); number]);
    assert!(decode(many(100)).is_ok());
    assert_eq!(decode(many(101)).unwrap_err().to_string(), "the request has more than 100 queries");
    let matchers =
        |number| v1::Query { matchers: vec![v1::LabelMatcher::default(); number], ..v1::Query::default() };
    assert!(decode(of(vec![matchers(100), matchers(100)])).is_ok());
    let error = decode(of(vec![matchers(100), matchers(101)])).unwrap_err();
    assert_eq!(error.to_string(), "the request has more than 200 matchers");
    let grouping = vec!["a".to_owned(); 1_001];
    let hints = Some(v1::ReadHints { grouping, ..v1::ReadHints::default() });
    assert!(decode(of(vec![v1::Query { hints, ..v1::Query::default() }])).is_err());
    let unknown = v1::LabelMatcher { r#type: 4, name: "job".to_owned(), value: String::new() };
    let error = decode(of(vec![v1::Query { matchers: vec![unknown], ..v1::Query::default() }])).unwrap_err();
    assert_eq!(error.to_string(), "the matcher of label \"job\" has the unknown type 4");
    assert!(matches!(ReadRequest::decode(b"no snappy", &Limits::default()), Err(ReadError::Wire(_))));
}

proptest! {
    /// For all requests, what is decoded is what was encoded, and prost reads the same.
    #[test]
    fn d2_requests_are_read_as_written(request in any_request()) {
        let body = request.encode().unwrap();
        let decoded = ReadRequest::decode(&body, &Limits::default()).unwrap();
        prop_assert_eq!(&decoded, &request);
        let message = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
        let by_prost = v1::ReadRequest::decode(&*message).unwrap();
        prop_assert_eq!(by_prost.queries.len(), request.queries.len());
        for (theirs, ours) in by_prost.queries.iter().zip(&request.queries) {
            prop_assert_eq!((theirs.start_timestamp_ms, theirs.end_timestamp_ms), (ours.start.0, ours.end.0));
            let matchers: Vec<_> = theirs.matchers.iter().map(|m| (m.r#type, &*m.name, &*m.value)).collect();
            let number = |op| match op {
                MatchOp::Equal => 0,
                MatchOp::NotEqual => 1,
                MatchOp::Regex => 2,
                MatchOp::NotRegex => 3,
            };
            let expected: Vec<_> =
                ours.matchers.iter().map(|m| (number(m.op()), m.name(), m.value())).collect();
            prop_assert_eq!(matchers, expected);
        }
        prop_assert_eq!(by_prost.encode_to_vec(), message);
    }

    /// For all damaged requests, ours and prost both refuse, or ours and prost write the same again. Ours refuses more:
    /// matchers that cannot be used, and too many of something; forms of answers are named once.
    #[test]
    fn damaged_requests_are_read_as_prost_reads_them(
        request in any_request(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
    ) {
        let mut message = snap::raw::Decoder::new().decompress_vec(&request.encode().unwrap()).unwrap();
        for (at, byte) in damage {
            if !message.is_empty() {
                *at.get_mut(&mut message) = byte;
            }
        }
        if let Ok(ours) = ReadRequest::read(&message) {
            let mut theirs = v1::ReadRequest::decode(&*message).unwrap();
            theirs.accepted_response_types.clear();
            let ours = ReadRequest { accepted: vec![], ..ours };
            let written = snap::raw::Decoder::new().decompress_vec(&ours.encode().unwrap()).unwrap();
            prop_assert_eq!(v1::ReadRequest::decode(&*written).unwrap(), theirs);
        }
    }
}

// === answers ===

/// Two queries; the first has two series, one of them without anything in its range.
#[test]
fn d3_both_forms_of_an_answer_give_the_same_series() {
    let (first, other) = (labels("first"), labels("other"));
    let samples = [Sample::new(-5, 0.5), Sample::new(10, STALE_NAN), Sample::new(20, f64::NAN)];
    let gauge = NativeHistogram { reset_hint: ResetHint::Gauge, sum: 2.0, ..NativeHistogram::default() };
    let histograms =
        [HistogramSample::new(12, gauge), HistogramSample::new(21, NativeHistogram::stale_marker())];
    let queries = [query(0, 20), query(20, 30)];

    let mut response = SamplesResponse::default();
    response.begin_result();
    response.push(first.iter(), &samples, &histograms);
    response.push(other.iter(), &samples[..1], &[]);
    response.begin_result();
    response.push(other.iter(), &samples, &histograms);
    let mut stream = Vec::new();
    write_chunked(0, first.iter(), &samples, &histograms, &mut stream);
    write_chunked(0, other.iter(), &samples[..1], &[], &mut stream);
    write_chunked(1, other.iter(), &samples, &histograms, &mut stream);

    let expected = vec![
        (0, first, vec![(10, STALE_NAN.to_bits()), (20, f64::NAN.to_bits())], vec![12]),
        (1, other, vec![(20, f64::NAN.to_bits())], vec![21]),
    ];
    assert_eq!(read_body(&response.encode().unwrap(), &queries).unwrap(), expected);
    for piece in [1, 7, stream.len()] {
        assert_eq!(read_stream(&stream, &queries, piece).unwrap(), expected);
    }
}

#[test]
fn an_answer_to_other_queries_is_refused() {
    let mut stream = Vec::new();
    write_chunked(1, labels("up").iter(), &[Sample::new(1, 1.0)], &[], &mut stream);
    let error = read_stream(&stream, &[query(0, 9)], 9).unwrap_err();
    assert!(matches!(error, ReadError::QueryIndex { index: 1, queries: 1 }), "{error}");
    for results in [0, 2] {
        let mut response = SamplesResponse::default();
        (0..results).for_each(|_| response.begin_result());
        let error = read_body(&response.encode().unwrap(), &[query(0, 9)]).unwrap_err();
        assert!(matches!(error, ReadError::Results { queries: 1, .. }), "{error}");
    }
}

/// Nothing is left out in silence: a stream is refused, a message says what is missing.
#[test]
fn a_series_that_breaks_a_rule_is_named() {
    let nameless = LabelSet::from_pairs([("instance", "a")]).unwrap();
    let long = LabelSet::from_pairs([("__name__", "up".to_owned()), ("l", "x".repeat(20_000))]).unwrap();
    for (invalid, reason) in [(nameless, "missing_metric_name"), (long, "label_value_too_long")] {
        let mut response = SamplesResponse::default();
        response.begin_result();
        response.push(invalid.iter(), &[Sample::new(1, 1.0)], &[]);
        response.push(labels("up").iter(), &[Sample::new(1, 1.0)], &[]);
        let (body, mut names) = (response.encode().unwrap(), Vec::new());
        let mut sink = |series: ReadSeries<'_>| names.push(LabelSet::from_canonical(series.labels));
        let left_out = read_samples(&body, &[query(0, 9)], &Limits::for_reading(), &mut sink).unwrap();
        assert_eq!(names, [labels("up")]);
        assert!(
            left_out.to_string().starts_with(&format!("1 samples not taken; {reason} (1)")),
            "{left_out}"
        );
        let mut stream = Vec::new();
        write_chunked(0, invalid.iter(), &[Sample::new(1, 1.0)], &[], &mut stream);
        let error = read_stream(&stream, &[query(0, 9)], 9).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// Whole counts go out as integers, others as floats; both come back to the last bit.
#[test]
fn histograms_go_out_as_integers_where_they_can() {
    let bucket = |index, count| Bucket { index, count };
    let whole = NativeHistogram {
        count: 12.0,
        zero_count: 2.0,
        positive: vec![bucket(1, 4.0), bucket(2, 1.0), bucket(9, 2.0)],
        negative: vec![bucket(-3, 3.0)],
        ..NativeHistogram::default()
    };
    let float =
        NativeHistogram { count: 12.5, zero_count: 2.5, reset_hint: ResetHint::Gauge, ..whole.clone() };
    let sent = [HistogramSample::new(1, whole), HistogramSample::new(2, float)];
    let mut response = SamplesResponse::default();
    response.begin_result();
    response.push(labels("up").iter(), &[], &sent);
    let body = response.encode().unwrap();
    let message = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
    let theirs = v1::ReadResponse::decode(&*message).unwrap();
    let [integer, float] = &theirs.results[0].timeseries[0].histograms[..] else { panic!("{theirs:?}") };
    assert_eq!((&integer.positive_deltas[..], &integer.negative_deltas[..]), (&[4, -3, 1][..], &[3][..]));
    assert_eq!((&float.positive_counts[..], &float.negative_counts[..]), (&[4.0, 1.0, 2.0][..], &[3.0][..]));
    let mut read = Vec::new();
    let mut sink = |series: ReadSeries<'_>| read.extend_from_slice(series.histograms);
    assert!(read_samples(&body, &[query(0, 9)], &Limits::for_reading(), &mut sink).unwrap().is_empty());
    assert_eq!(read, sent);
}

/// D4, E3: a series of more than a megabyte is spread over frames of a megabyte and a chunk, and put together again.
#[test]
fn e3_a_large_series_is_spread_over_frames() {
    let samples: Vec<_> =
        (0..200_000_u32).map(|at| Sample::new(i64::from(at), f64::from(at).sqrt())).collect();
    let (labels, mut stream) = (labels("large"), Vec::new());
    write_chunked(0, labels.iter(), &samples, &[], &mut stream);
    let mut frames = FrameReader::new(2 << 20);
    let (mut rest, mut sizes) = (&stream[..], Vec::new());
    while let Some(frame) = frames.next(&mut rest).unwrap() {
        let response = v1::ChunkedReadResponse::decode(frame).unwrap();
        assert_eq!(response.chunked_series.len(), 1);
        sizes.push(frame.len());
    }
    let full = &sizes[..sizes.len() - 1];
    assert!(
        !full.is_empty() && full.iter().all(|size| (1 << 20..(1 << 20) + 2_000).contains(size)),
        "{sizes:?}"
    );
    let expected: Vec<_> =
        samples.iter().map(|sample| (sample.timestamp.0, sample.value.to_bits())).collect();
    let read = read_stream(&stream, &[query(0, i64::MAX)], 1 << 16).unwrap();
    assert_eq!(read, [(0, labels, expected, vec![])]);
}

/// D5: chunks of a series that overlap and repeat each other, in any order, over frames.
#[test]
fn d5_overlapping_chunks_of_a_series_are_merged() {
    let labels = labels("up");
    let of = |range: std::ops::Range<i64>| range.map(|at| Sample::new(at, at as f64)).collect::<Vec<_>>();
    let mut stream = Vec::new();
    for range in [100..300, 0..150, 290..295] {
        write_chunked(0, labels.iter(), &of(range), &[], &mut stream);
    }
    let read = read_stream(&stream, &[query(10, 298)], 64).unwrap();
    let expected: Vec<_> = (10..=298).map(|at| (at, (at as f64).to_bits())).collect();
    assert_eq!(read, [(0, labels, expected, vec![])]);
}

/// A chunk of a few kilobytes can claim many samples: the limit is that of samples, not of bytes.
#[test]
fn a_series_has_no_more_samples_than_allowed() {
    let samples: Vec<_> = (0..500).map(|at| Sample::new(at, 1.0)).collect();
    let mut stream = Vec::new();
    write_chunked(0, labels("up").iter(), &samples, &[], &mut stream);
    let limits = Limits { max_samples: 499, ..Limits::for_reading() };
    let mut reader = ChunkedReader::new(&[query(0, 999)], &limits);
    let error = reader.read(&stream, &mut |_| panic!("the series is not whole")).unwrap_err();
    assert_eq!(error.to_string(), "a series has more than 499 samples");
}

/// The series of a frame as prost reads them: labels and chunks.
type Frame = (i64, Vec<(Vec<(String, String)>, Vec<v1::Chunk>)>);

fn any_frame() -> impl Strategy<Value = Frame> {
    let chunk = (any::<[i64; 2]>(), -1..8_i32, vec(any::<u8>(), 0..20)).prop_map(
        |([min_time_ms, max_time_ms], number, data)| v1::Chunk {
            min_time_ms,
            max_time_ms,
            r#type: number,
            data,
        },
    );
    let series = (vec(("[a-e_]{0,3}", "\\PC{0,9}"), 0..4), vec(chunk, 0..4));
    (0..3_i64, vec(series, 0..3))
}

proptest! {
    /// For all frames, damaged or not, our walk refuses what prost refuses, and reads the same chunks otherwise. It refuses
    /// more: groups, which prost skips.
    #[test]
    fn chunks_of_frames_are_read_as_prost_reads_them(
        (query_index, series) in any_frame(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let series = series.into_iter().map(|(labels, chunks)| {
            let labels = labels.into_iter().map(|(name, value)| v1::Label { name, value }).collect();
            v1::ChunkedSeries { labels, chunks }
        });
        let response = v1::ChunkedReadResponse { chunked_series: series.collect(), query_index };
        let mut frame = response.encode_to_vec();
        for (at, byte) in damage {
            if !frame.is_empty() {
                *at.get_mut(&mut frame) = byte;
            }
        }
        let mut ours = Vec::new();
        let walked = chunked::for_each_message("ChunkedReadResponse", &frame, 1, |series| {
            chunked::for_each_message("ChunkedSeries", series, 2, |chunk| {
                let Chunk { start, end, encoding, data } = chunked::read_chunk(chunk)?;
                ours.push((start.0, end.0, encoding, data.to_vec()));
                Ok(())
            })
        });
        // Prost refuses more: it reads labels as well, and those of other fields of a known number.
        if let Ok(theirs) = v1::ChunkedReadResponse::decode(&*frame) {
            let theirs = theirs.chunked_series.into_iter().flat_map(|series| series.chunks);
            let theirs: Vec<_> = theirs.map(|c| (c.min_time_ms, c.max_time_ms, c.r#type, c.data)).collect();
            match walked {
                Ok(()) => prop_assert_eq!(ours, theirs),
                Err(error) => prop_assert!(error.to_string().contains("group"), "{}", error),
            }
        }
    }

    /// For all bytes in whole frames, reading ends with an answer or an error.
    #[test]
    fn any_stream_is_taken_or_refused(frames in vec(vec(any::<u8>(), 0..60), 0..5), piece in 1_usize..40) {
        let mut stream = Vec::new();
        frames.iter().for_each(|frame| write_frame(frame, &mut stream));
        let _ = read_stream(&stream, &[query(0, 100), query(0, i64::MAX)], piece);
    }

    /// For all bytes, reading samples ends with an answer or an error.
    #[test]
    fn any_body_of_samples_is_taken_or_refused(message in vec(any::<u8>(), 0..100)) {
        let _ = read_body(&compress(&message).unwrap(), &[query(0, i64::MAX)]);
        let _ = read_body(&message, &[query(0, i64::MAX)]);
    }
}
