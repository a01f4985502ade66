use super::*;
use crate::promql::ast::{At, Group, Moment, Side};
use proptest::prelude::*;

fn parse(text: &str) -> Result<Node, crate::promql::ParseError> {
    super::parse(text).map_err(|fault| fault.in_text(text))
}

/// The tree with every grouping written as parentheses: shows what binds to what.
fn grouped(text: &str) -> String {
    fn write(node: &Node) -> String {
        let list = |nodes: &[Node]| nodes.iter().map(write).collect::<Vec<_>>().join(", ");
        match &node.kind {
            Kind::Number(value) => value.to_string(),
            Kind::Text(text) => format!("{text:?}"),
            Kind::Paren(inner) => write(inner),
            Kind::Minus(inner) => format!("(-{})", write(inner)),
            Kind::Plus(inner) => format!("(+{})", write(inner)),
            Kind::Selector(selector) => {
                let range = selector.range_ms.map(|ms| format!("[{ms}]")).unwrap_or_default();
                format!("{}{range}{}", selector.metric.clone().unwrap_or_default(), moment(selector.moment))
            }
            Kind::Subquery(subquery) => {
                let step = subquery.step_ms.map(|ms| ms.to_string()).unwrap_or_default();
                let inner = write(&subquery.inner);
                format!("{inner}[{}:{step}]{}", subquery.range_ms, moment(subquery.moment))
            }
            Kind::Binary(b) => format!("({} {:?} {})", write(&b.left), b.op.precedence(), write(&b.right)),
            Kind::Call { name, args } => format!("{}({})", name.text, list(args)),
            Kind::Aggregate { op, grouping, args } => format!("{} {grouping:?} ({})", op.text, list(args)),
        }
    }
    fn moment(Moment { offset_ms, at }: Moment) -> String {
        let offset = if offset_ms == 0 { String::new() } else { format!("<{offset_ms}") };
        match at {
            None => offset,
            Some(At::Fixed(at)) => format!("{offset}@{at}"),
            Some(At::Start) => offset + "@start",
            Some(At::End) => offset + "@end",
        }
    }
    write(&parse(text).unwrap_or_else(|error| panic!("{error}")))
}

fn message(text: &str) -> String {
    parse(text).unwrap_err().to_string().lines().next().unwrap_or_default().to_owned()
}

#[test]
fn operators_bind_as_in_prometheus() {
    for (text, tree) in [
        ("a + b * c", "(a 4 (b 5 c))"),
        ("a - b - c", "((a 4 b) 4 c)"),
        ("a ^ b ^ c", "(a 6 (b 6 c))"),
        ("-a ^ b", "(-(a 6 b))"),
        ("-a * b", "((-a) 5 b)"),
        ("2 ^ -a * b", "((2 6 (-a)) 5 b)"),
        ("a or b and c unless d", "(a 1 ((b 2 c) 2 d))"),
        ("a > bool b + c == d", "((a 3 (b 4 c)) 3 d)"),
        ("a atan2 b % c", "((a 5 b) 5 c)"),
        ("-a offset 5m", "(-a<300000)"),
        ("-1", "-1"),
        ("--a", "(-(-a))"),
        ("5m", "300"),
    ] {
        assert_eq!(grouped(text), tree, "{text}");
    }
}

#[test]
fn selectors_take_ranges_and_offsets() {
    assert_eq!(grouped("a[5m] offset 1h"), "a[300000]<3600000");
    assert_eq!(grouped("a[300] offset -0.5"), "a[300000]<-500");
    assert_eq!(grouped("a[5m] @ 1.5 offset 1h"), "a[300000]<3600000@1500");
    assert_eq!(grouped("a offset -1h @ end() + b @ start ()"), "(a<-3600000@end 4 b@start)");
    assert_eq!(grouped("sum(a)[1h:5m] offset 1m"), "sum By([]) (a)[3600000:300000]<60000");
    assert_eq!(grouped("-a[+90:][- -5m:1]"), "(-a[90000:][300000:1000])");
    assert_eq!(grouped("sum by (x, \"my.label\",) (a)"), "sum By([\"x\", \"my.label\"]) (a)");
    assert_eq!(grouped("SUM (a) WITHOUT (by)"), "sum Without([\"by\"]) (a)");
    assert_eq!(grouped("sum + by{} + job:x:rate5m"), "((sum 4 by) 4 job:x:rate5m)");
}

