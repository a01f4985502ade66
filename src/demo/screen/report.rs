//! The result of a run, for people.

use super::text;
use crate::demo::{
    Outcome,
    judge::{Alarm, Verdicts},
};
use std::{
    io::{self, Write},
    time::Duration,
};

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Totals<'a> {
    /// Alarms against faults.
    pub outcome: &'a Outcome,
    /// The nodes' names, by index.
    pub instances: &'a [String],
    /// Simulated days that were watched.
    pub days: f64,
    /// Wall-clock time until an alarm was on the screen.
    pub first_alarm: Option<Duration>,
    /// Samples sent to the sidecar.
    pub sent_samples: u64,
    /// Requests to the sidecar that had to be repeated.
    pub retries: u64,
    /// Samples the sidecar wrote back.
    pub written_back: u64,
    /// Of a series and time that had been written already.
    pub duplicates: u64,
    /// Older than the newest of their series.
    pub out_of_order: u64,
}

/// Writes the result.
pub(super) fn write(out: &mut impl Write, totals: &Totals<'_>) -> io::Result<()> {
    let Outcome { medium, high } = totals.outcome;
    let name = |node: usize| totals.instances.get(node).map_or("?", String::as_str);
    writeln!(out, "\n{:<13} {:<9} {:<17} {:<15} high", "fault", "node", "began", "medium or high")?;
    for (at_medium, at_high) in medium.faults.iter().zip(&high.faults) {
        let fault = &at_medium.fault;
        let (node, began) = (name(fault.node), text::clock(fault.start));
        let (first, second) = (found(at_medium.delay_ms), found(at_high.delay_ms));
        writeln!(out, "{:<13} {node:<9} {began:<17} {first:<15} {second}", fault.kind)?;
    }
    writeln!(out)?;
    summary(out, "medium or high", medium)?;
    summary(out, "high only", high)?;
    for alarm in &high.false_alarms {
        writeln!(out, "  false alarm (high): {} {}", name(alarm.node), span(alarm))?;
    }
    writeln!(
        out,
        "Watched {} nodes for {} simulated days; all times above are simulated.",
        totals.instances.len(),
        totals.days
    )?;
    if let Some(first_alarm) = totals.first_alarm {
        writeln!(out, "The first alarm was on the screen after {:.0} s.", first_alarm.as_secs_f64())?;
    }
    writeln!(
        out,
        "Sent {} samples ({} requests repeated), {} came back ({} twice, {} out of order).",
        text::thousands(totals.sent_samples),
        text::thousands(totals.retries),
        text::thousands(totals.written_back),
        text::thousands(totals.duplicates),
        text::thousands(totals.out_of_order),
    )
}

fn summary(out: &mut impl Write, level: &str, verdicts: &Verdicts) -> io::Result<()> {
    let delay = verdicts.median_delay_ms().map(|ms| format!(" after {} (median)", text::minutes(ms)));
    writeln!(
        out,
        "{level:<14}  of {} faults found {}{}, missed {}; false alarms: {}",
        verdicts.faults.len(),
        verdicts.found(),
        delay.unwrap_or_default(),
        verdicts.missed(),
        verdicts.false_alarms.len(),
    )
}

fn found(delay_ms: Option<i64>) -> String {
    delay_ms.map_or_else(|| "missed".to_owned(), |ms| format!("after {}", text::minutes(ms)))
}

fn span(alarm: &Alarm) -> String {
    let start = text::clock(alarm.start);
    match alarm.end {
        Some(end) => format!("{start}, for {}", text::minutes(end.since_ms(alarm.start))),
        None => format!("{start}, still on at the end"),
    }
}
