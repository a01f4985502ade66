//! The command line: one file a subcommand.

pub mod check_config;

pub mod demo;

pub mod score;

pub mod train;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Anomaly detection for Prometheus.
#[derive(Debug, Parser)]
#[command(name = "emberwatch", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
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
            Command::Train(args) => train::run(&args),
            Command::Score(args) => score::run(&args),
            Command::CheckConfig(args) => check_config::run(&args),
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
