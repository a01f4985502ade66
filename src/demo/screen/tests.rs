//! What a person sees, to the letter.

use super::*;
use crate::{
    demo::{
        Outcome,
        judge::{Alarm, Judged, Verdicts},
    },
    simulate::fault::{Fault, FaultKind, Strength},
};
use std::time::Duration;

const NOON: TimestampMs = TimestampMs(1_767_700_800_000);

fn row(instance: &str, severity: Option<u8>) -> Row {
    let view = NodeView {
        instance: instance.to_owned(),
        up: true,
        cpu: 0.41,
        memory: 0.5,
        disk: 0.62,
        network_bytes: 2.25e6,
        p95_seconds: 0.12,
    };
    Row { view, score: severity.map(|_| 0.1), severity, since: None, why: None }
}

fn alarming(instance: &str) -> Row {
    let why =
        "cpu_usage_avg is 0.98, usually 0.35 to 0.52. About one window in 48,000 is as unusual.".to_owned();
    Row { score: Some(0.78), since: Some(NOON.plus_ms(-600_000)), why: Some(why), ..row(instance, Some(2)) }
}

fn frame(rows: Vec<Row>) -> Frame {
    Frame {
        now: NOON,
        phase: Phase::Watching,
        speed: Some(1152.0),
        faults_begun: 1,
        faults_total: 10,
        faults_now: vec!["CPU runaway on node-02".to_owned()],
        rows,
        trouble: None,
    }
}

/// The text without escape sequences, line ends trimmed.
fn visible(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        let end = after.find(|c: char| c.is_ascii_alphabetic()).unwrap();
        rest = &after[end + 1..];
    }
    plain.push_str(rest);
    plain.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn shown(mode: Mode, frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut screen = Screen::new(&mut out, mode);
    for frame in frames {
        screen.show(frame).unwrap();
    }
    out
}

