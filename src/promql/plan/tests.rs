use super::*;
use crate::{
    series::{LabelSet, Sample},
    window::SeriesView,
};
use proptest::prelude::*;

fn plan(text: &str) -> Plan {
    Plan::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn labels(text: &str) -> LabelSet {
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    LabelSet::from_pairs(pairs.map(|pair| pair.split_once('=').unwrap())).unwrap()
}

/// Evaluates at 600 s on series that each have one sample, at 600 s.
fn evaluate(text: &str, series: &[(&str, f64)]) -> Result<Value, EvalError> {
    let plan = plan(text);
    let mut series: Vec<_> =
        series.iter().map(|(text, value)| (labels(text), [Sample::new(600_000, *value)])).collect();
    series.sort_by(|a, b| a.0.cmp(&b.0));
    let grid = Grid::instant(TimestampMs(600_000));
    let answer = |leaf: &Leaf| {
        let wanted = series.iter().filter(|(labels, _)| leaf.matchers().iter().all(|m| m.matches(labels)));
        let views = wanted.map(|(labels, samples)| SeriesView {
            labels,
            samples: samples.as_slice().into(),
            histograms: &[],
        });
        leaf.request(&grid).evaluate(views, &mut Budget::unlimited())
    };
    let answers = plan.leaves().iter().map(answer).collect::<Result<Vec<_>, _>>()?;
    plan.evaluate(&answers.iter().collect::<Vec<_>>(), TimestampMs(600_000), &mut Memo::default())
}

fn vector(elements: &[(&str, f64)]) -> Result<Value, EvalError> {
    Ok(Value::Vector(elements.iter().map(|(text, value)| (labels(text), *value)).collect()))
}

#[test]
fn equal_leaves_are_one_and_the_longest_look_decides_retention() {
    let plan = plan("rate(a[5m]) / rate(a[5m]) + rate(a[5m] offset 1h) - b{c='d'} - {__name__='b', c='d'}");
    assert_eq!(plan.leaves().len(), 3);
    assert_eq!(plan.retention_ms(), 65 * 60_000);
    assert_eq!(Plan::parse("1").unwrap().retention_ms(), 0);
    let retention = |text| super::Plan::parse(text).unwrap().retention_ms();
    assert_eq!(retention("max_over_time(rate(a[5m])[1h:1m] offset 10m)"), 75 * 60_000);
    assert_eq!(retention("sum_over_time(a[1h:1m] offset 10m) + a @ end()"), 75 * 60_000);
    assert_eq!(retention("sum_over_time(rate(a[5m] offset -1m)[10m:] offset 2m)"), 16 * 60_000);
}

#[test]
fn what_a_feature_must_not_do_is_said_with_its_place() {
    for (text, expected) in [
        ("'text'", "1:1: a feature is a scalar or an instant vector, not a string"),
        ("a[5m]", "1:1: a feature is a scalar or an instant vector, not a range vector"),
        ("1 + a offset -2m", "1:5: a feature cannot look 120000 ms past its step"),
        ("max_over_time(a[5m:] offset -1m)", "1:15: a feature cannot look 60000 ms past its step"),
        ("a @ 1e9", "1:1: a feature cannot look at a fixed time: its window moves on"),
        ("max_over_time(a[1w:1s])", "1:15: the subquery of a feature has 604800 steps, at most 11000"),
    ] {
        let error = Plan::parse(text).unwrap_err();
        assert_eq!(error.to_string().lines().next(), Some(expected), "{text}");
        assert!(error.hint().is_some());
    }
    assert!(Plan::parse("max_over_time((a offset -1m)[5m:] offset 1m)").is_ok());
}

#[test]
fn scalars_are_calculated() {
    for (text, value) in [
        ("1 + 2 * 3 ^ 2", 19.0),
        ("-2 ^ 2", -4.0),
        ("7 % 4", 3.0),
        ("time() / 60", 10.0),
        ("1 < bool 2", 1.0),
        ("scalar(a)", 5.0),
    ] {
        assert_eq!(evaluate(text, &[("__name__=a", 5.0)]), Ok(Value::Scalar(value)), "{text}");
    }
    let Ok(Value::Scalar(several)) = evaluate("scalar(a)", &[("__name__=a", 5.0), ("__name__=a,b=c", 6.0)])
    else {
        panic!("not a scalar");
    };
    assert!(several.is_nan());
}

const PODS: &[(&str, f64)] = &[
    ("__name__=use,pod=p1,node=n1", 3.0),
    ("__name__=use,pod=p2,node=n1", 5.0),
    ("__name__=use,pod=p3,node=n2", 7.0),
    ("__name__=size,node=n1,zone=z1", 10.0),
    ("__name__=size,node=n2,zone=z2", 20.0),
];

#[test]
fn aggregations_group_by_and_without() {
    assert_eq!(evaluate("sum(use)", PODS), vector(&[("", 15.0)]));
    assert_eq!(evaluate("sum by (node) (use)", PODS), vector(&[("node=n1", 8.0), ("node=n2", 7.0)]));
    assert_eq!(evaluate("max without (pod) (use)", PODS), vector(&[("node=n1", 5.0), ("node=n2", 7.0)]));
    assert_eq!(evaluate("count by (absent) (use)", PODS), vector(&[("", 3.0)]));
    assert_eq!(evaluate("sum(absent_metric)", PODS), vector(&[]));
    assert_eq!(evaluate("stdvar(use)", PODS), vector(&[("", 8.0 / 3.0)]));
    assert_eq!(evaluate("quantile(0.75, use)", PODS), vector(&[("", 6.0)]));
}

#[test]
fn matches_name_their_results() {
    assert_eq!(
        evaluate("use / on (node) group_left (zone) size", PODS),
        vector(&[
            ("node=n1,pod=p1,zone=z1", 0.3),
            ("node=n1,pod=p2,zone=z1", 0.5),
            ("node=n2,pod=p3,zone=z2", 0.35)
        ])
    );
    assert_eq!(evaluate("sum by (node) (use) < on (node) size / 2.5", PODS), vector(&[("node=n2", 7.0)]));
    // A filter keeps the name of its left side, whichever side has many.
    assert_eq!(
        evaluate("size > on (node) group_right () use * 3", PODS),
        vector(&[("node=n1,pod=p1", 10.0)])
    );
    assert_eq!(evaluate("use{pod='p1'} == 3", PODS), vector(&[("__name__=use,node=n1,pod=p1", 3.0)]));
    assert_eq!(evaluate("3 == bool use{pod='p1'}", PODS), vector(&[("node=n1,pod=p1", 1.0)]));
}

#[test]
fn matches_that_are_not_unique_are_errors() {
    assert!(matches!(
        evaluate("size / on (node) use", PODS),
        Err(EvalError::ManyToMany { side: "right", .. })
    ));
    assert!(matches!(
        evaluate("use / on (node) group_right () size", PODS),
        Err(EvalError::ManyToMany { side: "left", .. })
    ));
    assert_eq!(
        evaluate("use / on (node) size", PODS),
        Err(EvalError::ManyToOne { labels: labels("__name__=use,node=n1,pod=p2") })
    );
    assert_eq!(
        evaluate("use * on (node) group_left (pod) sum by (node) (use)", PODS),
        Err(EvalError::SameGroupLabels { labels: labels("node=n1") })
    );
    let same = [("__name__=a,l=1", 1.0), ("__name__=b,l=1", 2.0)];
    let error = Err(EvalError::SameLabels { labels: labels("l=1") });
    assert_eq!(evaluate("-{l='1'}", &same), error);
    assert_eq!(evaluate("sum_over_time({l='1'}[5m])", &same), error);
    assert_eq!(evaluate("abs(a) or on (x) abs(b)", &same), vector(&[("l=1", 1.0)]));
}

#[test]
fn sets_pass_elements_with_their_names() {
    let (p1, p3) = (("__name__=use,node=n1,pod=p1", 3.0), ("__name__=use,node=n2,pod=p3", 7.0));
    assert_eq!(evaluate("use and on (node) size > 15", PODS), vector(&[p3]));
    assert_eq!(evaluate("use{pod!='p2'} unless on (node) size > 15", PODS), vector(&[p1]));
    assert_eq!(evaluate("use{pod='p1'} or on () size or vector(1) and nothing", PODS), vector(&[p1]));
}

#[test]
fn other_vectors_than_the_leaves_are_an_error() {
    let plan = plan("a + b");
    assert_eq!(
        plan.evaluate(&[&LeafMatrix::default()], TimestampMs(0), &mut Memo::default()),
        Err(EvalError::WrongLeaves { expected: 2, given: 1 })
    );
}

#[test]
fn the_deepest_trees_are_evaluated() {
    for text in [
        "a + ".repeat(199) + "a",
        "abs(".repeat(198) + "a" + &")".repeat(198),
        "-(".repeat(66) + "a" + &")".repeat(66),
    ] {
        assert!(evaluate(&text, &[("__name__=a,l=1", 1.0)]).is_ok(), "{}", &text[..20]);
    }
}

proptest! {
    /// For all values and all ways to split them over shards, a merged sum is the same to the last bit.
    #[test]
    fn sums_do_not_depend_on_shards(values in prop::collection::vec((any::<f64>(), 0usize..8), 1..40)) {
        let plan = plan("sum(a)");
        let series: Vec<_> = (0..values.len()).map(|n| labels(&format!("__name__=a,n={n:03}"))).collect();
        let samples: Vec<_> = values.iter().map(|(value, _)| [Sample::new(0, *value)]).collect();
        let sum = |shards: usize| {
            let shard = |number: usize| {
                let mine = (0..values.len()).filter(|n| values[*n].1 % shards == number);
                let views =
                    mine.map(|n| SeriesView { labels: &series[n], samples: samples[n].as_slice().into(), histograms: &[] });
                let request = plan.leaves()[0].request(&Grid::instant(TimestampMs(0)));
                request.evaluate(views, &mut Budget::unlimited()).unwrap()
            };
            let merged = LeafMatrix::merge((0..shards).map(shard).collect());
            match plan.evaluate(&[&merged], TimestampMs(0), &mut Memo::default()) {
                Ok(Value::Vector(elements)) => elements[0].1.to_bits(),
                other => panic!("{other:?}"),
            }
        };
        prop_assert_eq!(sum(1), sum(2));
        prop_assert_eq!(sum(1), sum(8));
    }
}
