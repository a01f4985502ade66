//! The result of a run, for people.

use super::text;
use crate::demo::judge::{Alarm, Verdicts};
use std::io::{self, Write};

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Totals<'a> {
    /// Alarms against faults.
    pub verdicts: &'a Verdicts,
    /// The nodes' names, by index.
    pub instances: &'a [String],
    /// Simulated days that were watched.
    pub days: f64,
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
    let verdicts = totals.verdicts;
    let name = |node: usize| totals.instances.get(node).map_or("?", String::as_str);
    writeln!(out, "\n{:<13} {:<9} {:<17} found", "fault", "node", "began")?;
    for judged in &verdicts.faults {
        let fault = &judged.fault;
        let found = match judged.delay_ms {
            Some(delay_ms) => format!("after {}", text::minutes(delay_ms)),
            None => "missed".to_owned(),
        };
        let began = text::clock(fault.start);
        writeln!(out, "{:<13} {:<9} {began:<17} {found}", fault.kind, name(fault.node))?;
    }
    for alarm in &verdicts.false_alarms {
        let began = text::clock(alarm.start);
        writeln!(out, "{:<13} {:<9} {began:<17} {}", "(none)", name(alarm.node), lasted(alarm))?;
    }
    let (found, missed, n) = (verdicts.found(), verdicts.missed(), verdicts.faults.len());
    let delay = verdicts.median_delay_ms().map(|ms| format!(" after {} (median)", text::minutes(ms)));
    writeln!(
        out,
        "\nOf {n} faults, found {found}{}, missed {missed}. False alarms: {} (nodes: {}, days watched: {}).",
        delay.unwrap_or_default(),
        verdicts.false_alarms.len(),
        totals.instances.len(),
        totals.days,
    )?;
    writeln!(out, "An alarm is severity medium or high. All times are simulated.")?;
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

fn lasted(alarm: &Alarm) -> String {
    match alarm.end {
        Some(end) => format!("false alarm, {}", text::minutes(end.since_ms(alarm.start))),
        None => "false alarm, still on at the end".to_owned(),
    }
}
