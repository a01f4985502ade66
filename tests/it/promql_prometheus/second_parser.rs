//! A second parser, the crate promql-parser, beside ours: a judge that needs no process.

use super::{RANDOM, expressions, mutation, random};
use emberwatch::promql::Query;

/// It takes what is meant to be evaluated, and of expressions with a small mistake in them it takes and refuses the
/// ones that we take and refuse, but for what it does not know.
#[test]
fn a_second_parser_takes_and_refuses_the_same() {
    let evaluated = expressions::evaluated().map(str::to_owned).chain(random::expressions(42, RANDOM));
    let mutated = mutation::expressions(43, 6000);
    let all: Vec<String> = evaluated.chain(mutated).filter(|text| !is_unknown_to_it(text)).collect();
    assert!(all.len() > 7_500, "only {} of the expressions are known to it", all.len());
    let differences: Vec<_> = all
        .iter()
        .map(|text| (text, Query::parse(text).is_ok(), promql_parser::parser::parse(text).is_ok()))
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(text, ours, theirs)| format!("{text}: ours takes it {ours}, the other {theirs}"))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Where promql-parser 0.9 differs from Prometheus 3.5, whose real parser judges the same expressions elsewhere:
/// functions that are experimental, numbers with `_` or in hexadecimal, a sign in the step of a subquery, comments
/// in brackets, raw strings, a colon in the name of a label, durations of zero; and it does not look into the
/// arguments of `label_replace`, `limitk` and `limit_ratio`.
fn is_unknown_to_it(text: &str) -> bool {
    const PIECES: [&str; 11] = [
        "mad_over_time",
        "ts_of_",
        "0x",
        "0X",
        ":+",
        "#",
        "`",
        "label_replace",
        "limit_ratio",
        "limitk",
        "0d",
    ];
    let digits_apart = text.as_bytes().windows(3).any(|w| w[0].is_ascii_digit() && w[1] == b'_');
    let lists = ["by", "on", "without", "ignoring", "group_left", "group_right"];
    let colon_in_list = lists.iter().any(|list| {
        let behind = text.match_indices(list).map(|(at, _)| text[at + list.len()..].trim_start());
        let mut labels = behind.filter_map(|rest| rest.strip_prefix('(')?.split(')').next());
        labels.any(|labels| labels.contains(':'))
    });
    PIECES.iter().any(|piece| text.contains(piece)) || digits_apart || colon_in_list
}
