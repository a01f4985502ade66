//! The query API against its judge: the same samples in a real Prometheus and in a real sidecar, the
//! same requests to both, the same bodies from both.

mod load;

mod metadata;

mod pair;

mod requests;

use crate::support::{peers, process::wait_for};
use pair::{Answer, Pair, start_of_data};
use requests::{Compared, Request};
use std::{collections::BTreeSet, process::Command, time::Duration};

/// For all requests of the list, status, error type, data and warnings are those of Prometheus; and the
/// list leaves no route and no parameter out.
#[test]
fn answers_are_those_of_prometheus() {
    let Some(pair) = Pair::start(&[]) else { return };
    let requests = requests::all(pair.start);
    assert!(requests.len() >= 60, "only {} requests", requests.len());
    let mut differences = Vec::new();
    let mut with_data = 0;
    for request in &requests {
        let [theirs, ours] = pair.ask(request);
        with_data += usize::from(theirs.has_data());
        if let Some(difference) = difference(&theirs, &ours, request.compared) {
            differences.push(format!("{request}\n  {difference}\n  theirs {theirs}\n  ours   {ours}"));
        }
    }
    assert!(with_data >= 30, "only {with_data} answers hold data");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// What is over a limit fails in both as the same type of error, and what is not is answered.
#[test]
fn limits_are_those_of_prometheus() {
    let Some(pair) = Pair::start(&["--query.max-samples=300", "--query.lookback-delta=20s"]) else { return };
    let range = |query: &str, step: i64| {
        let end = pair.start.plus_ms(10 * 60_000);
        let parameters = [("start", pair.start.seconds().to_string()), ("end", end.seconds().to_string())];
        Request::get("query_range", &parameters).with("query", query).with("step", &step.to_string())
    };
    let requests = [
        range("node_load1", 1),
        range("node_load1", 60),
        range("sum(rate(node_cpu_seconds_total[5m]))", 1),
        range("sum(rate(node_cpu_seconds_total[5m]))", 120),
        range("node_load1{instance='b'}", 30),
    ];
    let mut failed = 0;
    for request in &requests {
        let [theirs, ours] = pair.ask(request);
        failed += usize::from(theirs.status == 422);
        let difference = difference(&theirs, &ours, Compared::Everything);
        assert_eq!(difference, None, "{request}\n  theirs {theirs}\n  ours   {ours}");
    }
    assert_eq!(failed, 2, "the limit does not lie between the requests");
}

/// promtool takes the sidecar for a Prometheus: it prints the same for both.
#[test]
fn promtool_reads_the_sidecar() {
    let Some(promtool) = peers::find("promtool") else { return };
    let Some(pair) = Pair::start(&[]) else { return };
    let at = pair.start.plus_ms(10 * 60_000).seconds().to_string();
    let (start, end) = (format!("--start={}", pair.start.seconds()), format!("--end={at}"));
    let commands: [&[&str]; 5] = [
        &["instant", &format!("--time={at}"), "URL", "sum by (mode) (rate(node_cpu_seconds_total[5m]))"],
        &["range", &start, &end, "--step=1m", "URL", "node_load1"],
        &["series", "--match=node_load1", "--match={job=\"node\", cpu=\"0\"}", "URL"],
        &["labels", "URL", "instance"],
        &["labels", &start, &end, "URL", "mode"],
    ];
    for arguments in commands {
        let [theirs, ours] = [pair.prometheus, pair.sidecar].map(|address| {
            let url = format!("http://{address}");
            let given = arguments.iter().map(|argument| if *argument == "URL" { &url } else { *argument });
            let output = Command::new(&promtool).arg("query").args(given).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(!text.trim().is_empty(), "{arguments:?}");
            // The order of series is that of their creation there, and that of their labels here.
            text.lines().map(str::to_owned).collect::<BTreeSet<_>>()
        });
        assert_eq!(theirs, ours, "promtool query {arguments:?}");
    }
}

/// Queries that take longer than they may end with 503 and the type `timeout`.
#[test]
fn a_query_without_time_times_out() {
    let sidecar = pair::Sidecar::start(&[]);
    for timeout in ["0", "-1", "1ms"] {
        let request = load::heavy().with("timeout", timeout);
        let answer = Answer::of(sidecar.address, &request);
        assert_eq!((answer.status, answer.error_type()), (503, Some("timeout")), "{timeout}: {answer}");
    }
}

/// While more queries run than there are places, and each would take very long, every write is taken.
#[test]
fn slow_queries_do_not_stop_samples() {
    let sidecar = pair::Sidecar::start(&["--query.max-concurrency=2", "--query.timeout=3s"]);
    load::write_while_querying(&sidecar, start_of_data());
}

/// A query whose client has gone gives its place back long before it would have ended.
#[test]
fn a_client_that_goes_away_cancels() {
    let sidecar = pair::Sidecar::start(&["--query.max-concurrency=1", "--query.timeout=1h"]);
    let running = || sidecar.metric("emberwatch_queries_running");
    let connection = load::ask_and_keep(sidecar.address, &load::heavy());
    wait_for("the query runs", Duration::from_secs(20), || (running() == 1.0).then_some(()));
    drop(connection);
    wait_for("the query has ended", Duration::from_secs(20), || (running() == 0.0).then_some(()));
}

/// What differs, in words.
fn difference(theirs: &Answer, ours: &Answer, compared: Compared) -> Option<String> {
    if theirs.status != ours.status {
        return Some(format!("status {} and {}", theirs.status, ours.status));
    }
    if theirs.error_type() != ours.error_type() {
        return Some(format!("error type {:?} and {:?}", theirs.error_type(), ours.error_type()));
    }
    let differs = match compared {
        Compared::Everything => theirs.unordered() != ours.unordered(),
        Compared::InOrder => theirs.body != ours.body,
        Compared::Code => false,
        Compared::CountAndWarnings => theirs.shape() != ours.shape(),
    };
    differs.then(|| "bodies".to_owned())
}
