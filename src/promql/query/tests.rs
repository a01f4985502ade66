use super::*;
use crate::{series::Sample, window::SeriesView};
use proptest::prelude::*;

fn labels(text: &str) -> LabelSet {
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    LabelSet::from_pairs(pairs.map(|pair| pair.split_once('=').unwrap())).unwrap()
}

/// What a series is at a time in seconds.
type ValueAt = fn(i64) -> Option<f64>;

/// Series with a sample every 30 s from 0 to 600 s, from what a function says of the time in seconds.
fn series() -> Vec<(LabelSet, Vec<Sample>)> {
    let values: [(&str, ValueAt); 5] = [
        ("__name__=a,i=1", |at| Some(at as f64)),
        ("__name__=a,i=2", |at| (at >= 300).then_some(2.0 * at as f64)),
        ("__name__=a,i=3", |at| (at < 200).then_some(-1.0)),
        ("__name__=b,i=1", |_| Some(10.0)),
        ("__name__=b,i=2", |at| (at % 90 == 0).then_some(20.0)),
    ];
    let samples = |value: ValueAt| {
        let times = (0..=20).map(|n| n * 30);
        times.filter_map(|at| Some(Sample::new(at * 1000, value(at)?))).collect()
    };
    values.into_iter().map(|(text, value)| (labels(text), samples(value))).collect()
}

fn evaluate_within(text: &str, grid: Grid, budget: &mut Budget) -> Result<QueryValue, EvalError> {
    let query = Query::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let series = series();
    let answer = |request: &LeafRequest| {
        let wanted = series.iter().filter(|(labels, _)| request.matchers().iter().all(|m| m.matches(labels)));
        let views = wanted.map(|(labels, samples)| SeriesView {
            labels,
            samples: samples.as_slice().into(),
            histograms: &[],
        });
        request.evaluate(views, &mut Budget::unlimited())
    };
    let answers = query.needs(&grid).iter().map(answer).collect::<Result<_, _>>()?;
    query.evaluate(&grid, answers, budget)
}

fn evaluate(text: &str, grid: Grid) -> Result<QueryValue, EvalError> {
    evaluate_within(text, grid, &mut Budget::unlimited())
}

fn at(seconds: i64) -> Grid {
    Grid::instant(TimestampMs(seconds * 1000))
}

fn range(start: i64, end: i64, step: i64) -> Grid {
    Grid { start: TimestampMs(start * 1000), end: TimestampMs(end * 1000), step_ms: step * 1000 }
}

/// The elements of an instant query, in their order.
fn vector(text: &str, seconds: i64) -> Vec<(String, f64)> {
    match evaluate(text, at(seconds)) {
        Ok(QueryValue::Vector(elements)) => {
            elements.into_iter().map(|(labels, point)| (labels.to_string(), point.float().unwrap())).collect()
        }
        other => panic!("{text}: {other:?}"),
    }
}

fn matrix(text: &str, grid: Grid) -> Vec<(String, Vec<(i64, f64)>)> {
    let Ok(QueryValue::Matrix(series)) = evaluate(text, grid) else { panic!("{text}: not a matrix") };
    let point = |(at, point): &(TimestampMs, Point)| (at.0 / 1000, point.float().unwrap());
    series.iter().map(|s| (s.labels.to_string(), s.points.iter().map(point).collect())).collect()
}

