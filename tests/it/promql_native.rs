//! Native histograms against their judge: the same Remote-Write 2.0 request to a real Prometheus and to
//! our decoder and window, the same expressions to both.

mod answer;

mod data;

mod expressions;

mod ours;

mod theirs;

use crate::{annotations, support::peers};
use answer::{difference, value_count};
use data::{LENGTH, MINUTE};
use emberwatch::{
    promql::{Grid, Query},
    series::TimestampMs,
};
use ours::Ours;
use std::time::{SystemTime, UNIX_EPOCH};
use theirs::Prometheus;

/// Here a warning names the series at which the sum of a group fails: that depends on the order of series, which
/// Prometheus does not promise.
const NAMES_BY_ORDER: &str = "sum({__name__=~\"counter|buckets\"})";

/// For all expressions and grids, our answer is that of Prometheus: the same labels, floats and histograms
/// within 1e-12, bucket by bucket, the same warnings and infos, an error where it has one.
#[test]
fn histograms_are_those_of_prometheus() {
    let Some(binary) = peers::find("prometheus") else { return };
    let start = TimestampMs(now_ms() - LENGTH - MINUTE).align_down(MINUTE);
    let messages = data::messages(start);
    let prometheus = Prometheus::start(&binary);
    messages.iter().for_each(|message| prometheus.write(message));
    let ours = Ours::new(&messages, start.plus_ms(LENGTH));

    let expressions = expressions::all();
    assert!(expressions.len() >= 400, "only {} expressions", expressions.len());
    let (mut compared, mut differences) = (0, Vec::new());
    for text in &expressions {
        for grid in grids(start) {
            let (theirs, their_annotations) = prometheus.query(text, &grid);
            compared += value_count(&theirs);
            let (ours, our_annotations) = ours.query(text, &grid);
            let different_annotations = || {
                let named = text != NAMES_BY_ORDER;
                named.then(|| annotations::difference(&our_annotations, &their_annotations)).flatten()
            };
            if let Some(difference) = difference(&ours, &theirs).or_else(different_annotations) {
                let at = grid.start.since_ms(start);
                differences.push(format!("{text}\n    at +{at} step {}: {difference}", grid.step_ms));
                break;
            }
        }
    }
    eprintln!("{} expressions, {compared} values compared", expressions.len());
    assert!(compared > 20_000, "only {compared} values compared: the data is not there");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// Without the judge: what is compared can be asked.
#[test]
fn the_expressions_about_histograms_parse() {
    for text in expressions::all() {
        Query::parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    }
}

/// Instants on no scrape's beat, and two ranges.
fn grids(start: TimestampMs) -> impl Iterator<Item = Grid> {
    let instants = [3, 7, 11, 16].map(|minutes| Grid::instant(start.plus_ms(minutes * MINUTE + 4_117)));
    let range = |from: i64, step_ms: i64| Grid {
        start: start.plus_ms(from),
        end: start.plus_ms(LENGTH + MINUTE),
        step_ms,
    };
    instants.into_iter().chain([range(MINUTE + 1_001, 71_000), range(-2 * MINUTE, 3 * MINUTE)])
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}