#[test]
fn the_table_shows_every_node_and_why_one_is_anomalous() {
    let mut down = row("node-03", Some(0));
    down.view.up = false;
    let frame = frame(vec![row("node-01", Some(0)), alarming("node-02"), down, row("node-04", None)]);
    let out = shown(Mode::Table { width: 80, height: 24 }, &[frame]);
    insta::assert_snapshot!(visible(&out), @r"
    emberwatch demo  Tue 06 Jan 12:00  simulated, 1152 times as fast  watching
    faults injected: 1 of 10

    node      cpu  mem disk    network      p95  score            severity since
    node-01   41%  50%  62%   2.2 MB/s   120 ms  █░░░░░░░░░ 0.10  -
    node-02   41%  50%  62%   2.2 MB/s   120 ms  ████████░░ 0.78  medium   11:50
    node-03  down
    node-04   41%  50%  62%   2.2 MB/s   120 ms

    injected now: CPU runaway on node-02
    node-02 medium: cpu_usage_avg is 0.98, usually 0.35 to 0.52. About one window in
    48,000 is as unusual.
    ");
}

#[test]
fn no_line_of_the_table_is_wider_than_the_terminal() {
    let out = shown(Mode::Table { width: 80, height: 24 }, &[frame(vec![alarming("node-02")])]);
    for line in visible(&out).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

/// A second frame goes up as many lines as the first one had, so that it covers it.
#[test]
fn a_frame_is_drawn_over_the_one_before() {
    let first = frame(vec![row("node-01", Some(0)), alarming("node-02")]);
    let lines = table::lines(&first, 80, 24).len();
    let out = shown(Mode::Table { width: 80, height: 24 }, &[first.clone(), first]);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches(&format!("\x1b[{lines}F")).count(), 1);
    assert_eq!(text.matches("\x1b[?7l").count(), text.matches("\x1b[?7h").count());
}

#[test]
fn a_small_terminal_shows_the_most_anomalous_nodes() {
    let mut rows: Vec<Row> = (1..=9).map(|n| row(&format!("node-{n:02}"), Some(0))).collect();
    rows.push(alarming("node-10"));
    let text = visible(&shown(Mode::Table { width: 80, height: 15 }, &[frame(rows)]));
    assert!(text.contains("node-10") && text.contains("node-01"), "{text}");
    assert!(!text.contains("node-05") && text.contains("and 8 quieter nodes"), "{text}");
    assert!(text.lines().count() < 15, "{text}");
}

#[test]
fn elsewhere_every_event_is_one_line_and_told_once() {
    let learning = Frame { phase: Phase::Learning, faults_begun: 0, ..frame(vec![row("node-02", None)]) };
    let alarm = frame(vec![alarming("node-02")]);
    let over = Frame { now: NOON.plus_ms(1_800_000), ..frame(vec![row("node-02", Some(0))]) };
    let out = shown(Mode::Lines, &[learning.clone(), learning, alarm.clone(), alarm, over.clone(), over]);
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
    Tue 06 Jan 12:00  learning what is normal, simulated, 1152 times as fast
    Tue 06 Jan 12:00  watching, simulated, 1152 times as fast
    Tue 06 Jan 12:00  injected 1 of 10; now: CPU runaway on node-02
    Tue 06 Jan 11:50  node-02  ALARM medium, score 0.78: cpu_usage_avg is 0.98, usually 0.35 to 0.52. About one window in 48,000 is as unusual.
    Tue 06 Jan 12:30  node-02  over, after 40 min
    ");
}

#[test]
fn the_report_says_what_was_found_missed_and_false() {
    let fault = |node, kind, minute: i64| Fault {
        node,
        kind,
        strength: Strength::Strong,
        start: NOON.plus_ms(minute * 60_000),
        end: NOON.plus_ms((minute + 40) * 60_000),
        ramp_ms: 1,
    };
    let judged = |delays_ms: [Option<i64>; 2]| {
        let faults = [fault(1, FaultKind::CpuRunaway, 0), fault(0, FaultKind::MemoryLeak, 90)];
        let judged = faults.into_iter().zip(delays_ms);
        judged.map(|(fault, delay_ms)| Judged { fault, delay_ms }).collect()
    };
    let false_alarms = vec![
        Alarm { node: 0, start: NOON, end: Some(NOON.plus_ms(180_000)) },
        Alarm { node: 1, start: NOON.plus_ms(7_200_000), end: None },
    ];
    let outcome = Outcome {
        medium: Verdicts { faults: judged([Some(360_000), Some(2_400_000)]), false_alarms: Vec::new() },
        high: Verdicts { faults: judged([Some(420_000), None]), false_alarms },
    };
    let totals = Totals {
        outcome: &outcome,
        instances: &["node-01".to_owned(), "node-02".to_owned()],
        days: 1.0,
        first_alarm: Some(Duration::from_millis(31_400)),
        sent_samples: 2_304_000,
        retries: 0,
        written_back: 28_800,
        duplicates: 0,
        out_of_order: 0,
    };
    let mut out = Vec::new();
    Screen::new(&mut out, Mode::Lines).report(&totals).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"

    fault         node      began             medium or high  high
    CPU runaway   node-02   Tue 06 Jan 12:00  after 6 min     after 7 min
    memory leak   node-01   Tue 06 Jan 13:30  after 40 min    missed

    medium or high  of 2 faults found 2 after 6 min (median), missed 0; false alarms: 0
    high only       of 2 faults found 1 after 7 min (median), missed 1; false alarms: 2
      false alarm (high): node-01 Tue 06 Jan 12:00, for 3 min
      false alarm (high): node-02 Tue 06 Jan 14:00, still on at the end
    Watched 2 nodes for 1 simulated days; all times above are simulated.
    The first alarm was on the screen after 31 s.
    Sent 2,304,000 samples (0 requests repeated), 28,800 came back (0 twice, 0 out of order).
    ");
}
