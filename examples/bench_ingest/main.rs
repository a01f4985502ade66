//! How many samples a receiver takes for a second of its processor, beside the peers that are installed.
//!
//! Receiver and load have a core each (`scripts/bench-ingest` pins this process, which pins the receivers).
//! The figure is samples per CPU-second of the receiver, so that a busy machine matters little; runs of
//! different receivers alternate, and the table shows medians.

#![allow(missing_docs, reason = "a program, not a library")]

mod fleet;

mod load;

mod payload;

mod receiver;

use anyhow::{Result, bail};
use clap::Parser;
use emberwatch::wire::MessageType;
use fleet::Fleet;
use load::{CONNECTIONS, Lanes, Schedule};
use payload::Request;
use receiver::{Receiver, Running};
use std::{
    io::{Write as _, stderr, stdout},
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Measures receivers of Remote-Write under the same load.
#[derive(Debug, Parser)]
struct Args {
    /// The sidecar's binary.
    #[arg(long, default_value = "target/release/emberwatch")]
    sidecar: PathBuf,
    /// Series, all active.
    #[arg(long, default_value_t = 100_000)]
    series: usize,
    /// Scrapes in the steady state, 15 s of data apart.
    #[arg(long, default_value_t = 20)]
    rounds: i64,
    /// Runs of each receiver; the medians are shown.
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Only receivers whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Core of the receivers.
    #[arg(long, default_value_t = 0)]
    core: usize,
    /// Samples per second of the run that measures the time of an answer; 0 leaves it out.
    #[arg(long, default_value_t = 50_000.0)]
    rate: f64,
}

/// Samples of a request, as Prometheus sends them.
const BATCH: usize = 2_000;

const INTERVAL_MS: i64 = 15_000;

/// How long a receiver has for what it does after the answers.
const SETTLE: Duration = Duration::from_secs(2);

/// Rounds of the run at a fixed rate.
const RATED_ROUNDS: i64 = 5;

/// One run of one receiver.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    /// Per CPU-second, thousands; what is done after the answers included.
    first_sight: f64,
    steady: f64,
    /// Resident memory over that of the idle process.
    bytes_per_series: f64,
    /// Of the run at a fixed rate, in milliseconds.
    p50_ms: f64,
    p99_ms: f64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let mut runs = Vec::new();
    for receiver in Receiver::ALL.into_iter().filter(|receiver| receiver.name().contains(&args.only)) {
        let Some(binary) = receiver.find(&args.sidecar) else {
            writeln!(stderr(), "{} is not installed: left out", receiver.name())?;
            continue;
        };
        for message in [MessageType::V1, MessageType::V2] {
            if receiver.takes(message) {
                runs.push((receiver, binary.clone(), message, Vec::new()));
            }
        }
    }
    if runs.is_empty() {
        bail!("no receiver is called {:?}", args.only);
    }
    for repetition in 1..=args.repeat {
        for (receiver, binary, message, figures) in &mut runs {
            let run = measure(*receiver, binary, *message, &args)?;
            writeln!(stderr(), "{repetition}/{} {} {message:?} {run:.1?}", args.repeat, receiver.name())?;
            figures.push(run);
        }
    }
    let mut out = stdout();
    writeln!(
        out,
        "{} series, {} rounds, median of {}; ack at {} samples/s\n",
        args.series, args.rounds, args.repeat, args.rate
    )?;
    writeln!(
        out,
        "| receiver | version | steady, k samples/CPU-s | first sight, k series/CPU-s | B/series | p50 ms | p99 ms |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    for (receiver, _, message, figures) in &runs {
        let median = |of: fn(&Figures) -> f64| median(figures.iter().map(of).collect());
        writeln!(
            out,
            "| {} | {message:?} | {:.0} | {:.0} | {:.0} | {:.1} | {:.1} |",
            receiver.name(),
            median(|run| run.steady),
            median(|run| run.first_sight),
            median(|run| run.bytes_per_series),
            median(|run| run.p50_ms),
            median(|run| run.p99_ms),
        )?;
    }
    Ok(())
}

fn measure(
    receiver: Receiver,
    binary: &std::path::Path,
    message: MessageType,
    args: &Args,
) -> Result<Figures> {
    let mut lanes = lanes(message, args.series);
    let running = receiver.start(binary, args.core, message)?;
    let all_rounds = 1 + args.rounds + RATED_ROUNDS;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    let schedule =
        Schedule { start_ms: now_ms - all_rounds * INTERVAL_MS, interval_ms: INTERVAL_MS, rate: None };
    let idle = running.usage()?;
    let first_sight = per_cpu_second(&running, &mut lanes, 0..1, schedule)?;
    let steady = per_cpu_second(&running, &mut lanes, 1..1 + args.rounds, schedule)?;
    let bytes = running.usage()?.resident_bytes - idle.resident_bytes;
    let mut figures =
        Figures { first_sight, steady, bytes_per_series: bytes / args.series as f64, ..Figures::default() };
    if args.rate > 0.0 {
        let rated = Schedule { rate: Some(args.rate), ..schedule };
        let outcome = load::send(running.target(), &mut lanes, 1 + args.rounds..all_rounds, rated)?;
        let at = |share: f64| {
            let place = (outcome.latencies_ms.len() as f64 * share) as usize;
            outcome.latencies_ms.get(place.min(outcome.latencies_ms.len() - 1)).copied().unwrap_or(f64::NAN)
        };
        (figures.p50_ms, figures.p99_ms) = (at(0.5), at(0.99));
    }
    Ok(figures)
}

/// The requests of all series, chunk by chunk over the connections.
fn lanes(message: MessageType, series: usize) -> Lanes {
    let fleet = Fleet::new();
    let mut lanes: Lanes = (0..CONNECTIONS).map(|_| Vec::new()).collect();
    for (number, first) in (0..series).step_by(BATCH).enumerate() {
        let last = series.min(first + BATCH);
        lanes[number % CONNECTIONS].push(Request::new(message, &fleet, first..last));
    }
    lanes
}

/// Thousands of samples that the receiver takes for a second of its processor.
fn per_cpu_second(
    running: &Running,
    lanes: &mut Lanes,
    rounds: std::ops::Range<i64>,
    schedule: Schedule,
) -> Result<f64> {
    let before = running.usage()?;
    let outcome = load::send(running.target(), lanes, rounds, schedule)?;
    std::thread::sleep(SETTLE);
    let used = running.usage()?.cpu_seconds - before.cpu_seconds;
    Ok(outcome.samples as f64 / used / 1e3)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.as_slice() {
        [] => f64::NAN,
        values if values.len() % 2 == 1 => values[middle],
        values => f64::midpoint(values[middle - 1], values[middle]),
    }
}
