//! `emberwatch inspect`: what recorded features are worth before anything is trained on them.

mod page;

mod report;

use super::progress;
use crate::{
    inspect::{Concern, Inspector},
    table::{self, Scanned},
};
use anyhow::Context as _;
use std::{
    fs,
    io::{Write as _, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Problems of single rows and cells that are named in full.
const MAX_NAMED: usize = 10;

/// Look at recorded features before training on them: gaps, repeated rows, columns that are empty, constant or counters.
///
/// Files are CSV (.csv or .csv.gz) as `train` reads them, but nothing in them stops this command: rows and cells that
/// cannot be read are counted and named. Memory does not grow with the rows. Ends with 1 where there is something
/// that training would refuse or learn wrong.
#[derive(Debug, clap::Args)]
pub struct InspectArgs {
    /// The tables, one after the other
    #[arg(required = true, value_name = "FILE.csv")]
    pub(super) csv: Vec<PathBuf>,

    /// Write all figures to this file, as JSON
    #[arg(long, value_name = "FILE.json")]
    pub(super) json: Option<PathBuf>,

    /// Write a page with plots to this file
    #[arg(long, value_name = "FILE.html")]
    pub(super) html: Option<PathBuf>,
}

/// Reads the files, prints what was found, and writes what was asked for.
///
/// # Errors
/// When a file cannot be read or written at all.
pub fn run(args: &InspectArgs) -> anyhow::Result<ExitCode> {
    let first = args.csv.first().context("a file is needed")?;
    let features = table::feature_names(first)?;
    let mut inspector = Inspector::new(features.iter().cloned());
    let (mut named, mut unnamed) = (Vec::new(), 0_u64);
    let mut name = |error: table::TableError| match named.len() {
        MAX_NAMED => unnamed += 1,
        _ => named.push(error.to_string()),
    };
    let progress = progress(&args.csv);
    table::scan(&args.csv, &features, &progress, |scanned| match scanned {
        Scanned::Row { entity, at, values } => inspector.take(entity, at, values),
        Scanned::Cell { feature, error } => {
            inspector.unreadable_cell(feature);
            name(error);
        }
        Scanned::Left(error) => {
            inspector.unreadable_row();
            name(error);
        }
    })?;
    progress.finish_and_clear();
    let report = inspector.report();
    let mut out = stdout().lock();
    write!(out, "{}", report::text(&report))?;
    for line in &named {
        writeln!(out, "{line}")?;
    }
    if unnamed > 0 {
        writeln!(out, "and {unnamed} more such problems")?;
    }
    let mut write_to = |path: &Path, text: String| {
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(out, "written to {}", path.display())?;
        anyhow::Ok(())
    };
    if let Some(path) = &args.json {
        write_to(path, serde_json::to_string_pretty(&report::json(&report))? + "\n")?;
    }
    if let Some(path) = &args.html {
        write_to(path, page::html(&args.csv, &report))?;
    }
    let is_bad = report.findings.iter().any(|finding| finding.concern == Concern::Error);
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
