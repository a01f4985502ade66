//! `emberwatch extract`: the past of a detector, as a table.

mod raw;

mod resumable;

use super::{
    inspect::{self, InspectArgs},
    instant,
    past::{Past, PastArgs, chosen, left_out},
    read_config,
};
use crate::{
    config::{Config, Detector},
    history::Counts,
    pipeline::Vectors,
    series::LabelSet,
    window::AppendCounts,
};
use anyhow::Context as _;
use resumable::{Journal, Resumable};
use std::{
    collections::BTreeMap,
    io::{Write as _, stdout},
    path::PathBuf,
    process::ExitCode,
};

/// Write the features of a detector, as they were in the past, to a CSV file for training, backtests and notebooks.
///
/// The samples come from the store under `history:` in the config (Prometheus, Thanos, Mimir, VictoriaMetrics), slice by slice, and go
/// through the detector's own expressions at every step: the file holds what the sidecar would have seen. Memory does not grow with the
/// range. With --openmetrics they come from files, which are read whole first. When it is interrupted, the same command goes on where it was. At the end the table is inspected, as by `inspect`.
#[derive(Debug, clap::Args)]
pub struct ExtractArgs {
    /// The config file: its detectors, and the store under `history:`
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Which detector of the config; not needed where there is only one
    #[arg(long, value_name = "NAME")]
    detector: Option<String>,

    #[command(flatten)]
    past: PastArgs,

    /// Where the table is written (.csv, or .csv.gz to compress it): timestamp, entity, a column a feature
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Write the samples of the detector's series as they are stored, one a row: timestamp, series, value
    #[arg(long)]
    raw: bool,

    /// Write what the inspection found to this file, as JSON
    #[arg(long, value_name = "FILE.json", conflicts_with = "raw")]
    json: Option<PathBuf>,

    /// Write a page with plots of it to this file
    #[arg(long, value_name = "FILE.html", conflicts_with = "raw")]
    html: Option<PathBuf>,
}

/// What was written.
#[derive(Default)]
struct Written {
    rows: u64,
    /// Native histograms, which were not.
    histograms: u64,
    /// What the windows made of the samples.
    appended: AppendCounts,
    /// Features without a value, with how often and the last reason.
    failed: BTreeMap<String, (u64, String)>,
}

/// Reads the past, writes the table, and says what was found.
///
/// # Errors
/// When the store cannot be read or the file not be written; what was written by then stays, and the same command goes on behind it.
pub fn run(args: &ExtractArgs) -> anyhow::Result<ExitCode> {
    let config = read_config(Some(&args.config))?;
    let detector = chosen(&args.config, args.detector.as_deref(), &config)?;
    let past = args.past.open(&args.config, &config, detector)?;
    for line in past.said() {
        writeln!(stdout(), "{line}")?;
    }
    let identity = identity(args, detector);
    let header = if args.raw { raw::header() } else { header(detector)? };
    let (mut out, journal) = Resumable::open(&args.out, &identity, &header, past.range())?;
    if journal.next > *journal.range().start() {
        let (next, until) = (instant(journal.next), instant(*journal.range().end()));
        writeln!(stdout(), "going on at {next}, until {until}")?;
    }
    let (counts, written) = if args.raw {
        raw::write(&past, &config, detector, journal, &mut out)?
    } else {
        write(&past, &config, detector, journal, &mut out)?
    };
    out.finish()?;
    report(args, &counts, &written)?;
    if args.raw {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(stdout())?;
    let json = args.json.clone();
    inspect::run(&InspectArgs { csv: vec![args.out.clone()], json, html: args.html.clone() })
}

fn write(
    past: &Past,
    config: &Config,
    detector: &Detector,
    journal: Journal,
    out: &mut Resumable,
) -> anyhow::Result<(Counts, Written)> {
    let mut written = Written::default();
    let by = detector.schema.by();
    let rest = journal.next..=*journal.range().end();
    let (counts, appended) = past.vectors(config, detector, rest, |steps, next| {
        let mut rows = csv::Writer::from_writer(Vec::new());
        for vectors in steps {
            written.rows += write_rows(&mut rows, by, &vectors)?;
            for (feature, reason) in vectors.failed {
                let failed = written.failed.entry(feature).or_default();
                *failed = (failed.0 + 1, reason);
            }
        }
        out.append(&rows.into_inner().context("a buffer in memory")?, next)
    })?;
    Ok((counts, Written { appended, ..written }))
}

fn write_rows(rows: &mut csv::Writer<Vec<u8>>, by: &[String], vectors: &Vectors) -> anyhow::Result<u64> {
    let matrix = &vectors.matrix;
    let at = instant(matrix.at);
    for (entity, values) in matrix.entities.iter().zip(matrix.values.rows()) {
        rows.write_field(&at)?;
        rows.write_field(name(entity, by))?;
        for value in values {
            let cell = if value.is_nan() { String::new() } else { value.to_string() };
            rows.write_field(cell)?;
        }
        rows.write_record(None::<&[u8]>)?;
    }
    Ok(matrix.entities.len() as u64)
}

/// An entity of one label by its value, as `train` and `backtest` read it; one of several by all of them.
pub(super) fn name(entity: &LabelSet, by: &[String]) -> String {
    match by {
        [only] => entity.get(only).unwrap_or_default().to_owned(),
        _ => entity.to_string(),
    }
}

fn header(detector: &Detector) -> anyhow::Result<Vec<u8>> {
    let mut header = csv::Writer::from_writer(Vec::new());
    let features = detector.schema.features().iter().map(|feature| feature.name.as_str());
    header.write_record(["timestamp", "entity"].into_iter().chain(features))?;
    header.into_inner().context("a buffer in memory")
}

/// What must be the same for a file to be gone on with.
fn identity(args: &ExtractArgs, detector: &Detector) -> String {
    let PastArgs { from, until, openmetrics, .. } = &args.past;
    let fingerprint = detector.schema.fingerprint_text();
    let kind = if args.raw { "raw" } else { "features" };
    let files = if openmetrics.is_empty() { String::new() } else { format!(" in {openmetrics:?}") };
    format!("{kind} of {} ({fingerprint}){files}, from {from:?} until {until:?}", detector.schema.detector())
}

fn report(args: &ExtractArgs, counts: &Counts, written: &Written) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "read {} samples; wrote {} rows to {}", counts.samples, written.rows, args.out.display())?;
    if written.histograms > 0 {
        writeln!(out, "left out: {} native histograms, for which a table has no cell", written.histograms)?;
    }
    for line in left_out(counts, &written.appended) {
        writeln!(out, "{line}")?;
    }
    for (feature, (steps, reason)) in &written.failed {
        writeln!(out, "{feature} has no value at {steps} steps: {reason}")?;
    }
    Ok(())
}
