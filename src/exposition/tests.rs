use super::*;
use crate::series::{LabelMatcher, LabelSet, METRIC_NAME, MatchOp, Sample, TimestampMs};
use proptest::prelude::*;
use std::{collections::BTreeMap, fmt::Write as _};

/// A second of 2023, as the texts below have it.
const AT: TimestampMs = TimestampMs(1_700_000_000_000);

fn read(text: &str) -> Result<Vec<(LabelSet, Sample)>, ExpositionError> {
    let mut exposition = Exposition::default();
    let mut samples = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(Exposed { labels, sample }) = exposition.take(line.as_bytes())? {
            samples.push((LabelSet::from_canonical(labels), sample));
        }
    }
    exposition.finish().map(|()| samples)
}

/// The one sample of a line of OpenMetrics.
fn one(line: &str) -> (LabelSet, Sample) {
    let mut samples = read(&format!("{line}\n# EOF\n")).unwrap_or_else(|error| panic!("{line}: {error}"));
    assert_eq!(samples.len(), 1, "{line}");
    samples.remove(0)
}

fn set(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::from_pairs(pairs.iter().copied()).unwrap()
}

fn named(name: &str, pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::from_pairs(pairs.iter().copied().chain([(METRIC_NAME, name)])).unwrap()
}

fn refused(text: &str) -> String {
    read(text).map(|samples| panic!("{text:?}: {samples:?}")).unwrap_err().to_string()
}