#[test]
fn a_subquery_sees_multiples_of_its_step() {
    // At 320 s the last 100 s hold the steps 240, 270 and 300.
    assert_eq!(vector("sum_over_time(a{i='1'}[100s:30s])", 320), [(r#"{i="1"}"#.to_owned(), 810.0)]);
    assert_eq!(
        matrix("a{i='1'}[100s:30s]", at(320)),
        [(r#"a{i="1"}"#.to_owned(), vec![(240, 240.0), (270, 270.0), (300, 300.0)])]
    );
    // Without a step, every minute.
    assert_eq!(vector("count_over_time(a{i='1'}[5m:])", 600)[0].1, 5.0);
}

#[test]
fn at_and_offset_move_the_look_but_not_the_step() {
    let both = [(r#"a{i="1"}"#.to_owned(), vec![(400, 180.0), (500, 180.0)])];
    assert_eq!(matrix("a{i='1'} @ 200", range(400, 500, 100)), both);
    assert_eq!(
        matrix("a{i='1'} @ start() offset 200s", range(400, 500, 100)),
        both.map(|(l, p)| { (l, p.into_iter().map(|(at, _)| (at, 180.0)).collect()) })
    );
    assert_eq!(vector("timestamp(a{i='1'} @ 200)", 600)[0].1, 180.0);
    assert_eq!(vector("timestamp(a{i='1'} + 0)", 595)[0].1, 595.0);
}

#[test]
fn rows_that_become_one_must_not_meet() {
    let halves = r#"label_replace(a{i="3"}, "i", "x", "", "") or label_replace(a{i="2"}, "i", "x", "", "")"#;
    // The first one is seen up to 480 s, five minutes after its last sample.
    assert_eq!(
        matrix(halves, range(60, 560, 500)),
        [(r#"a{i="x"}"#.to_owned(), vec![(60, -1.0), (560, 1080.0)])]
    );
    let error = evaluate("label_replace(a, 'i', 'x', '', '')", range(60, 360, 300));
    assert!(matches!(error, Err(EvalError::SameLabels { .. })), "{error:?}");
}

#[test]
fn missing_series_are_counted_step_by_step() {
    assert_eq!(
        matrix("absent(a{i='2', j!='x'})", range(100, 400, 100)),
        [(r#"{i="2"}"#.to_owned(), vec![(100, 1.0), (200, 1.0)])]
    );
    assert_eq!(
        matrix("absent_over_time(a{i='2'}[1m])", range(200, 300, 100)),
        [(r#"{i="2"}"#.to_owned(), vec![(200, 1.0)])]
    );
}

#[test]
fn selections_change_from_step_to_step_and_keep_their_order() {
    assert_eq!(
        matrix("topk(1, a)", range(60, 360, 300)),
        [(r#"a{i="1"}"#.to_owned(), vec![(60, 60.0)]), (r#"a{i="2"}"#.to_owned(), vec![(360, 720.0)])]
    );
    let order = |text: &str| vector(text, 360).into_iter().map(|(_, value)| value).collect::<Vec<_>>();
    assert_eq!(order("bottomk(2, a)"), [-1.0, 360.0]);
    assert_eq!(order("(sort_desc(a))"), [720.0, 360.0, -1.0]);
    assert_eq!(order("topk(2, a)"), [720.0, 360.0]);
    assert_eq!(order("sort_by_label_desc(a, 'i')"), [-1.0, 720.0, 360.0]);
    assert_eq!(
        matrix("count_values('v', b)", range(120, 180, 60)),
        [
            (r#"{v="10"}"#.to_owned(), vec![(120, 1.0), (180, 1.0)]),
            (r#"{v="20"}"#.to_owned(), vec![(120, 1.0), (180, 1.0)])
        ]
    );
}

#[test]
fn arguments_of_range_functions_may_change() {
    assert_eq!(
        matrix("quantile_over_time(time() / 600, a{i='1'}[60s])", range(300, 600, 300)),
        [(r#"{i="1"}"#.to_owned(), vec![(300, 285.0), (600, 600.0)])]
    );
}

#[test]
fn strings_and_ranges_are_for_instants() {
    assert_eq!(evaluate("'x'", at(0)), Ok(QueryValue::String("x".to_owned())));
    assert_eq!(evaluate("'x'", range(0, 60, 60)), Err(EvalError::NotForRange { found: "a string" }));
    assert_eq!(evaluate("a[1m]", range(0, 60, 60)), Err(EvalError::NotForRange { found: "a range vector" }));
    assert_eq!(evaluate("1 + 1", at(0)), Ok(QueryValue::Scalar(2.0)));
    assert_eq!(matrix("1 + 1", range(0, 60, 60)), [("{}".to_owned(), vec![(0, 2.0), (60, 2.0)])]);
}

#[test]
fn the_budget_bounds_points_and_time() {
    for text in [
        "max_over_time(vector(1)[10y:1ms])",
        "count_over_time(absent(x)[1y:1ms])",
        "sum_over_time(a[1y:1ms])",
    ] {
        let mut budget = Budget::new(100_000, || false);
        let query = Query::parse(text).unwrap();
        let answers = query.needs(&at(600)).iter().map(|_| LeafMatrix::default()).collect();
        let result = query.evaluate(&at(600), answers, &mut budget);
        assert_eq!(result, Err(EvalError::TooManyPoints { limit: 100_000 }), "{text}");
    }
    let many =
        evaluate_within("a + on (i) group_left () b", range(0, 600, 1), &mut Budget::new(1_000, || false));
    assert_eq!(many, Err(EvalError::TooManyPoints { limit: 1_000 }));
    let late = evaluate_within("sum(a)", range(0, 600, 1), &mut Budget::new(1_000_000, || true));
    assert_eq!(late, Err(EvalError::Expired));
}

#[test]
fn a_selector_alone_is_a_list_of_matchers() {
    let matchers = parse_matchers(r#"up{job=~"a|b"}"#).unwrap();
    assert_eq!(
        matchers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [r#"__name__="up""#, r#"job=~"a|b""#]
    );
    for text in ["up[5m]", "up offset 1m", "up @ 1", "sum(up)", "{}", "1"] {
        assert!(parse_matchers(text).is_err(), "{text}");
    }
}

const EXPRESSIONS: [&str; 14] = [
    "a",
    "rate(a[2m])",
    "sum by (i) ({__name__=~'a|b'})",
    "a / on (i) b",
    "a > 100 or b",
    "a unless on (i) b > 15",
    "topk(1, a)",
    "quantile(time() / 700, a)",
    "max_over_time(deriv(a[1m])[2m:20s] offset 10s)",
    "histogram_quantile(0.5, label_replace(b, 'le', '$1', 'i', '(.)'))",
    "clamp(a, scalar(b{i='2'}), 300)",
    "timestamp(b) - time()",
    "absent(a{i='3'})",
    "count_values('v', a)",
];

proptest! {
    /// For all grids, a range query is the instant queries at its steps, one beside the other.
    #[test]
    fn a_range_query_is_its_instant_queries(which in 0..EXPRESSIONS.len(), start in -60i64..700, count in 1i64..8, step in 1i64..150) {
        let text = EXPRESSIONS[which];
        let Ok(QueryValue::Matrix(series)) = evaluate(text, range(start, start + count * step, step)) else {
            return Err(TestCaseError::fail("not a matrix"));
        };
        for n in 0..=count {
            let seconds = start + n * step;
            let bits = |(labels, value): (String, f64)| (labels, value.to_bits());
            let mut instant: Vec<_> = vector(text, seconds).into_iter().map(bits).collect();
            instant.sort();
            let now = |(at, _): &&(TimestampMs, Point)| at.0 == seconds * 1000;
            let here = series.iter().filter_map(|s| {
                let (_, point) = s.points.iter().find(now)?;
                Some(bits((s.labels.to_string(), point.float()?)))
            });
            let mut here: Vec<_> = here.collect();
            here.sort();
            prop_assert_eq!(here, instant);
        }
    }

    /// For all sequences of PromQL's own words, parsing and evaluating ends within the budget.
    #[test]
    fn random_queries_never_panic(words in prop::collection::vec(prop::sample::select(vec![
        "a", "b", "sum", "by", "(", ")", "(", ")", "[", "]", "[5m:]", "[1m]", "5m", "offset 1m", "@ 300", "1", "-",
        "^", "==", "bool", "on", "group_left", ",", "'i'", "rate", "topk", "max_over_time", "time()", "and",
    ]), 0..14)) {
        let text = words.join(" ");
        if Query::parse(&text).is_ok() {
            let _ = evaluate_within(&text, range(0, 600, 60), &mut Budget::new(100_000, || false));
        }
    }
}

#[test]
fn the_text_alone_tells_a_rate_of_no_counter() {
    let remarks = |text: &str| Query::parse(text).unwrap().remarks_on_text();
    let none = Annotations::default();
    for text in ["rate(a_total[5m])", "rate({job=\"a\"}[5m])", "delta(a[5m])", "rate(a[5m:1m])", "a + 1"] {
        assert_eq!(remarks(text), none, "{text}");
    }
    let found = remarks("1 +\n increase(a[5m]) + quantile_over_time(2, a[5m])");
    let info = "PromQL info: metric might not be a counter, name does not end in \
                _total/_sum/_count/_bucket: \"a\" (2:11)";
    assert_eq!(found.infos, [info]);
    assert_eq!(found.warnings.len(), 1);
}
