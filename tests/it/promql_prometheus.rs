//! PromQL against its judge: the same samples and expressions to a real Prometheus and to ours.

mod answer;

mod data;

mod expressions;

mod mutation;

mod ours;

mod random;

mod second_parser;

mod theirs;

use crate::{
    annotations,
    support::{peers, remote_write},
};
use answer::{Answer, difference, same_bits, value_count};
use data::{LENGTH, MINUTE};
use emberwatch::{
    promql::{Grid, Query},
    series::TimestampMs,
};
use ours::Sharded;
use std::{
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};
use theirs::{Connection, Prometheus};

/// Connections to Prometheus, each with its own thread.
const CONNECTIONS: usize = 4;

/// Random expressions, beside the hand-picked ones.
const RANDOM: usize = 2_400;

/// For all expressions and grids, our answer is that of Prometheus: the same labels, values within
/// 1e-12, the same order where there is one, the same warnings and infos, an error where it has one; and it is
/// the same to the last bit whether the series lie in 1 or in 3 shards.
#[test]
fn answers_are_those_of_prometheus() {
    let Some(binary) = peers::find("prometheus") else { return };
    let start = TimestampMs(now_ms() - LENGTH - MINUTE).align_down(MINUTE);
    let series = data::generate(start);
    let prometheus = Prometheus::start(&binary);
    remote_write::send(prometheus.address, &series);

    let random = random::expressions(42, RANDOM);
    let evaluated = expressions::evaluated().map(|text| (text.to_owned(), 12));
    let evaluated: Vec<_> = evaluated.chain(random.into_iter().map(|text| (text, 2))).collect();
    let refused = expressions::REFUSED.iter().map(|text| ((*text).to_owned(), 1));
    let all: Vec<(String, i64)> = evaluated.iter().cloned().chain(refused).collect();

    let stores = [1, 3].map(|shards| Sharded::new(&series, shards, start));
    let totals = Mutex::new((0, 0, Vec::new()));
    std::thread::scope(|scope| {
        for share in all.chunks(all.len().div_ceil(CONNECTIONS)) {
            let (stores, totals, prometheus) = (&stores, &totals, &prometheus);
            scope.spawn(move || {
                let mut connection = prometheus.connect();
                for (text, times) in share {
                    let (compared, failed, difference) =
                        compare(text, *times, stores, &mut connection, start);
                    let mut totals = totals.lock().unwrap();
                    totals.0 += compared;
                    totals.1 += usize::from(failed);
                    totals.2.extend(difference);
                }
            });
        }
    });
    let (compared, failed, mut differences) = totals.into_inner().unwrap();
    differences.sort();
    eprintln!("{} expressions, {failed} of them errors, {compared} values compared", all.len());
    assert!(compared > 200_000, "only {compared} values compared: the data is not there");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// One expression over all its grids: how many values were compared, whether it ever failed, and the
/// first difference.
fn compare(
    text: &str,
    times: i64,
    stores: &[Sharded; 2],
    connection: &mut Connection,
    start: TimestampMs,
) -> (usize, bool, Option<String>) {
    let (mut compared, mut failed) = (0, false);
    for grid in grids(start, times) {
        let (theirs, their_annotations) = connection.query(text, &grid);
        let [(ours, our_annotations), (other, other_annotations)] =
            stores.each_ref().map(|sharded| sharded.answer(text, &grid));
        compared += value_count(&theirs);
        failed |= matches!(theirs, Answer::Error(_));
        let difference = if same_bits(&ours, &other) && our_annotations == other_annotations {
            let different_annotations = || annotations::difference(&our_annotations, &their_annotations);
            difference(text, &ours, &theirs).or_else(different_annotations)
        } else {
            Some(format!("one shard {ours:?}, three {other:?}"))
        };
        if let Some(difference) = difference {
            let at = grid.start.since_ms(start);
            return (
                compared,
                failed,
                Some(format!("{text}\n    at +{at} step {}: {difference}", grid.step_ms)),
            );
        }
    }
    (compared, failed, None)
}

/// For all expressions with a small mistake in them: we accept exactly what Prometheus accepts (but
/// for what [`is_slip_of_prometheus`]).
#[test]
fn mistakes_are_mistakes_to_prometheus_too() {
    let Some(binary) = peers::find("prometheus") else { return };
    let prometheus = Prometheus::start(&binary);
    let mut connection = prometheus.connect();
    let differs = |text: String| {
        let ours = Query::parse(&text).map(|_| ());
        let theirs = match connection.query(&text, &Grid::instant(TimestampMs(0))).0 {
            // Without data, what fails at evaluation is a wrong string: a pattern, a label name.
            Answer::Error(message) => Err(message),
            _ => Ok(()),
        };
        let same = ours.is_ok() == theirs.is_ok();
        (!same).then(|| {
            format!("{text}\n  ours {:?}\n  theirs {theirs:?}", ours.map_err(|e| e.message().to_owned()))
        })
    };
    let differences: Vec<_> = mutation::expressions(42, 6000)
        .into_iter()
        .filter(|text| !is_slip_of_prometheus(text))
        .filter_map(differs)
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What Prometheus accepts and we refuse: its lexer takes any letter behind the duration in a bracket for
/// a colon (`[2 m]` is `[2:]`), and its strings may be invalid UTF-8.
fn is_slip_of_prometheus(text: &str) -> bool {
    let in_brackets = text.split('[').skip(1).filter_map(|behind| behind.split(']').next());
    let has_word =
        |bracket: &str| bracket.split_whitespace().skip(1).any(|word| word.starts_with(char::is_alphabetic));
    in_brackets.into_iter().any(has_word) || text.contains("\\x")
}

/// Without the judge: what is meant to be evaluated parses, what is meant to be refused does not.
#[test]
fn the_compared_expressions_are_what_their_lists_say() {
    for text in expressions::evaluated() {
        Query::parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    }
    for text in expressions::REFUSED {
        assert!(Query::parse(text).is_err(), "{text}");
    }
    for text in random::expressions(42, RANDOM) {
        Query::parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    }
}

/// `count` instants over the length of the data, on no scrape's beat, and two ranges: one with steps
/// that overlap the ranges looked at, one with long steps that begins before the data.
fn grids(start: TimestampMs, count: i64) -> impl Iterator<Item = Grid> {
    let distance = LENGTH / (count + 1) + 117;
    let instants = (1..=count).map(move |n| Grid::instant(start.plus_ms(n * distance)));
    let range = move |from: i64, until: i64, step_ms: i64| Grid {
        start: start.plus_ms(from),
        end: start.plus_ms(until),
        step_ms,
    };
    instants.chain([
        range(8 * MINUTE + 1_001, 30 * MINUTE, 71_000),
        range(-3 * MINUTE, LENGTH + 3 * MINUTE, 7 * MINUTE),
    ])
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}