/// What decision 002 found broken in another parser, row by row: of these none is lost, none is changed.
#[test]
fn every_row_of_decision_002_is_read() {
    let value = Sample { timestamp: AT, value: 1.0 };
    // Any name with a colon.
    assert_eq!(
        one(r#"job:rate5m{job="node"} 1 1700000000"#),
        (named("job:rate5m", &[("job", "node")]), value)
    );
    // Separators inside values.
    let labels = named("requests", &[("path", "/a,b"), ("q", "x=1")]);
    assert_eq!(one(r#"requests{path="/a,b",q="x=1"} 1 1700000000"#), (labels, value));
    // An escaped quote, or } inside a value; the other escapes too.
    let labels = named("requests", &[("a", "say \"}\" # 1"), ("b", "\\ \n \\d")]);
    assert_eq!(one(r#"requests{a="say \"}\" # 1",b="\\ \n \d"} 1 1700000000"#), (labels, value));
    // A quoted UTF-8 name.
    let labels = named("http.requests", &[("a", "b"), ("größe", "ä")]);
    assert_eq!(one(r#"{"http.requests", a="b", "größe"="ä"} 1 1700000000"#), (labels, value));
    // A timestamp in seconds.
    let later = Sample { timestamp: TimestampMs(1_700_000_000_250), value: 1.0 };
    assert_eq!(one("up 1 1700000000.250"), (named("up", &[]), later));
    // One histogram at two timestamps.
    let text = r#"# TYPE seconds histogram
seconds_bucket{le="0.5"} 1 1700000000000
seconds_bucket{le="+Inf"} 2 1700000000000
seconds_bucket{le="0.5"} 3 1700000015000
seconds_bucket{le="+Inf"} 4 1700000015000
"#;
    let expected = [("0.5", 0, 1.0), ("+Inf", 0, 2.0), ("0.5", 15_000, 3.0), ("+Inf", 15_000, 4.0)];
    let expected: Vec<_> = expected
        .map(|(le, ms, value)| {
            (named("seconds_bucket", &[("le", le)]), Sample { timestamp: AT.plus_ms(ms), value })
        })
        .into();
    assert_eq!(read(text), Ok(expected));
    // A malformed line.
    assert!(
        refused("up 1 1700000000000\nup{ 1 1700000015000\n")
            .starts_with("line 2, column 5: expected the name")
    );
}

#[test]
fn space_comments_and_exemplars_say_nothing() {
    let text = "# HELP up Whether it is.\n# TYPE up gauge\n# UNIT up ratio\n# anything\n#\n\n\t \n \
                up { a = \"b\" , c=\"d\", }\t1   1700000000 \r\n\
                up{a=\"x\"} 2 1700000000 # {trace_id=\"a # b\"} 0.5 1699999999.5\n\
                up{} 3 1700000000 # {} 0.5\n\
                # EOF";
    let sample = |value| Sample { timestamp: AT, value };
    let expected = vec![
        (named("up", &[("a", "b"), ("c", "d")]), sample(1.0)),
        (named("up", &[("a", "x")]), sample(2.0)),
        (named("up", &[]), sample(3.0)),
    ];
    assert_eq!(read(text), Ok(expected));
    assert_eq!(read(""), Ok(Vec::new()));
    assert_eq!(read("# EOF\n\n"), Ok(Vec::new()));
}

#[test]
fn labels_are_sorted_and_empty_ones_left_out() {
    let (labels, _) = one(r#"up{z="1",a="",b="2"} 1 1700000000"#);
    assert_eq!(labels, set(&[(METRIC_NAME, "up"), ("b", "2"), ("z", "1")]));
}

#[test]
fn values_are_all_that_a_float_is() {
    let value = |text: &str| one(&format!("up {text} 1700000000")).1.value;
    assert_eq!(
        [value("+Inf"), value("-Inf"), value("Inf")],
        [f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY]
    );
    assert_eq!([value("-0.5e-3"), value("+12"), value(".5")], [-0.0005, 12.0, 0.5]);
    assert_eq!(value("5e-324").to_bits(), 1);
    // As Prometheus keeps it, which is no staleness marker.
    assert_eq!(value("NaN").to_bits(), 0x7ff8_0000_0000_0001);
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_to_write() {
    let lines = [
        "1up 1 1700000000",
        "http.requests 1 1700000000",
        "{a=\"b\"} 1 1700000000",
        "{__name__=\"up\"} 1 1700000000",
        "{\"\"} 1 1700000000",
        "up{a=\"b\" c=\"d\"} 1 1700000000",
        "up{a.b=\"c\"} 1 1700000000",
        "up{a=b} 1 1700000000",
        "up{a=\"b} 1 1700000000",
        "up{a=\"b\\",
        "up{a=\"b\",a=\"c\"} 1 1700000000",
        "up{__name__=\"b\"} 1 1700000000",
        "up{\"b\"} 1 1700000000",
        "up{ä=\"b\"} 1 1700000000",
        "up",
        "up{größe=\"x\"",
        "up{\"größe\"=\"x\"} one 1700000000",
        "up 1e999 1700000000",
        "up 0x10 1700000000",
        "up 1",
        "up 1 # {a=\"b\"} 1",
        "up 1 yesterday",
        "up 1 60",
        "up 1 1700000000 2",
        "up 1 1700000000 # a",
        "up 1 1700000000 # {a=\"b\"}",
        "up 1 1700000000 # {a=\"b\"} 1 2 3",
        "up 1 1700000000\nup 1 1700000015000",
        "up 1 1700000000",
        "up 1 1700000000000\n# EOF",
        "up 1 1700000000\n# EOF\nup 1 1700000015\n# EOF",
    ];
    let said: String = lines.iter().map(|line| format!("{line}\n    {}\n", refused(line))).collect();
    insta::assert_snapshot!(said);
}

#[test]
fn lines_that_are_no_text_or_too_long_are_refused() {
    let mut exposition = Exposition::default();
    let error = exposition.take(b"up{a=\"\xff\"} 1 1700000000\n").unwrap_err();
    assert_eq!((error.line, error.column, error.problem), (1, 7, Problem::NotUtf8));
    let long = vec![b' '; MAX_LINE_BYTES];
    assert_eq!(exposition.take(&long), Ok(None));
    let error = exposition.take(&[long.as_slice(), b" "].concat()).unwrap_err();
    assert_eq!((error.line, error.problem), (3, Problem::LongLine));
}

fn matcher(name: &str, op: MatchOp, value: &str) -> LabelMatcher {
    LabelMatcher::new(name, op, value).unwrap()
}

fn wanted(name: &str) -> Vec<Vec<LabelMatcher>> {
    vec![vec![matcher(METRIC_NAME, MatchOp::Equal, name)]]
}

#[test]
fn of_two_values_at_one_time_the_first_stays_and_both_losses_are_counted() {
    let mut recorder = Recorder::new(wanted("up"), 100, 7);
    let up = named("up", &[]);
    for (name, at, value) in
        [("up", 2, 1.0), ("up", 1, 5.0), ("up", 2, 1.0), ("up", 2, 3.0), ("down", 1, 1.0)]
    {
        recorder.take(named(name, &[]).canonical_text(), Sample::new(at, value)).unwrap();
    }
    let recording = recorder.finish();
    assert_eq!(recording.counts(), &Recorded { read: 5, series: 1, kept: 2, repeated: 1, conflicting: 1 });
    assert_eq!(recording.range(), Some(TimestampMs(1)..=TimestampMs(2)));
    let slices: Vec<_> = recording.slices(&wanted("up"), TimestampMs(0)..=TimestampMs::MAX).collect();
    let ranges: Vec<_> = slices.iter().map(|(range, _)| range.clone()).collect();
    let ends = [(0, 0), (1, 1_000), (1_001, i64::MAX)];
    assert_eq!(ranges, ends.map(|(from, until)| TimestampMs(from)..=TimestampMs(until)));
    let entry = slices[1].1.iter().next().unwrap();
    assert_eq!(
        (entry.labels, entry.samples),
        (up.canonical_text(), &[Sample::new(1, 5.0), Sample::new(2, 1.0)][..])
    );
    assert!(slices[0].1.is_empty() && slices[2].1.is_empty());
}

#[test]
fn more_than_fits_is_refused() {
    let up = named("up", &[]);
    // The series itself: 128 bytes and its labels are nine samples.
    let series = (128 + up.canonical_text().len()).div_ceil(16);
    let mut recorder = Recorder::new(wanted("up"), series + 2, 7);
    for at in [1, 2] {
        recorder.take(up.canonical_text(), Sample::new(at, 1.0)).unwrap();
        recorder.take(named("other", &[]).canonical_text(), Sample::new(at, 1.0)).unwrap();
    }
    let error = recorder.take(up.canonical_text(), Sample::new(3, 1.0)).unwrap_err();
    assert_eq!(error, TooManySamples { max_samples: series + 2, series: 1 });
}

/// How somebody may write a sample.
#[derive(Clone, Debug)]
struct Style {
    quoted_name: bool,
    quoted_labels: bool,
    space: &'static str,
    trailing_comma: bool,
    exemplar: &'static str,
}

fn styles() -> impl Strategy<Value = Style> {
    let space = prop::sample::select(vec!["", " ", "\t", "  "]);
    let exemplar = prop::sample::select(vec!["", " # {} 1", " # {a=\"}\\\"\",b=\"\"} NaN 3.5"]);
    (any::<bool>(), any::<bool>(), space, any::<bool>(), exemplar).prop_map(
        |(quoted_name, quoted_labels, space, trailing_comma, exemplar)| Style {
            quoted_name,
            quoted_labels,
            space,
            trailing_comma,
            exemplar,
        },
    )
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn is_bare(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && characters.all(|c| c == '_' || c.is_ascii_alphanumeric())
}

fn written(
    name: &str,
    labels: &BTreeMap<String, String>,
    sample: Sample,
    in_seconds: bool,
    style: &Style,
) -> String {
    let mut inside = Vec::new();
    let mut line = String::new();
    let Style { space, exemplar, .. } = style;
    if style.quoted_name || !is_bare(name) {
        inside.push(quoted(name));
    } else {
        line.push_str(name);
    }
    for (name, value) in labels {
        let name = if style.quoted_labels || !is_bare(name) { quoted(name) } else { name.clone() };
        inside.push(format!("{name}{space}={space}{}", quoted(value)));
    }
    let comma = if style.trailing_comma && !inside.is_empty() { "," } else { "" };
    let inside = inside.join(&format!("{space},{space}"));
    let TimestampMs(ms) = sample.timestamp;
    let at = if in_seconds { format!("{}.{:03}", ms / 1000, ms % 1000) } else { ms.to_string() };
    write!(
        line,
        "{space}{{{space}{inside}{comma}{space}}}{space} {} {space}{at}{exemplar}{space}",
        sample.value
    )
    .unwrap();
    line
}

proptest! {
    /// For all series, values, times and ways to write them, what is read is what was written.
    #[test]
    fn what_is_written_is_read(
        samples in prop::collection::vec(
            (
                "[a-z_:.ä\"\\\\\n #{}=,]{1,6}",
                prop::collection::btree_map("[a-z_.ä\"\\\\\n #}=,]{1,4}", "[a-zä\"\\\\\n #{}=,]{0,6}", 0..4),
                1_000_000_000_000_i64..4_000_000_000_000,
                any::<f64>(),
                styles(),
            ),
            1..8,
        ),
        in_seconds in any::<bool>(),
    ) {
        let bits = |value: f64| if value.is_nan() { 0 } else { value.to_bits() };
        let (mut text, mut expected) = (String::from("# TYPE a gauge\n"), Vec::new());
        for (name, labels, ms, value, style) in &samples {
            let sample = Sample::new(*ms, *value);
            text.push_str(&written(name, labels, sample, in_seconds, style));
            text.push('\n');
            let pairs = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let labels = LabelSet::from_pairs(pairs.chain([(METRIC_NAME, name.as_str())])).unwrap();
            expected.push((labels, *ms, bits(*value)));
        }
        text.push_str(if in_seconds { "# EOF\n" } else { "" });
        let read = read(&text).map_err(|error| TestCaseError::fail(format!("{error} in {text}")))?;
        let read: Vec<_> = read.into_iter().map(|(labels, at)| (labels, at.timestamp.0, bits(at.value))).collect();
        prop_assert_eq!(read, expected);
    }

    /// For all bytes, a line is a sample, nothing, or refused at a place that it has.
    #[test]
    fn every_line_is_read_or_refused_at_a_place(
        lines in prop::collection::vec("[a{}\",=#\\\\ 1.eN\u{e4}\t\r+-]{0,24}", 1..6),
        broken in any::<u8>(),
        at in any::<prop::sample::Index>(),
    ) {
        let mut exposition = Exposition::default();
        for (number, line) in lines.iter().enumerate() {
            let mut bytes = format!("{line} 1700000000").into_bytes();
            let place = at.index(bytes.len());
            bytes[place] = broken;
            if let Err(error) = exposition.take(&bytes) {
                prop_assert_eq!(error.line, number as u64 + 1);
                prop_assert!(error.column <= bytes.len() + 1, "{}", error);
            }
        }
    }

    /// For all samples in any order, the slices hold each that is wanted once, in the order of time, and nothing else.
    #[test]
    fn slices_are_the_recording_by_time(
        samples in prop::collection::vec((0..4_usize, 0..50_000_i64, -5..5_i8), 0..60),
        from in -10_000..60_000_i64,
        length in 0..60_000_i64,
    ) {
        let names = ["up", "down", "up_and_down", "other"];
        let selectors = vec![vec![matcher(METRIC_NAME, MatchOp::Regex, ".*up.*")], vec![matcher("x", MatchOp::Equal, "1")]];
        let mut recorder = Recorder::new(selectors.clone(), 10_000, 7);
        let mut expected: BTreeMap<(String, i64), f64> = BTreeMap::new();
        let range = TimestampMs(from)..=TimestampMs(from + length);
        for (place, at, value) in &samples {
            let labels = named(names[*place], if *place == 3 && *at % 2 == 0 { &[("x", "1")] } else { &[] });
            recorder.take(labels.canonical_text(), Sample::new(*at, f64::from(*value))).unwrap();
            let is_wanted = [0, 2].contains(place) || labels.get("x").is_some();
            if is_wanted && range.contains(&TimestampMs(*at)) {
                expected.entry((labels.to_string(), *at)).or_insert(f64::from(*value));
            }
        }
        let recording = recorder.finish();
        let (mut found, mut next) = (BTreeMap::new(), from);
        for (slice, batch) in recording.slices(&selectors, range.clone()) {
            prop_assert_eq!(slice.start().0, next);
            next = slice.end().0 + 1;
            for entry in batch.iter() {
                prop_assert!(entry.samples.is_sorted_by(|a, b| a.timestamp < b.timestamp));
                for sample in entry.samples {
                    prop_assert!(slice.contains(&sample.timestamp));
                    let name = LabelSet::from_canonical(entry.labels).to_string();
                    prop_assert!(found.insert((name, sample.timestamp.0), sample.value).is_none());
                }
            }
        }
        prop_assert_eq!(next, from + length + 1);
        prop_assert_eq!(found, expected);
        let counts = recording.counts();
        prop_assert_eq!(counts.read, samples.len() as u64);
    }
}
