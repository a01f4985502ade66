//! `emberwatch model list`: the versions on disk.

use super::DEFAULT_FOLDER;
use crate::{
    cli::{instant, read_model},
    config::format_size,
    lifecycle::ModelDirectory,
};
use anyhow::Context as _;
use std::{
    io::{Write as _, stdout},
    path::PathBuf,
    process::ExitCode,
};

/// List the versions of the models that a sidecar keeps, the newest first; the one in use is marked with
/// a star, the one that is to be tried beside it with a ?, those that were rejected with an x, and below it is said why.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only this detector
    #[arg(value_name = "DETECTOR")]
    detector: Option<String>,

    /// Where the models are: models.path of the config
    #[arg(long, value_name = "FOLDER", default_value = DEFAULT_FOLDER)]
    path: PathBuf,
}

/// Prints a line for each version; a file that is no model says why in its line.
///
/// # Errors
/// When the folder is not there or cannot be read.
pub fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let directory = ModelDirectory::new(&args.path, usize::MAX);
    let unreadable = || format!("cannot read the models in {}", args.path.display());
    let detectors = match &args.detector {
        Some(detector) => vec![detector.clone()],
        None => directory.detectors().with_context(unreadable)?,
    };
    let mut reasons = Vec::new();
    let mut rows =
        vec![["DETECTOR", "", "VERSION", "CREATED", "ROWS", "ENTITIES", "SIZE"].map(str::to_owned)];
    for detector in detectors {
        let versions =
            directory.versions(&detector).with_context(|| format!("{}: {detector}", unreadable()))?;
        let rejected = directory.rejected(&detector).with_context(unreadable)?;
        reasons.extend(rejected.iter().map(|rejected| {
            format!("{detector}: {} was rejected: {}", rejected.version.name, rejected.reason)
        }));
        let kept = versions.into_iter().map(|version| (if version.is_current { "*" } else { "" }, version));
        let candidate = directory.candidate(&detector).with_context(unreadable)?;
        let kept = candidate.map(|candidate| ("?", candidate)).into_iter().chain(kept);
        for (mark, version) in kept.chain(rejected.into_iter().map(|rejected| ("x", rejected.version))) {
            let row = [detector.clone(), mark.to_owned(), version.name];
            rows.push(match read_model(&version.file) {
                Ok((model, bytes)) => {
                    let [detector, mark, name] = row;
                    let (created, training) = (instant(model.created_at()), model.training());
                    let (n_rows, entities) = (training.rows.to_string(), training.entities.to_string());
                    [detector, mark, name, created, n_rows, entities, format_size(bytes)]
                }
                Err(error) => {
                    let [detector, mark, name] = row;
                    let none = String::new;
                    [detector, mark, name, format!("not usable: {error:#}"), none(), none(), none()]
                }
            });
        }
    }
    let mut out = stdout().lock();
    if rows.len() == 1 {
        writeln!(out, "no model in {} yet", args.path.display())?;
        return Ok(ExitCode::SUCCESS);
    }
    write!(out, "{}", aligned(&rows))?;
    for reason in reasons {
        writeln!(out, "{reason}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
