//! The command line: one file a subcommand.

pub mod backtest;

pub mod check_config;

pub mod demo;

pub mod evaluate;

pub mod extract;

pub mod features;

mod forest_args;

pub mod inspect;

pub mod model;

mod number;

mod past;

mod plot;

pub mod run;

pub mod score;

mod scoring;

mod svg;

pub mod train;

use crate::{
    config::{self, Config},
    model::Model,
    series::TimestampMs,
    table::{ScoreRow, ScoreWriter, Table},
};
use anyhow::{Context as _, anyhow};
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs::Permissions,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

/// What the label of an entity is called where nothing else is said.
const DEFAULT_ENTITY_LABEL: &str = "instance";

/// Anomaly-detection sidecar for Prometheus: remote_write in, isolation-forest scores back.
///
/// Without a subcommand it runs the sidecar, as `emberwatch run`.
#[derive(Debug, Parser)]
#[command(name = "emberwatch", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    run: run::RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    Demo(demo::DemoArgs),
    Extract(extract::ExtractArgs),
    Inspect(inspect::InspectArgs),
    Train(train::TrainArgs),
    Score(score::ScoreArgs),
    Backtest(backtest::BacktestArgs),
    Evaluate(evaluate::EvaluateArgs),
    Model(model::ModelArgs),
    Features(features::FeaturesArgs),
    CheckConfig(check_config::CheckConfigArgs),
}

impl Cli {
    /// Runs the chosen subcommand.
    ///
    /// # Errors
    /// With what went wrong, to be shown to the user.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            None => run::run(&self.run),
            Some(Command::Run(args)) => run::run(&args),
            Some(Command::Demo(args)) => demo::run(&args),
            Some(Command::Extract(args)) => extract::run(&args),
            Some(Command::Inspect(args)) => inspect::run(&args),
            Some(Command::Train(args)) => train::run(&args),
            Some(Command::Score(args)) => score::run(&args),
            Some(Command::Backtest(args)) => backtest::run(&args),
            Some(Command::Evaluate(args)) => evaluate::run(&args),
            Some(Command::Model(args)) => model::run(&args),
            Some(Command::Features(args)) => features::run(&args),
            Some(Command::CheckConfig(args)) => check_config::run(&args),
        }
    }
}

/// A bar over the bytes of `paths`, hidden unless the terminal shows it.
fn progress(paths: &[PathBuf]) -> ProgressBar {
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    bar(paths.iter().map(size).sum(), "reading", "{msg} {wide_bar} {bytes}/{total_bytes}")
}

/// A bar over `rows`, hidden unless the terminal shows it.
fn progress_of_rows(rows: usize, what: &'static str) -> ProgressBar {
    bar(rows as u64, what, "{msg} {wide_bar} {pos}/{len} rows")
}

fn bar(len: u64, what: &'static str, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(len).with_message(what);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The checked config in a file; without one the defaults hold.
fn read_config(path: Option<&Path>) -> anyhow::Result<Config> {
    let Some(path) = path else {
        return config::parse("{}").map_err(|problems| anyhow!("the defaults do not hold: {problems}"));
    };
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    config::parse(&text).map_err(|problems| anyhow!("{}: {problems}", path.display()))
}

/// Writes the scores of the rows of `table`, in their order.
fn write_scores(path: &Path, table: &Table, scores: &[ScoreRow]) -> anyhow::Result<()> {
    let mut writer = ScoreWriter::create(path)?;
    for (row, scores) in table.rows().iter().zip(scores) {
        writer.write(&row.timestamp, &table.entities()[row.entity].0, scores)?;
    }
    Ok(writer.finish()?)
}

/// The time that a model says it was made: `seconds` of Unix time, else now.
fn created_at(seconds: Option<i64>) -> anyhow::Result<TimestampMs> {
    match seconds {
        Some(seconds) => Ok(TimestampMs(seconds.saturating_mul(1000))),
        None => Ok(TimestampMs(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)),
    }
}

/// Writes a new file and renames it: whoever reads the path sees the old model or the new one.
fn write_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let write = || {
        // Readable for all as far as the umask allows: another user may run the sidecar.
        let mut file = tempfile::Builder::new()
            .prefix(".model-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        std::io::Result::Ok(())
    };
    write().with_context(|| format!("cannot write the model {}", path.display()))
}

/// The model in a file, and the file's size in bytes.
fn read_model(file: &Path) -> anyhow::Result<(Model, u64)> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read the model {}", file.display()))?;
    let model = Model::decode(&bytes).with_context(|| format!("cannot use the model {}", file.display()))?;
    Ok((model, bytes.len() as u64))
}

fn instant(at: TimestampMs) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.to_string(), |at| at.to_string())
}

/// `60s`, `5m`, `1h`, `250ms` or plain seconds, in milliseconds.
fn parse_step_ms(text: &str) -> Result<i64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit_ms = match &text[digits.len()..] {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        unit => return Err(format!("unknown unit {unit:?}; use ms, s, m or h")),
    };
    let number: i64 = digits.parse().map_err(|_| format!("{digits:?} is not a whole number"))?;
    number.checked_mul(unit_ms).filter(|ms| *ms > 0).ok_or_else(|| "the step must be positive".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_with_and_without_a_unit() {
        let read = |text| parse_step_ms(text).ok();
        assert_eq!([read("60"), read("60s"), read("1m"), read("60000ms")], [Some(60_000); 4]);
        assert_eq!([read("1d"), read("-5s"), read("0"), read("s"), read("9223372036854775807h")], [None; 5]);
    }
}