#[test]
fn quoted_names_are_metric_names_and_label_names() {
    let root = parse(r#"{"my.metric", "my.label"=~'a|b', c!=`d`,}"#).unwrap();
    let Kind::Selector(selector) = root.kind else { panic!("not a selector") };
    let seen: Vec<_> =
        selector.matchers.iter().map(|m| (m.name.as_str(), m.op.symbol(), m.value.as_str())).collect();
    assert_eq!(seen, [("__name__", "=", "my.metric"), ("my.label", "=~", "a|b"), ("c", "!=", "d")]);
}

#[test]
fn matching_modifiers_are_kept() {
    let root = parse("a / on (x) group_left (y) b").unwrap();
    let Kind::Binary(binary) = root.kind else { panic!("not binary") };
    let matching = binary.matching.unwrap();
    assert_eq!((matching.on, matching.labels), (true, vec!["x".to_owned()]));
    assert_eq!(matching.group, Some(Group { many: Side::Left, include: vec!["y".to_owned()] }));
}

#[test]
fn errors_name_the_place() {
    for (text, expected) in [
        ("", "1:1: there is no expression"),
        ("# only a comment", "1:17: there is no expression"),
        ("sum(a", "1:6: unexpected the end, expected \",\" or \")\""),
        ("a b", "1:3: unexpected \"b\", expected an operator or the end"),
        ("a +\n* b", "2:1: unexpected \"*\", expected an expression"),
        ("a{b=c}", "1:5: unexpected \"c\", expected a quoted label value"),
        ("a{b}", "1:4: unexpected \"}\", expected \"=\", \"!=\", \"=~\" or \"!~\""),
        ("a{__name__=\"b\"}", "1:3: the metric name is given twice: \"a\" and \"b\""),
        ("a[5m:1m", "1:8: unexpected the end, expected \"]\""),
        ("a[5m:0]", "1:6: the step of a subquery is longer than zero"),
        ("a @ b", "1:5: unexpected \"b\", expected a Unix timestamp in seconds, start() or end()"),
        ("a @ NaN", "1:5: the timestamp is out of bounds"),
        ("a @ 1 @ 2", "1:7: @ is given twice"),
        ("1 @ 2", "1:3: @ belongs directly behind a selector or a subquery"),
        ("a @ 5 [5m]", "1:7: the range stands before offset and @"),
        ("sum(a)[5m]", "1:7: a range belongs directly behind a selector"),
        ("(a) offset 5m", "1:5: offset belongs directly behind a selector or a subquery"),
        ("a offset 5m offset 1m", "1:13: offset is given twice"),
        ("a offset 5m [5m]", "1:13: the range stands before offset and @"),
        ("a[0s]", "1:3: a range is longer than zero"),
        ("a[5m5m]", "1:3: \"5m5m\" is neither a number nor a duration"),
        ("a * group_left (x) b", "1:5: group_left needs on(..) or ignoring(..) before it"),
        ("on", "1:1: unexpected \"on\", expected an expression"),
        ("sum(a,)", "1:7: unexpected \")\", expected an expression"),
    ] {
        assert_eq!(message(text), expected, "{text}");
    }
}

#[test]
fn depth_is_bounded_however_it_is_reached() {
    for text in [
        "(".repeat(50_000),
        "-".repeat(50_000),
        "a+".repeat(20_000) + "a",
        "a^".repeat(20_000) + "a",
        "abs(".repeat(10_000),
        "sum by (x) (".repeat(5_000),
        "a".to_owned() + &"[1m:]".repeat(5_000),
    ] {
        assert!(message(&text).contains("levels deep"), "{}", &text[..10]);
    }
    let longest = "a+".repeat(MAX_HEIGHT - 1) + "a";
    assert!(parse(&longest).is_ok());
    assert!(message(&"a".repeat(MAX_TEXT_BYTES + 1)).contains("longer than"));
}

const VALID: [&str; 6] = [
    r#"1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle", cpu=~"[0-9]+"}[5m] offset 1h))"#,
    "histogram_quantile(0.95, sum by (le, job) (rate(http_request_duration_seconds_bucket[5m])))",
    "a * on (x) group_left (y, z) (b > bool 0) # comment",
    r#"{"my.metric", 'l'!~`\d`} unless ignoring () -c ^ 2 ^ -0x1f"#,
    "quantile_over_time(.5, a[1h30m]) % 1_000 atan2 Inf or nan",
    "max_over_time(deriv(a[5m] @ end())[1h:1m] offset -5m @ 1e9)",
];

proptest! {
    /// For all texts, parsing ends, does not panic, and points into the text.
    #[test]
    fn random_text_never_panics(text in "\\PC{0,80}") {
        if let Err(error) = parse(&text) {
            prop_assert!(error.offset() <= text.len());
        }
    }

    /// For all sequences of PromQL's own characters and words, parsing does not panic.
    #[test]
    fn random_tokens_never_panic(words in prop::collection::vec(prop::sample::select(vec![
        "a", "sum", "by", "(", ")", "{", "}", "[", "]", "5m", "offset", "1", "-", "^", "==", "bool", "on",
        "group_left", ",", "\"x\"", "=", "=~", ":", "@", " ", "\n", "#", "'", "rate", "inf", ".", "0x", "é",
    ]), 0..40)) {
        let _ = parse(&words.concat());
    }

    /// For all valid expressions with one piece cut out or doubled, parsing does not panic.
    #[test]
    fn mutated_expressions_never_panic(which in 0..VALID.len(), from in 0usize..100, length in 0usize..20, double: bool) {
        let text = VALID[which];
        let from = from.min(text.len());
        let until = (from + length).min(text.len());
        let mut mutated = text.to_owned();
        if double {
            mutated.insert_str(from, &text[from..until]);
        } else {
            mutated.replace_range(from..until, "");
        }
        let _ = parse(&mutated);
    }
}

#[test]
fn the_seeds_of_the_mutations_are_valid() {
    for text in VALID {
        assert!(parse(text).is_ok(), "{text}: {}", parse(text).unwrap_err());
    }
}
