//! The command line: one file a subcommand.

pub mod check_config;

pub mod demo;

pub mod run;

pub mod score;

pub mod train;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

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
    /// Run the sidecar (the default)
    Run(run::RunArgs),
    /// Show the whole loop in this terminal, with nothing else installed
    Demo(demo::DemoArgs),
    /// Train a model on CSV files
    Train(train::TrainArgs),
    /// Score a CSV file with a model
    Score(score::ScoreArgs),
    /// Check a config file: print every problem at once, or what it amounts to
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
            Some(Command::Train(args)) => train::run(&args),
            Some(Command::Score(args)) => score::run(&args),
            Some(Command::CheckConfig(args)) => check_config::run(&args),
        }
    }
}

/// A bar over the bytes of `paths`, hidden unless the terminal shows it.
fn progress(paths: &[std::path::PathBuf]) -> indicatif::ProgressBar {
    let size = |path: &std::path::PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let style = indicatif::ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}");
    let bar = indicatif::ProgressBar::new(paths.iter().map(size).sum()).with_message("reading");
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
